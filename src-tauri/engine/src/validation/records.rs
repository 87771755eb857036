//! A file of records, one JSON object a line: which of them cannot be read.

use super::{Damage, Finding, Place, Severity};
use memchr::{memchr, memrchr};
use serde::de::IgnoredAny;
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// So much is read at once.
const CHUNK: usize = 1 << 20;

/// What was read of one file, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) findings: Vec<Finding>,
    pub(super) bytes: u64,
    pub(super) records: u64,
    /// A last record that is not whole: torn, or still being written.
    pub(super) open_end: Option<OpenEnd>,
}

/// A last record without its end.
#[derive(Debug, Clone)]
pub(super) struct OpenEnd {
    file: PathBuf,
    /// Where the record begins.
    start: u64,
    place: Place,
}

impl OpenEnd {
    /// Looks again. What a live Claude Code was writing is whole by now.
    pub(super) fn look_again(&self) -> Option<Finding> {
        let grown = || -> io::Result<Vec<u8>> {
            let file = File::open(&self.file)?;
            let left =
                usize::try_from(file.metadata()?.len().saturating_sub(self.start)).unwrap_or(usize::MAX);
            let mut rest = vec![0; left.min(4 * CHUNK)];
            let read = file.read_at(&mut rest, self.start)?;
            rest.truncate(read);
            Ok(rest)
        };
        let rest = grown().ok()?;
        let line = memchr(b'\n', &rest).map_or(&rest[..], |end| &rest[..end]);
        fault_of(line)?;
        let reason = "its last record is not whole; Claude Code passes it over";
        Some(Finding::new(Severity::Note, Damage::TornEnd, &self.file, reason).at(self.place))
    }
}

/// One kind of fault in a file: how often, and where first.
#[derive(Debug, Default)]
struct Tally {
    count: u64,
    first: Option<Place>,
}

impl Tally {
    fn add(&mut self, line: u64, column: u64) {
        self.count += 1;
        self.first.get_or_insert(Place { line, column });
    }
}

/// Reads a file of records to its end.
///
/// # Errors
/// When it cannot be read.
pub(super) fn check_records(file: &Path) -> io::Result<Records> {
    let mut reading = Reading::default();
    let mut from = File::open(file)?;
    let mut buffer = vec![0; CHUNK];
    let mut filled = 0;
    loop {
        // A record that is longer than the buffer makes it grow.
        if filled == buffer.len() {
            buffer.resize(2 * buffer.len(), 0);
        }
        let count = match from.read(&mut buffer[filled..]) {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        if count == 0 {
            break;
        }
        let unread = filled;
        filled += count;
        // In what was there before is no end of a line.
        let whole = memrchr(b'\n', &buffer[unread..filled]).map_or(0, |end| unread + end + 1);
        reading.lines(&buffer[..whole]);
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
        // A hole in the file may be larger than the memory.
        if filled >= CHUNK && buffer[..filled].iter().all(|byte| *byte == 0) {
            reading.zeros(filled);
            filled = 0;
        }
    }
    Ok(reading.end(file, &buffer[..filled]))
}

#[derive(Debug, Default)]
struct Reading {
    bytes: u64,
    line: u64,
    records: u64,
    broken: Tally,
    zeros: Tally,
    zero_bytes: u64,
    /// Whether the line began with zero bytes that are let go already.
    after_zeros: bool,
}

impl Reading {
    fn lines(&mut self, text: &[u8]) {
        let mut at = 0;
        while let Some(end) = memchr(b'\n', &text[at..]) {
            self.record(&text[at..at + end]);
            at += end + 1;
        }
        self.bytes += text.len() as u64;
    }

    fn record(&mut self, line: &[u8]) {
        self.line += 1;
        if std::mem::take(&mut self.after_zeros) {
            self.zeros.add(self.line, 1);
            return;
        }
        if line.trim_ascii().is_empty() {
            return;
        }
        match fault_of(line) {
            None => self.records += 1,
            Some(column) => match memchr(0, line) {
                Some(at) => {
                    self.zero_bytes += line.iter().filter(|byte| **byte == 0).count() as u64;
                    self.zeros.add(self.line, at as u64 + 1);
                }
                None => self.broken.add(self.line, column),
            },
        }
    }

    fn zeros(&mut self, count: usize) {
        self.bytes += count as u64;
        self.zero_bytes += count as u64;
        self.after_zeros = true;
    }

    fn end(mut self, file: &Path, rest: &[u8]) -> Records {
        let start = self.bytes;
        let mut open_end = None;
        if !rest.is_empty() || self.after_zeros {
            let is_torn = !self.after_zeros
                && memchr(0, rest).is_none()
                && !rest.trim_ascii().is_empty()
                && fault_of(rest).is_some();
            if is_torn {
                let place = Place { line: self.line + 1, column: rest.len() as u64 + 1 };
                open_end = Some(OpenEnd { file: file.to_path_buf(), start, place });
            } else {
                self.record(rest);
            }
            self.bytes += rest.len() as u64;
        }
        let mut findings = Vec::new();
        if self.bytes == 0 {
            findings.push(Finding::new(Severity::Warning, Damage::Empty, file, "the file is empty"));
        }
        if self.bytes > 0 && self.zero_bytes == self.bytes {
            let reason = "the file holds only zero bytes";
            findings.push(Finding::new(Severity::Error, Damage::ZeroBytes, file, reason));
        } else if let Some(place) = self.zeros.first {
            let reason = match self.zeros.count {
                1 => "zero bytes are in a record, as a crash of the computer leaves them".to_owned(),
                many => format!("zero bytes are in {many} records, as a crash of the computer leaves them"),
            };
            findings.push(Finding::new(Severity::Warning, Damage::ZeroBytes, file, reason).at(place));
        }
        if let Some(place) = self.broken.first {
            let reason = match self.broken.count {
                1 => "a record cannot be read".to_owned(),
                many => format!("{many} records cannot be read; this is the first"),
            };
            findings.push(Finding::new(Severity::Warning, Damage::BrokenRecord, file, reason).at(place));
        }
        Records { findings, bytes: self.bytes, records: self.records, open_end }
    }
}

/// The column at which a line is no JSON object.
fn fault_of(line: &[u8]) -> Option<u64> {
    if line.first() != Some(&b'{') {
        return Some(1);
    }
    match std::str::from_utf8(line) {
        Err(cause) => Some(cause.valid_up_to() as u64 + 1),
        Ok(text) => serde_json::from_str::<IgnoredAny>(text).err().map(|cause| cause.column().max(1) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    type Told = (Severity, Damage, Option<(u64, u64)>);

    fn told(text: &[u8]) -> (u64, Vec<Told>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.jsonl");
        fs::write(&file, text).unwrap();
        let read = check_records(&file).unwrap();
        assert_eq!(read.bytes, text.len() as u64);
        let torn = read.open_end.and_then(|end| end.look_again());
        let findings = read.findings.into_iter().chain(torn);
        let findings =
            findings.map(|one| (one.severity, one.damage, one.place.map(|at| (at.line, at.column))));
        (read.records, findings.collect())
    }

    #[test]
    fn every_damage_has_its_kind_and_its_place() {
        use Damage::*;
        use Severity::*;
        for (text, records, wanted) in [
            (&b"{}\n{\"a\":1}\n"[..], 2, vec![]),
            (b"{}\r\n\n{}", 2, vec![]),
            (b"", 0, vec![(Warning, Empty, None)]),
            (&[0; 3 * CHUNK], 0, vec![(Error, ZeroBytes, None)]),
            (b"{}\n{\"a\":", 1, vec![(Note, TornEnd, Some((2, 6)))]),
            (b"{}\n{\"a\" 1}\n[]\n{}\n", 2, vec![(Warning, BrokenRecord, Some((2, 6)))]),
            (b"{}\n{\"a\":\"\xff\"}\n", 1, vec![(Warning, BrokenRecord, Some((2, 7)))]),
            (b"{}{}\n", 0, vec![(Warning, BrokenRecord, Some((1, 3)))]),
            (b"{}\n\0\0\0\0{}\n{}\n", 2, vec![(Warning, ZeroBytes, Some((2, 1)))]),
            (b"{}\n{\"a\0\0", 1, vec![(Warning, ZeroBytes, Some((2, 4)))]),
            (
                b"x\n\0\n{",
                0,
                vec![
                    (Warning, ZeroBytes, Some((2, 1))),
                    (Warning, BrokenRecord, Some((1, 1))),
                    (Note, TornEnd, Some((3, 2))),
                ],
            ),
        ] {
            assert_eq!(told(text), (records, wanted), "{:?}", &text[..text.len().min(40)]);
        }
    }

    #[test]
    fn records_longer_than_a_chunk_and_across_its_end_are_whole() {
        let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(2 * CHUNK + 7));
        let short = "{\"b\":\"yyyy\"}\n".repeat(CHUNK / 5);
        let text = format!("{short}{long}{short}");
        assert_eq!(told(text.as_bytes()), (2 * (CHUNK as u64 / 5) + 1, vec![]));
    }

    #[test]
    fn a_record_that_was_being_written_is_not_torn() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.jsonl");
        fs::write(&file, "{}\n{\"a\":").unwrap();
        let end = check_records(&file).unwrap().open_end.unwrap();
        assert_eq!(end.look_again().unwrap().damage, Damage::TornEnd);
        fs::write(&file, "{}\n{\"a\":1}\n{\"b").unwrap();
        assert!(end.look_again().is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_stumble(text in proptest::collection::vec(prop_oneof![Just(0), Just(b'\n'), Just(b'{'), Just(b'}'), any::<u8>()], 0..200)) {
            told(&text);
        }
    }
}
