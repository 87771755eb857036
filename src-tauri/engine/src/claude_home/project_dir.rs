//! The folders under `projects/`, whose names are made from the project's path.

use serde::Deserialize;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// Longer names are cut, and a hash of the path is added.
const LONGEST: usize = 200;

/// The name Claude Code gives the folder of a project's conversations.
///
/// Each UTF-16 unit of the real path that is not an ASCII letter or digit becomes `-`. The encoding
/// loses information and is never decoded: a transcript's own `cwd` says where it belongs.
/// Source: checked against the program, see the tests' vectors.
#[must_use]
pub fn project_dir_name(project: &Path) -> String {
    let path = project.to_string_lossy();
    let mut name = String::with_capacity(path.len());
    for unit in path.encode_utf16() {
        let plain = u8::try_from(unit).ok().filter(u8::is_ascii_alphanumeric);
        name.push(plain.map_or('-', char::from));
    }
    if name.len() > LONGEST {
        let hash = path
            .encode_utf16()
            .fold(0_i32, |hash, unit| (hash << 5).wrapping_sub(hash).wrapping_add(i32::from(unit)));
        name.truncate(LONGEST);
        name.push('-');
        name.push_str(&base36(hash.unsigned_abs()));
    }
    name
}

fn base36(mut number: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit(number % 36, 36).unwrap_or('0'));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

/// The working directory that a transcript records, from its first lines.
pub(crate) fn recorded_cwd(transcript: &Path) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Line {
        cwd: Option<PathBuf>,
    }
    // The first lines are short, but a prompt may be pasted into one.
    let reader = BufReader::new(File::open(transcript).ok()?.take(4 << 20));
    reader
        .lines()
        .take(50)
        .map_while(Result::ok)
        .find_map(|line| serde_json::from_str::<Line>(&line).ok().and_then(|line| line.cwd))
}

/// The conversation that a file belongs to, by its name below Claude Code's folder.
pub(crate) fn session_of(name: &str) -> Option<&str> {
    let parts: Vec<_> = name.split('/').collect();
    let named = match parts.as_slice() {
        ["projects", _, session, ..] => session.strip_suffix(".jsonl").unwrap_or(session),
        ["file-history" | "image-cache" | "uploads" | "tasks", session, ..] => session,
        // `<session>-agent-<agent>.json`
        ["todos", file] => file.get(..36).unwrap_or(file),
        _ => return None,
    };
    Some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_programs_own() {
        for (path, name) in [
            ("/Users/me/proj", "-Users-me-proj"),
            ("/Users/me/work/api.server_v2", "-Users-me-work-api-server-v2"),
            ("/workspace", "-workspace"),
            ("/Users/me/proj/sub dir/a.b_c", "-Users-me-proj-sub-dir-a-b-c"),
            ("/Users/me/plain_dir.v2/Ünïcode 名前", "-Users-me-plain-dir-v2--n-code---"),
            ("/Users/me/emoji 😀 x", "-Users-me-emoji----x"),
        ] {
            assert_eq!(project_dir_name(Path::new(path)), name);
        }
    }

    #[test]
    fn long_names_end_in_the_programs_hash() {
        let segments: Vec<_> = (0..=10).map(|index| format!("seg{index:02}_abcdefghijklmnop")).collect();
        let path = format!("/Users/me/long/{}", segments.join("/"));
        let name = project_dir_name(Path::new(&path));
        assert_eq!((name.len(), &name[200..]), (207, "-ohgcsq"));
    }

    #[test]
    fn files_know_their_conversation() {
        let id = "11111111-1111-4111-8111-111111111111";
        for name in [
            format!("projects/-p/{id}.jsonl"),
            format!("projects/-p/{id}/tool-results/a.txt"),
            format!("file-history/{id}/ab@v1"),
            format!("todos/{id}-agent-{id}.json"),
        ] {
            assert_eq!(session_of(&name), Some(id), "{name}");
        }
        assert_eq!(session_of("plans/x.md"), None);
    }
}
