//! Collecting what a session wrote: read as a stranger's, into a staging folder of ours.

use super::{pack::FileMark, volume::HomeVolume};
use crate::{
    claude_home::{Outward, class_of, shared_part_digest},
    container::{Refusal, Refused, hex},
    error_handling::{Error, IoContext, Result},
    keychain::Sensitive,
    paths::create_private_dir,
};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs,
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
    /// Claude Code's folder, by its name below the home.
    pub(crate) config: &'a str,
    /// `.claude.json`, by its name below the home.
    pub(crate) state: &'a str,
    /// The project.
    pub(crate) project: &'a Path,
    /// What went in.
    pub(crate) base: &'a BTreeMap<String, FileMark>,
    /// The digest of what counts in the `.claude.json` that went in.
    pub(crate) base_state: Option<&'a str>,
}

/// A file of the session that is not what went in.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its name below Claude Code's folder.
    pub(crate) name: String,
    /// Where it is staged.
    pub(crate) staged: PathBuf,
    /// Its digest.
    pub(crate) sha256: String,
}

/// What a session wrote.
pub(crate) struct Collected {
    /// Changed and new files, by name.
    pub(crate) files: Vec<Found>,
    /// The session's `.claude.json`, when something in it changed that a user would miss.
    pub(crate) state: Option<Vec<u8>>,
    /// The login that the session has.
    pub(crate) credentials: Option<Sensitive<Vec<u8>>>,
    /// What was not read, and why.
    pub(crate) refused: Vec<Refused>,
    /// The staging folder; gone when this is dropped.
    _staging: tempfile::TempDir,
}

struct Staging {
    folder: PathBuf,
    /// The last part of Claude Code's folder, which the archive's names begin with.
    top: String,
    base: BTreeMap<String, FileMark>,
    moment: Moment,
    files: Vec<Found>,
    credentials: Option<Sensitive<Vec<u8>>>,
    refused: Vec<Refused>,
}

impl Collected {
    /// Reads the session's Claude Code folder and stages in `scratch` what differs from the base.
    pub(crate) async fn read(
        volume: &HomeVolume<'_>,
        source: &Source<'_>,
        moment: Moment,
        scratch: &Path,
    ) -> Result<Self> {
        create_private_dir(scratch)?;
        let staging = tempfile::Builder::new()
            .prefix("out-")
            .tempdir_in(scratch)
            .context("make a folder in", scratch)?;
        let prefix = format!("{}/", source.config);
        let base = source
            .base
            .iter()
            .filter_map(|(name, mark)| Some((name.strip_prefix(&prefix)?.to_owned(), mark.clone())))
            .collect();
        let visitor = Staging {
            folder: staging.path().to_path_buf(),
            top: source.config.rsplit('/').next().unwrap_or_default().to_owned(),
            base,
            moment,
            files: Vec::new(),
            credentials: None,
            refused: Vec::new(),
        };
        let read = volume
            .read(source.config, visitor, |staging, name, reader, size| staging.take(name, reader, size))
            .await?;
        let (files, credentials, mut refused) = match read {
            Some((staging, mut refused)) => {
                refused.extend(staging.refused);
                (staging.files, staging.credentials, refused)
            }
            None => (Vec::new(), None, Vec::new()),
        };
        refused.dedup();
        let state = volume
            .read_small(source.state)
            .await?
            .filter(|now| shared_part_digest(now, source.project).as_deref() != source.base_state);
        Ok(Self { files, state, credentials, refused, _staging: staging })
    }
}

#[cfg(test)]
impl Collected {
    pub(super) fn for_test(files: Vec<Found>, staging: tempfile::TempDir) -> Self {
        Self { files, state: None, credentials: None, refused: Vec::new(), _staging: staging }
    }
}

impl Staging {
    fn take(&mut self, path: &Path, reader: &mut dyn Read, _size: u64) -> Result<()> {
        let Some(name) = path.strip_prefix(&self.top).ok().and_then(Path::to_str) else { return Ok(()) };
        if name.is_empty() {
            return Ok(());
        }
        if name.chars().any(char::is_control) {
            self.refused.push(Refused { name: name.escape_debug().to_string(), reason: Refusal::Name });
            return Ok(());
        }
        if name == ".credentials.json" {
            let mut content = Vec::new();
            reader.take(1 << 20).read_to_end(&mut content).context("read", path)?;
            self.credentials = Some(Sensitive::new(content));
            return Ok(());
        }
        let outward = class_of(name).outward();
        if outward == Outward::Never {
            return Ok(());
        }
        let staged = self.folder.join(self.files.len().to_string());
        let grows = matches!(outward, Outward::Append | Outward::AddLines);
        let whole_lines = grows && self.moment == Moment::Running;
        let mark = stage(reader, &staged, whole_lines)?;
        if self.base.get(name) == Some(&mark) || (mark.len == 0 && grows) {
            return fs::remove_file(&staged).context("remove", &staged);
        }
        self.files.push(Found { name: name.to_owned(), staged, sha256: mark.sha256 });
        Ok(())
    }
}

/// Copies to a file of ours, with its digest. With `whole_lines`, what follows the last line feed
/// is left for the next time.
fn stage(reader: &mut dyn Read, staged: &Path, whole_lines: bool) -> Result<FileMark> {
    let mut file = fs::File::create_new(staged).context("write", staged)?;
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
        if whole_lines && let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            digest.update(&chunk[..=at]);
            complete = (len + at as u64 + 1, digest.clone());
            digest.update(&chunk[at + 1..]);
        } else {
            digest.update(chunk);
        }
        len += count as u64;
    }
    if whole_lines {
        (len, digest) = complete;
        file.set_len(len).context("cut", staged)?;
    }
    Ok(FileMark { len, sha256: hex(&digest.finalize()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn staging_keeps_bytes_and_cuts_at_the_last_line(content in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200)) {
            let dir = tempfile::tempdir().unwrap();
            let whole = stage(&mut &content[..], &dir.path().join("a"), false).unwrap();
            prop_assert_eq!(fs::read(dir.path().join("a")).unwrap(), content.clone());
            prop_assert_eq!(whole.sha256, hex(&Sha256::digest(&content)));
            let end = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let lines = stage(&mut &content[..], &dir.path().join("b"), true).unwrap();
            prop_assert_eq!(fs::read(dir.path().join("b")).unwrap(), &content[..end]);
            prop_assert_eq!(lines, FileMark { len: end as u64, sha256: hex(&Sha256::digest(&content[..end])) });
        }
    }
}
