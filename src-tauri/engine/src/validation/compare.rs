//! The host home beside what it was at a backup: what is gone, and what is shorter.
//!
//! People delete files, and Claude Code deletes conversations that are old. So a single file that is gone tells
//! nothing, but for conversations within their time; a whole part that is gone does.

use super::{Damage, Earlier, EarlierFile, Finding, Severity, listing::Listing};
use crate::{
    backup::is_backed_up,
    claude_home::{Class, class_of, parse_document},
    paths::Locations,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
};

/// So many names are told of what is gone.
const NAMED: usize = 3;
/// One of so many files that are gone at once is much.
const MUCH: usize = 4;

/// Every file that was there at a backup, is not there now, and should be.
#[must_use]
pub fn gone(locations: &Locations, earlier: &Earlier) -> Vec<PathBuf> {
    Comparison { locations, listing: &Listing::of(locations), earlier, now: Utc::now() }.gone()
}

/// The two, side by side.
pub(super) struct Comparison<'a> {
    pub(super) locations: &'a Locations,
    pub(super) listing: &'a Listing,
    pub(super) earlier: &'a Earlier,
    pub(super) now: DateTime<Utc>,
}

impl Comparison<'_> {
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<_> = self.shrunk().collect();
        let gone = self.gone();
        findings.extend(self.grouped(&gone));
        findings
    }

    /// The name of a file of Claude Code's folder that is looked for.
    fn name_of(&self, path: &Path) -> Option<(String, Class)> {
        let name = path.strip_prefix(&self.locations.claude_dir).ok()?.to_string_lossy().into_owned();
        let class = class_of(&name);
        // Plugins' sources and caches come again by themselves, and go with each update.
        let is_looked_for = !matches!(class, Class::Runtime | Class::PluginSource | Class::PluginFiles);
        (path != self.locations.claude_json && is_looked_for && is_backed_up(self.locations, path))
            .then_some((name, class))
    }

    fn shrunk(&self) -> impl Iterator<Item = Finding> {
        self.earlier.files.iter().filter_map(|(path, was)| {
            let (_, class) = self.name_of(path)?;
            let len = self.listing.len_of(path)?;
            if !matches!(class, Class::Transcript | Class::PromptHistory) || len >= was.len {
                return None;
            }
            let severity = if len == 0 { Severity::Error } else { Severity::Warning };
            let reason =
                format!("it has {len} bytes, and had {} at the last backup: it should only grow", was.len);
            Some(Finding::new(severity, Damage::Shrunk, path, reason))
        })
    }

    fn gone(&self) -> Vec<PathBuf> {
        let mut gone = BTreeSet::new();
        let missing: Vec<_> = self
            .earlier
            .files
            .iter()
            .filter(|(path, _)| !self.listing.has(path) && !self.is_hidden(path))
            .filter_map(|(path, was)| self.name_of(path).map(|(name, class)| (path, was, name, class)))
            .collect();
        let keeps = keeps(self.locations);
        let in_time = |was: &EarlierFile| was.modified.is_none_or(|at| self.now - at < keeps);
        let conversations = self.gone_conversations(&missing, in_time);
        let whole = self.parts_left();
        for (path, was, name, class) in &missing {
            let is_gone = match class {
                _ if of_conversation(name).is_some_and(|id| conversations.contains(id)) => true,
                Class::Transcript => conversations.contains(name.as_str()),
                _ => !self.is_left(name, &whole) && (!is_swept(name, *class) || in_time(was)),
            };
            if is_gone {
                gone.insert((*path).clone());
            }
        }
        // Nobody deletes so much by hand: then what is left of a part is no sign that the rest was meant.
        if !gone.is_empty() && missing.len() * MUCH >= self.earlier.files.len() {
            let meant = |name: &str, was: &EarlierFile, class| is_swept(name, class) && !in_time(was);
            let all = missing.iter().filter(|(_, was, name, class)| !meant(name, was, *class));
            gone.extend(all.map(|(path, ..)| (*path).clone()));
        }
        let state = &self.locations.claude_json;
        if self.earlier.files.contains_key(state) && !self.listing.has(state) {
            gone.insert(state.clone());
        }
        gone.into_iter().collect()
    }

    /// Whether it may be in a folder that cannot be listed.
    fn is_hidden(&self, path: &Path) -> bool {
        self.listing.unlisted.iter().any(|(folder, _)| folder.is_dir() && path.starts_with(folder))
    }

    /// The names of conversations' files that are gone within their time, and the ids of the conversations.
    /// One that stands elsewhere now was moved.
    fn gone_conversations<'m>(
        &self,
        missing: &'m [(&PathBuf, &EarlierFile, String, Class)],
        in_time: impl Fn(&EarlierFile) -> bool,
    ) -> HashSet<&'m str> {
        let transcripts = self.listing.files().filter(|(_, listed)| listed.class == Class::Transcript);
        let here: HashSet<_> = transcripts.filter_map(|(path, _)| path.file_name()).collect();
        let mut found = HashSet::new();
        for (path, was, name, class) in missing {
            if *class == Class::Transcript
                && in_time(was)
                && path.file_name().is_none_or(|name| !here.contains(name))
            {
                found.insert(name.as_str());
                let last = name.rsplit('/').next().unwrap_or(name);
                found.extend(last.strip_suffix(".jsonl").filter(|id| !id.starts_with("agent-")));
            }
        }
        found
    }

    /// Whether there still is something of a file's part: something else in a folder's place is none of it.
    fn is_left(&self, name: &str, parts_left: &HashSet<&str>) -> bool {
        let part = part_of(name);
        parts_left.contains(part) && (part == name || self.locations.claude_dir.join(part).is_dir())
    }

    /// The parts of which there still is a file.
    fn parts_left(&self) -> HashSet<&str> {
        self.listing
            .entries
            .values()
            .filter(|listed| !listed.data.is_dir())
            .map(|listed| part_of(&listed.name))
            .collect()
    }

    /// One finding a part of what is gone.
    fn grouped(&self, gone: &[PathBuf]) -> Vec<Finding> {
        let root = &self.locations.claude_dir;
        let in_root: Vec<_> = gone.iter().filter(|path| **path != self.locations.claude_json).collect();
        let nothing_left = self.listing.files().all(|(path, _)| path == self.locations.claude_json);
        if nothing_left && !in_root.is_empty() {
            let reason = format!("everything is gone: {}", told(root, &in_root));
            return vec![Finding::new(Severity::Error, Damage::Gone, root, reason)];
        }
        let projects = root.join("projects");
        let left: HashSet<_> = self.listing.files().map(|(_, listed)| top_of(&listed.name)).collect();
        let mut parts: BTreeMap<PathBuf, Vec<&PathBuf>> = BTreeMap::new();
        for path in in_root {
            let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
            let top = top_of(&name);
            let part = if left.contains(top) { part_of(&name) } else { top };
            parts.entry(root.join(part)).or_default().push(path);
        }
        let finding = |(part, files): (PathBuf, Vec<&PathBuf>)| {
            let severity = match part.strip_prefix(root).map(|name| class_of(&name.to_string_lossy())) {
                _ if part == projects => Severity::Error,
                // Nobody knows what becomes of it.
                Ok(Class::Unknown)
                    if files
                        .iter()
                        .all(|file| self.name_of(file).is_some_and(|(_, class)| class == Class::Unknown)) =>
                {
                    Severity::Note
                }
                _ => Severity::Warning,
            };
            let reason = if files.len() == 1 && *files[0] == part {
                "it is gone since the last backup".to_owned()
            } else {
                format!("gone since the last backup: {}", told(&part, &files))
            };
            Finding::new(severity, Damage::Gone, &part, reason)
        };
        parts.into_iter().map(finding).collect()
    }
}

/// How long Claude Code keeps conversations.
fn keeps(locations: &Locations) -> TimeDelta {
    const DAYS: f64 = 30.0;
    const MOST: f64 = 36_500.0;
    let settings = fs::read(locations.claude_dir.join("settings.json")).ok();
    let days = settings
        .and_then(|text| parse_document(&text).ok())
        .and_then(|settings| settings.get("cleanupPeriodDays").and_then(Value::as_f64))
        .filter(|days| *days > 0.0)
        .unwrap_or(DAYS);
    #[allow(clippy::cast_possible_truncation)] // some billions of seconds
    TimeDelta::seconds((days.min(MOST) * 86_400.0) as i64)
}

/// Whether Claude Code deletes it when it is old.
fn is_swept(name: &str, class: Class) -> bool {
    matches!(class, Class::Transcript | Class::ConversationFile) || name.starts_with("plans/")
}

/// The conversation that a file belongs to, by its name.
fn of_conversation(name: &str) -> Option<&str> {
    let mut parts = name.split('/');
    match parts.next()? {
        "projects" => parts.nth(1).filter(|_| parts.next().is_some()),
        "file-history" | "image-cache" | "uploads" | "tasks" => parts.next(),
        "todos" => parts.next()?.split("-agent-").next(),
        _ => None,
    }
}

/// The part of the home that a file is of: what people would miss as one.
fn part_of(name: &str) -> &str {
    let levels = match name.split('/').nth(2) {
        Some("memory") if name.starts_with("projects/") => 3,
        _ if name.starts_with("projects/") || name.starts_with("plugins/") => 2,
        _ => 1,
    };
    name.match_indices('/').nth(levels - 1).map_or(name, |(end, _)| &name[..end])
}

fn top_of(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

fn told(folder: &Path, files: &[&PathBuf]) -> String {
    let names: Vec<_> = files
        .iter()
        .take(NAMED)
        .map(|file| file.strip_prefix(folder).unwrap_or(file).display().to_string())
        .collect();
    let more = match files.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let noun = if files.len() == 1 { "file" } else { "files" };
    format!("{} {noun} ({}{more})", files.len(), names.join(", "))
}
