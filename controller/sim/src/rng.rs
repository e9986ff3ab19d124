//! Random numbers from a seed: SplitMix64.

/// A generator. Two of the same seed say the same for ever.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// From a seed; neighbouring seeds have nothing in common.
    pub fn new(seed: u64) -> Rng {
        let mut rng = Rng(seed ^ 0xD0_12_30_05_E5_1E_E9_00);
        rng.number();
        rng
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A generator of its own, so that what is drawn from it moves nothing here.
    pub fn fork(&mut self) -> Rng {
        Rng(self.number())
    }

    /// Below `n`; 0 for 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.number() % n }
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in so many of a thousand cases. Nothing is drawn when it is never.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        per_mille > 0 && self.below(1000) < per_mille
    }

    /// An index into something of this length.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(u64::try_from(len).unwrap_or(1))).unwrap_or(0)
    }
}
