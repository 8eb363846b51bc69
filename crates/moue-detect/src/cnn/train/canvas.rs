//! Pictures pasted into pictures: turned, scaled, toned and blended.

use moue_media::Grey;

use super::super::pyramid::Pyramid;
use super::loss::{Role, Target};

/// What part of a picture is pasted, around a box on it: a rounded rectangle.
#[derive(Clone, Copy)]
pub(super) struct Mask {
    /// Half its width and height above and below the centre, in half widths and heights of the box.
    pub reach: [f32; 3],
    /// 2: an ellipse; larger: more of a rectangle.
    pub power: f32,
    /// Share of the way to the edge over which it fades out.
    pub feather: f32,
}

/// Where and how a picture is pasted.
pub(super) struct Placement {
    /// The box's centre on the picture, its width and height.
    pub from: [f32; 4],
    /// Where that centre comes to lie on the canvas.
    pub to: [f32; 2],
    /// Pixels of the canvas a pixel of the picture.
    pub scale: f32,
    /// Height over width, times that of the picture.
    pub stretch: f32,
    /// Clockwise, in radians.
    pub angle: f32,
    pub mirror: bool,
    /// Grey levels are multiplied by the first, then the second is added.
    pub tone: [f32; 2],
    pub mask: Mask,
}

/// An upright or turned box on the canvas, in which shapes are drawn.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// Centre.
    pub at: [f32; 2],
    /// Half the width and height.
    pub half: [f32; 2],
    /// Clockwise, in radians.
    pub angle: f32,
}

impl Frame {
    /// The face that fills this box, its roll being known.
    pub fn target(&self) -> Target {
        Target {
            x: self.at[0] - self.half[0],
            y: self.at[1] - self.half[1],
            width: 2.0 * self.half[0],
            height: 2.0 * self.half[1],
            roll: self.angle,
            role: Role::Face { roll_weight: 1.0 },
        }
    }
}

impl Placement {
    /// The box that was pasted, as it lies on the canvas.
    pub fn frame(&self) -> Frame {
        let half = [self.from[2] * self.scale / 2.0, self.from[3] * self.scale * self.stretch / 2.0];
        Frame { at: self.to, half, angle: self.angle }
    }

    /// Where an upright box of the picture comes to lie.
    pub fn place(&self, [x, y, w, h]: [f32; 4], role: Role) -> Target {
        let flip = if self.mirror { -1.0 } else { 1.0 };
        let (sin, cos) = self.angle.sin_cos();
        let across = (x - self.from[0]) * self.scale * flip;
        let down = (y - self.from[1]) * self.scale * self.stretch;
        let (width, height) = (w * self.scale, h * self.scale * self.stretch);
        Target {
            x: self.to[0] + across * cos - down * sin - width / 2.0,
            y: self.to[1] + across * sin + down * cos - height / 2.0,
            width,
            height,
            roll: self.angle,
            role,
        }
    }
}

/// A square picture in the making.
pub(super) struct Canvas {
    pub side: usize,
    pub pixels: Vec<f32>,
}

impl Canvas {
    pub fn new(side: usize) -> Self {
        Self { side, pixels: vec![0.0; side * side] }
    }

    pub fn paste(&mut self, source: &Pyramid, p: &Placement) {
        let (level, by_level) = source.level(p.scale);
        let (sin, cos) = p.angle.sin_cos();
        let flip = if p.mirror { -1.0 } else { 1.0 };
        let half = [p.from[2] / 2.0, p.from[3] / 2.0];
        // A circle around the mask bounds it however it is turned.
        let reach = (p.mask.reach[0] * half[0] * p.scale)
            .hypot(p.mask.reach[1].max(p.mask.reach[2]) * half[1] * p.scale * p.stretch);
        let range = |centre: f32| {
            let low = (centre - reach).floor().clamp(0.0, self.side as f32) as usize;
            let high = (centre + reach).ceil().clamp(0.0, self.side as f32) as usize;
            low..high
        };
        let (columns, rows) = (range(p.to[0]), range(p.to[1]));
        for row in rows {
            for column in columns.clone() {
                let (dx, dy) = (column as f32 + 0.5 - p.to[0], row as f32 + 0.5 - p.to[1]);
                let across = (dx * cos + dy * sin) / p.scale * flip;
                let down = (dy * cos - dx * sin) / (p.scale * p.stretch);
                let (x, y) = (p.from[0] + across, p.from[1] + down);
                if x < 0.0 || y < 0.0 || x >= source.width() || y >= source.height() {
                    continue;
                }
                let u = (across / (half[0] * p.mask.reach[0])).abs();
                let v = (down / (half[1] * p.mask.reach[if down < 0.0 { 1 } else { 2 }])).abs();
                let distance = if p.mask.power > 16.0 {
                    u.max(v)
                } else {
                    (u.powf(p.mask.power) + v.powf(p.mask.power)).powf(1.0 / p.mask.power)
                };
                let cover = ((1.0 - distance) / p.mask.feather.max(1e-3)).clamp(0.0, 1.0);
                if cover > 0.0 {
                    let value = level.between(x * by_level[0], y * by_level[1]) * p.tone[0] + p.tone[1];
                    let under = &mut self.pixels[row * self.side + column];
                    *under += cover * (value - *under);
                }
            }
        }
    }

    /// Draws a shape, which reaches `reach` half sides from the centre of its frame at most. `ink` is given a place in the
    /// frame, whose half sides are 1, and gives the distance from the edge of the shape there, in half sides and
    /// above 0 inside, and the grey level.
    pub fn draw(&mut self, frame: &Frame, reach: f32, ink: impl Fn(f32, f32) -> (f32, f32)) {
        let (sin, cos) = frame.angle.sin_cos();
        let around = reach * frame.half[0].hypot(frame.half[1]);
        let range = |centre: f32| {
            let low = (centre - around).floor().clamp(0.0, self.side as f32) as usize;
            let high = (centre + around).ceil().clamp(0.0, self.side as f32) as usize;
            low..high
        };
        let pixel = frame.half[0].min(frame.half[1]);
        let (columns, rows) = (range(frame.at[0]), range(frame.at[1]));
        for row in rows {
            for column in columns.clone() {
                let (dx, dy) = (column as f32 + 0.5 - frame.at[0], row as f32 + 0.5 - frame.at[1]);
                let (u, v) = ((dx * cos + dy * sin) / frame.half[0], (dy * cos - dx * sin) / frame.half[1]);
                let (inside, grey) = ink(u, v);
                let cover = (inside * pixel + 0.5).clamp(0.0, 1.0);
                let under = &mut self.pixels[row * self.side + column];
                *under += cover * (grey - *under);
            }
        }
    }

    /// Takes away what a camera with `factor` times fewer pixels a side would not have seen.
    pub fn soften(&mut self, factor: f32) -> Result<(), moue_media::Error> {
        let (side, small) = (self.side as u32, ((self.side as f32 / factor).round() as u32).max(8));
        let pixels = self.pixels.iter().map(|v| v.clamp(0.0, 255.0).round() as u8).collect();
        if let Some(picture) = Grey::from_raw(side, side, pixels) {
            let soft = picture.resized(small, small)?.resized(side, side)?;
            for (value, &soft) in self.pixels.iter_mut().zip(soft.pixels()) {
                *value = f32::from(soft);
            }
        }
        Ok(())
    }

    /// Mean and spread of the grey levels in a box, as far as it lies on the canvas.
    pub fn tone(&self, t: &Target) -> Option<[f32; 2]> {
        let range = |low: f32, extent: f32| {
            (low.clamp(0.0, self.side as f32) as usize)
                ..((low + extent).clamp(0.0, self.side as f32) as usize)
        };
        let (columns, rows) = (range(t.x, t.width), range(t.y, t.height));
        let values = rows.flat_map(|row| {
            let start = row * self.side;
            self.pixels[start + columns.start..(start + columns.end).max(start + columns.start)].iter()
        });
        spread(values.copied())
    }

    /// Blurs by a box of `2 reach + 1` pixels, each way.
    pub fn blur(&mut self, reach: usize) {
        let n = self.side;
        let mut line = vec![0.0; n];
        for horizontal in [true, false] {
            for fixed in 0..n {
                let at = |i: usize| if horizontal { fixed * n + i } else { i * n + fixed };
                for (i, value) in line.iter_mut().enumerate() {
                    let (low, high) = (i.saturating_sub(reach), (i + reach).min(n - 1));
                    *value = (low..=high).map(|k| self.pixels[at(k)]).sum::<f32>() / (high - low + 1) as f32;
                }
                for (i, value) in line.iter().enumerate() {
                    self.pixels[at(i)] = *value;
                }
            }
        }
    }
}

/// Mean and standard deviation.
pub(super) fn spread(values: impl Iterator<Item = f32>) -> Option<[f32; 2]> {
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for v in values {
        n += 1.0;
        sum += v;
        squares += v * v;
    }
    (n > 0.0).then(|| [sum / n, (squares / n - (sum / n) * (sum / n)).max(0.0).sqrt()])
}
