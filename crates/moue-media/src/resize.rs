//! Other sizes and parts of a picture.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use crate::{Error, Grey, Picture, Region};

mod bilinear;
mod fitted;
mod reduced;
mod sample;
mod turned;

/// Most pixels a picture made here may have.
const MAX_PIXELS: u64 = 1 << 27;

/// Largest coordinate and size of a region; beyond it `f32` no longer tells neighbouring pixels apart.
const MAX_COORDINATE: f32 = 16_777_216.0;

impl Grey {
    /// The whole picture at another size: bilinear, and where it shrinks, the same triangle filter
    /// widened to the scale, so that every pixel counts (as Pillow's `BILINEAR` does).
    ///
    /// # Errors
    /// [`Error::Argument`] where either picture has no pixels or the new one more than 2^27.
    pub fn resized(&self, width: u32, height: u32) -> Result<Self, Error> {
        let pixels = resized::<U8>(self.pixels(), (self.width(), self.height()), (width, height))?;
        made(Self::from_raw(width, height, pixels))
    }

    /// The part of `width` x `height` pixels whose upper left pixel is (`x`, `y`). Where it leaves the
    /// picture, the pixel of the edge nearest to it is repeated.
    ///
    /// # Errors
    /// [`Error::Argument`] where either picture has no pixels or the new one more than 2^27.
    pub fn crop(&self, x: i64, y: i64, width: u32, height: u32) -> Result<Self, Error> {
        let pixels = cropped::<1>(self.pixels(), (self.width(), self.height()), (x, y), (width, height))?;
        made(Self::from_raw(width, height, pixels))
    }

    /// The part under `region`, at fractions of a pixel, as a square of `side` pixels: what a face
    /// classifier is given. A region that is not square is stretched.
    ///
    /// Each axis is filtered as in [`resized`](Self::resized): bilinear when enlarging, with antialiasing when
    /// shrinking. Pixels around the region take part in the values at its edge, and where it leaves the
    /// picture, the pixel of the edge nearest to it is repeated without end.
    ///
    /// # Errors
    /// [`Error::Argument`] where the picture has no pixels, `side` is 0 or above 16,384, or the region is
    /// empty, not finite, or has a coordinate beyond 2^24.
    pub fn crop_resized(&self, region: Region, side: u32) -> Result<Self, Error> {
        check_region(region, side)?;
        check_size("the picture", self.width(), self.height())?;
        let pixels = sample::square::<1>(self.pixels(), (self.width(), self.height()), region, side);
        made(Self::from_raw(side, side, pixels))
    }

    /// A turned square as `side` x `side` pixels: the square around the centre of `region`, as wide as the region, which stands
    /// in the picture turned clockwise by `degrees`, is turned back and resized. The edge of the picture is repeated.
    ///
    /// # Errors
    /// As [`crop_resized`](Self::crop_resized); and where `degrees` is no number.
    pub fn crop_turned(&self, region: Region, degrees: f32, side: u32) -> Result<Self, Error> {
        check_turned(region, degrees, side)?;
        check_size("the picture", self.width(), self.height())?;
        let size = (self.width(), self.height());
        let (own, pixels) = turned::square::<1>(self.pixels(), size, region, degrees, side);
        let upright = made(Self::from_raw(own, own, pixels))?;
        upright.crop_resized(Region { x: 0.0, y: 0.0, width: own as f32, height: own as f32 }, side)
    }
}

impl Grey {
    /// The grey level, 0 to 255, at a place in pixels, whose centres lie at halves: interpolated between the four nearest, the
    /// edge of the picture repeated. 0 where the picture has no pixels.
    #[inline]
    pub fn between(&self, x: f32, y: f32) -> f32 {
        let size = (self.width() as usize, self.height() as usize);
        if size.0 == 0 || size.1 == 0 {
            return 0.0;
        }
        bilinear::at::<1>(self.pixels(), size, [x, y])[0] as f32 / bilinear::ONE as f32
    }

    /// The square of `side` pixels around `centre` that stands in the picture turned clockwise by `degrees`, turned back, as
    /// `to` x `to` grey levels: interpolated between pixels, so that a `side` of much more than `to` should be taken of a
    /// picture that was reduced. What lies outside of the picture is black.
    pub fn turned_square(&self, centre: [f32; 2], side: f32, degrees: f32, to: u32) -> Vec<u8> {
        let size = (self.width() as usize, self.height() as usize);
        let mut out = vec![0; to as usize * to as usize];
        if size.0 > 0 && size.1 > 0 {
            turned::grey(self.pixels(), size, &turned::Places::new(centre, side, degrees, to), to, &mut out);
        }
        out
    }
}

impl Picture {
    /// The whole picture as wide as it is shown, bicubic as players do it: what bilinear filtering blurs is read otherwise.
    ///
    /// # Errors
    /// As [`Grey::resized`].
    pub(crate) fn stretched(&self, width: u32) -> Result<Self, Error> {
        let (from, to) = ((self.width(), self.height()), (width, self.height()));
        made(Self::from_raw(to.0, to.1, filtered::<U8x3>(self.pixels(), from, to, FilterType::CatmullRom)?))
    }

    /// As [`Grey::resized`], each channel for itself.
    ///
    /// # Errors
    /// As [`Grey::resized`].
    pub fn resized(&self, width: u32, height: u32) -> Result<Self, Error> {
        let pixels = resized::<U8x3>(self.pixels(), (self.width(), self.height()), (width, height))?;
        made(Self::from_raw(width, height, pixels))
    }

    /// In grey ([`to_grey`](Self::to_grey)), brought to this size. What is reduced to half or less is averaged in whole pixels
    /// first, on the way to grey: a large photo is gone through once.
    ///
    /// # Errors
    /// As [`Grey::resized`].
    pub fn to_grey_of(&self, width: u32, height: u32) -> Result<Grey, Error> {
        check_size("the picture", self.width(), self.height())?;
        check_size("the new picture", width, height)?;
        if (self.width(), self.height()) == (width, height) {
            return Ok(self.to_grey());
        }
        made(fitted::grey(self, width, height))
    }

    /// As [`Grey::crop`].
    ///
    /// # Errors
    /// As [`Grey::crop`].
    pub fn crop(&self, x: i64, y: i64, width: u32, height: u32) -> Result<Self, Error> {
        let pixels = cropped::<3>(self.pixels(), (self.width(), self.height()), (x, y), (width, height))?;
        made(Self::from_raw(width, height, pixels))
    }

    /// As [`Grey::crop_resized`], each channel for itself.
    ///
    /// # Errors
    /// As [`Grey::crop_resized`].
    pub fn crop_resized(&self, region: Region, side: u32) -> Result<Self, Error> {
        check_region(region, side)?;
        check_size("the picture", self.width(), self.height())?;
        let pixels = sample::square::<3>(self.pixels(), (self.width(), self.height()), region, side);
        made(Self::from_raw(side, side, pixels))
    }

    /// As [`Grey::crop_turned`], each channel for itself.
    ///
    /// # Errors
    /// As [`Grey::crop_turned`].
    pub fn crop_turned(&self, region: Region, degrees: f32, side: u32) -> Result<Self, Error> {
        check_turned(region, degrees, side)?;
        check_size("the picture", self.width(), self.height())?;
        let size = (self.width(), self.height());
        let (own, pixels) = turned::square::<3>(self.pixels(), size, region, degrees, side);
        let upright = made(Self::from_raw(own, own, pixels))?;
        upright.crop_resized(Region { x: 0.0, y: 0.0, width: own as f32, height: own as f32 }, side)
    }
}

fn check_size(what: &str, width: u32, height: u32) -> Result<(), Error> {
    if width == 0 || height == 0 || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Error::Argument(format!(
            "{what} is {width}x{height} pixels, but must have 1 to {MAX_PIXELS}"
        )));
    }
    Ok(())
}

fn check_region(region: Region, side: u32) -> Result<(), Error> {
    let Region { x, y, width, height } = region;
    // Written so that a value that is no number fails.
    let inside = |v: f32| v.abs() <= MAX_COORDINATE;
    let positive = |v: f32| v > 0.0 && v <= MAX_COORDINATE;
    if !(inside(x) && inside(y) && positive(width) && positive(height)) {
        return Err(Error::Argument(format!(
            "the region {width}x{height} at ({x}, {y}) is empty or beyond {MAX_COORDINATE} pixels"
        )));
    }
    if side == 0 || side > 16_384 {
        return Err(Error::Argument(format!(
            "the side of the crop is {side} pixels, but must be 1 to 16384"
        )));
    }
    Ok(())
}

fn check_turned(region: Region, degrees: f32, side: u32) -> Result<(), Error> {
    check_region(region, side)?;
    if degrees.is_finite() {
        return Ok(());
    }
    Err(Error::Argument(format!("a region turned by {degrees} degrees")))
}

fn made<T>(picture: Option<T>) -> Result<T, Error> {
    picture.ok_or_else(|| Error::Argument("the new picture has another size than was asked for".to_owned()))
}

/// Typed by its pixel: the untyped interface compiles every pixel type of the library into this crate,
/// which takes minutes.
fn resized<P: PixelTrait>(pixels: &[u8], from: (u32, u32), to: (u32, u32)) -> Result<Vec<u8>, Error> {
    filtered::<P>(pixels, from, to, FilterType::Bilinear)
}

fn filtered<P: PixelTrait>(
    pixels: &[u8],
    from: (u32, u32),
    to: (u32, u32),
    filter: FilterType,
) -> Result<Vec<u8>, Error> {
    check_size("the picture", from.0, from.1)?;
    check_size("the new picture", to.0, to.1)?;
    if from == to {
        return Ok(pixels.to_vec());
    }
    let failed = |error: &dyn std::error::Error| {
        Error::Argument(format!("cannot resize {}x{} pixels to {}x{}: {error}", from.0, from.1, to.0, to.1))
    };
    let source = TypedImageRef::<P>::from_buffer(from.0, from.1, pixels).map_err(|error| failed(&error))?;
    let mut buffer = vec![0; to.0 as usize * to.1 as usize * P::size()];
    let mut target = TypedImage::<P>::from_buffer(to.0, to.1, &mut buffer).map_err(|error| failed(&error))?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Resizer::new().resize_typed(&source, &mut target, &options).map_err(|error| failed(&error))?;
    Ok(buffer)
}

fn cropped<const CHANNELS: usize>(
    pixels: &[u8],
    from: (u32, u32),
    at: (i64, i64),
    to: (u32, u32),
) -> Result<Vec<u8>, Error> {
    check_size("the picture", from.0, from.1)?;
    check_size("the crop", to.0, to.1)?;
    let columns: Vec<usize> = (0..to.0).map(|i| clamped(at.0, i, from.0) * CHANNELS).collect();
    let mut out = Vec::with_capacity(to.0 as usize * to.1 as usize * CHANNELS);
    for i in 0..to.1 {
        let start = clamped(at.1, i, from.1) * from.0 as usize * CHANNELS;
        let row = &pixels[start..start + from.0 as usize * CHANNELS];
        for &column in &columns {
            out.extend_from_slice(&row[column..column + CHANNELS]);
        }
    }
    Ok(out)
}

/// The pixel of `0..length` nearest to `start + offset`.
fn clamped(start: i64, offset: u32, length: u32) -> usize {
    start.saturating_add(i64::from(offset)).clamp(0, i64::from(length) - 1) as usize
}
