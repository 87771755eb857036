//! Conversations and typed prompts with their paths translated, line by line and in the line's own
//! text.

use super::{Direction, PathMap};
use crate::claude_home::string_spans;
use std::io::{self, BufRead, BufReader, Read, Write};

/// The fields that hold paths; `*` is any key. Nothing of what was said or done is among them.
///
/// Source: observed with the program: resuming and rewinding need these, and nothing else, to hold.
const PATHS: &[&[&str]] = &[
    &["cwd"],
    &["project"],
    &["relocatedCwd"],
    &["backup", "realParentDir"],
    &["snapshot", "trackedFileBackups", "*", "realParentDir"],
    &["attachment", "snapshot", "workingDirectory"],
    &["toolUseResult", "filePath"],
    &["toolUseResult", "persistedOutputPath"],
    &["worktreeSession", "*"],
];

/// Copies a transcript or a history of prompts, its paths translated. Every other byte stays: spacing,
/// numbers, unknown records, lines that are no JSON, a torn end. Memory is one line.
///
/// # Errors
/// The reader's and the writer's.
pub fn normalize_session_history(
    from: impl Read,
    to: &mut dyn Write,
    map: &PathMap,
    direction: Direction,
) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, from);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        match translated(&line, map, direction) {
            Some(text) => to.write_all(text.as_bytes())?,
            None => to.write_all(&line)?,
        }
        line.clear();
    }
    Ok(())
}

fn translated(line: &[u8], map: &PathMap, direction: Direction) -> Option<String> {
    let text = std::str::from_utf8(line).ok()?;
    let mut out = String::new();
    let mut copied = 0;
    for span in string_spans(text, PATHS)? {
        let raw = &text[span.clone()];
        // A spelling that would not come back as it was is left alone.
        let Some(value) = serde_json::from_str::<String>(raw).ok() else { continue };
        if serde_json::to_string(&value).ok().as_deref() != Some(raw) {
            continue;
        }
        let there = map.path(&value, direction);
        if there != value {
            out.push_str(&text[copied..span.start]);
            out.push_str(&serde_json::to_string(&there).ok()?);
            copied = span.end;
        }
    }
    (copied > 0).then(|| out + &text[copied..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map() -> PathMap {
        PathMap::new([("/Users/me/proj".into(), "/workspace".into()), ("/Users/me".into(), "/home/c".into())])
    }

    fn translate(text: &[u8], direction: Direction) -> Vec<u8> {
        let mut out = Vec::new();
        normalize_session_history(text, &mut out, &map(), direction).unwrap();
        out
    }

    #[test]
    fn only_fields_that_are_paths_change() {
        let line = concat!(
            r#"{"type":"user", "cwd" : "/Users/me/proj/sub","n":1e5,"message":{"content":"see /Users/me/proj","cwd":"/Users/me/proj"},"#,
            r#""toolUseResult":{"filePath":"/Users/me/proj/a","content":"/Users/me/proj"},"#,
            r#""snapshot":{"trackedFileBackups":{"/Users/me/proj/a":{"realParentDir":"/Users/me/proj"}}}}"#,
            "\r\n",
            "not json /Users/me/proj\n",
            "{\"cwd\":\"/Users/me/project\"}\n",
            "{\"cwd\":\"/Users/me/pr"
        );
        let expected = line
            .replacen("\"/Users/me/proj/sub\"", "\"/workspace/sub\"", 1)
            .replacen("\"filePath\":\"/Users/me/proj/a\"", "\"filePath\":\"/workspace/a\"", 1)
            .replacen("\"realParentDir\":\"/Users/me/proj\"", "\"realParentDir\":\"/workspace\"", 1)
            .replacen("\"/Users/me/project\"", "\"/home/c/project\"", 1);
        let there = translate(line.as_bytes(), Direction::Inward);
        assert_eq!(String::from_utf8(there.clone()).unwrap(), expected);
        assert_eq!(translate(&there, Direction::Outward), line.as_bytes());
    }

    fn line() -> impl Strategy<Value = String> {
        let path = prop_oneof![
            "/Users/me(/proj)?(/[a-zé\"\\\\ ]{0,4}){0,3}",
            "[a-z/]{0,8}".prop_filter("a host path", |path| !path.starts_with("/workspace")
                && !path.starts_with("/home/c")),
        ];
        (path.clone(), path, any::<i32>(), any::<bool>()).prop_map(|(cwd, file, number, odd)| {
            let line =
                serde_json::json!({"cwd": cwd, "n": number, "toolUseResult": {"filePath": file, "x": [cwd]}});
            if odd { line.to_string().replace('/', "\\/") } else { line.to_string() }
        })
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_back(lines in proptest::collection::vec(line(), 0..6), end in any::<bool>()) {
            let mut text = lines.join("\n");
            if end {
                text.push('\n');
            }
            let there = translate(text.as_bytes(), Direction::Inward);
            prop_assert_eq!(translate(&there, Direction::Outward), text.into_bytes());
        }

        #[test]
        fn any_bytes_pass(bytes in any::<Vec<u8>>()) {
            let there = translate(&bytes, Direction::Inward);
            prop_assert_eq!(translate(&there, Direction::Outward), bytes);
        }
    }
}
