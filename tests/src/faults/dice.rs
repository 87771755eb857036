//! Chance that can be had again: the same seed gives the same faults.

use crate::rig::log;
use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

/// How often chance is asked: so often as the run wants it, else as often as is usual.
pub fn rounds(usual: usize) -> usize {
    env::var("DRYDOCK_FAULT_ROUNDS").map_or(usual, |text| text.parse().expect("a number of rounds"))
}

/// A row of numbers by chance.
pub struct Dice(u64);

impl Dice {
    /// Those of the seed that the run names, else of a new one, which the log has.
    pub fn thrown_for(what: &str) -> Self {
        let seed = env::var("DRYDOCK_FAULT_SEED").map_or_else(
            |_| {
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .expect("a clock after 1970")
                    .subsec_nanos()
                    .into()
            },
            |text| text.parse().expect("a seed"),
        );
        log(&format!("{what}: DRYDOCK_FAULT_SEED={seed}"));
        Self(seed)
    }

    /// Source: "splitmix64" by Sebastiano Vigna (<https://prng.di.unimi.it/splitmix64.c>).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    /// A number from 0 to 1.
    pub fn fraction(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap()) / f64::from(u32::MAX)
    }

    /// One of several.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Bytes that nothing makes smaller.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(count).collect()
    }
}
