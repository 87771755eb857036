use super::*;
use crate::{Digest, Window, protocol::LONGEST};
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::os::unix::fs::symlink;

fn talk(root: &Path, requests: &[Request]) -> Vec<Reply> {
    let mut stream = Vec::new();
    for request in requests {
        send(&mut stream, request).unwrap();
    }
    let mut out = Vec::new();
    serve(root, &stream[..], &mut out).unwrap();
    let mut from = &out[..];
    std::iter::from_fn(|| receive(&mut from).unwrap()).collect()
}

fn digest_of(text: &str) -> Digest {
    digest::read(&mut text.as_bytes()).unwrap().sha256
}

fn put(name: &str, before: Option<&str>, text: &str) -> Vec<Request> {
    let before = before.map(|text| digest::read(&mut text.as_bytes()).unwrap());
    vec![
        Request::Put { name: name.into(), mode: 0o600, before },
        Request::Chunk(text.into()),
        Request::End(digest_of(text)),
    ]
}

#[test]
fn a_file_is_put_read_and_appended_to() {
    let dir = tempfile::tempdir().unwrap();
    let window = Window { end: 4, sha256: digest_of("one\n") };
    let mut requests = put("a/b.txt", None, "one\n");
    requests.extend([
        Request::Append { name: "a/b.txt".into(), window },
        Request::Chunk(b"two\n".to_vec()),
        Request::End(digest_of("two\n")),
        Request::Read { name: "a/b.txt".into(), from: 4 },
        Request::Marks(vec![("a/b.txt".into(), 4), ("nothing".into(), 1)]),
        Request::Window { name: "a/b.txt".into(), end: 4 },
    ]);
    let replies = talk(dir.path(), &requests);
    assert!(matches!(replies[0], Reply::Put(Outcome::Done(sign)) if sign.len == 4), "{replies:?}");
    assert!(matches!(replies[1], Reply::Put(Outcome::Done(sign)) if sign.len == 8), "{replies:?}");
    assert_eq!(replies[2], Reply::Chunk(b"two\n".to_vec()));
    assert!(matches!(replies[3], Reply::Read(sign) if sign.len == 8), "{replies:?}");
    assert_eq!(replies[4], Reply::Marks(vec![Some(Mark { len: 4, sha256: digest_of("one\n") }), None]));
    assert_eq!(replies[5], Reply::Window(Some(window)));
    assert_eq!(fs::read_to_string(dir.path().join("a/b.txt")).unwrap(), "one\ntwo\n");
}

#[test]
fn only_what_was_seen_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "theirs").unwrap();
    let mut requests = put("a", None, "x");
    requests.extend(put("a", Some("old"), "x"));
    requests.extend(put("a", Some("theirs"), "ours"));
    let replies = talk(dir.path(), &requests);
    assert_eq!(replies[..2], [Reply::Put(Outcome::Surprise), Reply::Put(Outcome::Surprise)]);
    assert!(matches!(replies[2], Reply::Put(Outcome::Done(_))));
    assert_eq!(fs::read_to_string(dir.path().join("a")).unwrap(), "ours");
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is left beside it but Drydock's own folder: {left:?}");
    assert_eq!(fs::read_dir(dir.path().join(".drydock")).unwrap().count(), 0, "the notes are gone");
}

#[test]
fn nothing_outside_the_root_is_reached() {
    let dir = tempfile::tempdir().unwrap();
    let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
    fs::create_dir_all(&root).unwrap();
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    symlink(&outside, root.join("link")).unwrap();
    symlink(outside.join("secret"), root.join("file")).unwrap();
    mknodat(CWD, root.join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    for name in
        ["link/secret", "file", "../outside/secret", "/etc/passwd", "pipe", "", "a/../../outside/secret"]
    {
        let replies = talk(&root, &[Request::Read { name: name.into(), from: 0 }]);
        assert!(matches!(replies[..], [Reply::Fault { .. }]), "{name}: {replies:?}");
        let marks = talk(&root, &[Request::Marks(vec![(name.into(), 9)])]);
        assert_eq!(marks, [Reply::Marks(vec![None])], "{name}");
        let replies = talk(&root, &put(name, None, "planted"));
        let untouched = matches!(replies[..], [Reply::Fault { .. } | Reply::Put(Outcome::Surprise)]);
        assert!(untouched, "{name}: {replies:?}");
    }
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

/// A session can write where Drydock keeps its notes.
#[test]
fn planted_notes_reach_nothing_and_keep_nothing_from_being_finished() {
    let dir = tempfile::tempdir().unwrap();
    let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
    let notes = root.join(".drydock");
    fs::create_dir_all(&notes).unwrap();
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join(".drydock-1.tmp"), "kept").unwrap();
    symlink(&outside, root.join("link")).unwrap();
    let mark = digest::read(&mut &b"kept"[..]).unwrap();
    let note = |name: &str, staged: &str| {
        let note = Note { name: name.into(), staged: staged.into(), before: None, after: mark };
        postcard::to_allocvec(&note).unwrap()
    };
    fs::write(notes.join("put-1"), note("link/x", ".drydock-1.tmp")).unwrap();
    fs::write(notes.join("put-2"), note("../outside/x", ".drydock-1.tmp")).unwrap();
    fs::write(notes.join("put-3"), note("x", "../outside/.drydock-1.tmp")).unwrap();
    fs::write(notes.join("put-4"), note("x", "work.md")).unwrap();
    fs::write(root.join("work.md"), "kept").unwrap();
    mknodat(CWD, notes.join("put-5"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    mknodat(CWD, root.join(".drydock-6.tmp"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    fs::write(notes.join("put-6"), note("x", ".drydock-6.tmp")).unwrap();
    symlink("/dev/zero", notes.join("put-7")).unwrap();
    fs::create_dir(notes.join("put-8")).unwrap();
    // A real one among them: its file was staged, and not yet placed.
    fs::write(root.join(".drydock-9.tmp"), "kept").unwrap();
    fs::write(notes.join("put-9"), note("y", ".drydock-9.tmp")).unwrap();
    assert_eq!(talk(&root, &[Request::Recover]), [Reply::Done { more: false }]);
    assert_eq!(fs::read_to_string(outside.join(".drydock-1.tmp")).unwrap(), "kept");
    assert_eq!(fs::read_to_string(root.join("work.md")).unwrap(), "kept");
    assert!(!root.join(".drydock-9.tmp").exists(), "the real one is finished");
    let left: Vec<_> = fs::read_dir(&notes).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["put-8"]);
}

#[test]
fn a_folder_that_becomes_a_link_leads_nowhere_else() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let dir = tempfile::tempdir().unwrap();
    let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
    fs::create_dir_all(root.join("folder")).unwrap();
    fs::create_dir_all(&outside).unwrap();
    symlink(&outside, root.join("link")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                disk::exchange(&root.join("folder"), &root.join("link")).unwrap();
            }
        });
        for round in 0..2000 {
            talk(&root, &put(&format!("folder/{round}"), None, "x"));
        }
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    let put = ["folder", "link"].map(|name| root.join(name)).into_iter().find(|path| !path.is_symlink());
    assert!(fs::read_dir(put.unwrap()).unwrap().count() > 0, "nothing was put at all");
}

#[test]
fn content_that_is_not_what_was_sent_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let requests = [
        Request::Put { name: "a".into(), mode: 0o600, before: None },
        Request::Chunk(b"changed on the way".to_vec()),
        Request::End(digest_of("sent")),
        Request::Hello,
    ];
    let replies = talk(dir.path(), &requests);
    assert!(matches!(replies[..], [Reply::Fault { .. }, Reply::Hello { replica: None, .. }]), "{replies:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_scan_ends_at_what_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    for index in 0..1000 {
        fs::write(dir.path().join(format!("f{index}")), "x").unwrap();
    }
    fs::create_dir(dir.path().join(".drydock")).unwrap();
    fs::write(dir.path().join(REPLICA), "mark\n").unwrap();
    let scan =
        |most| Request::Scan { tops: vec!["f1".into(), "f2".into(), "nothing".into()], skip: vec![], most };
    let count = |replies: &[Reply]| -> usize {
        replies.iter().map(|reply| if let Reply::Entries(all) = reply { all.len() } else { 0 }).sum()
    };
    let replies = talk(dir.path(), &[Request::Hello, scan(10), scan(1)]);
    assert_eq!(replies[0], Reply::Hello { version: VERSION, replica: Some("mark".into()) });
    assert_eq!(count(&replies), 3);
    assert!(replies.contains(&Reply::Done { more: true }) && replies.contains(&Reply::Done { more: false }));
}

proptest! {
    #[test]
    fn no_stream_makes_it_fail_otherwise_than_by_ending(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        let mut stream = u32::try_from(bytes.len()).unwrap().to_le_bytes().to_vec();
        stream.extend(&bytes);
        let _ = serve(dir.path(), &stream[..], Vec::new());
        let _ = serve(dir.path(), &bytes[..], Vec::new());
        prop_assert!(bytes.len() < LONGEST);
    }
}
