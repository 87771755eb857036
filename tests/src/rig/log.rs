//! What a run of the tests shows for the record.

use std::io::{self, Write};

/// Says a line that stands in the log of the run even when the test passes: the test harness keeps what
/// `println!` prints to itself.
pub fn log(text: &str) {
    // Nobody who reads the log is no reason to fail.
    let _ = writeln!(io::stderr().lock(), "\n    {text}");
}
