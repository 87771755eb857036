//! Waiting for something to be so.

use std::{
    thread,
    time::{Duration, Instant},
};

const BETWEEN: Duration = Duration::from_millis(20);

/// Asks until there is an answer, and fails with `what` when there is none in time.
pub fn until<T>(what: &str, limit: Duration, ask: impl FnMut() -> Option<T>) -> T {
    until_or(limit, ask, || what.to_owned())
}

/// The same, with words that are found when they are needed.
pub fn until_or<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>, what: impl Fn() -> String) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < limit, "not within {limit:?}: {}", what());
        thread::sleep(BETWEEN);
    }
}
