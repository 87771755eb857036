//! What backups cost, beside the tools that people would use instead: all measured in turns in one run on the
//! same home, so that the computer's mood counts for all. Before each call, what the last one wrote is flushed;
//! before a repository is read back it is taken out of memory.
//!
//! `cargo bench -p drydock-tests --bench backup`; `DRYDOCK_BENCH=small` leaves the larger home out, `full` adds
//! one of 100,000 files and 10 GB, which wants 40 GB of disk and three quarters of an hour; `large` is that one
//! alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a step that fails ends the measurement"
)]

mod furnish;
mod memory;
mod tools;

use drydock_tests::rig::{Backups, Home};
use furnish::{Size, furnish, go_on, go_on_at_length};
use memory::Watch;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tools::{Place, Step, Tool};
use walkdir::WalkDir;

fn main() {
    let mut sizes = vec![
        Size { name: "1,000 files, 10 MB", files: 1000, bytes: 10 << 20, transcript: 1 << 20, rounds: 7 },
        Size { name: "10,000 files, 1 GB", files: 10_000, bytes: 1 << 30, transcript: 500 << 20, rounds: 3 },
    ];
    let large = Size {
        name: "100,000 files, 10 GB",
        files: 100_000,
        bytes: 10 << 30,
        transcript: 500 << 20,
        // Whoever comes first has it easier: one round would measure the order.
        rounds: 3,
    };
    match std::env::var("DRYDOCK_BENCH").as_deref() {
        Ok("small") => sizes.truncate(1),
        Ok("full") => sizes.push(large),
        Ok("large") => sizes = vec![large],
        _ => {}
    }
    let measured: Vec<_> = sizes.iter().map(|size| (size.name, measure(size))).collect();
    println!();
    for (size, measured) in measured {
        measured.tell_goals(size);
    }
}

/// All that was measured on one home.
#[derive(Default)]
struct Measured {
    times: BTreeMap<(Tool, Step), Vec<Duration>>,
    /// In kilobytes.
    memory: BTreeMap<(Tool, Step), u64>,
    /// Of the repository after the first backup.
    sizes: BTreeMap<Tool, Vec<u64>>,
    /// By how much it is larger once twenty conversations went on.
    growths: BTreeMap<Tool, Vec<u64>>,
}

fn measure(size: &Size) -> Measured {
    println!("\n{}, median of {}", size.name, size.rounds);
    let home = Home::bare();
    furnish(home.path(), size);
    let mut place = Place::new(Backups::of(home));
    let mut tools = Vec::new();
    for tool in Tool::ALL {
        match tool.version(&place) {
            Some(version) => {
                println!("  {:<14} {version}", tool.words());
                tools.push(tool);
            }
            None => println!("  {:<14} is not installed and left out", tool.words()),
        }
    }
    let mut measured = Measured::default();
    for round in 0..size.rounds {
        place.begin(round);
        for step in Step::ALL {
            let home = place.backups.home.path();
            match step {
                Step::Changed => go_on(home, size, round),
                Step::Lengthened => go_on_at_length(home, round),
                _ => {}
            }
            for tool in &tools {
                match step {
                    // Measured with the restore.
                    Step::Flushed => {}
                    step => measured.step(*tool, step, &place),
                }
            }
            // Nobody is always the first.
            tools.rotate_left(1);
        }
    }
    tools.sort_unstable();
    measured.tell(&tools);
    measured
}

impl Measured {
    fn step(&mut self, tool: Tool, step: Step, place: &Place) {
        let calls = tool.calls(step, place);
        if calls.is_empty() {
            return;
        }
        let before = bytes_below(&tool.repository(place)).1;
        rustix::fs::sync();
        if matches!(step, Step::Verify | Step::Restore) {
            // What of it is still in memory, and how much of that is free, depends on who was called before.
            forget_files(&tool.repository(place));
        }
        let (mut took, mut most) = (Duration::ZERO, None);
        for call in calls {
            let (time, memory) = run(call);
            took += time;
            most = most.max(memory);
        }
        self.times.entry((tool, step)).or_default().push(took);
        if let Some(most) = most {
            let known = self.memory.entry((tool, step)).or_default();
            *known = most.max(*known);
        }
        let after = bytes_below(&tool.repository(place)).1;
        match step {
            Step::First => self.sizes.entry(tool).or_default().push(after),
            Step::Changed => self.growths.entry(tool).or_default().push(after.saturating_sub(before)),
            Step::Restore => {
                let restored = tool.restored(place);
                // Drydock's is on the disk when it ends; the others leave that to the system.
                let mut flush = Command::new("sync");
                flush.arg("--file-system").arg(&restored);
                let flushed = took + run(vec![flush]).0;
                self.times.entry((tool, Step::Flushed)).or_default().push(flushed);
                assert_eq!(bytes_below(&restored), data_of(place), "what {} restored", tool.words());
                fs::remove_dir_all(restored).unwrap();
            }
            Step::Unchanged | Step::Lengthened | Step::Verify | Step::Flushed => {}
        }
    }

    fn time(&self, tool: Tool, step: Step) -> Option<f64> {
        self.times.get(&(tool, step)).map(|times| median(times).as_secs_f64())
    }

    /// How much longer it takes than restic.
    fn against_restic(&self, tool: Tool, step: Step) -> Option<f64> {
        Some(self.time(tool, step)? / self.time(Tool::Restic, step)?)
    }

    fn growth_against_restic(&self) -> Option<f64> {
        let growth = |tool| self.growths.get(&tool).map(|growths| median(growths) as f64);
        Some(growth(Tool::Drydock)? / growth(Tool::Restic)?)
    }

    fn tell(&self, tools: &[Tool]) {
        println!("  {:<26} {:<14} {:>10} {:>12} {:>12}", "", "", "seconds", "of restic's", "peak memory");
        for step in Step::ALL {
            for tool in tools {
                let Some(time) = self.time(*tool, step) else { continue };
                let ratio = self.against_restic(*tool, step).map(|ratio| format!("{ratio:.2}x"));
                let memory = self.memory.get(&(*tool, step)).map(|most| format!("{} MB", most >> 10));
                println!(
                    "  {:<26} {:<14} {time:>10.3} {:>12} {:>12}",
                    step.words(),
                    tool.words(),
                    ratio.unwrap_or_default(),
                    memory.unwrap_or_default()
                );
            }
        }
        println!("  {:<26} {:<14} {:>10} {:>25}", "", "", "size", "growth by the 20");
        for tool in tools {
            let growth =
                self.growths.get(tool).map(|growths| format!("{:.1} kB", median(growths) as f64 / 1e3));
            println!(
                "  {:<26} {:<14} {:>7.1} MB {:>25}",
                "repository",
                tool.words(),
                median(&self.sizes[tool]) as f64 / 1e6,
                growth.unwrap_or_default()
            );
        }
    }

    fn tell_goals(&self, size: &str) {
        for step in Step::ALL {
            let most = if step == Step::Unchanged { 0.5 } else { 1.0 };
            goal(size, step.words(), self.against_restic(Tool::Drydock, step), "of restic's", most);
        }
        let memory =
            self.memory.iter().filter(|((tool, _), _)| *tool == Tool::Drydock).map(|(_, most)| *most);
        let memory = memory.max().map(|most| most as f64 / 1024.0);
        goal(size, "peak memory", memory, "MB", 250.0);
        goal(size, "growth by the 20", self.growth_against_restic(), "of restic's", 1.1);
    }
}

fn goal(size: &str, what: &str, is: Option<f64>, unit: &str, most: f64) {
    let is = match is {
        Some(is) if is <= most => format!("{is:.2}, met"),
        Some(is) => format!("{is:.2}, NOT met"),
        None => "not measured".to_owned(),
    };
    println!("goal: {size}: {what} at most {most} {unit}: {is}");
}

/// Runs a program, or several in a pipe. Gives how long it took, and the most memory in kilobytes.
fn run(call: Vec<Command>) -> (Duration, Option<u64>) {
    let told = format!("{call:?}");
    let complaints = tempfile::tempfile().unwrap();
    let begun = Instant::now();
    let mut programs: Vec<Child> = Vec::new();
    let last = call.len() - 1;
    for (n, mut command) in call.into_iter().enumerate() {
        let before = programs.last_mut().and_then(|program| program.stdout.take());
        command.stdin(before.map_or_else(Stdio::null, Stdio::from));
        command.stdout(if n == last { Stdio::null() } else { Stdio::piped() });
        programs.push(command.stderr(complaints.try_clone().unwrap()).spawn().unwrap());
    }
    let watch = Watch::on(&programs);
    let ends: Vec<_> = programs.iter_mut().map(|program| program.wait().unwrap()).collect();
    let took = begun.elapsed();
    let most = watch.most();
    assert!(ends.iter().all(ExitStatus::success), "{told}: {}", text_of(complaints));
    (took, most)
}

fn text_of(mut file: fs::File) -> String {
    use std::io::{Read, Seek};
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

/// Takes what was written and flushed out of the system's memory: all files where that is allowed, else those
/// of a folder.
///
/// Source: proc(5), "/proc/sys/vm/drop_caches".
fn forget_files(path: &Path) {
    if fs::write("/proc/sys/vm/drop_caches", "3").is_ok() {
        return;
    }
    for entry in WalkDir::new(path).into_iter().flatten().filter(|entry| entry.file_type().is_file()) {
        let file = fs::File::open(entry.path()).unwrap();
        #[cfg(target_os = "linux")]
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        drop(file);
    }
}

/// How many files there are, and how many bytes they have.
fn bytes_below(path: &Path) -> (usize, u64) {
    let files = WalkDir::new(path).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.metadata().unwrap().len()))
}

/// The same of what is backed up.
fn data_of(place: &Place) -> (usize, u64) {
    let home = &place.backups.home;
    let (folder, file) = (bytes_below(&home.claude_dir()), bytes_below(&home.claude_json()));
    (folder.0 + file.0, folder.1 + file.1)
}

fn median<T: Ord + Copy>(numbers: &[T]) -> T {
    let mut numbers = numbers.to_vec();
    numbers.sort();
    numbers[numbers.len() / 2]
}
