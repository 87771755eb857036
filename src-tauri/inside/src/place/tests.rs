use super::*;
use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

fn stage(folder: &Path, text: &str) -> Staged {
    Staged::write(folder, 0o600, &mut text.as_bytes()).unwrap()
}

fn mark(text: &str) -> Mark {
    digest::read(&mut text.as_bytes()).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_expected_version_is_replaced_and_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("t");
    fs::write(&target, "old").unwrap();
    let placed = place(stage(dir.path(), "new"), &target, Before::Holds(mark("old"))).unwrap();
    let Placed::Done { displaced: Some(old), .. } = placed else { panic!("{placed:?}") };
    assert_eq!(
        (fs::read_to_string(&target).unwrap(), fs::read_to_string(old).unwrap()),
        ("new".into(), "old".into())
    );
}

#[test]
fn another_version_stays() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("t");
    fs::write(&target, "theirs").unwrap();
    let placed = place(stage(dir.path(), "new"), &target, Before::Holds(mark("old"))).unwrap();
    assert!(matches!(placed, Placed::Surprise { ref kept } if kept.is_empty()), "{placed:?}");
    let placed = place(stage(dir.path(), "new"), &target, Before::Nothing).unwrap();
    assert!(matches!(placed, Placed::Surprise { ref kept } if kept.is_empty()), "{placed:?}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
    fs::remove_file(&target).unwrap();
    let placed = place(stage(dir.path(), "new"), &target, Before::Holds(mark("theirs"))).unwrap();
    assert!(matches!(placed, Placed::Surprise { .. }), "what was deleted does not come back: {placed:?}");
    assert!(names(dir.path()).is_empty(), "{:?}", names(dir.path()));
}

#[test]
fn links_and_folders_are_never_exchanged() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, link) = (dir.path().join("folder"), dir.path().join("link"));
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
    for target in [&folder, &link] {
        assert!(place(stage(dir.path(), "new"), target, Before::Holds(mark("old"))).is_err());
        let placed = place(stage(dir.path(), "new"), target, Before::Nothing).unwrap();
        assert!(matches!(placed, Placed::Surprise { .. }));
    }
    assert_eq!(names(dir.path()).len(), 2);
}

#[test]
fn what_is_written_after_the_placing_does_not_pass_for_ours() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("t");
    let staged = stage(dir.path(), "ours");
    let before = staged.sign;
    disk::rename(staged.path(), &target).unwrap();
    assert_eq!(staged.sign_at(&target).unwrap(), Sign::of(&fs::metadata(&target).unwrap()));
    // A file of the same length in the same place, and then one written over in place.
    fs::write(dir.path().join("next"), "them").unwrap();
    fs::rename(dir.path().join("next"), &target).unwrap();
    assert_ne!(staged.sign_at(&target).unwrap(), Sign::of(&fs::metadata(&target).unwrap()));
    let again = stage(dir.path(), "ours");
    disk::rename(again.path(), &target).unwrap();
    let later = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(before.mtime_ns.unsigned_abs() + 9);
    File::options().write(true).open(&target).unwrap().set_modified(later).unwrap();
    assert_ne!(again.sign_at(&target).unwrap(), Sign::of(&fs::metadata(&target).unwrap()));
}

#[test]
fn a_pipe_in_the_place_does_not_block() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(mark_of(&pipe).is_err());
    assert!(place(stage(dir.path(), "new"), &pipe, Before::Holds(mark("old"))).is_err());
    assert!(recover(&pipe, &dir.path().join("t"), None, mark("new")).is_err());
}

/// Two programs at one file: one replaces it as fast as it can, as Claude Code does, and this one puts
/// its own versions there. Every version of the other's has to be accounted for: replaced by itself,
/// in the place, or given back.
#[test]
fn no_version_of_a_hammering_writer_is_lost_unseen() {
    const VERSIONS: usize = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("t");
    fs::write(&target, "w0").unwrap();
    let done = AtomicBool::new(false);
    let mut given_back = HashSet::new();
    let mut placed = 0;
    // What the writer found in the place right before it replaced it: it has seen that version go.
    let (written, overwritten) = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let next = dir.path().join("next");
            let mut overwritten = HashSet::new();
            for version in 1..=VERSIONS {
                fs::write(&next, format!("w{version}")).unwrap();
                // The writer exchanges as well, so that the test knows what each of its writes replaced.
                disk::exchange(&next, &target).unwrap();
                overwritten.insert(fs::read_to_string(&next).unwrap());
            }
            done.store(true, Ordering::SeqCst);
            (VERSIONS, overwritten)
        });
        let mut round = 0;
        while !done.load(Ordering::SeqCst) {
            round += 1;
            let Ok(seen) = mark_of(&target) else { continue };
            match place(stage(dir.path(), &format!("ours{round}")), &target, Before::Holds(seen)).unwrap() {
                Placed::Done { displaced, .. } => {
                    placed += 1;
                    if let Some(path) = displaced {
                        given_back.insert(fs::read_to_string(&path).unwrap());
                        fs::remove_file(path).unwrap();
                    }
                }
                Placed::Surprise { kept } => {
                    for path in kept {
                        given_back.insert(fs::read_to_string(&path).unwrap());
                        fs::remove_file(path).unwrap();
                    }
                }
            }
        }
        writer.join().unwrap()
    });
    let last = fs::read_to_string(&target).unwrap();
    let lost: Vec<_> = (0..=written)
        .map(|version| format!("w{version}"))
        .filter(|text| !overwritten.contains(text) && !given_back.contains(text) && *text != last)
        .collect();
    assert!(
        lost.is_empty(),
        "{} of {written} versions are lost: {:?}",
        lost.len(),
        &lost[..lost.len().min(5)]
    );
    assert!(placed > 0, "nothing was placed at all");
}
