//! A stream to the program beside a session's home, and what it might say.
#![no_main]

use drydock_inside::{protocol, serve::serve};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = protocol::receive::<protocol::Reply>(&mut &input[..]);
    let outside = tempfile::tempdir().unwrap();
    let root = outside.path().join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("a"), "content\n").unwrap();
    let _ = serve(&root, input, Vec::new());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1, "something is outside the root");
});
