//! What a sync out will do: one step a file, decided from both sides and the base before any deed.

use super::{
    Layout,
    base::Agreed,
    held::Reason,
    outward::{Content, Found},
};
use crate::{
    claude_home::{Class, KeyChange, Merge, Outward, compare, fork_id, project_dir_name},
    error_handling::{Error, IoContext, Result},
};
use drydock_inside::{Mark, digest};
use serde::Serialize;
use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::Path,
};

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
    /// A file that is still what both agreed on.
    Replace {
        /// What it is on the host.
        #[serde(skip)]
        before: Mark,
    },
    /// Both sides went on with a conversation: the session's becomes one of its own.
    Fork(Fork),
    /// A document takes these keys from the session's.
    Merge {
        /// The keys, as JSON pointers.
        keys: Vec<String>,
    },
    /// It waits for the user, and the host's stays.
    Hold {
        /// Why.
        reason: Reason,
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

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The file's name below the home.
    pub name: String,
    /// What will be done.
    #[serde(flatten)]
    pub change: Change,
}

/// Whose changes are planned.
pub(crate) struct Planned<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) session: &'a str,
    pub(crate) project: &'a Path,
    pub(crate) base: &'a HashMap<String, Agreed>,
}

/// What the decision about one found file is.
pub(crate) enum Decision {
    /// There is nothing to do: the host has it already.
    Settled,
    /// The session's way on goes on in the fork that an earlier sync made.
    Do(Change),
    /// The tail does not fit any more: the whole file has to be looked at.
    NeedsWhole,
}

impl Planned<'_> {
    /// Decides about one file that is not a document.
    pub(crate) fn decide(&self, folders: &Folders, found: &Found) -> Result<Decision> {
        let target = self.layout.path(&found.name);
        let below = self.layout.below_config(&found.name).unwrap_or(&found.name);
        let Some(class) = self.layout.class(&found.name) else { return Ok(Decision::Settled) };
        let agreed = self.base.get(&found.name);
        let hold = |reason| Ok(Decision::Do(Change::Hold { reason }));
        if !folders.has(below) {
            return hold(Reason::OtherProject);
        }
        let there = match fs::symlink_metadata(&target) {
            Ok(data) if data.is_file() => Some(data.len()),
            // People keep what they write in a repository of dotfiles, and link it.
            Ok(data) if data.is_symlink() && class.outward() == Outward::Hold && target.is_file() => {
                Some(fs::metadata(&target).context("read", &target)?.len())
            }
            Ok(_) => return hold(Reason::NameTaken),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            // The session has a folder where the host has a file. But where the file is one of Claude
            // Code's own folders, the host home is broken, and nothing is to be concluded from it.
            Err(cause) if cause.kind() == io::ErrorKind::NotADirectory && !self.is_home_broken(below) => {
                return hold(Reason::NameTaken);
            }
            Err(cause) => return Err(Error::io("read", &target, &cause)),
        };
        let (staged, mark) = match &found.content {
            Content::Tail { at, .. } => {
                let fits = there == Some(*at);
                return Ok(if fits {
                    Decision::Do(Change::Append { at: *at })
                } else {
                    Decision::NeedsWhole
                });
            }
            Content::Whole { staged, mark } => (staged, mark),
        };
        if agreed.is_some_and(|agreed| agreed.digest == Some(mark.sha256)) {
            // The session did not change it, whatever the host did.
            return Ok(Decision::Settled);
        }
        let Some(len) = there else {
            return Ok(Decision::Do(match class.outward() {
                Outward::Hold => Change::Hold { reason: reason_to_hold(class) },
                Outward::Never => return Ok(Decision::Settled),
                _ => Change::Create,
            }));
        };
        let same =
            || Ok::<_, Error>(len == mark.len && digest::mark_of(&target).context("read", &target)? == *mark);
        match class.outward() {
            Outward::Never | Outward::Merge => Ok(Decision::Settled),
            _ if same()? => Ok(Decision::Settled),
            Outward::Hold => hold(reason_to_hold(class)),
            Outward::AddLines => Ok(Decision::Do(Change::AddLines)),
            Outward::Append => self.decide_growth(found, agreed, &target, staged),
            Outward::ThreeWay => {
                let now = digest::mark_of(&target).context("read", &target)?;
                if agreed.and_then(|agreed| agreed.digest) == Some(now.sha256) {
                    Ok(Decision::Do(Change::Replace { before: now }))
                } else {
                    hold(Reason::BothChanged)
                }
            }
        }
    }

    /// Whether a file stands where Claude Code has a folder at the top of its data.
    fn is_home_broken(&self, below_config: &str) -> bool {
        let top = below_config.split('/').next().unwrap_or_default();
        self.layout.path(&self.layout.in_config(top)).is_file()
    }

    fn decide_growth(
        &self,
        found: &Found,
        agreed: Option<&Agreed>,
        target: &Path,
        staged: &Path,
    ) -> Result<Decision> {
        let host = fs::File::open(target).context("read", target)?;
        let session = fs::File::open(staged).context("read", staged)?;
        let change = match compare(host, session).context("compare", target)? {
            Merge::Same | Merge::HostAhead => return Ok(Decision::Settled),
            Merge::Append(at) => Change::Append { at },
            Merge::Diverged(common) => {
                // Claude Code takes back an answer that was broken off, from the last 64 KiB. Whatever
                // lost more than that lost its history.
                let agreed_len = agreed.map_or(0, |agreed| agreed.len);
                if common + TAKEN_BACK < agreed_len {
                    Change::Hold { reason: Reason::Shrank }
                } else {
                    match self.layout.below_config(&found.name).and_then(conversation_of) {
                        Some(conversation) => Change::Fork(Fork {
                            conversation: conversation.to_owned(),
                            fork: fork_id(self.session, conversation, 0).to_string(),
                        }),
                        None => Change::Hold { reason: Reason::BothChanged },
                    }
                }
            }
        };
        Ok(Decision::Do(change))
    }
}

/// How much of the end of a conversation Claude Code may take back.
const TAKEN_BACK: u64 = 64 << 10;

fn reason_to_hold(class: Class) -> Reason {
    match class {
        Class::Unknown => Reason::Unknown,
        _ => Reason::Acts,
    }
}

/// What a held file is held with: a skill and a plugin are looked at as a whole.
pub(crate) fn subject_of(below_config: &str) -> String {
    let parts: Vec<_> = below_config.split('/').collect();
    let together = match parts.as_slice() {
        ["skills", _, _, ..] => 2,
        ["plugins", "cache", _, _, _, _, ..] => 5,
        ["plugins", "repos", _, _, _, ..] => 4,
        _ => parts.len(),
    };
    parts[..together].join("/")
}

pub(crate) fn subject_of_key(document: &str, change: &KeyChange) -> String {
    let document = document.rsplit('/').next().unwrap_or(document);
    format!("{document} {}", change.pointer)
}

fn conversation_of(below_config: &str) -> Option<&str> {
    match below_config.split('/').collect::<Vec<_>>().as_slice() {
        ["projects", _, file] => file.strip_suffix(".jsonl"),
        _ => None,
    }
}

/// The project folders whose conversations a session may go on with: its own, those inside it, and
/// those it was given.
pub(crate) struct Folders {
    own: String,
    given: HashSet<String>,
}

impl Folders {
    pub(crate) fn of(planned: &Planned<'_>) -> Self {
        let given = planned
            .base
            .keys()
            .filter_map(|name| folder_of(planned.layout.below_config(name)?))
            .map(str::to_owned)
            .collect();
        Self { own: project_dir_name(planned.project), given }
    }

    fn has(&self, below_config: &str) -> bool {
        folder_of(below_config).is_none_or(|folder| {
            self.given.contains(folder)
                || folder == self.own
                || folder.strip_prefix(&self.own).is_some_and(|rest| rest.starts_with('-'))
        })
    }
}

fn folder_of(below_config: &str) -> Option<&str> {
    below_config.strip_prefix("projects/")?.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skill_and_a_plugin_are_held_as_a_whole() {
        assert_eq!(subject_of("skills/notes/scripts/run.sh"), "skills/notes");
        assert_eq!(subject_of("skills/stray.md"), "skills/stray.md");
        assert_eq!(
            subject_of("plugins/cache/market/hello/1.0.0/commands/hi.md"),
            "plugins/cache/market/hello/1.0.0"
        );
        assert_eq!(subject_of("agents/reviewer.md"), "agents/reviewer.md");
    }
}
