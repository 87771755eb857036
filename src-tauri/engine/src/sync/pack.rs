//! Packing files for a session: one uncompressed tar, every entry the session user's, and the digest
//! of each for the way back.

use crate::{
    container::TarSender,
    error_handling::{Code, Error, IoContext, Result},
    image::{HOME_VOLUME_MOUNT, SessionUser},
};
use drydock_inside::{Digest, Mark, Sign};
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// A file up to this size is read whole before it is packed, so that a writer cannot change it midway.
const WHOLE: u64 = 4 << 20;

/// What a file was when it was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packed {
    /// As it was packed.
    pub(crate) mark: Mark,
    /// The time it was given, in seconds.
    pub(crate) mtime: i64,
    /// The host's file, where it is one.
    pub(crate) host: Option<Sign>,
}

/// A line as `sha256sum --check` reads it: a backslash in front marks a name with escapes.
pub(super) fn manifest_line(digest: &Digest, name: &str) -> String {
    if name.contains(['\\', '\n', '\r']) {
        let escaped = name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
        format!("\\{digest}  {escaped}\n")
    } else {
        format!("{digest}  {name}\n")
    }
}

/// Writes entries that belong to the session's user.
pub(super) struct Packer<'a> {
    builder: tar::Builder<TarSender>,
    user: &'a SessionUser,
}

impl<'a> Packer<'a> {
    pub(super) fn new(sender: TarSender, user: &'a SessionUser) -> Self {
        Self { builder: tar::Builder::new(sender), user }
    }

    fn header(&self, kind: tar::EntryType, mode: u32, size: u64, mtime: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_mtime(mtime);
        header.set_uid(self.user.uid.into());
        header.set_gid(self.user.gid.into());
        header
    }

    fn in_volume(name: &str) -> PathBuf {
        Path::new(HOME_VOLUME_MOUNT.trim_start_matches('/')).join(name)
    }

    pub(super) fn folder(&mut self, name: &str, mode: u32) -> Result<()> {
        let mut header = self.header(tar::EntryType::Directory, mode, 0, now());
        self.builder
            .append_data(&mut header, Self::in_volume(name), io::empty())
            .map_err(|cause| sending(&cause))
    }

    pub(super) fn bytes(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<Packed> {
        self.dated(name, mode, now(), content)
    }

    fn dated(&mut self, name: &str, mode: u32, mtime: u64, content: &[u8]) -> Result<Packed> {
        let mut header = self.header(tar::EntryType::Regular, mode, content.len() as u64, mtime);
        self.builder
            .append_data(&mut header, Self::in_volume(name), content)
            .map_err(|cause| sending(&cause))?;
        let sha256 = Digest::from(<[u8; 32]>::from(Sha256::digest(content)));
        let mark = Mark { len: content.len() as u64, sha256 };
        Ok(Packed { mark, mtime: mtime.cast_signed(), host: None })
    }

    /// A file as long as it is now: what a writer appends meanwhile goes in another time.
    pub(super) fn file(&mut self, name: &str, mode: u32, path: &Path) -> Result<Packed> {
        let mut file = fs::File::open(path).context("read", path)?;
        let data = file.metadata().context("read", path)?;
        let mtime = data
            .modified()
            .ok()
            .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
            .map_or(0, |at| at.as_secs());
        if data.len() <= WHOLE {
            let mut content = Vec::new();
            file.read_to_end(&mut content).context("read", path)?;
            let packed = self.dated(name, mode, mtime, &content)?;
            return Ok(Packed { host: Some(Sign::of(&data)), ..packed });
        }
        let mut header = self.header(tar::EntryType::Regular, mode, data.len(), mtime);
        let mut reader = Hashing { inner: file.take(data.len()), digest: Sha256::new(), seen: 0 };
        let sent = self.builder.append_data(&mut header, Self::in_volume(name), &mut reader);
        if reader.seen < data.len() {
            return Err(Error::new(Code::SyncIn, format!("{} shrank while it was read", path.display()))
                .remedy("run the command again"));
        }
        sent.map_err(|cause| sending(&cause))?;
        let sha256 = Digest::from(<[u8; 32]>::from(reader.digest.finalize()));
        let mark = Mark { len: data.len(), sha256 };
        Ok(Packed { mark, mtime: mtime.cast_signed(), host: Some(Sign::of(&data)) })
    }

    pub(super) fn finish(self) -> Result<()> {
        self.builder.into_inner().and_then(|mut sender| sender.flush()).map_err(|cause| sending(&cause))
    }
}

fn sending(cause: &io::Error) -> Error {
    Error::new(Code::SyncIn, "your configuration could not be sent into the session").why(cause)
}

/// A reader that knows the mark of what it gave.
pub(super) struct Marked<R> {
    reading: Hashing<R>,
}

impl<R: Read> Marked<R> {
    pub(super) fn of(inner: R) -> Self {
        Self { reading: Hashing { inner, digest: Sha256::new(), seen: 0 } }
    }

    pub(super) fn mark(self) -> Mark {
        let sha256 = Digest::from(<[u8; 32]>::from(self.reading.digest.finalize()));
        Mark { len: self.reading.seen, sha256 }
    }
}

impl<R: Read> Read for Marked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reading.read(buffer)
    }
}

struct Hashing<R> {
    inner: R,
    digest: Sha256,
    seen: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.digest.update(&buffer[..count]);
        self.seen += count as u64;
        Ok(count)
    }
}

fn now() -> u64 {
    UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awkward_names_are_written_as_sha256sum_reads_them() {
        let digest = Digest::from([0xab; 32]);
        let hex = "ab".repeat(32);
        assert_eq!(manifest_line(&digest, "a b"), format!("{hex}  a b\n"));
        assert_eq!(manifest_line(&digest, "a\\b\nc"), format!("\\{hex}  a\\\\b\\nc\n"));
    }
}
