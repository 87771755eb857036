//! Collecting what a session wrote: read as a stranger's, into a staging folder of ours.
//!
//! There are two ways. While a program of Drydock's answers beside the session's home, it tells what
//! is there, and only what changed is read. Otherwise the engine's archive of the whole is read.

mod archive;
mod host_form;
mod names;
mod stream;

pub(crate) use host_form::session_name;
pub(crate) use names::Names;

use super::{Layout, PathMap, base::Agreed, exclude::Excluded};
use crate::{
    container::{ArchiveLimits, Refused},
    error_handling::{Error, IoContext, Result},
    paths::create_private_dir,
};
use drydock_inside::{Digest, Mark, Sign};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
};

/// When a collection happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The session runs: the last line of a conversation may be half written, and waits.
    Running,
    /// The session is over: everything comes, a torn last line byte for byte.
    Finished,
}

/// Whose data is collected.
pub(crate) struct Source<'a> {
    pub(crate) layout: &'a Layout,
    /// What was agreed on so far, by name.
    pub(crate) base: &'a HashMap<String, Agreed>,
    pub(crate) limits: ArchiveLimits,
    /// What the user keeps out of every sync.
    pub(crate) excluded: &'a Excluded,
    /// Where the session has the host's folders.
    pub(crate) map: &'a PathMap,
    pub(crate) moment: Moment,
    /// Files to read whole, whatever their signs say.
    pub(crate) whole: &'a [String],
}

/// A file of the session that is not what both agreed on.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its name below the home.
    pub(crate) name: String,
    /// What was read of it.
    pub(crate) content: Content,
    /// Its sign, if all of it was read and it is known.
    pub(crate) sign: Option<Sign>,
    /// Its permission bits.
    pub(crate) mode: u32,
    /// The session's form of it, where that is another.
    pub(crate) translated: Option<Mark>,
}

/// What was read of a file.
#[derive(Debug)]
pub(crate) enum Content {
    /// All of it.
    Whole { staged: PathBuf, mark: Mark },
    /// What follows the first `at` bytes, after a look at those before.
    Tail { staged: PathBuf, at: u64, len: u64 },
}

/// What a session wrote.
#[derive(Debug)]
pub(crate) struct Collected {
    /// Changed and new files.
    pub(crate) files: Vec<Found>,
    /// Files that were read and are what they were, with their new signs.
    pub(crate) looked_at: Vec<(String, Sign)>,
    /// What was not read, and why.
    pub(crate) refused: Vec<Refused>,
    /// Files that Drydock does not know, by name.
    pub(crate) unknown: Vec<String>,
    /// How many files were there at the last sync.
    pub(crate) known: usize,
    /// How many of them are gone.
    pub(crate) gone: usize,
    /// The marker of the session's home.
    pub(crate) replica: Option<String>,
    /// The staging folder; gone when this is dropped.
    staging: tempfile::TempDir,
    staged: usize,
}

impl Collected {
    /// Nothing yet, with a folder in `scratch` to stage in.
    pub(super) fn empty(scratch: &Path) -> Result<Self> {
        create_private_dir(scratch)?;
        let staging = tempfile::Builder::new()
            .prefix("out-")
            .tempdir_in(scratch)
            .context("make a folder in", scratch)?;
        Ok(Self {
            files: Vec::new(),
            looked_at: Vec::new(),
            refused: Vec::new(),
            unknown: Vec::new(),
            known: 0,
            gone: 0,
            replica: None,
            staging,
            staged: 0,
        })
    }

    /// Stages contents as if they had been read out of a session.
    #[cfg(test)]
    pub(crate) fn for_test(scratch: &Path, files: &[(&str, &[u8])]) -> Self {
        let mut collected = Self::empty(scratch).unwrap();
        for (name, content) in files {
            let staged = collected.next_place();
            let mark = stage(&mut &content[..], &staged, Lines::All).unwrap();
            let content = Content::Whole { staged, mark };
            collected.files.push(Found {
                name: (*name).to_owned(),
                content,
                sign: None,
                mode: 0o600,
                translated: None,
            });
        }
        collected
    }

    /// Whether there is nothing to do, and nothing to wonder at.
    pub(crate) fn is_quiet(&self) -> bool {
        self.files.is_empty() && self.looked_at.is_empty() && self.gone == 0
    }

    /// Where the next file is staged.
    fn next_place(&mut self) -> PathBuf {
        self.staged += 1;
        self.staging.path().join(self.staged.to_string())
    }
}

/// Which bytes of a growing file are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// All of them.
    All,
    /// Up to the last line feed; what follows is left for the next time.
    Whole,
}

/// Copies to a file of ours, with its mark.
fn stage(reader: &mut dyn Read, staged: &Path, lines: Lines) -> Result<Mark> {
    let mut file = File::create_new(staged).context("write", staged)?;
    let mut digest = Sha256::new();
    let mut complete = (0, digest.clone());
    let mut len = 0_u64;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = reader.read(&mut buffer).context("read the session's files into", staged)?;
        if count == 0 {
            break;
        }
        let chunk = &buffer[..count];
        file.write_all(chunk).map_err(|cause| Error::io("write", staged, &cause))?;
        if lines == Lines::Whole
            && let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n')
        {
            digest.update(&chunk[..=at]);
            complete = (len + at as u64 + 1, digest.clone());
            digest.update(&chunk[at + 1..]);
        } else {
            digest.update(chunk);
        }
        len += count as u64;
    }
    if lines == Lines::Whole {
        (len, digest) = complete;
        file.set_len(len).context("cut", staged)?;
    }
    Ok(Mark { len, sha256: Digest::from(<[u8; 32]>::from(digest.finalize())) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn mark(content: &[u8]) -> Mark {
        Mark { len: content.len() as u64, sha256: Digest::from(<[u8; 32]>::from(Sha256::digest(content))) }
    }

    proptest! {
        #[test]
        fn staging_keeps_bytes_and_cuts_at_the_last_line(content in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200)) {
            let dir = tempfile::tempdir().unwrap();
            let whole = stage(&mut &content[..], &dir.path().join("a"), Lines::All).unwrap();
            prop_assert_eq!(fs::read(dir.path().join("a")).unwrap(), content.clone());
            prop_assert_eq!(whole, mark(&content));
            let end = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let lines = stage(&mut &content[..], &dir.path().join("b"), Lines::Whole).unwrap();
            prop_assert_eq!(fs::read(dir.path().join("b")).unwrap(), &content[..end]);
            prop_assert_eq!(lines, mark(&content[..end]));
        }
    }
}
