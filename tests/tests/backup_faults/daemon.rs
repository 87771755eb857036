//! `drydock daemon`, which does by itself what is due, and does it alone.

use super::{
    damage::three_equal_copies,
    damages::{Damage, How, Kind},
    dice::Dice,
    proof::{assert_restores, assert_whole},
};
use drydock_tests::rig::{BackupCopy, Backups, Running, noise, until, until_or};
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;

/// Longer than the first round of work takes.
const LIMIT: Duration = Duration::from_secs(60);

/// The reports that a daemon has printed so far.
fn reports(daemon: &Running) -> Vec<Value> {
    let printed = daemon.printed();
    // The last line may be on its way.
    let whole = printed.rfind('\n').map_or("", |end| &printed[..end]);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

fn start(backups: &Backups) -> Running {
    backups.drydock(["daemon", "--json"]).start()
}

/// The process that does the scheduled work, as `drydock status` tells.
fn at_work(backups: &Backups) -> Option<u32> {
    let process = backups.json(["status"])["scheduler"]["pid"].as_u64()?;
    Some(u32::try_from(process).expect("a process"))
}

/// Waits until a daemon has done a job, which must not fail.
fn until_done(daemon: &Running, job: &str) -> Value {
    until(&format!("{job} is done"), LIMIT, || {
        let reports = reports(daemon);
        let failed = reports.iter().find(|report| report["outcome"] == "failed");
        assert!(failed.is_none(), "{:#}", failed.unwrap());
        reports.into_iter().find(|report| report["job"] == job && report["outcome"] == "done")
    })
}

#[test]
fn a_home_without_a_backup_gets_all_of_it_from_a_daemon() {
    let backups = Backups::with_three_copies();
    let daemon = start(&backups);

    for job in
        ["snapshot", "external", "cloud", "verify", "drill-local", "drill-external", "drill-cloud", "prune"]
    {
        until_done(&daemon, job);
    }

    assert_restores(&backups, BackupCopy::Local);
    for copy in BackupCopy::ALL {
        // A copy that came after the first look is looked at as well.
        until(&format!("the {copy:?} copy is proven"), LIMIT, || {
            let standing = backups.standing(copy);
            (standing["verified"].is_object() && standing["drill"].is_object()).then_some(())
        });
        backups.restic(copy).check();
    }
    assert_eq!(at_work(&backups), Some(daemon.process()));
    daemon.signal(Signal::TERM);
    let done = daemon.done().ok();
    assert_eq!(done.stderr, "");
    let snapshots = done.stdout.matches(r#""job":"snapshot""#).count();
    assert_eq!(snapshots, 1, "one that nothing has changed since: {}", done.stdout);
}

#[test]
fn a_second_daemon_is_refused_and_one_that_was_killed_is_followed() {
    let backups = Backups::new();
    let first = start(&backups);
    until_done(&first, "snapshot");

    let refused = backups.fails(["daemon"], 1, "daemon.running");

    assert!(refused.stderr.contains(&format!("process {} ", first.process())), "{}", refused.stderr);
    first.kill();
    let second = start(&backups);
    until("the second one does the work", LIMIT, || {
        (at_work(&backups) == Some(second.process())).then_some(())
    });
    backups.fails(["daemon"], 1, "daemon.running");
    second.signal(Signal::INT);
    second.done().ok();
    let third = start(&backups);
    until("the third one does the work", LIMIT, || {
        (at_work(&backups) == Some(third.process())).then_some(())
    });
    assert_whole(&backups);
}

#[test]
fn a_daemon_that_ends_in_the_middle_of_work_leaves_nothing_broken() {
    for signal in [Signal::TERM, Signal::KILL] {
        let backups = Backups::with_three_copies();
        for n in 0..20 {
            let name = format!(".claude/projects/-home-ann-shop/{n:08}-9999-4999-8999-999999999999.jsonl");
            backups.home.write(&name, &noise(&name, 1 << 20));
        }
        let daemon = start(&backups);
        until("data is written", LIMIT, || {
            let files = backups.repository_files(BackupCopy::Local);
            files.keys().any(|name| name.starts_with("data/")).then_some(())
        });
        daemon.signal(signal);
        let done = daemon.done();
        assert!(signal == Signal::KILL || done.code == Some(0), "{done:?}");

        let next = start(&backups);

        for job in ["snapshot", "external", "cloud", "verify"] {
            until_done(&next, job);
        }
        next.signal(Signal::TERM);
        next.done().ok();
        assert_whole(&backups);
        assert_restores(&backups, BackupCopy::Cloud);
    }
}

#[test]
fn a_daemon_mends_what_it_finds_damaged() {
    let mut dice = Dice::thrown_for("damage before a daemon");
    for kind in [Kind::Index, Kind::Pack, Kind::Config, Kind::Ledger, Kind::State] {
        let backups = three_equal_copies(&mut dice);
        let damage = Damage { copy: BackupCopy::Local, kind, how: How::BitFlipped };
        damage.strike(&backups, &mut dice);
        let daemon = start(&backups);

        let is_verified = |report: &Value| report["job"] == "verify" && report["outcome"] == "done";
        until_or(
            LIMIT,
            || reports(&daemon).iter().any(is_verified).then_some(()),
            || format!("everything is whole after {damage}, but {}", daemon.printed()),
        );

        daemon.signal(Signal::TERM);
        daemon.done().ok();
        backups.ok(["backup", "now"]);
        assert_whole(&backups);
        assert_restores(&backups, BackupCopy::Local);
        assert_restores(&backups, BackupCopy::External);
    }
}
