//! What people have before their faces: masks, sunglasses, hands. Drawn, since there are too few photos of them.

use super::canvas::Frame;
use super::scenes::Painter;

/// Height of the eyes in a box from forehead to chin, whose centre is 0 and whose half height is 1.
const EYES: f32 = -0.16;

impl Painter<'_> {
    /// Puts something before a face, more often a mask than anything else: many people of the street photos wear one, but
    /// those are few people.
    pub(super) fn cover(&mut self, frame: &Frame) {
        match self.random.unit() {
            kind if kind < 0.22 => self.mask_worn(frame),
            kind if kind < 0.29 => self.sunglasses(frame),
            kind if kind < 0.36 => self.hand(frame),
            _ => {}
        }
    }

    /// A mask of cloth or paper over mouth and nose, at times below the nose.
    fn mask_worn(&mut self, frame: &Frame) {
        let r = &mut self.random;
        let top = if r.chance(0.85) { r.between(-0.12, 0.22) } else { r.between(0.3, 0.5) };
        let (slope, width) = (r.between(-0.05, 0.22), r.between(0.72, 1.02));
        let (chin, corner, bend) = (r.between(0.88, 1.12), r.between(0.35, 0.75), r.between(1.5, 3.5));
        let grey = if r.chance(0.75) { r.between(130.0, 245.0) } else { r.between(15.0, 130.0) };
        let (round, side) = (r.between(0.0, 0.45), r.between(-0.25, 0.25));
        let (pleats, pitch, phase) = (
            r.between(0.0, 0.09) * f32::from(u8::from(r.chance(0.6))),
            r.between(8.0, 22.0),
            r.between(0.0, 6.0),
        );
        let (ridge, strap) = (r.between(-0.12, 0.15), r.chance(0.6));
        let lean = r.between(-0.15, 0.15);
        self.canvas.draw(frame, 1.2, |u, v| {
            let across = (u + lean * 0.3).abs();
            let share = (across / width).min(1.0);
            let upper = top + slope * share * share;
            let lower = chin - (chin - corner.max(upper + 0.1)) * share.powf(bend);
            let mut inside = (width - across).min(v - upper).min(lower - v);
            let mut light = grey * (1.0 - round * u * u + side * u + ridge * (1.0 - 4.0 * across).max(0.0))
                + grey * pleats * (pitch * v + phase).sin();
            if inside < 0.0 && strap && across >= width {
                // A band from the corner of the mask to the ear.
                let band = upper + 0.12 - 0.35 * (across - width);
                inside = 0.035 - (v - band).abs();
                light = grey;
            }
            (inside, light)
        });
    }

    fn sunglasses(&mut self, frame: &Frame) {
        let r = &mut self.random;
        let (apart, eyes) = (r.between(0.36, 0.46), EYES + r.between(-0.08, 0.08));
        let (wide, high) = (r.between(0.28, 0.38), r.between(0.14, 0.26));
        let (grey, gloss, power) = (r.between(2.0, 70.0), r.between(0.0, 60.0), r.between(2.0, 4.0));
        self.canvas.draw(frame, 1.1, |u, v| {
            let (x, y) = ((u.abs() - apart) / wide, (v - eyes) / high);
            let round = (x.abs().powf(power) + y.abs().powf(power)).powf(1.0 / power);
            let glass = (1.0 - round) * wide.min(high);
            let bridge = 0.03 - (v - eyes + 0.05).abs();
            let frame =
                if u.abs() < apart || (u.abs() > apart + wide && u.abs() < 1.0) { bridge } else { -1.0 };
            (glass.max(frame), grey + gloss * (0.5 - 0.5 * y).clamp(0.0, 1.0))
        });
    }

    /// Fingers before a part of a face, of about its own tone.
    fn hand(&mut self, frame: &Frame) {
        let tone = self.canvas.tone(&frame.target());
        let r = &mut self.random;
        let grey = tone.map_or(150.0, |t| t[0]) + 35.0 * r.bell();
        let (fingers, thick) = (2 + r.below(3), r.between(0.11, 0.2));
        let (x, y) = (r.between(-0.9, 0.9), r.between(0.0, 0.9));
        let (sin, cos) = r.between(-1.4, 1.4).sin_cos();
        let long = r.between(0.5, 1.1);
        self.canvas.draw(frame, 2.0, |u, v| {
            let (du, dv) = (u - x, v - y);
            let (along, beside) = (du * sin + dv * cos, du * cos - dv * sin);
            let mut inside = -1.0_f32;
            let mut edge = 0.0;
            for finger in 0..fingers {
                let middle = (finger as f32 - (fingers - 1) as f32 / 2.0) * 2.05 * thick;
                let tip = -long + 0.12 * (finger as f32 - 1.2).abs();
                let past = (tip - along).max(along - 0.6).max(0.0);
                let own = thick - (beside - middle).hypot(past);
                if own > inside {
                    inside = own;
                    edge = ((beside - middle) / thick).abs();
                }
            }
            (inside, grey * (1.0 - 0.3 * edge * edge))
        });
    }
}
