//! Two versions of a conversation, parted by a zero byte.
#![no_main]

use drydock_engine::fuzzing::{self, Growth};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let (Some(host), Some(session)) = (parts.next(), parts.next()) else { return };
    match fuzzing::compare(host, session) {
        Growth::Same => assert_eq!(host, session),
        Growth::HostAhead => assert!(host.starts_with(session)),
        Growth::Append(at) => {
            assert_eq!(at as usize, host.len());
            assert_eq!([host, &session[host.len()..]].concat(), session);
        }
        Growth::Diverged(at) => {
            let at = at as usize;
            assert_eq!(host[..at], session[..at]);
            assert!(host.get(at) != session.get(at));
        }
    }
    // A fork says the same under its own name.
    let forked = fuzzing::fork(session, "aaaa", "bbbb");
    assert_eq!(forked.len(), session.len());
    // Translated there and back, any bytes are what they were.
    let back = fuzzing::there_and_back(host);
    if !String::from_utf8_lossy(host).contains("/workspace") {
        assert_eq!(back, host);
    }
});
