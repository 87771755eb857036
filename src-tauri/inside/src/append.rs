//! Appending to a file that other programs append to as well.

use crate::{
    Sign,
    digest::{Window, window_of},
    disk,
};
use rustix::fs::OFlags;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The most that is written at once.
const CHUNK: usize = 8 << 20;

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It stands there, flushed, and the file has these signs; as long as it is with what was appended,
    /// so that what another program has appended since then still shows.
    Done(Sign),
    /// The file is not as long as it was thought to be: nothing was written.
    Moved {
        /// How long it is.
        len: u64,
    },
    /// What stands before is something else: nothing was written.
    Differs,
}

/// Appends `tail` to a file that is exactly `window.end` bytes long and has what the window says there.
///
/// The file keeps its inode, so that programs which hold it open go on. Whole lines are written in one
/// call each time: another program's lines do not get between the parts of one of ours.
///
/// # Errors
/// When it cannot be written; the file then has its old length again, unless another program has
/// written behind what was written of ours.
pub fn append(target: &Path, tail: &mut dyn Read, window: &Window) -> io::Result<Appended> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(target)?;
    let data = file.metadata()?;
    if !data.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
    }
    let len = data.len();
    if len != window.end {
        return Ok(Appended::Moved { len });
    }
    if window_of(&mut file, len)? != *window {
        return Ok(Appended::Differs);
    }
    let mut written = 0;
    if let Err(cause) = write_lines(&mut file, tail, &mut written).and_then(|()| disk::sync(&file)) {
        // Another program's lines behind ours keep ours where they are.
        if file.metadata()?.len() <= len + written {
            disk::set_len(&file, len)?;
        }
        return Err(cause);
    }
    Ok(Appended::Done(Sign { len: len + written, ..Sign::of(&file.metadata()?) }))
}

fn write_lines(file: &mut File, tail: &mut dyn Read, written: &mut u64) -> io::Result<()> {
    let mut pending = Vec::new();
    loop {
        let count = tail.take((CHUNK - pending.len()) as u64).read_to_end(&mut pending)?;
        if pending.is_empty() {
            return Ok(());
        }
        let ended = count == 0;
        // A line longer than a chunk is written in parts: there is no other way.
        let whole = pending.iter().rposition(|byte| *byte == b'\n').map_or(pending.len(), |at| at + 1);
        let end = if ended { pending.len() } else { whole };
        *written += end as u64;
        disk::write(file, &pending[..end])?;
        pending.drain(..end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::window;
    use std::fs;

    #[test]
    fn only_what_was_looked_at_is_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("t");
        fs::write(&target, "one\n").unwrap();
        let seen = window(&target, 4).unwrap();
        let done = append(&target, &mut &b"two\n"[..], &seen).unwrap();
        assert!(matches!(done, Appended::Done(sign) if sign.len == 8), "{done:?}");
        assert_eq!(fs::read_to_string(&target).unwrap(), "one\ntwo\n");
        assert_eq!(append(&target, &mut &b"x"[..], &seen).unwrap(), Appended::Moved { len: 8 });
        fs::write(&target, "ONE\n").unwrap();
        assert_eq!(append(&target, &mut &b"x"[..], &seen).unwrap(), Appended::Differs);
        assert_eq!(fs::read_to_string(&target).unwrap(), "ONE\n");
    }

    #[test]
    fn a_link_is_not_appended_through() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::write(&real, "x").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let seen = window(&real, 1).unwrap();
        assert!(append(&link, &mut &b"y"[..], &seen).is_err());
    }

    #[test]
    fn long_tails_and_long_lines_arrive_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("t");
        fs::write(&target, "").unwrap();
        let mut tail = vec![b'x'; CHUNK + 5];
        tail.extend(b"\nsecond\ntorn");
        let seen = window(&target, 0).unwrap();
        assert!(matches!(append(&target, &mut &tail[..], &seen).unwrap(), Appended::Done(_)));
        assert_eq!(fs::read(&target).unwrap(), tail);
    }
}
