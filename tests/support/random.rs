//! Numbers and moments by chance that are the same for the same seed.

use std::time::Duration;

/// SplitMix64: small, and neighbouring seeds have nothing in common.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `count`, which is not 0.
    pub fn below(&mut self, count: u32) -> u32 {
        (self.number() % u64::from(count)) as u32
    }

    /// True once in so many times; never for 0.
    pub fn once_in(&mut self, times: u64) -> bool {
        times != 0 && self.number().is_multiple_of(times)
    }

    /// A moment before `end`.
    pub fn before(&mut self, end: Duration) -> Duration {
        end.mul_f64((self.number() >> 11) as f64 / (1u64 << 53) as f64)
    }
}
