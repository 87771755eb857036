//! What a look at all Claude data costs, beside reading the same files and nothing more: both in turns in one run.
//!
//! `cargo bench -p drydock-tests --bench validate`; `DRYDOCK_BENCH=small` leaves the larger home out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a step that fails ends the measurement"
)]

#[path = "backup/furnish.rs"]
#[allow(dead_code, reason = "the home of the backups' bench; nothing goes on here")]
mod furnish;

use drydock_tests::rig::{Home, Rig};
use furnish::{Size, furnish};
use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use walkdir::WalkDir;

/// What was promised for a home of 1 GB.
const GOAL: Duration = Duration::from_secs(2);

fn main() {
    let mut sizes = vec![
        Size { name: "1,000 files, 10 MB", files: 1000, bytes: 10 << 20, transcript: 1 << 20, rounds: 7 },
        Size { name: "1,000 files, 1 GB", files: 1000, bytes: 1 << 30, transcript: 1 << 29, rounds: 5 },
    ];
    if std::env::var("DRYDOCK_BENCH").as_deref() == Ok("small") {
        sizes.truncate(1);
    }
    for size in sizes {
        measure(&size);
    }
}

fn measure(size: &Size) {
    println!("\n{}, median of {}", size.name, size.rounds);
    let home = Home::bare();
    furnish(home.path(), size);
    let files = read_by_validate(&home);
    let (mut looks, mut reads) = (Vec::new(), Vec::new());
    for _ in 0..size.rounds {
        reads.push(timed(|| read(&files)));
        looks.push(timed(|| {
            Rig::drydock_at(&home).arg("validate").done().ok();
        }));
    }
    let (look, plain) = (median(&mut looks), median(&mut reads));
    let said = Rig::drydock_at(&home).arg("validate").done().ok().stdout;
    println!("  {}", said.lines().last().unwrap_or_default());
    println!("  drydock validate   {:.2} s", look.as_secs_f64());
    println!(
        "  reading them       {:.2} s, {:.1} times as fast",
        plain.as_secs_f64(),
        look.as_secs_f64() / plain.as_secs_f64()
    );
    if size.bytes >= 1 << 30 {
        let met = if look <= GOAL { "met" } else { "MISSED" };
        println!("  goal: under {} s, {met}", GOAL.as_secs());
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The files whose content is looked at.
fn read_by_validate(home: &Home) -> Vec<PathBuf> {
    let is_read =
        |path: &Path| path.extension().is_some_and(|kind| ["jsonl", "md"].iter().any(|read| kind == *read));
    WalkDir::new(home.claude_dir())
        .into_iter()
        .flatten()
        .map(walkdir::DirEntry::into_path)
        .filter(|path| is_read(path))
        .collect()
}

/// As `cat` reads, one after the other.
fn read(files: &[PathBuf]) {
    let mut buffer = vec![0; 128 << 10];
    let mut sink = std::io::sink();
    for file in files {
        let mut file = File::open(file).unwrap();
        while let count @ 1.. = file.read(&mut buffer).unwrap() {
            sink.write_all(&buffer[..count]).unwrap();
        }
    }
}
