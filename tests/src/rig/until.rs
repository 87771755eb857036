//! Waiting for something to be so.

use std::{
    thread,
    time::{Duration, Instant},
};

const BETWEEN: Duration = Duration::from_millis(20);

/// Asks until there is an answer, and fails with `what` when there is none in time.
pub fn until<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(BETWEEN);
    }
}
