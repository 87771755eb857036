//! The program's side of the stream.

use crate::{
    Appended, Before, Mark, Placed, Sign, Staged, append, digest, disk,
    notes::{Note, recover_all},
    place,
    protocol::{CHUNK, FaultKind, Outcome, Reply, Request, VERSION, receive, send},
    root::{Missing, Root, components},
    scan::{Entry, scan},
};
use rustix::io::Errno;
use std::{
    fs::{self, File, Permissions},
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// The marker of a session's home, below the root.
pub const REPLICA: &str = ".drydock/replica";

/// Answers requests about what is below `root` until the stream ends.
///
/// # Errors
/// When the stream breaks. What is wrong with a single file is answered, not returned.
pub fn serve(root: &Path, mut from: impl Read, to: impl Write) -> io::Result<()> {
    let root = Root::open_at(root)?;
    let mut to = BufWriter::with_capacity(CHUNK + 64, to);
    while let Some(request) = receive::<Request>(&mut from)? {
        let answered = match request {
            Request::Hello => send(&mut to, &Reply::Hello { version: VERSION, replica: root.replica() }),
            Request::Recover => match recover_all(&root) {
                Ok(()) => send(&mut to, &Reply::Done { more: false }),
                Err(cause) => send(&mut to, &fault(&cause)),
            },
            Request::Scan { tops, skip, most } => root.scan(&tops, &skip, most, &mut to),
            Request::Marks(wanted) => {
                let marks = wanted.iter().map(|(name, len)| root.mark(name, *len).ok()).collect();
                send(&mut to, &Reply::Marks(marks))
            }
            Request::Window { name, end } => {
                let window = root.open(&name).and_then(|mut file| digest::window_of(&mut file, end));
                send(&mut to, &Reply::Window(window.ok()))
            }
            Request::Read { name, from } => match root.read(&name, from, &mut to) {
                Ok(sign) => send(&mut to, &Reply::Read(sign)),
                Err(cause) => send(&mut to, &fault(&cause)),
            },
            Request::Put { name, mode, before } => {
                let mut content = Content::of(&mut from);
                let outcome = root.put(&name, mode, before, &mut content);
                content.finish()?;
                send(&mut to, &outcome.map_or_else(|cause| fault(&cause), Reply::Put))
            }
            Request::Append { name, window } => {
                let mut content = Content::of(&mut from);
                let outcome = root.append(&name, &window, &mut content);
                content.finish()?;
                send(&mut to, &outcome.map_or_else(|cause| fault(&cause), Reply::Put))
            }
            Request::Chunk(_) | Request::End(_) => {
                let cause = io::Error::new(io::ErrorKind::InvalidInput, "content that nobody asked for");
                send(&mut to, &fault(&cause))
            }
        };
        answered?;
        to.flush()?;
    }
    Ok(())
}

fn fault(cause: &io::Error) -> Reply {
    let leads_out =
        [Errno::LOOP, Errno::XDEV].iter().any(|errno| cause.raw_os_error() == Some(errno.raw_os_error()));
    let kind = match cause.kind() {
        _ if leads_out => FaultKind::Refused,
        io::ErrorKind::NotFound => FaultKind::Missing,
        io::ErrorKind::InvalidInput => FaultKind::Refused,
        io::ErrorKind::WouldBlock => FaultKind::Changing,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FaultKind::Full,
        _ => FaultKind::Failed,
    };
    Reply::Fault { kind, text: cause.to_string() }
}

impl Root {
    fn replica(&self) -> Option<String> {
        let mut text = String::new();
        self.open(REPLICA).ok()?.take(200).read_to_string(&mut text).ok()?;
        Some(text.trim().to_owned())
    }

    fn scan(&self, tops: &[String], skip: &[String], most: u64, to: &mut impl Write) -> io::Result<()> {
        const BATCH: usize = 512;
        let (mut batch, mut told, mut more) = (Vec::new(), 0, false);
        let mut visit = |entry: Entry| {
            if told >= most {
                more = true;
                return Ok(());
            }
            told += 1;
            batch.push(entry);
            if batch.len() >= BATCH {
                send(to, &Reply::Entries(std::mem::take(&mut batch)))?;
            }
            Ok(())
        };
        for top in tops {
            if components(top).is_ok() {
                scan(self.path(), top, skip, &mut visit)?;
            }
        }
        if !batch.is_empty() {
            send(to, &Reply::Entries(batch))?;
        }
        send(to, &Reply::Done { more })
    }

    fn mark(&self, name: &str, len: u64) -> io::Result<Mark> {
        digest::read(&mut self.open(name)?.take(len))
    }

    /// Sends a file's bytes as they are at one moment: as long as it was when it was opened. A program
    /// that appends meanwhile does no harm; its sign then differs the next time.
    fn read(&self, name: &str, from: u64, to: &mut impl Write) -> io::Result<Sign> {
        let mut file = self.open(name)?;
        let sign = Sign::of(&file.metadata()?);
        file.seek(SeekFrom::Start(from))?;
        let mut rest = sign.len.saturating_sub(from);
        let mut buffer = vec![0; CHUNK];
        while rest > 0 {
            let wanted = usize::try_from(rest).unwrap_or(CHUNK).min(CHUNK);
            match file.read(&mut buffer[..wanted])? {
                0 => return Err(io::Error::new(io::ErrorKind::WouldBlock, "it shrank while it was read")),
                count => {
                    rest -= count as u64;
                    send(to, &Reply::Chunk(buffer[..count].to_vec()))?;
                }
            }
        }
        Ok(sign)
    }

    fn put(
        &self,
        name: &str,
        mode: u32,
        before: Option<Mark>,
        content: &mut Content<'_>,
    ) -> io::Result<Outcome> {
        let (folder, target) = self.target(name, Missing::Make)?;
        let staged = Staged::write(&folder.path(), mode & 0o777, content)?;
        content.check(staged.mark())?;
        // Whatever the mask took away.
        fs::set_permissions(staged.path(), Permissions::from_mode(mode & 0o777))?;
        let own_name = staged.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let note = Note { name: name.to_owned(), staged: own_name, before, after: staged.mark() };
        let note = note.write(self)?;
        let outcome = Self::place(staged, &target, before)?;
        note.remove()?;
        Ok(outcome)
    }

    fn place(staged: Staged, target: &Path, before: Option<Mark>) -> io::Result<Outcome> {
        match place(staged, target, before.map_or(Before::Nothing, Before::Holds))? {
            Placed::Done { displaced, sign } => {
                if let Some(old) = displaced {
                    disk::remove_file(&old)?;
                }
                Ok(Outcome::Done(sign))
            }
            Placed::Surprise { kept } => {
                // Versions that the session's own program has replaced itself.
                kept.iter().try_for_each(|old| disk::remove_file(old))?;
                Ok(Outcome::Surprise)
            }
        }
    }

    fn append(&self, name: &str, window: &digest::Window, content: &mut Content<'_>) -> io::Result<Outcome> {
        let (folder, target) = self.target(name, Missing::Fail)?;
        // All of it is there and is what was sent before any of it is written.
        let all = Staged::write(&folder.path(), 0o600, content)?;
        content.check(all.mark())?;
        Ok(match append(&target, &mut File::open(all.path())?, window)? {
            Appended::Done(sign) => Outcome::Done(sign),
            Appended::Moved { .. } | Appended::Differs => Outcome::Surprise,
        })
    }
}

/// Content that comes in on the stream.
struct Content<'a> {
    from: &'a mut dyn Read,
    chunk: Vec<u8>,
    at: usize,
    end: Option<crate::Digest>,
}

impl<'a> Content<'a> {
    fn of(from: &'a mut dyn Read) -> Self {
        Self { from, chunk: Vec::new(), at: 0, end: None }
    }

    /// Refuses content that is not what was sent.
    fn check(&self, mark: Mark) -> io::Result<()> {
        if self.end == Some(mark.sha256) { Ok(()) } else { Err(io::Error::other("it is not what was sent")) }
    }

    /// Passes over what was not read, so that the next request is found.
    fn finish(mut self) -> io::Result<()> {
        io::copy(&mut self, &mut io::sink()).map(drop)
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() && self.end.is_none() {
            match receive::<Request>(&mut self.from)? {
                Some(Request::Chunk(chunk)) => (self.chunk, self.at) = (chunk, 0),
                Some(Request::End(digest)) => self.end = Some(digest),
                _ => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the content broke off")),
            }
        }
        let count = buffer.len().min(self.chunk.len() - self.at);
        buffer[..count].copy_from_slice(&self.chunk[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
