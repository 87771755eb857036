//! Comparing two versions of an append-only file, and making a fork of a conversation.

use std::io::{self, BufRead, BufReader, Read, Write};
use uuid::Uuid;

/// How the host's version of an append-only file stands to the session's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// Both are the same.
    Same,
    /// The host's goes on where the session's ends: nothing to do.
    HostAhead,
    /// The session's goes on where the host's ends, at this byte.
    Append(u64),
    /// Both went on differently after this many common bytes.
    Diverged(u64),
}

/// Compares byte by byte; neither is held in memory.
pub(crate) fn compare(host: impl Read, session: impl Read) -> io::Result<Merge> {
    let (mut host, mut session) =
        (BufReader::with_capacity(1 << 16, host), BufReader::with_capacity(1 << 16, session));
    let mut common = 0_u64;
    loop {
        let (ours, theirs) = (host.fill_buf()?, session.fill_buf()?);
        match (ours.is_empty(), theirs.is_empty()) {
            (true, true) => return Ok(Merge::Same),
            (true, false) => return Ok(Merge::Append(common)),
            (false, true) => return Ok(Merge::HostAhead),
            (false, false) => {}
        }
        let shared = ours.len().min(theirs.len());
        let equal = ours[..shared].iter().zip(&theirs[..shared]).take_while(|(a, b)| a == b).count();
        common += equal as u64;
        if equal < shared {
            return Ok(Merge::Diverged(common));
        }
        host.consume(shared);
        session.consume(shared);
    }
}

/// The name of the fork of a conversation that a session made: the same for the same session, so
/// that a second sync out goes on with the first one's fork. A session whose own file went on in yet
/// another way makes further attempts.
pub(crate) fn fork_id(drydock_session: &str, conversation: &str, attempt: u32) -> Uuid {
    let mut name = format!("drydock:fork:{drydock_session}:{conversation}");
    if attempt > 0 {
        name.push_str(&format!(":{attempt}"));
    }
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// Copies a transcript under a new conversation id. Only the `sessionId` field changes; every other
/// byte stays, a torn last line included.
///
/// Claude Code writes the field compactly, `"sessionId":"…"`, with the same id in every line.
pub(crate) fn rewrite_session_id(
    from: impl Read,
    to: &mut dyn Write,
    old: &str,
    new: &str,
) -> io::Result<()> {
    let wanted = format!("\"sessionId\":\"{old}\"");
    let replacement = format!("\"sessionId\":\"{new}\"");
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&replaced(&line, wanted.as_bytes(), replacement.as_bytes()))?;
        line.clear();
    }
    Ok(())
}

/// Text inside a JSON string has its quotes escaped, so the plain byte sequence is always a field.
fn replaced(line: &[u8], wanted: &[u8], replacement: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.windows(wanted.len()).position(|window| window == wanted) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(replacement);
        rest = &rest[at + wanted.len()..];
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn compare_agrees_with_the_plain_definition(common in any::<Vec<u8>>(), a in any::<Vec<u8>>(), b in any::<Vec<u8>>()) {
            let host = [common.clone(), a].concat();
            let session = [common, b].concat();
            let found = compare(&host[..], &session[..]).unwrap();
            let expected = if host == session {
                Merge::Same
            } else if host.starts_with(&session) {
                Merge::HostAhead
            } else if session.starts_with(&host) {
                Merge::Append(host.len() as u64)
            } else {
                let at = host.iter().zip(&session).take_while(|(x, y)| x == y).count();
                Merge::Diverged(at as u64)
            };
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_fork_changes_the_field_and_nothing_else() {
        let text = concat!(
            r#"{"type":"user","sessionId":"old","message":"say \"sessionId\":\"old\" twice"}"#,
            "\n",
            r#"{"n":1e5,"sessionId":"old","x":{"sessionId":"old"}}"#,
            "\n",
            r#"{"torn":"se"#
        );
        let mut out = Vec::new();
        rewrite_session_id(text.as_bytes(), &mut out, "old", "new").unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.matches(r#""sessionId":"new""#).count(), 3);
        assert!(
            out.contains(r#"\"sessionId\":\"old\""#)
                && out.contains("1e5")
                && out.ends_with(r#"{"torn":"se"#)
        );
    }

    #[test]
    fn the_same_session_forks_to_the_same_name() {
        assert_eq!(fork_id("proj-ab12", "c", 0), fork_id("proj-ab12", "c", 0));
        assert_ne!(fork_id("proj-ab12", "c", 0), fork_id("proj-cd34", "c", 0));
        assert_ne!(fork_id("proj-ab12", "c", 0), fork_id("proj-ab12", "c", 1));
    }
}
