//! Bringing what a session wrote onto the host: a plan that can be shown, then the deeds.
//!
//! Each deed leaves a file old or new: conversations grow by appending what follows the bytes both
//! sides share, so that doing it again after a crash goes on where it stopped; other files are staged
//! beside their place, flushed and renamed.

use super::{
    outward::{Collected, Found},
    pack::FileMark,
};
use crate::{
    backup::{PreSyncBackup, pre_sync_backup},
    claude_home::{Class, Merge, Outward, class_of, compare, fork_id, project_dir_name, rewrite_session_id},
    container::{Refused, hex},
    error_handling::{Code, Error, IoContext, Result},
    paths::{Locations, create_private_dir},
};
use chrono::Utc;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Where changes go.
struct Host<'a> {
    home: &'a Path,
    claude_dir: &'a Path,
    backups: &'a Path,
    kept: &'a Path,
}

/// What one file's change on the host will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "act")]
pub enum Change {
    /// A file that the host does not have.
    Create,
    /// A conversation goes on after this many bytes.
    Append {
        /// The length of what both have.
        at: u64,
    },
    /// Lines that the host's file does not have.
    AddLines,
    /// A file that is still what went in.
    Replace,
    /// Both sides went on with a conversation: the session's becomes one of its own.
    Fork(Fork),
    /// Not for Drydock to decide: it waits beside, and the host's stays.
    KeepAside {
        /// Why.
        reason: &'static str,
    },
}

/// A conversation that went on in two ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fork {
    /// The conversation both had.
    pub conversation: String,
    /// The session's way on, under its own id.
    pub fork: String,
}

/// Something of the session that waits for the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its name below Claude Code's folder.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Why it was not brought onto the host.
    pub reason: &'static str,
}

/// What a sync out did.
#[derive(Debug, Default, Serialize)]
pub struct OutReport {
    /// Conversations and files that are new on the host, by name.
    pub created: Vec<String>,
    /// Files that grew or were replaced, by name.
    pub updated: Vec<String>,
    /// Conversations that went on in two ways.
    pub forks: Vec<Fork>,
    /// What waits for the user.
    pub kept: Vec<Kept>,
    /// What was not read out of the session.
    pub refused: Vec<Refused>,
    /// The copy of what was changed, as it was before.
    pub backup: Option<PreSyncBackup>,
}

impl OutReport {
    /// Whether anything came out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.updated.is_empty() && self.forks.is_empty() && self.kept.is_empty()
    }
}

/// Brings what was collected onto the host. Blocking; the caller holds the sync lock.
pub(crate) fn apply_collected(
    locations: &Locations,
    backups: &Path,
    session: &str,
    project: &Path,
    base: &BTreeMap<String, FileMark>,
    collected: &Collected,
) -> Result<OutReport> {
    let config = locations.claude_dir.strip_prefix(&locations.home).unwrap_or(&locations.claude_dir);
    // The base knows names below the home, the files found are below Claude Code's folder.
    let base = base
        .iter()
        .filter_map(|(name, mark)| {
            Some((Path::new(name).strip_prefix(config).ok()?.to_str()?.to_owned(), mark.clone()))
        })
        .collect();
    let kept = locations.kept_dir(session);
    let host = Host { home: &locations.home, claude_dir: &locations.claude_dir, backups, kept: &kept };
    apply(&host, session, project, &base, collected)
}

/// Plans and does it.
fn apply(
    host: &Host<'_>,
    session: &str,
    project: &Path,
    base: &BTreeMap<String, FileMark>,
    collected: &Collected,
) -> Result<OutReport> {
    let own_folders = Folders::of(project, base);
    let mut plan = Vec::new();
    for found in &collected.files {
        if let Some(change) = decide(host, session, &own_folders, base, found)? {
            plan.push((found, change));
        }
    }
    let config = host.claude_dir.strip_prefix(host.home).unwrap_or(host.claude_dir);
    let changed: Vec<_> = plan
        .iter()
        .filter(|(_, change)| matches!(change, Change::Append { .. } | Change::AddLines | Change::Replace))
        .map(|(found, _)| config.join(&found.name))
        .collect();
    let mut report = OutReport {
        backup: pre_sync_backup(host.backups, host.home, session, &changed, Utc::now())?,
        refused: collected.refused.clone(),
        ..OutReport::default()
    };
    for (found, change) in plan {
        carry_out(host, found, change, &mut report)?;
    }
    if let Some(state) = &collected.state {
        let reason = "it changes which programs Claude Code may start";
        let path = host.kept.join(".claude.json");
        put(&path, &mut &state[..])?;
        report.kept.push(Kept { name: "../.claude.json".into(), path, reason });
    }
    Ok(report)
}

/// The project folders whose conversations this session may go on with: its own, those inside it,
/// and those it was given.
struct Folders {
    own: String,
    given: HashSet<String>,
}

impl Folders {
    fn of(project: &Path, base: &BTreeMap<String, FileMark>) -> Self {
        let given = base.keys().filter_map(|name| folder_of(name)).map(str::to_owned).collect();
        Self { own: project_dir_name(project), given }
    }

    fn has(&self, name: &str) -> bool {
        folder_of(name).is_none_or(|folder| {
            self.given.contains(folder)
                || folder == self.own
                || folder.strip_prefix(&self.own).is_some_and(|rest| rest.starts_with('-'))
        })
    }
}

fn folder_of(name: &str) -> Option<&str> {
    name.strip_prefix("projects/")?.split('/').next()
}

fn decide(
    host: &Host<'_>,
    session: &str,
    folders: &Folders,
    base: &BTreeMap<String, FileMark>,
    found: &Found,
) -> Result<Option<Change>> {
    let target = host.claude_dir.join(&found.name);
    let class = class_of(&found.name);
    if !folders.has(&found.name) {
        return Ok(Some(Change::KeepAside { reason: "it belongs to another project" }));
    }
    let there = match fs::symlink_metadata(&target) {
        Ok(data) if data.is_file() => true,
        Ok(_) => return Ok(Some(Change::KeepAside { reason: "the host has something else of that name" })),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => false,
        Err(cause) => return Err(Error::io("read", &target, &cause)),
    };
    if there && sha256_of(&target)? == found.sha256 {
        return Ok(None);
    }
    let change = match class.outward() {
        Outward::Never => return Ok(None),
        Outward::KeepAside => Change::KeepAside { reason: reason_to_keep(class) },
        _ if !there => Change::Create,
        Outward::Append => match merge(&target, &found.staged)? {
            Merge::Same | Merge::HostAhead => return Ok(None),
            Merge::Append(at) => Change::Append { at },
            Merge::Diverged(_) => match conversation_of(&found.name) {
                Some(conversation) => Change::Fork(Fork {
                    conversation: conversation.to_owned(),
                    fork: fork_id(session, conversation).to_string(),
                }),
                None => Change::KeepAside { reason: "it changed on both sides" },
            },
        },
        Outward::AddLines => Change::AddLines,
        Outward::ReplaceUnchanged => {
            let went_in = base.get(&found.name).map(|mark| mark.sha256.as_str());
            if went_in == Some(sha256_of(&target)?.as_str()) {
                Change::Replace
            } else {
                Change::KeepAside { reason: "it changed on both sides" }
            }
        }
    };
    Ok(Some(change))
}

fn reason_to_keep(class: Class) -> &'static str {
    match class {
        Class::Unknown => "Drydock does not know what it is",
        _ => "Claude Code on this computer would act on it",
    }
}

fn conversation_of(name: &str) -> Option<&str> {
    match name.split('/').collect::<Vec<_>>().as_slice() {
        ["projects", _, file] => file.strip_suffix(".jsonl"),
        _ => None,
    }
}

fn merge(target: &Path, staged: &Path) -> Result<Merge> {
    let host = fs::File::open(target).context("read", target)?;
    let session = fs::File::open(staged).context("read", staged)?;
    compare(host, session).context("compare", target)
}

fn carry_out(host: &Host<'_>, found: &Found, change: Change, report: &mut OutReport) -> Result<()> {
    let target = host.claude_dir.join(&found.name);
    match change {
        Change::Create => {
            put_new(&target, &mut open(&found.staged)?)?;
            report.created.push(found.name.clone());
        }
        Change::Append { at } => {
            append(&target, &found.staged, at)?;
            report.updated.push(found.name.clone());
        }
        Change::AddLines => {
            if add_lines(&target, &found.staged)? {
                report.updated.push(found.name.clone());
            }
        }
        Change::Replace => {
            put(&target, &mut open(&found.staged)?)?;
            report.updated.push(found.name.clone());
        }
        Change::Fork(fork) => {
            if write_fork(&target, &found.staged, &fork)? {
                report.forks.push(fork);
            }
        }
        Change::KeepAside { reason } => {
            let path = host.kept.join(&found.name);
            put(&path, &mut open(&found.staged)?)?;
            report.kept.push(Kept { name: found.name.clone(), path, reason });
        }
    }
    Ok(())
}

/// Writes what follows byte `at`. If that fails midway the host's file gets its old length back,
/// unless somebody else has written to it by then.
fn append(target: &Path, staged: &Path, at: u64) -> Result<()> {
    let mut from = open(staged)?;
    from.seek(SeekFrom::Start(at)).context("read", staged)?;
    let mut to = fs::OpenOptions::new()
        .append(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(target)
        .context("write", target)?;
    if to.metadata().context("read", target)?.len() != at {
        return Err(Error::new(Code::SyncOut, format!("{} changed while it was compared", target.display()))
            .why("another Claude Code is writing to it")
            .remedy("run the command again"));
    }
    let mut written = 0;
    let copied = copy_counted(&mut from, &mut to, &mut written).and_then(|()| to.sync_all());
    if let Err(cause) = copied {
        if to.metadata().is_ok_and(|data| data.len() == at + written) {
            let _ = to.set_len(at);
        }
        return Err(Error::io("write", target, &cause));
    }
    Ok(())
}

fn copy_counted(from: &mut impl Read, to: &mut impl Write, written: &mut u64) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = from.read(&mut buffer)?;
        let mut rest = &buffer[..count];
        if rest.is_empty() {
            return Ok(());
        }
        while !rest.is_empty() {
            match to.write(rest)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => {
                    *written += count as u64;
                    rest = &rest[count..];
                }
            }
        }
    }
}

/// Adds the whole JSON lines that the host's file does not have, in their order.
fn add_lines(target: &Path, staged: &Path) -> Result<bool> {
    let host = fs::read(target).context("read", target)?;
    let known: HashSet<&[u8]> = host.split(|byte| *byte == b'\n').collect();
    let mut new = Vec::new();
    for line in BufReader::new(open(staged)?).split(b'\n') {
        let line = line.context("read", staged)?;
        if !known.contains(line.as_slice()) && serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok()
        {
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
    // One write: other programs append to this file as well, and lines must not mix.
    let mut file = fs::OpenOptions::new().append(true).open(target).context("write", target)?;
    let before = file.metadata().context("read", target)?.len();
    let mut written = 0;
    if let Err(cause) = copy_counted(&mut &new[..], &mut file, &mut written).and_then(|()| file.sync_all()) {
        if file.metadata().is_ok_and(|data| data.len() == before + written) {
            let _ = file.set_len(before);
        }
        return Err(Error::io("write", target, &cause));
    }
    Ok(true)
}

/// Writes the session's way on under an id of its own, or goes on with what an earlier sync made.
fn write_fork(target: &Path, staged: &Path, fork: &Fork) -> Result<bool> {
    let place = target.with_file_name(format!("{}.jsonl", fork.fork));
    let rewritten = staged.with_extension("fork");
    let mut out = fs::File::create(&rewritten).context("write", &rewritten)?;
    rewrite_session_id(open(staged)?, &mut out, &fork.conversation, &fork.fork)
        .context("write", &rewritten)?;
    drop(out);
    if !place.exists() {
        put_new(&place, &mut open(&rewritten)?)?;
        return Ok(true);
    }
    match merge(&place, &rewritten)? {
        Merge::Append(at) => append(&place, &rewritten, at).map(|()| true),
        Merge::Same | Merge::HostAhead => Ok(false),
        Merge::Diverged(_) => {
            Err(Error::new(Code::SyncOut, format!("{} went on in a third way", place.display()))
                .why("it was continued on the host while the session continued it as well")
                .remedy("the session's data stays in its volume: drydock list"))
        }
    }
}

fn open(path: &Path) -> Result<fs::File> {
    fs::File::open(path).context("read", path)
}

/// Puts a file in place by rename; an existing one is replaced.
fn put(target: &Path, from: &mut dyn Read) -> Result<()> {
    let staged = beside(target, from)?;
    staged.persist(target).map_err(|failed| Error::io("write", target, &failed.error))?;
    flush_parent(target)
}

/// Puts a file where none is; one that came meanwhile is not touched.
fn put_new(target: &Path, from: &mut dyn Read) -> Result<()> {
    let staged = beside(target, from)?;
    staged.persist_noclobber(target).map_err(|failed| Error::io("write", target, &failed.error))?;
    flush_parent(target)
}

fn beside(target: &Path, from: &mut dyn Read) -> Result<tempfile::NamedTempFile> {
    let dir = target.parent().unwrap_or(Path::new("/"));
    create_private_dir(dir)?;
    let mut staged = tempfile::Builder::new()
        .prefix(".drydock-")
        .suffix(".tmp")
        .tempfile_in(dir)
        .context("write in", dir)?;
    io::copy(from, staged.as_file_mut()).context("write", target)?;
    staged.as_file().set_permissions(fs::Permissions::from_mode(0o600)).context("write", target)?;
    staged.as_file().sync_all().context("flush", target)?;
    Ok(staged)
}

fn flush_parent(target: &Path) -> Result<()> {
    let dir = target.parent().unwrap_or(Path::new("/"));
    fs::File::open(dir).and_then(|dir| dir.sync_all()).context("flush", dir)
}

fn sha256_of(path: &Path) -> Result<String> {
    let mut file = open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).context("read", path)? {
            0 => return Ok(hex(&digest.finalize())),
            count => digest.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests;
