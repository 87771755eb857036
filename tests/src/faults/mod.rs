//! Faults by chance: kills at random moments, and what they left.

pub mod dice;
pub mod saved;
pub mod tally;
pub mod times;
