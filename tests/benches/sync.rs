//! What sync costs, beside the tools that people would use instead, all measured in one run on the same
//! files, the same engine and the same image.
//!
//! `cargo bench -p drydock-tests --bench sync`; `DRYDOCK_BENCH=small` leaves the
//! larger home out, `full` adds one of 100,000 files and 10 GB.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss)]
// a step that fails ends the measurement

use drydock_tests::rig::{Project, Rig, Running, conversation_id, session_image, until};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(120);

/// One size of a home.
struct Size {
    name: &'static str,
    files: usize,
    bytes: usize,
    /// The long conversation that gets one more line.
    transcript: usize,
}

fn main() {
    let mut sizes = vec![
        Size { name: "1,000 files, 10 MB", files: 1000, bytes: 10 << 20, transcript: 1 << 20 },
        Size { name: "10,000 files, 1 GB", files: 10_000, bytes: 1 << 30, transcript: 500 << 20 },
    ];
    match std::env::var("DRYDOCK_BENCH").as_deref() {
        Ok("small") => sizes.truncate(1),
        Ok("full") => {
            sizes.push(Size {
                name: "100,000 files, 10 GB",
                files: 100_000,
                bytes: 10 << 30,
                transcript: 500 << 20,
            });
        }
        _ => {}
    }
    for size in sizes {
        println!("\n{}", size.name);
        let rig = Rig::new();
        let project = rig.project("proj");
        first_sync_in(&rig, &project, &size);
        while_it_runs(&rig, &project, &size);
    }
}

fn row(what: &str, time: Duration, against: Option<Duration>) {
    let ratio =
        against.map_or(String::new(), |other| format!("{:>8.2}x", time.as_secs_f64() / other.as_secs_f64()));
    println!("  {what:<58} {:>9.1} ms {ratio}", time.as_secs_f64() * 1000.0);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// Small files and conversations, as a lived-in home has them; the same each time.
fn furnish(claude: &Path, slug: &str, cwd: &Path, size: &Size) {
    let line = format!(
        "{{\"type\":\"user\",\"cwd\":{cwd:?},\"sessionId\":\"s\",\"message\":{{\"content\":\"{}\"}}}}\n",
        "words and more words ".repeat(20)
    );
    let rest = size.bytes.saturating_sub(size.transcript) / size.files;
    for index in 0..size.files {
        let id = format!("{index:08}-0000-4000-8000-000000000000");
        let file = match index % 4 {
            0 => claude.join(format!("projects/{slug}/{id}.jsonl")),
            1 => claude.join(format!("file-history/{id}/0123456789abcdef@v1")),
            2 => claude.join(format!("skills/skill{}/notes{index}.md", index / 40)),
            _ => claude.join(format!("plans/plan{index}.md")),
        };
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, line.repeat(rest.div_ceil(line.len()))).unwrap();
    }
    let long = claude.join(format!("projects/{slug}/{LONG}.jsonl"));
    fs::write(long, line.repeat(size.transcript.div_ceil(line.len()))).unwrap();
}

const LONG: &str = "ffffffff-0000-4000-8000-000000000000";

fn slug(project: &Project) -> String {
    let path = project.path().to_string_lossy();
    path.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

/// How long `drydock run` takes from its call until Claude Code has said its version.
fn launch(rig: &Rig, project: &Project) -> Duration {
    let run = rig.run(project.path()).variable("DRYDOCK_SESSION_HISTORY", "all");
    run.claude(["--version"]).until_first_output()
}

fn first_sync_in(rig: &Rig, project: &Project, size: &Size) {
    // The image's layers are in memory, as after the day's first session.
    launch(rig, project);
    let empty = median((0..ROUNDS).map(|_| launch(rig, project)).collect());
    furnish(&rig.home.claude_dir(), &slug(project), project.path(), size);
    let claude = rig.home.claude_dir();
    let (mut drydock, mut put, mut copied, mut tarred, mut local) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        drydock.push(launch(rig, project).saturating_sub(empty));
        put.push(in_container(|container| {
            timed(|| {
                pipe(
                    Command::new("tar").args(["-C", claude.to_str().unwrap(), "-c", "."]),
                    Command::new("docker").args(["cp", "-", &format!("{container}:/tmp")]),
                );
            })
        }));
        copied.push(in_container(|container| {
            timed(|| {
                run(Command::new("docker").args([
                    "cp",
                    "-q",
                    claude.to_str().unwrap(),
                    &format!("{container}:/tmp/c"),
                ]));
            })
        }));
        tarred.push(in_container(|container| {
            timed(|| {
                pipe(
                    Command::new("tar").args(["-C", claude.to_str().unwrap(), "-c", "."]),
                    Command::new("docker").args(["exec", "-i", container, "tar", "-C", "/tmp", "-x"]),
                );
            })
        }));
        let floor = tempfile::tempdir().unwrap();
        local.push(timed(|| run(Command::new("cp").arg("-a").arg(&claude).arg(floor.path()))));
    }
    let put = median(put);
    row("first sync in, digests verified inside", median(drydock), Some(put));
    row("  a bare archive PUT (tar | docker cp -)", put, None);
    row("  docker cp", median(copied), Some(put));
    row("  tar | docker exec tar", median(tarred), Some(put));
    row("  cp -a to a local folder", median(local), Some(put));
}

/// Gives a running container of the session image to `work`.
fn in_container<T>(work: impl FnOnce(&str) -> T) -> T {
    let image = &session_image().tag;
    let started = Command::new("docker")
        .args(["run", "--rm", "-d", "--user", "0", "--entrypoint", "sleep", image, "600"])
        .output()
        .unwrap();
    let container = String::from_utf8(started.stdout).unwrap().trim().to_owned();
    let done = work(&container);
    run(Command::new("docker").args(["rm", "-f", &container]));
    done
}

fn run(command: &mut Command) {
    let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(done.success(), "{command:?}");
}

fn pipe(from: &mut Command, to: &mut Command) {
    let mut first = from.stdout(Stdio::piped()).spawn().unwrap();
    let second =
        to.stdin(first.stdout.take().unwrap()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(first.wait().unwrap().success() && second.success(), "{from:?} | {to:?}");
}

/// One session that runs through all of it; how long each of its looks took stands in its log.
fn while_it_runs(rig: &Rig, project: &Project, size: &Size) {
    let mut running = rig
        .run(project.path())
        .variable("DRYDOCK_SESSION_HISTORY", "all")
        .variable("DRYDOCK_SYNC_INTERVAL_SECONDS", "1")
        .variable("DRYDOCK_LOG", "drydock_engine=debug")
        .claude(["-p", "work [[hold]]", "--session-id", &conversation_id()])
        .start();
    let session = running.session();
    rig.api.wait_for_hold();
    let inside = |command: &str| {
        let done = rig.engine.exec(&session, &["bash", "-c", command]);
        assert_eq!(done.code, 0, "{command}: {}", done.printed);
    };
    let plans = rig.home.claude_dir().join("plans");
    let arrives = |name: &str| {
        let file = plans.join(name);
        until("it comes out", PATIENCE, || file.exists().then_some(()));
    };
    // The first look comes upon the turn itself.
    inside("echo x > ~/.claude/plans/begun.md");
    arrives("begun.md");
    idle();
    let long = rig.home.claude_dir().join(format!("projects/{}/{LONG}.jsonl", slug(project)));
    let before = fs::metadata(&long).unwrap().len();
    inside(&format!(
        "head -c 1023 /dev/zero | tr '\\0' x >> ~/.claude/projects/{}/{LONG}.jsonl; echo >> ~/.claude/projects/{}/{LONG}.jsonl",
        slug(project),
        slug(project)
    ));
    until("the line comes out", PATIENCE, || {
        (fs::metadata(&long).unwrap().len() == before + 1024).then_some(())
    });
    idle();
    for count in [20, 100] {
        inside(&format!(
            "mkdir -p /tmp/n && for n in $(seq {count}); do head -c 10000 /dev/zero | tr '\\0' y > /tmp/n/new{count}-$n.md; done; cp /tmp/n/* ~/.claude/plans/; rm -r /tmp/n; echo x > ~/.claude/plans/zz{count}.md"
        ));
        arrives(&format!("zz{count}.md"));
        arrives(&format!("new{count}-{count}.md"));
        idle();
    }
    let container = format!("drydock-{session}");
    let names: Vec<_> = (1..=20).map(|index| format!("{}/new20-{index}.md", inside_home(rig))).collect();
    let there = tempfile::tempdir().unwrap();
    let each = timed(|| {
        for name in &names {
            let copy = fs::File::create(there.path().join("copy")).unwrap();
            let done =
                Command::new("docker").args(["exec", &container, "cat", name]).stdout(copy).status().unwrap();
            assert!(done.success());
        }
    });
    let tarred = timed(|| {
        pipe(
            Command::new("docker").args(["exec", &container, "tar", "-C", "/", "-c"]).args(&names),
            Command::new("tar").args(["-C", there.path().to_str().unwrap(), "-x"]),
        );
    });
    let memory = peak_memory(&running);
    rig.api.release();
    let looks = looks(&running.done().ok().stderr);
    let quiet: Vec<_> = looks.iter().filter(|look| look.changes == 0).map(|look| look.took).collect();
    let quiet = median(quiet);
    let unison = unison(&rig.home.claude_dir());
    row("nothing changed", quiet, unison);
    if let Some(unison) = unison {
        row("  unison, two local folders", unison, None);
    }
    let busy: Vec<_> = looks.iter().filter(|look| look.changes > 0).collect();
    let of = |least: usize, most: usize| {
        busy.iter().filter(|look| (least..=most).contains(&look.changes)).map(|look| look.took).min()
    };
    if let Some(appended) = busy.get(1).map(|look| look.took) {
        row(&format!("1 KB more in a conversation of {} MB", size.transcript >> 20), appended, None);
    }
    if let Some(twenty) = of(15, 60) {
        row("20 changed files out, flushed", twenty, Some(each));
        row("  docker exec cat of each, not flushed", each, None);
        row("  docker exec tar | tar, not flushed", tarred, Some(each));
    }
    if let Some(hundred) = of(61, 200) {
        row("100 changed files out, flushed", hundred, None);
    }
    println!("  drydock's peak memory {:>49} MB", memory >> 10);
    let _ = std::io::stdout().flush();
}

fn inside_home(rig: &Rig) -> String {
    rig.home.claude_dir().join("plans").display().to_string()
}

/// Long enough for some looks at which there is nothing to see.
fn idle() {
    std::thread::sleep(Duration::from_millis(2500));
}

struct Look {
    took: Duration,
    changes: usize,
}

fn looks(log: &str) -> Vec<Look> {
    let number = |line: &str, key: &str| -> Option<u64> {
        let rest = &line[line.find(&format!("{key}="))? + key.len() + 1..];
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    };
    log.lines()
        .map(strip_colours)
        .filter(|line| line.contains("looked for what a session wrote"))
        .filter_map(|line| {
            let took = Duration::from_micros(number(&line, "microseconds")?);
            Some(Look { took, changes: usize::try_from(number(&line, "changes")?).unwrap() })
        })
        .collect()
}

fn strip_colours(line: &str) -> String {
    let mut plain = String::new();
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(letter);
        }
    }
    plain
}

/// In kilobytes.
fn peak_memory(running: &Running) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", running.process())).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse().ok()).unwrap_or_default()
}

/// A second run of unison on the same files, which finds nothing to do.
fn unison(claude: &Path) -> Option<Duration> {
    Command::new("unison").arg("-version").output().ok()?;
    let scratch = tempfile::tempdir().unwrap();
    let (one, other): (PathBuf, PathBuf) = (scratch.path().join("one"), scratch.path().join("other"));
    run(Command::new("cp").arg("-a").arg(claude).arg(&one));
    fs::create_dir(&other).unwrap();
    let sync = || {
        run(Command::new("unison")
            .arg(&one)
            .arg(&other)
            .args(["-batch", "-silent", "-times"])
            .env("UNISON", scratch.path().join("state")));
    };
    sync();
    Some(median((0..ROUNDS).map(|_| timed(sync)).collect()))
}
