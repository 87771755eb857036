//! The log of every change that came from git, or went there: one JSON line each, and in each the digest of the line
//! before it. What is changed, removed or put in between is noticed; secrets are there by their prints alone.

use super::{commit::Commit, place::Place};
use crate::error_handling::{Code, Error, IoContext, Result};
use chrono::{DateTime, Utc};
use drydock_inside::disk;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Why something was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Git says so.
    Commit,
    /// Git says nothing of it any more.
    Pruned,
    /// Somebody changed it here, and git's value came back.
    Reverted,
    /// Somebody changed it here, and that became a commit.
    Adopted,
    /// The user went back to an earlier commit.
    RolledBack,
}

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// Drydock by itself.
    Loop,
    /// The user, by a command or in the app.
    User,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct AuditLine {
    /// Its number, from 1.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub actor: Actor,
    /// Why.
    pub cause: Cause,
    /// The commit.
    pub commit: Option<Commit>,
    /// The commit's author.
    pub author: Option<String>,
    /// What was changed.
    #[cfg_attr(feature = "typescript", ts(as = "String"))]
    pub place: Place,
    /// What was there: a value, or of a secret or a file its print.
    pub from: Option<String>,
    /// What is there now.
    pub to: Option<String>,
    /// The digest of the line before.
    pub prev: String,
}

/// What is written of a change; the chain is added.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) at: DateTime<Utc>,
    pub(super) actor: Actor,
    pub(super) cause: Cause,
    pub(super) commit: Option<Commit>,
    pub(super) author: Option<String>,
    pub(super) place: Place,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
}

/// The end of the chain, kept beside it: so it is noticed when the end is cut off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) digest: String,
}

/// The file's name.
pub(super) const FILE: &str = "audit.jsonl";

fn digest(line: &str) -> String {
    Sha256::digest(line).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The lines of some changes, and the new end of the chain.
///
/// # Errors
/// When a line cannot be written down.
pub(super) fn chained(head: &Head, entries: Vec<Entry>) -> Result<(Vec<String>, Head)> {
    let mut head = head.clone();
    let mut lines = Vec::new();
    for entry in entries {
        let Entry { at, actor, cause, commit, author, place, from, to } = entry;
        let seq = head.seq + 1;
        let line = AuditLine { seq, at, actor, cause, commit, author, place, from, to, prev: head.digest };
        let text = serde_json::to_string(&line)
            .map_err(|cause| Error::new(Code::Internal, "a change could not be written down").why(cause))?;
        head = Head { seq, digest: digest(&text) };
        lines.push(text);
    }
    Ok((lines, head))
}

/// Appends lines that may be there already, in part or whole: a process may have been killed in the middle.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn append(file: &Path, lines: &[String]) -> Result<()> {
    let Some(first) = lines.first().and_then(|line| seq_of(line)) else { return Ok(()) };
    let mut out = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(file)
        .context("open", file)?;
    let (whole, last) = end_of(&mut out).context("read", file)?;
    if whole < out.metadata().context("look at", file)?.len() {
        disk::set_len(&out, whole).context("cut", file)?;
    }
    let done = usize::try_from((last + 1).saturating_sub(first)).unwrap_or(usize::MAX);
    let text: String = lines.iter().skip(done).map(|line| format!("{line}\n")).collect();
    if text.is_empty() {
        return Ok(());
    }
    disk::write(&mut out, text.as_bytes()).and_then(|()| disk::sync(&out)).context("write", file)
}

fn seq_of(line: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Numbered {
        seq: u64,
    }
    serde_json::from_str::<Numbered>(line).ok().map(|numbered| numbered.seq)
}

/// Where the last whole line ends, and its number.
fn end_of(file: &mut fs::File) -> io::Result<(u64, u64)> {
    const TAIL: u64 = 1 << 20;
    let len = file.metadata()?.len();
    let from = len.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let Some(end) = memchr::memrchr(b'\n', &tail) else { return Ok((from, 0)) };
    let begin = memchr::memrchr(b'\n', &tail[..end]).map_or(0, |at| at + 1);
    let last = seq_of(&String::from_utf8_lossy(&tail[begin..end])).unwrap_or(0);
    Ok((from + end as u64 + 1, last))
}

/// Reads the log, the oldest first.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(file: &Path) -> Result<Vec<AuditLine>> {
    let text = text_of(file)?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

fn text_of(file: &Path) -> Result<String> {
    match fs::read(file) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(cause) => Err(cause).context("read", file),
    }
}

/// Goes along the chain.
///
/// # Errors
/// [`Code::GitopsAudit`] with the first line that is not what was written.
pub(super) fn verify(file: &Path, head: &Head) -> Result<u64> {
    let broken = |line: u64, what: &str| {
        Error::new(Code::GitopsAudit, format!("the log of changes is not what was written: line {line}"))
            .why(what)
            .remedy(format!("compare it with a backup: drydock backup list {}", file.display()))
    };
    let text = text_of(file)?;
    let mut at = Head::default();
    let mut lines = text.split('\n');
    let after_the_last = lines.next_back().unwrap_or_default();
    for line in lines {
        let number = at.seq + 1;
        let read: AuditLine = serde_json::from_str(line)
            .map_err(|cause| broken(number, &format!("it cannot be read: {cause}")))?;
        if read.seq != number {
            return Err(broken(number, &format!("it has the number {}: lines are gone or put in", read.seq)));
        }
        if read.prev != at.digest {
            return Err(broken(number, "the line before it was changed"));
        }
        at = Head { seq: number, digest: digest(line) };
    }
    if !after_the_last.is_empty() {
        return Err(broken(at.seq + 1, "it is not whole"));
    }
    if at != *head {
        let what = match at.seq.cmp(&head.seq) {
            std::cmp::Ordering::Less => "the end of the log is gone",
            std::cmp::Ordering::Greater => "lines were put in at its end",
            std::cmp::Ordering::Equal => "the last line was changed",
        };
        return Err(broken(at.seq, what));
    }
    Ok(at.seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(number: usize) -> Entry {
        Entry {
            at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            actor: Actor::Loop,
            cause: Cause::Commit,
            commit: None,
            author: Some("Somebody <somebody@example.org>".into()),
            place: "claude/settings.json#/model".parse().unwrap(),
            from: None,
            to: Some(format!("\"{number}\"")),
        }
    }

    fn written(file: &Path, count: usize) -> Head {
        let mut head = Head::default();
        for number in 0..count {
            let (lines, next) = chained(&head, vec![entry(number), entry(number)]).unwrap();
            append(file, &lines).unwrap();
            head = next;
        }
        head
    }

    #[test]
    fn a_log_that_nobody_touched_is_proven() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        let head = written(&file, 5);
        assert_eq!(verify(&file, &head).unwrap(), 10);
        assert_eq!(read(&file).unwrap().len(), 10);
    }

    #[test]
    fn a_line_that_was_half_written_is_written_whole_and_none_twice() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        let head = written(&file, 2);
        let (lines, next) = chained(&head, vec![entry(7), entry(8), entry(9)]).unwrap();
        let before = fs::read(&file).unwrap();
        let whole: String = lines.iter().map(|line| format!("{line}\n")).collect();
        for cut in 0..=whole.len() {
            fs::write(&file, [before.as_slice(), &whole.as_bytes()[..cut]].concat()).unwrap();
            append(&file, &lines).unwrap();
            assert_eq!(verify(&file, &next).unwrap(), 7, "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn any_change_to_the_log_is_noticed(at in 0_usize..2000, byte in any::<u8>(), way in 0..3) {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join(FILE);
            let head = written(&file, 4);
            let mut bytes = fs::read(&file).unwrap();
            let at = at % bytes.len();
            let before = bytes.clone();
            match way {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => _ = bytes.remove(at),
            }
            prop_assume!(bytes != before);
            fs::write(&file, &bytes).unwrap();
            prop_assert!(verify(&file, &head).is_err());
        }
    }

    #[test]
    fn a_log_whose_end_was_cut_off_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        let head = written(&file, 3);
        let text = fs::read_to_string(&file).unwrap();
        let cut: String = text.lines().take(4).map(|line| format!("{line}\n")).collect();
        fs::write(&file, cut).unwrap();
        let error = verify(&file, &head).unwrap_err();
        assert!(error.causes()[0].contains("gone"), "{error}");
    }
}
