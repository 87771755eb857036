//! Archives in and out of containers, as streams.
//!
//! What goes in is an uncompressed tar: engines have been made to run a container's own programs by
//! compressed ones (CVE-2026-41567). What comes out is read as a stranger's: regular files and
//! folders only, names that stay inside, within limits; the rest is refused by name and the reading
//! goes on.

use super::{engine_error, is_not_found};
use crate::{
    error_handling::{Code, Error, Result},
    settings::SyncLimits,
};
use bollard::{Docker, query_parameters::DownloadFromContainerOptionsBuilder};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;
use std::{
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};
use tokio::sync::mpsc;
use tokio_util::io::{StreamReader, SyncIoBridge};

const CHUNK: usize = 256 << 10;

/// A writer whose bytes become the body of an upload. Blocking: use it off the async threads.
pub(crate) struct TarSender {
    chunks: mpsc::Sender<Bytes>,
    buffer: Vec<u8>,
}

impl TarSender {
    /// A writer and the stream of what is written to it, a few chunks at most in memory.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Bytes>) {
        let (chunks, receiver) = mpsc::channel(4);
        (Self { chunks, buffer: Vec::with_capacity(CHUNK) }, receiver)
    }
}

impl Write for TarSender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        self.chunks
            .blocking_send(full.into())
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the engine stopped reading"))
    }
}

/// What one reading may bring out at most.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveLimits {
    /// Bytes of one file.
    pub file: u64,
    /// Bytes of all files.
    pub total: u64,
    /// Number of entries.
    pub entries: u64,
}

impl From<SyncLimits> for ArchiveLimits {
    fn from(limits: SyncLimits) -> Self {
        Self { file: limits.file, total: limits.total, entries: limits.files }
    }
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { file: 4 << 30, total: 64 << 30, entries: 500_000 }
    }
}

/// Something in a container that was not brought out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its name as the container gave it, made printable.
    pub name: String,
    /// Why it was refused.
    pub reason: Refusal,
}

/// Why an entry of an archive is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// `..`, an absolute name, or one that is not text.
    Name,
    /// It would be taken for another file on a disk that does not tell their names apart.
    Folds,
    /// A link, device, socket or pipe.
    Kind,
    /// Past the limit for one file.
    TooLarge,
    /// Past the limit for all files.
    TooMuch,
    /// Past the limit of entries.
    TooMany,
}

impl Refusal {
    /// Whether what was refused holds data of the user's. Links, devices and pipes hold none.
    #[must_use]
    pub fn leaves_data(self) -> bool {
        self != Self::Kind
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Name => "a name that no file here may have",
            Self::Folds => "a disk may take its name for another file's",
            Self::Kind => "neither a file nor a folder",
            Self::TooLarge => "larger than sync.max_file_size",
            Self::TooMuch => "past sync.max_total_size",
            Self::TooMany => "past sync.max_files",
        })
    }
}

/// Reads the archive of `path` in a container and gives each regular file to `visit`, with its name
/// below the parent of `path`. `Ok(None)` when there is nothing at `path`.
///
/// `visit` runs on a blocking thread, and must read what it wants before it returns.
pub(crate) async fn read_archive<V, T>(
    api: &Docker,
    container: &str,
    path: &Path,
    limits: ArchiveLimits,
    mut visitor: V,
    visit: impl Fn(&mut V, &Path, &mut dyn Read, u64) -> Result<T> + Send + 'static,
) -> Result<Option<(V, Vec<Refused>)>>
where
    V: Send + 'static,
{
    let options = DownloadFromContainerOptionsBuilder::new().path(&path.to_string_lossy()).build();
    let mut stream = Box::pin(api.download_from_container(container, Some(options)));
    // The first chunk tells "not there" apart from an archive.
    let first = match stream.next().await {
        Some(Ok(chunk)) => chunk,
        Some(Err(cause)) if is_not_found(&cause) => return Ok(None),
        Some(Err(cause)) => return Err(engine_error("read the session's files", cause)),
        None => return Ok(None),
    };
    // The stream borrows the client, and the tar reader wants a thread of its own: a channel joins them.
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(4);
    let body = StreamReader::new(
        futures_util::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        })
        .boxed(),
    );
    let bridge = SyncIoBridge::new(body);
    let reading = tokio::task::spawn_blocking(move || {
        let refused = visit_entries(bridge, limits, &mut |name, reader, size| {
            visit(&mut visitor, name, reader, size).map(drop)
        })?;
        Ok::<_, Error>((visitor, refused))
    });
    let feeding = async {
        if sender.send(Ok(first)).await.is_err() {
            return;
        }
        let mut stream = stream.map_err(io::Error::other);
        while let Some(chunk) = stream.next().await {
            if sender.send(chunk).await.is_err() {
                return;
            }
        }
        drop(sender);
    };
    let ((), read) = tokio::join!(feeding, reading);
    read.map_err(|cause| Error::new(Code::Internal, "reading an archive stopped").why(cause))?.map(Some)
}

pub(crate) fn visit_entries(
    reader: impl Read,
    limits: ArchiveLimits,
    visit: &mut dyn FnMut(&Path, &mut dyn Read, u64) -> Result<()>,
) -> Result<Vec<Refused>> {
    let torn =
        |cause: io::Error| Error::new(Code::SyncOut, "the session's files could not be read").why(cause);
    let mut archive = tar::Archive::new(reader);
    let mut refused = Vec::new();
    let (mut entries, mut total) = (0_u64, 0_u64);
    for entry in archive.entries().map_err(torn)? {
        let mut entry = entry.map_err(torn)?;
        let raw = entry.path_bytes().into_owned();
        let mut refuse = |reason| {
            refused.push(Refused { name: String::from_utf8_lossy(&raw).escape_debug().to_string(), reason });
        };
        entries += 1;
        if entries > limits.entries {
            refuse(Refusal::TooMany);
            break;
        }
        let Some(name) = safe_name(&raw) else {
            refuse(Refusal::Name);
            continue;
        };
        match entry.header().entry_type() {
            tar::EntryType::Directory => continue,
            tar::EntryType::Regular | tar::EntryType::Continuous => {}
            _ => {
                refuse(Refusal::Kind);
                continue;
            }
        }
        let size = entry.size();
        if size > limits.file {
            refuse(Refusal::TooLarge);
            continue;
        }
        if total.saturating_add(size) > limits.total {
            refuse(Refusal::TooMuch);
            break;
        }
        total += size;
        visit(&name, &mut entry, size)?;
    }
    Ok(refused)
}

/// A relative path of plain components, or nothing.
fn safe_name(raw: &[u8]) -> Option<PathBuf> {
    let text = std::str::from_utf8(raw).ok()?;
    if text.contains('\0') {
        return None;
    }
    let mut clean = PathBuf::new();
    for component in Path::new(text).components() {
        match component {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!clean.as_os_str().is_empty()).then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(builder: &mut tar::Builder<Vec<u8>>, name: &str, kind: tar::EntryType, bytes: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        // Straight into the header: the library itself refuses to write hostile names.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    }

    fn read(archive: &[u8], limits: ArchiveLimits) -> (Vec<String>, Vec<Refused>) {
        let mut seen = Vec::new();
        let refused = visit_entries(archive, limits, &mut |name, reader, _| {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            seen.push(format!("{}={text}", name.display()));
            Ok(())
        })
        .unwrap();
        (seen, refused)
    }

    #[test]
    fn hostile_entries_are_refused_and_the_rest_comes_out() {
        let mut builder = tar::Builder::new(Vec::new());
        let regular = tar::EntryType::Regular;
        entry(&mut builder, "../up", regular, b"x");
        entry(&mut builder, "/etc/abs", regular, b"x");
        entry(&mut builder, "a/../../b", regular, b"x");
        entry(&mut builder, "link", tar::EntryType::Symlink, b"");
        entry(&mut builder, "hard", tar::EntryType::Link, b"");
        entry(&mut builder, "device", tar::EntryType::Char, b"");
        entry(&mut builder, "pipe", tar::EntryType::Fifo, b"");
        entry(&mut builder, "large", regular, &[b'x'; 100]);
        entry(&mut builder, "./dir/good", regular, b"kept");
        let archive = builder.into_inner().unwrap();
        let (seen, refused) = read(&archive, ArchiveLimits { file: 50, ..ArchiveLimits::default() });
        assert_eq!(seen, ["dir/good=kept"]);
        let reasons: Vec<_> = refused.iter().map(|one| one.reason).collect();
        use Refusal::{Kind, Name, TooLarge};
        assert_eq!(reasons, [Name, Name, Name, Kind, Kind, Kind, Kind, TooLarge]);
    }

    #[test]
    fn limits_on_number_and_bytes_hold() {
        let mut builder = tar::Builder::new(Vec::new());
        for index in 0..10 {
            entry(&mut builder, &format!("f{index}"), tar::EntryType::Regular, b"0123456789");
        }
        let archive = builder.into_inner().unwrap();
        let few = ArchiveLimits { entries: 3, ..ArchiveLimits::default() };
        let (seen, refused) = read(&archive, few);
        assert_eq!((seen.len(), refused[0].reason), (3, Refusal::TooMany));
        let small = ArchiveLimits { total: 25, ..ArchiveLimits::default() };
        let (seen, refused) = read(&archive, small);
        assert_eq!((seen.len(), refused[0].reason), (2, Refusal::TooMuch));
    }
}
