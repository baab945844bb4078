//! Random moments that are the same for the same seed.

use std::time::Duration;

/// Marsaglia's xorshift: small, and enough for moments.
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // The first numbers of seeds that are near each other are, too.
        for _ in 0..8 {
            random.fraction();
        }
        random
    }

    /// A moment before `end`.
    pub fn before(&mut self, end: Duration) -> Duration {
        end.mul_f64(self.fraction())
    }

    /// A number below `count`.
    pub fn below(&mut self, count: u32) -> u32 {
        (self.fraction() * f64::from(count)) as u32
    }

    fn fraction(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}
