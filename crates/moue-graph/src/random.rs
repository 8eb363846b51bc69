//! What all random streams of moue are made of: SplitMix64 (Steele, Lea and Flood: "Fast Splittable Pseudorandom Number
//! Generators", OOPSLA 2014). Streams are addressed by what they are for, not by how many numbers were drawn before.

/// The step from one state to the next: 2^64 over the golden ratio, made odd.
pub const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The 64 bits of a state; states that differ in one bit give unrelated ones.
pub fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_those_of_java() {
        // java.util.SplittableRandom(1234567).nextLong(), four times; the same stand in many test suites.
        let expected: [u64; 4] =
            [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431];
        let mut state = 1_234_567u64;
        for number in expected {
            state = state.wrapping_add(STEP);
            assert_eq!(mix(state), number);
        }
    }
}
