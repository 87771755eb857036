//! Staging, placing and growing single files, and what of it is in the journal.

use crate::{
    claude_home::{Merge, compare, fork_id, rewrite_session_id},
    error_handling::{Code, Error, IoContext, Result},
    sync::{journal::Deed, plan::Fork},
};
use drydock_inside::{Appended, Before, Sign, Staged, Window, append, digest, disk};
use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// Where a fork's lines go.
pub(super) enum ForkPlace {
    New { staged: Staged, target: PathBuf },
    Grow { target: PathBuf, rewritten: PathBuf, at: u64 },
    Same,
}

pub(super) fn place_deed(staged: &Staged, target: &Path, before: &Before) -> Deed {
    Deed::Place {
        staged: staged.path().to_path_buf(),
        target: target.to_path_buf(),
        before: match before {
            Before::Nothing => None,
            Before::Holds(mark) => Some(*mark),
        },
        after: staged.mark(),
    }
}

pub(super) fn append_deed(target: &Path, at: u64, tail: &Path, skip: u64) -> Deed {
    Deed::Append { target: target.to_path_buf(), at, tail: tail.to_path_buf(), skip }
}

/// Stages a file beside its place. A name that this file system cannot hold is the session's doing.
pub(super) fn stage(target: &Path, mode: u32, content: &Path) -> Result<Staged> {
    let folder = folder_of(target);
    match create_folder(folder)
        .and_then(|()| Staged::write(folder, mode & 0o700 | 0o600, &mut File::open(content)?))
    {
        Ok(staged) => Ok(staged),
        Err(cause) => Err(match cause.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename | io::ErrorKind::AlreadyExists => {
                Error::new(Code::NameRefused, format!("no file here can be named {}", target.display()))
                    .why(cause)
            }
            _ => Error::io("write", target, &cause),
        }),
    }
}

pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() { Ok(()) } else { disk::create_folder(folder) }
}

pub(super) fn folder_of(target: &Path) -> &Path {
    target.parent().unwrap_or(Path::new("/"))
}

/// Appends a tail; `None` when the file is not what it was thought to be.
pub(super) fn grow(target: &Path, tail: &Path, skip: u64, window: &Window) -> Result<Option<Sign>> {
    let mut from = open(tail)?;
    from.seek(SeekFrom::Start(skip)).context("read", tail)?;
    Ok(match append(target, &mut from, window).context("write", target)? {
        Appended::Done(sign) => Some(sign),
        Appended::Moved { .. } | Appended::Differs => None,
    })
}

pub(super) fn window_at(target: &Path, at: u64) -> Result<Window> {
    digest::window(target, at).context("read", target)
}

/// Rewrites the session's way on under an id of its own, and finds where it goes: behind what an
/// earlier sync made of it, or, where that went on in another way as well, beside it.
pub(super) fn prepare_fork(
    session: &str,
    target: &Path,
    staged: &Path,
    fork: &Fork,
    mode: u32,
) -> Result<(Fork, ForkPlace)> {
    let rewritten = staged.with_extension("fork");
    for attempt in 0.. {
        let id = fork_id(session, &fork.conversation, attempt).to_string();
        let place = target.with_file_name(format!("{id}.jsonl"));
        let mut out = io::BufWriter::new(File::create(&rewritten).context("write", &rewritten)?);
        rewrite_session_id(open(staged)?, &mut out, &fork.conversation, &id)
            .and_then(|()| io::Write::flush(&mut out))
            .context("write", &rewritten)?;
        drop(out);
        let fork = Fork { fork: id, ..fork.clone() };
        if !place.exists() {
            let staged = stage(&place, mode, &rewritten)?;
            return Ok((fork, ForkPlace::New { staged, target: place }));
        }
        match compare(open(&place)?, open(&rewritten)?).context("compare", &place)? {
            Merge::Append(at) => return Ok((fork, ForkPlace::Grow { target: place, rewritten, at })),
            Merge::Same | Merge::HostAhead => return Ok((fork, ForkPlace::Same)),
            Merge::Diverged(_) => {}
        }
    }
    Err(Error::new(Code::Internal, "a conversation went on in too many ways"))
}

/// Adds the whole JSON lines that the host's file does not have, in their order.
pub(super) fn add_lines(target: &Path, staged: &Path) -> Result<bool> {
    const ROUNDS: usize = 16;
    for _ in 0..ROUNDS {
        let host = fs::read(target).context("read", target)?;
        let known: HashSet<&[u8]> = host.split(|byte| *byte == b'\n').collect();
        let mut new = Vec::new();
        for line in BufReader::new(open(staged)?).split(b'\n') {
            let line = line.context("read", staged)?;
            let is_new = !known.contains(line.as_slice());
            if is_new && serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok() {
                new.extend_from_slice(&line);
                new.push(b'\n');
            }
        }
        if new.is_empty() {
            return Ok(false);
        }
        if host.last().is_some_and(|last| *last != b'\n') {
            new.insert(0, b'\n');
        }
        let window = window_at(target, host.len() as u64)?;
        if let Appended::Done(_) = append(target, &mut &new[..], &window).context("write", target)? {
            return Ok(true);
        }
        // Claude Code here has added prompts of its own meanwhile.
    }
    Err(Error::new(Code::SyncOut, format!("{} is being written without a pause", target.display()))
        .remedy("run the command again"))
}

pub(super) fn open(path: &Path) -> Result<File> {
    File::open(path).context("read", path)
}
