//! Killing the program beside a session's home at every single deed, and failing each.

use crate::faults;
use drydock_inside::{
    Mark, digest,
    protocol::{Request, send},
    serve::serve,
};
use std::{fs, os::unix::process::ExitStatusExt, path::Path};

const CHILD: &str = "sync::inside::crash::child";

fn mark(text: &str) -> Mark {
    digest::read(&mut text.as_bytes()).unwrap()
}

fn put(name: &str, before: Option<&str>, text: &str) -> [Request; 3] {
    [
        Request::Put { name: name.into(), mode: 0o600, before: before.map(mark) },
        Request::Chunk(text.into()),
        Request::End(mark(text).sha256),
    ]
}

fn talk(root: &Path, requests: &[Request]) {
    let mut stream = Vec::new();
    for request in requests {
        send(&mut stream, request).unwrap();
    }
    serve(root, &stream[..], Vec::new()).unwrap();
}

fn work(root: &Path) {
    let requests = [
        put("a.md", Some("old a"), "new a"),
        put("deep/b.md", None, "new b"),
        put("c.md", Some("old c"), "new c"),
    ];
    talk(root, &requests.concat());
}

fn prepare(root: &Path) {
    fs::write(root.join("a.md"), "old a").unwrap();
    fs::write(root.join("c.md"), "old c").unwrap();
}

#[test]
#[ignore = "run by the test below, in a process of its own"]
fn child() {
    if let Some(root) = faults::folder() {
        work(&root);
    }
}

#[test]
fn ended_or_failed_at_any_deed_a_session_has_each_file_old_or_new() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let deeds = faults::deeds(CHILD, dir.path(), 26);
    for fault in ["kill", "enospc", "eio"] {
        let mut killed = 0;
        for deed in 1..=deeds {
            let dir = tempfile::tempdir().unwrap();
            prepare(dir.path());
            let status = faults::run(CHILD, dir.path(), &format!("{fault}:{deed}"));
            killed += usize::from(status.signal() == Some(9));
            for (name, letter) in [("a.md", "a"), ("c.md", "c")] {
                let text = fs::read_to_string(dir.path().join(name)).unwrap();
                assert!(
                    text == format!("old {letter}") || text == format!("new {letter}"),
                    "{fault} at {deed}: {text}"
                );
            }
            let b = fs::read_to_string(dir.path().join("deep/b.md")).ok();
            assert!(b.is_none() || b.as_deref() == Some("new b"), "{fault} at {deed}: {b:?}");
            talk(dir.path(), &[Request::Recover]);
            work(dir.path());
            let files = |folder: &Path| fs::read_dir(folder).unwrap().count();
            assert_eq!(fs::read_to_string(dir.path().join("c.md")).unwrap(), "new c", "{fault} at {deed}");
            assert_eq!(files(&dir.path().join(".drydock")), 0, "{fault} at {deed}: the notes are gone");
            let staged = walkdir::WalkDir::new(dir.path())
                .into_iter()
                .flatten()
                .filter(|entry| entry.file_name().to_string_lossy().ends_with(".tmp"));
            let staged: Vec<_> = staged.map(walkdir::DirEntry::into_path).collect();
            assert!(staged.len() <= 1, "{fault} at {deed}: {staged:?}");
        }
        assert!(fault != "kill" || killed > 25, "killed {killed} times only");
    }
}
