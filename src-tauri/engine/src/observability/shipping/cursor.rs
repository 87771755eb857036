//! Up to where a record has been sent, and what comes after that.
//!
//! A file is known by its device, its inode and its first line: inodes are used again, and the first line bears an
//! id of its own.

use super::chain::{Chain, Part};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
};

/// Longer than any line that is written: what is longer was not written by Drydock.
const LONGEST: usize = 256 << 10;

/// Up to where a record has been sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Cursor {
    /// There was nothing when sending began: all that there is comes after it.
    Beginning,
    /// Somewhere in a file.
    In(Position),
}

/// A place in a file, at the end of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    device: u64,
    inode: u64,
    /// A digest of the file's first line.
    head: String,
    offset: u64,
}

/// A line after the cursor.
#[derive(Debug)]
pub(super) struct Line {
    /// Without its end; `None` where it is torn or longer than any that was written here.
    pub(super) text: Option<Vec<u8>>,
    /// The cursor after it.
    pub(super) end: Position,
}

/// What comes after a cursor.
#[derive(Debug, Default)]
pub(super) struct After {
    /// As much of it as was asked for.
    pub(super) lines: Vec<Line>,
    /// Where the cursor was, no file is any more: what was not sent of it is lost. Or nobody can tell.
    pub(super) gap: bool,
}

impl Cursor {
    /// Behind the last whole line that there is.
    pub(super) fn at_end(chain: &Chain, now: DateTime<Utc>) -> io::Result<Self> {
        for part in chain.parts(now).iter().rev() {
            let Some(mut file) = part.open()? else { continue };
            let Some(head) = head(&mut file)? else { continue };
            let offset = end_of_lines(&mut file, part.length)?;
            return Ok(Self::In(Position { device: part.device, inode: part.inode, head, offset }));
        }
        Ok(Self::Beginning)
    }

    /// At the beginning of a line, some lines before the end: only for looking.
    pub(super) fn near_end(chain: &Chain, now: DateTime<Utc>) -> io::Result<Self> {
        const BACK: u64 = 8 << 10;
        let Self::In(end) = Self::at_end(chain, now)? else { return Ok(Self::Beginning) };
        for part in chain.parts(now) {
            if (part.device, part.inode) != (end.device, end.inode) {
                continue;
            }
            let Some(mut file) = part.open()? else { break };
            let offset = end_of_lines(&mut file, end.offset.saturating_sub(BACK))?;
            return Ok(Self::In(Position { offset, ..end }));
        }
        Ok(Self::Beginning)
    }

    /// The lines after it, about so many bytes of them. A last line without its end is waited for.
    pub(super) fn read_on(&self, chain: &Chain, bytes: usize, now: DateTime<Utc>) -> io::Result<After> {
        let parts = chain.parts(now);
        let (first, mut offset) = match self {
            Self::Beginning => (Some(0), 0),
            Self::In(position) => (position.find(&parts)?, position.offset),
        };
        let is_unknown = *self == Self::Beginning && chain.is_full(&parts);
        let mut after = After { gap: first.is_none() || is_unknown, ..After::default() };
        if first.is_none() {
            offset = 0;
        }
        let mut left = bytes;
        for (at, part) in parts.iter().enumerate().skip(first.unwrap_or(0)) {
            let grows = at + 1 == parts.len();
            // It was put aside in this moment; the next look finds it.
            let Some(file) = part.open()? else { break };
            let taken = read_part(file, part, offset, left, grows, &mut after.lines)?;
            offset = 0;
            left = left.saturating_sub(taken);
            if left == 0 {
                break;
            }
        }
        Ok(after)
    }

    /// How many bytes come after it.
    pub(super) fn behind(&self, chain: &Chain, now: DateTime<Utc>) -> io::Result<u64> {
        let parts = chain.parts(now);
        let whole = |parts: &[Part]| parts.iter().map(|part| part.length).sum::<u64>();
        Ok(match self {
            Self::Beginning => whole(&parts),
            Self::In(position) => match position.find(&parts)? {
                Some(at) => whole(&parts[at..]).saturating_sub(position.offset),
                None => whole(&parts),
            },
        })
    }
}

impl Position {
    /// Which of the files it is in.
    fn find(&self, parts: &[Part]) -> io::Result<Option<usize>> {
        for (at, part) in parts.iter().enumerate() {
            if (part.device, part.inode) != (self.device, self.inode) || part.length < self.offset {
                continue;
            }
            let Some(mut file) = part.open()? else { continue };
            if head(&mut file)?.as_deref() == Some(&self.head) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }
}

/// The digest of a file's first line; `None` where there is no whole one yet.
fn head(file: &mut File) -> io::Result<Option<String>> {
    file.seek(SeekFrom::Start(0))?;
    let mut line = Vec::new();
    BufReader::new(file.take(LONGEST as u64)).read_until(b'\n', &mut line)?;
    if line.len() < LONGEST && line.last() != Some(&b'\n') {
        return Ok(None);
    }
    let digest = Sha256::digest(&line);
    Ok(Some(digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Where the last whole line ends.
fn end_of_lines(file: &mut File, length: u64) -> io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        let mut block = Vec::new();
        Read::by_ref(file).take(end - start).read_to_end(&mut block)?;
        if let Some(at) = memchr::memrchr(b'\n', &block) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Reads lines of one file; how many bytes they are.
fn read_part(
    mut file: File,
    part: &Part,
    mut offset: u64,
    bytes: usize,
    grows: bool,
    lines: &mut Vec<Line>,
) -> io::Result<usize> {
    let Some(head) = head(&mut file)? else { return Ok(0) };
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::new(file);
    let mut taken = 0;
    let mut line = Vec::new();
    while taken < bytes {
        line.clear();
        let (length, is_whole) = read_line(&mut reader, &mut line)?;
        if length == 0 || (!is_whole && grows) {
            break;
        }
        offset += length as u64;
        taken += length;
        let end = Position { device: part.device, inode: part.inode, head: head.clone(), offset };
        let is_readable = is_whole && length <= LONGEST;
        lines.push(Line { text: is_readable.then(|| line.clone()), end });
    }
    Ok(taken)
}

/// One line without its end, as far as it is not too long: how many bytes it has, and whether it has an end.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<(usize, bool)> {
    let mut length = 0;
    loop {
        let available = match reader.fill_buf() {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            available => available?,
        };
        if available.is_empty() {
            return Ok((length, false));
        }
        let end = memchr::memchr(b'\n', available);
        let text = &available[..end.unwrap_or(available.len())];
        if line.len() + text.len() <= LONGEST {
            line.extend_from_slice(text);
        }
        let used = text.len() + usize::from(end.is_some());
        length += used;
        reader.consume(used);
        if end.is_some() {
            return Ok((length, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    fn chain(folder: &Path) -> Chain {
        Chain::File(folder.join("log"))
    }

    fn read(cursor: &Cursor, folder: &Path) -> (Vec<Option<String>>, bool, Cursor) {
        let after = cursor.read_on(&chain(folder), 1 << 20, Utc::now()).unwrap();
        let end = after.lines.last().map_or_else(|| cursor.clone(), |line| Cursor::In(line.end.clone()));
        let text =
            |line: Line| line.text.map(|text| String::from_utf8(text).unwrap_or_else(|_| "?".to_owned()));
        (after.lines.into_iter().map(text).collect(), after.gap, end)
    }

    fn texts(words: &[&str]) -> Vec<Option<String>> {
        words.iter().map(|word| Some((*word).to_owned())).collect()
    }

    #[test]
    fn a_line_without_its_end_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("log"), "one\ntwo\nthr").unwrap();
        let (lines, gap, cursor) = read(&Cursor::Beginning, folder.path());
        assert_eq!((lines, gap), (texts(&["one", "two"]), false));
        fs::write(folder.path().join("log"), "one\ntwo\nthree\n").unwrap();
        assert_eq!(read(&cursor, folder.path()).0, texts(&["three"]));
        assert_eq!(
            Cursor::at_end(&chain(folder.path()), Utc::now())
                .unwrap()
                .behind(&chain(folder.path()), Utc::now())
                .unwrap(),
            0
        );
    }

    #[test]
    fn reading_goes_on_in_the_file_that_was_put_aside_and_then_in_the_newer_ones() {
        let folder = tempfile::tempdir().unwrap();
        let name = |number: u32| folder.path().join(format!("log.{number}"));
        fs::write(folder.path().join("log"), "a1\na2\n").unwrap();
        let cursor = read(&Cursor::Beginning, folder.path()).2;
        fs::write(folder.path().join("log"), "a1\na2\na3\ntorn").unwrap();
        fs::rename(folder.path().join("log"), name(2)).unwrap();
        fs::write(name(1), "b1\n").unwrap();
        fs::write(folder.path().join("log"), "c1\n").unwrap();
        let (lines, gap, cursor) = read(&cursor, folder.path());
        let expected = [texts(&["a3"]), vec![None], texts(&["b1", "c1"])].concat();
        assert_eq!((lines, gap), (expected, false));
        assert_eq!(read(&cursor, folder.path()).0, []);
    }

    #[test]
    fn a_file_that_is_gone_is_a_gap_also_when_another_has_its_inode_and_more_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, "one\ntwo\n").unwrap();
        let cursor = read(&Cursor::Beginning, folder.path()).2;
        // The same inode with other lines: what a reused one looks like.
        fs::write(&log, "other\nlines that are longer\n").unwrap();
        let (lines, gap, after) = read(&cursor, folder.path());
        assert_eq!((lines, gap), (texts(&["other", "lines that are longer"]), true));
        assert!(!read(&after, folder.path()).1);
        fs::remove_file(&log).unwrap();
        assert!(read(&after, folder.path()).1);
    }

    #[test]
    fn a_line_that_nobody_here_wrote_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("log"), format!("one\n{}\ntwo\n", "x".repeat(LONGEST + 10))).unwrap();
        let (lines, ..) = read(&Cursor::Beginning, folder.path());
        assert_eq!(lines, [texts(&["one"]), vec![None], texts(&["two"])].concat());
    }
}
