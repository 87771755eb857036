//! Digests of files and of parts of them.

use crate::{Digest, Mark, Sign};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The longest end of a file that a [`Window`] looks at.
pub const WINDOW: u64 = 64 << 10;

/// What stands right before a place in a file: by it two files are known to have the same there
/// without reading all that comes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The place: bytes from the beginning.
    pub end: u64,
    /// The digest of up to 64 KiB before it.
    pub sha256: Digest,
}

/// The mark of a file, as it is at one moment: a file that changes meanwhile is read again.
///
/// # Errors
/// When it cannot be read, or changes each time.
pub fn mark_of(path: &Path) -> io::Result<Mark> {
    const ROUNDS: usize = 16;
    for _ in 0..ROUNDS {
        let mut file = open(path)?;
        let before = Sign::of(&file.metadata()?);
        let mark = read(&mut file)?;
        if Sign::of(&file.metadata()?) == before {
            return Ok(mark);
        }
    }
    Err(io::Error::other("it is being written without a pause"))
}

/// The mark of the first `len` bytes of a file; of all of it if it is shorter.
///
/// # Errors
/// When it cannot be read.
pub fn prefix_mark(path: &Path, len: u64) -> io::Result<Mark> {
    read(&mut open(path)?.take(len))
}

/// What stands before byte `end` of a file.
///
/// # Errors
/// When it cannot be read, or is shorter.
pub fn window(path: &Path, end: u64) -> io::Result<Window> {
    window_of(&mut open(path)?, end)
}

/// Opens a plain file. Anything else is refused: a pipe would block, and a device has no end.
fn open(path: &Path) -> io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(nonblocking).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"))
    }
}

/// What stands before byte `end` of an open file.
///
/// # Errors
/// As [`window`].
pub fn window_of(file: &mut File, end: u64) -> io::Result<Window> {
    let wanted = end.min(WINDOW);
    file.seek(SeekFrom::Start(end - wanted))?;
    let found = read(&mut file.take(wanted))?;
    if found.len < wanted {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Window { end, sha256: found.sha256 })
}

/// The mark of all that a reader gives.
///
/// # Errors
/// The reader's.
pub fn read(from: &mut impl Read) -> io::Result<Mark> {
    let (mut digest, mut len) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(Mark { len, sha256: Digest::from(<[u8; 32]>::from(digest.finalize())) }),
            count => {
                digest.update(&buffer[..count]);
                len += count as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_sees_the_end_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        let long = vec![b'x'; 200_000];
        std::fs::write(&one, &long).unwrap();
        let mut changed = long.clone();
        changed[0] = b'y';
        std::fs::write(&other, &changed).unwrap();
        assert_eq!(window(&one, 200_000).unwrap(), window(&other, 200_000).unwrap());
        assert_ne!(window(&one, 10).unwrap(), window(&other, 10).unwrap());
        assert!(window(&one, 200_001).is_err());
        assert_ne!(mark_of(&one).unwrap(), mark_of(&other).unwrap());
        assert_eq!(prefix_mark(&one, 5).unwrap(), read(&mut &b"xxxxx"[..]).unwrap());
    }
}
