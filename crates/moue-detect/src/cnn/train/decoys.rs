//! What looks like a face at a glance and is none: necks and clothes, parts of faces, faces put together wrongly, and round
//! patches of anything.

use super::canvas::{Frame, Mask, Placement};
use super::scenes::Painter;

impl Painter<'_> {
    /// Sets some decoys into a scene, before its faces.
    pub(super) fn decoys(&mut self) {
        let largest = self.side() * 0.8;
        for _ in 0..1 + self.random.below(3) {
            let size = self.random.log_between(16.0, largest);
            match self.random.unit() {
                kind if kind < 0.3 => self.body(size),
                kind if kind < 0.5 => self.feature(size),
                kind if kind < 0.72 => self.wrong_way(size),
                _ => self.patch(size),
            }
        }
    }

    fn somewhere(&mut self) -> [f32; 2] {
        let side = self.side();
        [self.random.between(0.0, side), self.random.between(0.0, side)]
    }

    /// A part of a portrait set somewhere: `part` is centre, width and height in widths and heights of the face from its
    /// centre.
    fn part_of_portrait(&mut self, part: [f32; 4], size: f32, power: f32) {
        let album = self.album;
        let photo = &album.portraits[self.random.below(album.portraits.len())];
        let [x, y, w, h] = photo.faces[0];
        let from = [x + part[0] * w, y + part[1] * h, part[2] * w, part[3] * h];
        let to = self.somewhere();
        let placement = Placement {
            from,
            to,
            scale: size / (from[2] * from[3]).sqrt(),
            stretch: self.random.between(0.9, 1.3),
            angle: 0.8 * self.random.bell(),
            mirror: self.random.chance(0.5),
            tone: [1.0, 20.0 * self.random.bell()],
            mask: Mask { reach: [1.0; 3], power, feather: self.random.between(0.02, 0.3) },
        };
        self.canvas.paste(&photo.pyramid, &placement);
    }

    /// Neck and clothes from below a face, or hair from above it.
    fn body(&mut self, size: f32) {
        let power = self.random.between(2.0, 6.0);
        let below = self.random.chance(0.75);
        let shift = self.random.between(-0.3, 0.3);
        let part = if below { [shift, 0.9, 0.9, 0.7] } else { [shift, -0.75, 0.8, 0.4] };
        self.part_of_portrait(part, size, power);
    }

    /// One eye, or a mouth, as large as a face.
    fn feature(&mut self, size: f32) {
        let power = self.random.between(2.0, 8.0);
        let part = if self.random.chance(0.5) { [0.21, -0.08, 0.36, 0.2] } else { [0.0, 0.28, 0.5, 0.24] };
        self.part_of_portrait(part, size, power);
    }

    /// A face whose lower half stands above its upper one, or its left half right of its right one.
    fn wrong_way(&mut self, size: f32) {
        let album = self.album;
        let photo = &album.portraits[self.random.below(album.portraits.len())];
        let [x, y, w, h] = photo.faces[0];
        let scale = size / (w * h).sqrt();
        let centre = self.somewhere();
        let angle = 0.3 * self.random.bell();
        let (sin, cos) = angle.sin_cos();
        let upright = self.random.chance(0.7);
        let feather = self.random.between(0.02, 0.15);
        let lift = 15.0 * self.random.bell();
        for half in [-1.0, 1.0_f32] {
            let (dx, dy) = if upright { (0.0, half * h / 4.0) } else { (half * w / 4.0, 0.0) };
            let (right, down) = (dx * scale, dy * scale);
            let placement = Placement {
                from: [x - dx, y - dy, if upright { w } else { w / 2.0 }, if upright { h / 2.0 } else { h }],
                to: [centre[0] + right * cos - down * sin, centre[1] + right * sin + down * cos],
                scale,
                stretch: 1.0,
                angle,
                mirror: false,
                tone: [1.0, lift],
                mask: Mask { reach: [1.0; 3], power: 20.0, feather },
            };
            self.canvas.paste(&photo.pyramid, &placement);
        }
    }

    /// A round patch of some photo without faces, at times with a dark spot or two where no eyes would be.
    fn patch(&mut self, size: f32) {
        let album = self.album;
        let source = &album.backgrounds[self.random.below(album.backgrounds.len())];
        let to = self.somewhere();
        let r = &mut self.random;
        let scale = r.log_between(0.3, 1.2);
        let from = [
            source.width() * r.between(0.2, 0.8),
            source.height() * r.between(0.2, 0.8),
            size * 0.85 / scale,
            size * 1.15 / scale,
        ];
        let gain = r.between(0.15, 0.8);
        let placement = Placement {
            from,
            to,
            scale,
            stretch: 1.0,
            angle: 0.6 * r.bell(),
            mirror: false,
            tone: [gain, r.between(60.0, 200.0) * (1.0 - gain)],
            mask: Mask { reach: [1.0; 3], power: r.between(2.0, 3.0), feather: r.between(0.03, 0.4) },
        };
        self.canvas.paste(source, &placement);
        if self.random.chance(0.4) {
            let r = &mut self.random;
            let frame = Frame { at: to, half: [size * 0.42, size * 0.58], angle: placement.angle };
            let (x, y) = (r.between(-0.6, 0.6), r.between(0.1, 0.7));
            let (wide, high, grey) = (r.between(0.1, 0.4), r.between(0.06, 0.2), r.between(0.0, 90.0));
            self.canvas.draw(&frame, 1.0, |u, v| {
                ((1.0 - ((u - x) / wide).hypot((v - y) / high)) * wide.min(high), grey)
            });
        }
    }
}
