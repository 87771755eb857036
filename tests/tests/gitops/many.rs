//! A thousand commits in a row: all of them at once, or each by itself. Of the latter a thousand take minutes:
//! `DRYDOCK_FAULT_ROUNDS=1000` has so many.

use drydock_tests::{faults::dice::rounds, rig::Followed};
use serde_json::json;
use std::{fmt::Write, process::Command};

const COMMITS: usize = 1000;

/// Commits by the stream that git itself imports from: as many as that takes minutes otherwise.
fn import(followed: &Followed, numbers: std::ops::RangeInclusive<usize>) {
    let mut stream = String::new();
    for number in numbers {
        let text = json!({"model": format!("model-{number}")}).to_string();
        let message = format!("number {number}");
        write!(
            stream,
            "commit refs/heads/main\ncommitter Somebody <somebody@example.org> {} +0000\ndata {}\n{message}\n",
            1_800_000_000 + number,
            message.len(),
        )
        .unwrap();
        if number == 1 {
            stream.push_str("M 100644 inline drydock.yaml\ndata 11\nversion: 1\n\n");
        } else {
            stream.push_str("from refs/heads/main^0\n");
        }
        write!(stream, "M 100644 inline desired/claude/settings.json\ndata {}\n{text}\n\n", text.len())
            .unwrap();
    }
    let mut git = Command::new("git")
        .args(["fast-import", "--quiet", "--force"])
        .current_dir(followed.bare())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut git.stdin.take().unwrap(), stream.as_bytes()).unwrap();
    assert!(git.wait().unwrap().success());
}

#[test]
fn a_thousand_commits_at_once_are_no_rewritten_history() {
    let followed = Followed::new();
    import(&followed, 1..=1);
    assert_eq!(followed.reconcile().1, 0);
    import(&followed, 2..=COMMITS);
    let (report, code) = followed.reconcile();
    assert_eq!((report["outcome"]["is"].as_str(), code), (Some("synced"), 0), "{report:#}");
    assert_eq!(followed.setting("/model"), Some(json!(format!("model-{COMMITS}"))));
}

#[test]
fn commits_one_after_the_other_all_come_and_the_log_is_whole() {
    const USUALLY: usize = 150;
    let (followed, commits) = (Followed::new(), rounds(USUALLY));
    for number in 1..=commits {
        import(&followed, number..=number);
        let done = followed.gitops(["reconcile"]);
        assert_eq!(done.code, Some(0), "commit {number}: {}{}", done.stdout, done.stderr);
    }
    assert_eq!(followed.setting("/model"), Some(json!(format!("model-{commits}"))));
    let audit = followed.gitops(["audit", "--verify"]).ok().stdout;
    assert!(
        audit.ends_with(&format!("{commits} lines proven: none was changed, removed or put in\n")),
        "{}",
        &audit[audit.len() - 200..]
    );
    let folder = followed.file(".local/share/drydock/gitops");
    let size: u64 = walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|data| data.len())
        .sum();
    assert!(size < 64 << 20, "what is kept of them does not grow without an end: {size} bytes");
}
