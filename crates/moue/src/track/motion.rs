//! Where a face is and how it moves.

use moue_detect::Detection;

/// Share of a face's side by which a detector's box is off, as a standard deviation.
const MEASURED: f32 = 0.04;

/// Sides of the face a second by which the speed of a face changes within a second.
const CHANGES: f32 = 2.0;

/// Sides a second that a face newly seen may move at.
const FIRST_SPEED: f32 = 1.0;

/// Share of its speed that a face which is not seen keeps after a second: people stop.
const KEPT_SPEED: f32 = 0.2;

/// One coordinate: a Kalman filter with constant velocity.
#[derive(Clone, Copy, Debug)]
struct Axis {
    at: f32,
    speed: f32,
    /// Covariance: of the place, of both, of the speed.
    spread: [f32; 3],
}

impl Axis {
    fn new(at: f32, side: f32) -> Self {
        let (measured, speed) = (MEASURED * side, FIRST_SPEED * side);
        Self { at, speed: 0.0, spread: [measured * measured, 0.0, speed * speed] }
    }

    fn predict(&mut self, step: f32, side: f32) {
        self.at += self.speed * step;
        let [place, both, speed] = self.spread;
        // White noise on the acceleration.
        let noise = (CHANGES * side) * (CHANGES * side) * step;
        self.spread = [
            place + 2.0 * step * both + step * step * speed + noise * step * step / 3.0,
            both + step * speed + noise * step / 2.0,
            speed + noise,
        ];
    }

    fn correct(&mut self, measured: f32, side: f32) {
        let [place, both, speed] = self.spread;
        let error = MEASURED * side;
        let total = place + error * error;
        let (gain, speed_gain) = (place / total, both / total);
        let off = measured - self.at;
        self.at += gain * off;
        self.speed += speed_gain * off;
        self.spread = [(1.0 - gain) * place, (1.0 - gain) * both, speed - speed_gain * both];
    }
}

/// Centre and size of a face, with their speeds.
#[derive(Clone, Copy, Debug)]
pub struct Motion {
    axes: [Axis; 4],
    /// Seconds since the face was seen.
    unseen: f32,
}

impl Motion {
    pub fn new(face: &Detection) -> Self {
        let side = face.width.max(face.height);
        Self { axes: measures(face).map(|at| Axis::new(at, side)), unseen: 0.0 }
    }

    fn side(&self) -> f32 {
        self.axes[2].at.max(self.axes[3].at).max(1.0)
    }

    /// Moves on by so many seconds.
    pub fn predict(&mut self, seconds: f64) {
        let (step, side) = (seconds as f32, self.side());
        for (index, axis) in self.axes.iter_mut().enumerate() {
            if self.unseen > 0.0 {
                // What is not seen slows down, and keeps its size.
                axis.speed *= if index < 2 { KEPT_SPEED.powf(step) } else { 0.0 };
            }
            axis.predict(step, side);
        }
        for size in &mut self.axes[2..] {
            size.at = size.at.max(1.0);
        }
        self.unseen += step;
    }

    /// Takes in where the face was found.
    pub fn correct(&mut self, face: &Detection) {
        let side = self.side();
        for (axis, at) in self.axes.iter_mut().zip(measures(face)) {
            axis.correct(at, side);
        }
        self.unseen = 0.0;
    }

    /// Left, top, right and bottom.
    pub fn place(&self) -> [f32; 4] {
        let [x, y, width, height] = self.axes.map(|axis| axis.at);
        [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0]
    }
}

fn measures(face: &Detection) -> [f32; 4] {
    [face.x + face.width / 2.0, face.y + face.height / 2.0, face.width, face.height]
}
