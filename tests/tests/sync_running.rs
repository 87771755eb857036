//! Sync while things run: a session that writes, readers on both sides, and homes that are not what
//! they were.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use drydock_tests::rig::{Done, Project, Rig, Running, conversation_id, until};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A session whose Claude Code waits in the middle of a turn.
fn working(rig: &Rig, project: &Project, id: &str, seconds_between: u32) -> (Running, String) {
    let mut running = rig
        .run(project.path())
        .variable("DRYDOCK_SYNC_INTERVAL_SECONDS", seconds_between.to_string())
        .claude(["-p", "work [[hold]]", "--session-id", id])
        .start();
    let session = running.session();
    rig.api.wait_for_hold();
    (running, session)
}

fn inside(rig: &Rig, session: &str, command: &str) -> String {
    let done = rig.engine.exec(session, &["bash", "-c", command]);
    assert_eq!(done.code, 0, "{command}: {}", done.printed);
    done.printed
}

fn end(rig: &Rig, running: Running) -> Done {
    rig.api.release();
    running.done()
}

/// Every file below a folder, by name.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    walkdir::WalkDir::new(root)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| (entry.path().to_path_buf(), fs::read(entry.path()).unwrap()))
        .collect()
}

#[test]
fn what_a_session_writes_comes_out_while_it_runs() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let (running, session) = working(&rig, &project, &id, 1);

    inside(&rig, &session, "mkdir -p ~/.claude/plans && echo first > ~/.claude/plans/a.md");
    let plan = rig.home.claude_dir().join("plans/a.md");
    until("the plan is on the host", PATIENCE, || {
        (fs::read_to_string(&plan).ok()? == "first\n").then_some(())
    });
    until("the turn is on the host", PATIENCE, || rig.home.has_conversation(&id).then_some(()));
    assert!(rig.engine.is_running(&session));
    inside(&rig, &session, "echo second > ~/.claude/plans/a.md");
    until("the change is on the host", PATIENCE, || {
        (fs::read_to_string(&plan).ok()? == "second\n").then_some(())
    });

    end(&rig, running).ok();
    assert!(rig.home.conversation(&id).says("You said: work"));
    rig.assert_nothing_left();
}

#[test]
fn drydock_may_be_killed_while_it_brings_things_out() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let (running, session) = working(&rig, &project, &id, 1);
    until("the turn is on the host", PATIENCE, || rig.home.has_conversation(&id).then_some(()));
    inside(&rig, &session, "mkdir -p ~/.claude/plans && echo late > ~/.claude/plans/late.md");

    running.kill();
    rig.api.release();
    until("the session ends", PATIENCE, || (!rig.engine.is_running(&session)).then_some(()));
    rig.drydock().arg("list").done().ok();

    assert_eq!(fs::read_to_string(rig.home.claude_dir().join("plans/late.md")).unwrap(), "late\n");
    assert!(rig.home.conversation(&id).says("You said: work"));
    rig.assert_nothing_left();
}

/// A version of a file: one letter, three megabytes long, in a frame.
fn version(number: usize) -> Vec<u8> {
    let letter = b'a' + u8::try_from(number % 26).unwrap();
    [b"<".as_slice(), &vec![letter; 3 << 20], b">\n"].concat()
}

#[test]
fn a_reader_in_the_session_never_sees_a_file_missing_or_short() {
    const VERSIONS: usize = 24;
    let rig = Rig::new();
    let project = rig.project("proj");
    let skill = rig.home.write(".claude/skills/big/data.txt", "");
    fs::write(&skill, version(0)).unwrap();
    let (running, session) = working(&rig, &project, &conversation_id(), 3600);
    let reader = r#"cd ~/.claude/skills/big; n=0; bad=0; while [ ! -e /tmp/stop ]; do
        read -r size sum <<<"$( (wc -c <data.txt; head -c 1 data.txt; tail -c 2 data.txt) 2>&1 | tr '\n' ' ')"
        n=$((n + 1)); [ "$size" = 3145731 ] && [ "$sum" = "<>" ] || { bad=$((bad + 1)); echo "saw: $size $sum"; }
        done; echo "read $n times, $bad bad""#;

    let report = thread::scope(|scope| {
        let (rig, session) = (&rig, session.as_str());
        let reading = scope.spawn(move || inside(rig, session, reader));
        for number in 1..=VERSIONS {
            let staged = skill.with_extension("new");
            fs::write(&staged, version(number)).unwrap();
            fs::rename(&staged, &skill).unwrap();
            let report = rig.drydock().args(["sync", "in", session, "--json"]).done().ok().json();
            assert_eq!(report["brought"].as_array().unwrap().len(), 1, "{report}");
        }
        inside(rig, session, "touch /tmp/stop");
        reading.join().unwrap()
    });

    assert!(report.contains(" 0 bad"), "{report}");
    let last = inside(&rig, &session, "head -c 2 ~/.claude/skills/big/data.txt");
    assert_eq!(last.as_bytes(), &version(VERSIONS)[..2]);
    end(&rig, running).ok();
    rig.assert_nothing_left();
}

#[test]
fn a_reader_on_the_host_never_sees_a_file_missing_or_short() {
    const VERSIONS: usize = 24;
    let rig = Rig::new();
    let project = rig.project("proj");
    let (running, session) = working(&rig, &project, &conversation_id(), 3600);
    let make = |number: usize| {
        let letter = char::from(b'a' + u8::try_from(number % 26).unwrap());
        let made = format!(
            "mkdir -p ~/.claude/plans && cd ~/.claude/plans && (printf '<'; head -c 3145728 /dev/zero | tr '\\0' {letter}; echo '>') > .big.tmp && mv .big.tmp big.md"
        );
        inside(&rig, &session, &made);
        rig.drydock().args(["sync", "out", &session]).done().ok();
    };
    make(0);
    let plan = rig.home.claude_dir().join("plans/big.md");
    let stop = AtomicBool::new(false);

    let (read, bad) = thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let (mut read, mut bad) = (0, Vec::new());
            while !stop.load(Ordering::SeqCst) {
                let seen = fs::read(&plan);
                let whole = seen.as_ref().is_ok_and(|seen| {
                    seen.len() == (3 << 20) + 3 && seen[1..=3 << 20].iter().all(|byte| *byte == seen[1])
                });
                read += 1;
                if !whole {
                    bad.push(seen.map(|seen| seen.len()));
                }
            }
            (read, bad)
        });
        (1..=VERSIONS).for_each(make);
        stop.store(true, Ordering::SeqCst);
        reading.join().unwrap()
    });

    assert!(bad.is_empty(), "{} of {read} reads: {:?}", bad.len(), bad.first());
    assert!(read > VERSIONS);
    end(&rig, running).ok();
    rig.assert_nothing_left();
}

#[test]
fn what_changes_on_the_host_reaches_a_running_session() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let talked = conversation_id();
    rig.claude(project.path()).args(["-p", "before", "--session-id", &talked]).done().ok();
    rig.home.write(".claude/skills/notes/SKILL.md", "old\n");
    rig.home.write(".claude/agents/mine.md", "old\n");
    rig.home.write(".claude/settings.json", "{\n  \"model\": \"opus\"\n}\n");
    let (running, session) = working(&rig, &project, &conversation_id(), 3600);
    inside(&rig, &session, "echo own > ~/.claude/agents/mine.md");

    rig.home.write(".claude/skills/notes/SKILL.md", "new\n");
    rig.home.write(".claude/agents/mine.md", "new\n");
    rig.home.write(".claude/agents/added.md", "added\n");
    rig.home.write(".claude/settings.json", "{\n  \"model\": \"sonnet\"\n}\n");
    rig.claude(project.path()).args(["-p", "meanwhile", "--resume", &talked]).done().ok();
    let report = rig.drydock().args(["sync", "in", &session]).done().ok().stdout;

    assert_eq!(
        inside(&rig, &session, "cat ~/.claude/skills/notes/SKILL.md ~/.claude/agents/added.md"),
        "new\nadded\n"
    );
    assert!(inside(&rig, &session, "cat ~/.claude/settings.json").contains("sonnet"));
    assert!(
        inside(&rig, &session, &format!("cat ~/.claude/projects/*/{talked}.jsonl")).contains("meanwhile")
    );
    assert_eq!(
        inside(&rig, &session, "cat ~/.claude/agents/mine.md"),
        "own\n",
        "its own work was written over"
    );
    assert!(report.contains("agents/mine.md changed in the session as well"), "{report}");
    let again = rig.drydock().args(["sync", "in", &session]).done().ok().stdout;
    assert!(!again.contains("brought in"), "{again}");
    end(&rig, running).ok();
    rig.assert_nothing_left();
}

#[test]
fn hostile_files_are_refused_by_name_and_the_rest_comes_out() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let id = conversation_id();
    let (running, session) = working(&rig, &project, &id, 3600);
    inside(
        &rig,
        &session,
        "cd ~/.claude && mkdir -p plans && cd plans && echo good > good.md && truncate -s 10G sparse.md && echo a > Case.md && echo b > case.md \
         && printf x > $'ctrl\\x1b[31m.md' && ln -s /etc/passwd link.md && mkfifo pipe.md \
         && cd .. && python3 -c 1 2>/dev/null; cd ~/.claude && { head -c 20000 /dev/zero | tr '\\0' '['; } > settings.json",
    );

    let out = rig.drydock().args(["sync", "out", &session]).done();

    assert_eq!(out.code, Some(4), "{} {}", out.stdout, out.stderr);
    for (name, reason) in [
        ("sparse.md", "larger than sync.max_file_size"),
        ("ctrl", "a name that no file here may have"),
        ("link.md", "neither a file nor a folder"),
        ("pipe.md", "neither a file nor a folder"),
        ("ase.md", "another file's"),
    ] {
        let told = out.stdout.lines().any(|line| line.contains(name) && line.contains(reason));
        assert!(told, "{name} is not refused for being {reason}: {}", out.stdout);
    }
    assert!(!out.stdout.contains('\u{1b}'), "a name was printed as it is");
    assert!(out.stdout.contains("settings.json (it cannot be read)"), "{}", out.stdout);
    assert_eq!(fs::read_to_string(rig.home.claude_dir().join("plans/good.md")).unwrap(), "good\n");
    assert!(rig.home.has_conversation(&id));

    // The session goes only when its user says that what was refused may go.
    end(&rig, running).exits(4).tells("sync.refused");
    assert!(rig.engine.leftovers().contains(&format!("drydock-{session}")));
    rig.drydock().args(["rm", &session, "--discard"]).done().ok();
    rig.assert_nothing_left();
}

#[test]
fn many_files_gone_at_once_stop_a_sync() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let (running, session) = working(&rig, &project, &conversation_id(), 3600);
    inside(
        &rig,
        &session,
        "mkdir -p ~/.claude/plans; for n in $(seq 60); do echo $n > ~/.claude/plans/$n.md; done",
    );
    rig.drydock().args(["sync", "out", &session]).done().ok();
    let plans = rig.home.claude_dir().join("plans");
    assert_eq!(fs::read_dir(&plans).unwrap().count(), 60);
    inside(&rig, &session, "rm ~/.claude/plans/*.md && echo more > ~/.claude/plans/more.md");

    rig.drydock().args(["sync", "out", &session]).done().exits(4).tells("sync.stopped");
    assert_eq!(fs::read_dir(&plans).unwrap().count(), 60, "something was done all the same");
    rig.drydock().args(["sync", "out", &session, "--accept-vanished"]).done().ok();
    assert_eq!(fs::read_dir(&plans).unwrap().count(), 61, "a deletion travelled");

    // The host home is gone: a disk that is not there, or somebody moved it.
    let away = rig.home.path().join("moved-away");
    fs::rename(rig.home.claude_dir(), &away).unwrap();
    inside(&rig, &session, "echo even more > ~/.claude/plans/even.md");
    let before = files(&away);
    rig.drydock().args(["sync", "out", &session]).done().exits(4).tells("sync.stopped");
    assert!(!rig.home.claude_dir().exists(), "a home was made where there was none");
    fs::rename(&away, rig.home.claude_dir()).unwrap();
    assert_eq!(files(&rig.home.claude_dir()).len(), before.len());
    rig.drydock().args(["sync", "out", &session, "--accept-vanished"]).done().ok();
    rig.api.release();
    let _ = running.done();
    rig.drydock().args(["sync", "out", &session, "--accept-vanished"]).done();
    rig.assert_nothing_left();
}

#[test]
fn a_byte_that_differs_is_found() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let (running, session) = working(&rig, &project, &conversation_id(), 3600);
    inside(
        &rig,
        &session,
        "mkdir -p ~/.claude/plans && echo same > ~/.claude/plans/a.md && echo same > ~/.claude/plans/b.md",
    );
    rig.drydock().args(["sync", "out", &session]).done().ok();
    rig.drydock().args(["sync", "status", &session, "--verify"]).done().ok();
    rig.home.write(".claude/plans/a.md", "sam3\n");

    let found = rig.drydock().args(["sync", "status", &session, "--verify"]).done().exits(1).stdout;

    assert!(
        found.contains("DIFFERS") && found.contains("plans/a.md") && !found.contains("plans/b.md"),
        "{found}"
    );
    rig.home.write(".claude/plans/a.md", "same\n");
    end(&rig, running).ok();
    rig.assert_nothing_left();
}

#[test]
fn what_the_user_keeps_out_stays_out() {
    let rig = Rig::new();
    let project = rig.project("proj");
    rig.home.write(".claude/skills/private/SKILL.md", "private\n");
    rig.drydock().args(["settings", "set", "sync.exclude", "skills/private/ *.bak"]).done().ok();
    let (running, session) = working(&rig, &project, &conversation_id(), 3600);

    assert_eq!(inside(&rig, &session, "ls ~/.claude/skills 2>/dev/null || true"), "");
    inside(
        &rig,
        &session,
        "mkdir -p ~/.claude/plans && echo x > ~/.claude/plans/a.bak && echo y > ~/.claude/plans/a.md",
    );
    end(&rig, running).ok();

    assert!(!rig.home.claude_dir().join("plans/a.bak").exists());
    assert!(rig.home.claude_dir().join("plans/a.md").exists());
    rig.assert_nothing_left();
}
