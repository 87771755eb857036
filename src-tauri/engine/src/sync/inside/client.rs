//! Asking the program beside a session's home.

use crate::error_handling::{Code, Error, Result};
use drydock_inside::{
    Digest, Mark, Sign, Window,
    protocol::{self, FaultKind, Outcome, Reply, Request},
    scan::Entry,
};
use sha2::{Digest as _, Sha256};
use std::{
    io::{Read, Write},
    pin::Pin,
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Nothing it is asked takes as long without a word.
const SILENCE: Duration = Duration::from_secs(120);

/// A stream to the program.
pub(crate) struct Inside {
    from: Pin<Box<dyn AsyncRead + Send>>,
    to: Pin<Box<dyn AsyncWrite + Send>>,
    /// The marker of the home it is beside.
    pub(crate) replica: Option<String>,
}

impl std::fmt::Debug for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inside").field("replica", &self.replica).finish_non_exhaustive()
    }
}

/// What became of a file that was put into the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is there.
    Done {
        /// The file's signs.
        sign: Sign,
        /// What was sent.
        sent: Mark,
    },
    /// The session has something else there, which stays.
    Differs,
}

impl Inside {
    /// Greets the program on a stream to it.
    pub(crate) async fn greet(
        from: impl AsyncRead + Send + 'static,
        to: impl AsyncWrite + Send + 'static,
    ) -> Result<Self> {
        let mut inside = Self { from: Box::pin(from), to: Box::pin(to), replica: None };
        inside.send(&Request::Hello).await?;
        match inside.receive().await? {
            Reply::Hello { version: protocol::VERSION, replica } => inside.replica = replica,
            Reply::Hello { version, .. } => {
                return Err(broken(format!("it speaks version {version} of the protocol")));
            }
            _ => return Err(unexpected()),
        }
        Ok(inside)
    }

    /// Finishes what a killed process left in the session. The caller holds the sync lock, so that no
    /// living one is at work.
    pub(crate) async fn recover(&mut self) -> Result<()> {
        self.send(&Request::Recover).await?;
        match self.receive().await? {
            Reply::Done { .. } => Ok(()),
            Reply::Fault { text, .. } => Err(broken(text)),
            _ => Err(unexpected()),
        }
    }

    /// What is at these names, at most `most` things; the answer says whether there was more.
    pub(crate) async fn scan(
        &mut self,
        tops: &[&str],
        skip: &[&str],
        most: u64,
        mut each: impl FnMut(Entry),
    ) -> Result<bool> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        self.send(&Request::Scan { tops: owned(tops), skip: owned(skip), most }).await?;
        let mut told = 0;
        loop {
            match self.receive().await? {
                Reply::Entries(entries) => {
                    told += entries.len() as u64;
                    if told > most {
                        return Err(broken("it tells of more files than it was asked for".into()));
                    }
                    entries.into_iter().for_each(&mut each);
                }
                Reply::Done { more } => return Ok(more),
                _ => return Err(unexpected()),
            }
        }
    }

    /// The marks of files' first bytes, with their names; of what is no file none.
    pub(crate) async fn marks(&mut self, wanted: &[(String, u64)]) -> Result<Vec<(String, Mark)>> {
        let mut all = Vec::new();
        for names in wanted.chunks(256) {
            self.send(&Request::Marks(names.to_vec())).await?;
            let Reply::Marks(marks) = self.receive().await? else { return Err(unexpected()) };
            if marks.len() != names.len() {
                return Err(unexpected());
            }
            all.extend(names.iter().zip(marks).filter_map(|((name, _), mark)| Some((name.clone(), mark?))));
        }
        Ok(all)
    }

    /// What stands before a byte of a file; `None` when it is shorter.
    pub(crate) async fn window(&mut self, name: &str, end: u64) -> Result<Option<Window>> {
        self.send(&Request::Window { name: name.to_owned(), end }).await?;
        match self.receive().await? {
            Reply::Window(window) => Ok(window),
            _ => Err(unexpected()),
        }
    }

    /// Writes a file's bytes from one on to `to`, at most `most` of them. `None` when it is gone, or
    /// changed while it was read.
    pub(crate) async fn read(
        &mut self,
        name: &str,
        from: u64,
        most: u64,
        to: &mut impl Write,
    ) -> Result<Option<Sign>> {
        self.send(&Request::Read { name: name.to_owned(), from }).await?;
        let mut read = 0;
        loop {
            match self.receive().await? {
                Reply::Chunk(bytes) => {
                    read += bytes.len() as u64;
                    if read > most {
                        return Err(broken(format!("{name} is longer than it was told to be")));
                    }
                    to.write_all(&bytes).map_err(|cause| Error::io("stage", name.as_ref(), &cause))?;
                }
                Reply::Read(sign) => return Ok(Some(sign)),
                Reply::Fault {
                    kind: FaultKind::Missing | FaultKind::Refused | FaultKind::Changing, ..
                } => {
                    return Ok(None);
                }
                Reply::Fault { text, .. } => return Err(broken(format!("{name}: {text}"))),
                _ => return Err(unexpected()),
            }
        }
    }

    /// Puts a file in its place, if that holds what it should.
    pub(crate) async fn put(
        &mut self,
        name: &str,
        mode: u32,
        before: Option<Mark>,
        content: &mut (impl Read + Send),
    ) -> Result<Put> {
        self.send(&Request::Put { name: name.to_owned(), mode, before }).await?;
        self.send_content(name, content).await
    }

    /// Appends to a file that is as long as the window says and has there what it says.
    pub(crate) async fn append(
        &mut self,
        name: &str,
        window: Window,
        tail: &mut (impl Read + Send),
    ) -> Result<Put> {
        self.send(&Request::Append { name: name.to_owned(), window }).await?;
        self.send_content(name, tail).await
    }

    async fn send_content(&mut self, name: &str, content: &mut (impl Read + Send)) -> Result<Put> {
        let (mut digest, mut len) = (Sha256::new(), 0);
        let mut buffer = vec![0; protocol::CHUNK];
        loop {
            let count =
                content.read(&mut buffer).map_err(|cause| Error::io("read", name.as_ref(), &cause))?;
            if count == 0 {
                break;
            }
            digest.update(&buffer[..count]);
            len += count as u64;
            self.send(&Request::Chunk(buffer[..count].to_vec())).await?;
        }
        let sent = Mark { len, sha256: Digest::from(<[u8; 32]>::from(digest.finalize())) };
        self.send(&Request::End(sent.sha256)).await?;
        match self.receive().await? {
            Reply::Put(Outcome::Done(sign)) => Ok(Put::Done { sign, sent }),
            Reply::Put(Outcome::Surprise) | Reply::Fault { kind: FaultKind::Refused, .. } => Ok(Put::Differs),
            Reply::Fault { kind: FaultKind::Full, text } => {
                Err(Error::new(Code::DiskFull, format!("the session's home has no room for {name}"))
                    .why(text)
                    .remedy("free some space in the container engine, then run the command again"))
            }
            Reply::Fault { text, .. } => {
                Err(Error::new(Code::SyncIn, format!("{name} could not be brought into the session"))
                    .why(text))
            }
            _ => Err(unexpected()),
        }
    }

    async fn send(&mut self, request: &Request) -> Result<()> {
        let frame = protocol::frame(request).map_err(|cause| broken(cause.to_string()))?;
        let sending = async {
            self.to.write_all(&frame).await?;
            self.to.flush().await
        };
        match tokio::time::timeout(SILENCE, sending).await {
            Ok(sent) => sent.map_err(|cause| broken(cause.to_string())),
            Err(_) => Err(broken("it takes nothing in".into())),
        }
    }

    async fn receive(&mut self) -> Result<Reply> {
        let receiving = async {
            let mut first = [0; 4];
            self.from.read_exact(&mut first).await?;
            let mut bytes = vec![0; protocol::length(first)?];
            self.from.read_exact(&mut bytes).await?;
            protocol::message(&bytes)
        };
        match tokio::time::timeout(SILENCE, receiving).await {
            Ok(reply) => reply.map_err(|cause| broken(cause.to_string())),
            Err(_) => Err(broken("it does not answer".into())),
        }
    }
}

fn unexpected() -> Error {
    broken("it answers something else than it was asked".into())
}

fn broken(why: String) -> Error {
    Error::new(Code::SyncOut, "the program beside the session's home does not work").why(why)
}

// The program itself is for Linux.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// The program's own loop on a thread, joined by pipes.
    async fn beside(root: &std::path::Path) -> Inside {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (from, to) = tokio::io::split(theirs);
        let root = root.to_path_buf();
        tokio::task::spawn_blocking(move || {
            let from = tokio_util::io::SyncIoBridge::new(from);
            let to = tokio_util::io::SyncIoBridge::new(to);
            drydock_inside::serve::serve(&root, from, to)
        });
        let (from, to) = tokio::io::split(ours);
        Inside::greet(from, to).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn files_go_in_and_come_out() {
        let dir = tempfile::tempdir().unwrap();
        let mut inside = beside(dir.path()).await;
        let long = vec![b'x'; 700_000];
        assert!(matches!(inside.put("a/long", 0o600, None, &mut &long[..]).await.unwrap(), Put::Done { .. }));
        assert_eq!(inside.put("a/long", 0o600, None, &mut &b"other"[..]).await.unwrap(), Put::Differs);
        let mut found = Vec::new();
        assert!(!inside.scan(&["a"], &[], 10, |entry| found.push(entry.name)).await.unwrap());
        assert_eq!(found, ["a/long"]);
        let mut bytes = Vec::new();
        let sign = inside.read("a/long", 5, 700_000, &mut bytes).await.unwrap().unwrap();
        assert_eq!((bytes.len(), sign.len), (699_995, 700_000));
        assert!(inside.read("a/none", 0, 1, &mut Vec::new()).await.unwrap().is_none());
        let window = inside.window("a/long", 700_000).await.unwrap().unwrap();
        assert!(matches!(
            inside.append("a/long", window, &mut &b"more"[..]).await.unwrap(),
            Put::Done { .. }
        ));
        assert_eq!(inside.append("a/long", window, &mut &b"more"[..]).await.unwrap(), Put::Differs);
        let marks = inside.marks(&[("a/long".into(), 3), ("none".into(), 1)]).await.unwrap();
        assert_eq!(marks, [("a/long".to_owned(), drydock_inside::digest::read(&mut &b"xxx"[..]).unwrap())]);
        assert!(inside.read("a/long", 0, 10, &mut Vec::new()).await.is_err(), "more than was told");
    }

    #[tokio::test]
    async fn a_stream_that_is_none_is_an_error() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        tokio::spawn(async move {
            let _ = theirs.write_all(b"#!/bin/sh: not found\n").await;
        });
        let (from, to) = tokio::io::split(ours);
        assert!(Inside::greet(from, to).await.is_err());
    }
}
