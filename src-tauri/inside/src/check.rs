//! Checking files against a list of digests, as `sha256sum --check` does, on all processors.

use crate::digest::mark_of;
use std::{
    io::{self, BufRead},
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// The names in `list` whose files below `root` are not what it says, sorted. The list is in the format
/// of `sha256sum`.
///
/// # Errors
/// When the list cannot be read, or a line of it is none.
pub fn differing(root: &Path, list: impl BufRead) -> io::Result<Vec<String>> {
    let expected: Vec<_> = list.lines().map(|line| parse(&line?)).collect::<io::Result<_>>()?;
    let (next, differing) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let workers = thread::available_parallelism().map_or(1, usize::from).min(8);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((digest, name)) = expected.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let same = mark_of(&root.join(name)).is_ok_and(|mark| mark.sha256.to_string() == *digest);
                    if !same && let Ok(mut names) = differing.lock() {
                        names.push(name.clone());
                    }
                }
            });
        }
    });
    let mut names = differing.into_inner().map_err(|_| io::Error::other("a check did not end"))?;
    names.sort();
    Ok(names)
}

/// A line is a digest, two spaces and a name; after a backslash in front the name has escapes.
fn parse(line: &str) -> io::Result<(String, String)> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "a line of the list of digests is none");
    let (escaped, plain) = line.strip_prefix('\\').map_or((false, line), |rest| (true, rest));
    let (digest, name) = plain.split_once("  ").ok_or_else(wrong)?;
    if digest.len() != 64 || name.is_empty() {
        return Err(wrong());
    }
    if !escaped {
        return Ok((digest.to_owned(), name.to_owned()));
    }
    let mut unescaped = String::with_capacity(name.len());
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        unescaped.push(match letter {
            '\\' => match letters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('\\') => '\\',
                _ => return Err(wrong()),
            },
            letter => letter,
        });
    }
    Ok((digest.to_owned(), unescaped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, process::Command};

    #[test]
    fn a_list_made_by_sha256sum_is_read_and_every_difference_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["plain", "with space", "line\nfeed", "back\\slash", "деление"];
        for name in names {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let list = Command::new("sha256sum").current_dir(dir.path()).args(names).output().unwrap().stdout;
        assert!(differing(dir.path(), &list[..]).unwrap().is_empty());
        fs::write(dir.path().join("line\nfeed"), "changed").unwrap();
        fs::remove_file(dir.path().join("plain")).unwrap();
        assert_eq!(differing(dir.path(), &list[..]).unwrap(), ["line\nfeed", "plain"]);
        assert!(differing(dir.path(), &b"no digest  x\n"[..]).is_err());
    }
}
