//! Files, read while Claude Code writes them: a document whole, a transcript up to a whole record.

use crate::{backup::snapshot::DamagedDocument, claude_home::parse_document};
use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::FileExt,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

/// A document and, if it is damaged, how.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) content: Vec<u8>,
    pub(super) data: Metadata,
    pub(super) damage: Option<DamagedDocument>,
}

/// Reads a JSON document that a program may be in the middle of writing: one that does not parse is read
/// again, until it does or has stopped changing.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read_document(path: &Path, name: &str) -> io::Result<Document> {
    // The data first: a file that is written after it is then another at the next look.
    settled(name, || fs::metadata(path).and_then(|data| Ok((fs::read(path)?, data))))
}

fn settled(name: &str, mut look: impl FnMut() -> io::Result<(Vec<u8>, Metadata)>) -> io::Result<Document> {
    /// Claude Code writes its documents within milliseconds, where it writes them in place at all.
    const PAUSE: Duration = Duration::from_millis(60);
    /// So many equal looks make a document that nobody is writing.
    const EQUAL: usize = 4;
    const LOOKS: usize = 40;
    let (mut content, mut data) = look()?;
    let mut equal = 1;
    for _ in 0..LOOKS {
        let Err(fault) = parse_document(&content) else {
            return Ok(Document { content, data, damage: None });
        };
        if equal == EQUAL {
            let damage = Some(DamagedDocument { name: name.to_owned(), fault: fault.to_string() });
            return Ok(Document { content, data, damage });
        }
        thread::sleep(PAUSE);
        let again = look()?;
        equal = if again.0 == content { equal + 1 } else { 1 };
        (content, data) = again;
    }
    let fault = "it was being written all the time".to_owned();
    Ok(Document { content, data, damage: Some(DamagedDocument { name: name.to_owned(), fault }) })
}

/// So long after a write, a last record without its end is taken to be still in writing.
const IN_WRITING: Duration = Duration::from_secs(600);

/// How much of a file of records belongs to a snapshot: all of it, or up to the end of its last whole record
/// while it is being written.
///
/// # Errors
/// When it cannot be read.
pub(super) fn whole_records(path: &Path, data: &Metadata, now: SystemTime) -> io::Result<u64> {
    const BLOCK: u64 = 64 << 10;
    let length = data.len();
    let written = data.modified()?;
    if length == 0 || now.duration_since(written).is_ok_and(|age| age > IN_WRITING) {
        return Ok(length);
    }
    let file = File::open(path)?;
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(end - start).unwrap_or_default()];
        match file.read_exact_at(&mut block, start) {
            // It is shorter by now: whoever reads it will see.
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => return Ok(length),
            read => read?,
        }
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    // One record and no end: what there is of it is better than nothing.
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_document_caught_in_writing_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".claude.json");
        let mut states = ["{", "{\"half\":", "{\"half\":", "{\"half\": \"whole\"}"].into_iter();
        let read = settled(".claude.json", || {
            fs::write(&path, states.next().unwrap())?;
            Ok((fs::read(&path)?, fs::metadata(&path)?))
        })
        .unwrap();
        assert!(read.damage.is_none() && read.content.ends_with(b"\"whole\"}"));
    }

    #[test]
    fn a_damaged_document_is_taken_as_it_is_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".claude.json");
        fs::write(&path, "{\n \"a\": ").unwrap();
        let damage = read_document(&path, ".claude.json").unwrap().damage.unwrap();
        assert_eq!(damage.fault, "line 2, column 6: the file ends in the middle");
    }

    #[test]
    fn a_transcript_ends_at_a_whole_record_while_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"{\"n\":1}\n{\"n\":2}\n").unwrap();
        file.write_all(&vec![b'x'; 200_000]).unwrap();
        let data = fs::metadata(&path).unwrap();
        let now = SystemTime::now();
        assert_eq!(whole_records(&path, &data, now).unwrap(), 16);
        // Long afterwards nobody writes the rest any more: it is all there is.
        assert_eq!(whole_records(&path, &data, now + 2 * IN_WRITING).unwrap(), 200_016);
        fs::write(&path, "no end").unwrap();
        assert_eq!(whole_records(&path, &fs::metadata(&path).unwrap(), now).unwrap(), 6);
    }
}
