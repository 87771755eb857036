//! Deployment: a new image takes over a few launches at a time.

mod smoke;

pub use smoke::{SmokeCheck, SmokeName, SmokeOutcome, SmokeReport, run_smoke_tests};
