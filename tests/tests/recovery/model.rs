//! What has to be there after a recovery, told record by record from what was there before the damage.

use super::{
    files::{Files, Thing},
    members::{intact, members},
};
use drydock_tests::rig::HISTORY;
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

/// A home whose data was damaged.
pub(crate) struct Model<'f> {
    /// What is in the backup.
    pub(crate) then: &'f Files,
    /// What was there before the damage.
    pub(crate) now: &'f Files,
    /// What the damage has left.
    pub(crate) damaged: &'f Files,
}

/// What a file is made of.
#[derive(PartialEq, Eq)]
enum Form {
    Records,
    Document,
    Other,
}

fn form_of(name: &Path) -> Form {
    let is = |ending: &str| name.extension().is_some_and(|other| other == ending);
    if name == Path::new(HISTORY) || is("jsonl") && name.starts_with(".claude/projects") {
        Form::Records
    } else if is("json") {
        Form::Document
    } else {
        Form::Other
    }
}

impl Model<'_> {
    /// Everything that is not as it should be, in words.
    pub(crate) fn faults(&self, home: &Path) -> Vec<String> {
        let after = Files::of(home);
        let mut faults = left_lying(home, self.damaged, &after);
        let mut names: Vec<_> = self.then.iter().chain(self.damaged.iter()).map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        for name in names {
            let found = self.fault_of(name, &after);
            faults.extend(found.map(|fault| format!("{}: {fault}", name.display())));
        }
        for (name, thing) in after.iter() {
            let known = [self.then, self.now, self.damaged].iter().any(|files| files.get(name).is_some());
            if !known {
                faults.push(format!("{}: nobody made it", name.display()));
            }
            let (Thing::Folder { mode } | Thing::File { mode, .. }) = thing else { continue };
            let is_folder = matches!(thing, Thing::Folder { .. });
            let wanted = if is_folder { 0o700 } else { 0o600 };
            // Read-only files are the user's own affair, where nothing happened to them.
            if mode & wanted != wanted && self.damaged.get(name) != self.now.get(name) {
                faults.push(format!("{}: its permissions are {mode:03o}", name.display()));
            }
        }
        faults
    }

    fn fault_of(&self, name: &Path, after: &Files) -> Option<String> {
        let (then, now, damaged) = (self.then.get(name), self.now.get(name), self.damaged.get(name));
        let is = after.get(name);
        if matches!(then.or(damaged), Some(Thing::Folder { .. })) {
            return None;
        }
        if now.is_some() && damaged == now {
            return (is != now).then(|| format!("it was whole, and is {}", told(is)));
        }
        if now.is_none() {
            // The damage made it. In a folder of the user's own it is theirs; in the place of a file it is in the way.
            let folder = name.parent().and_then(|folder| self.now.get(folder));
            let stays = matches!(folder, Some(Thing::Folder { .. }));
            return (stays && is != damaged).then(|| format!("it was not damaged, and is {}", told(is)));
        }
        if then.is_none() && damaged.is_none() {
            return None;
        }
        if let Some(Thing::Link(_)) = then {
            return (is != then).then(|| format!("it was a link, and is {}", told(is)));
        }
        let bytes = after.bytes(name);
        if damaged_bytes(damaged) == self.now.bytes(name) {
            let is_same = bytes == self.now.bytes(name);
            return (!is_same).then(|| format!("its content was whole, and it is {}", told(is)));
        }
        let Some(bytes) = bytes else {
            // Nothing of it may be whole.
            return then.map(|_| format!("it is {}", told(is)));
        };
        match form_of(name) {
            Form::Records => self.records(name, bytes),
            Form::Document if self.now.bytes(name).and_then(members).is_some() => self.document(name, bytes),
            Form::Document | Form::Other => {
                (Some(bytes) != self.then.bytes(name)).then(|| format!("it is {}", told(is)))
            }
        }
        .or_else(|| came_back_otherwise(then, damaged, is))
    }

    /// All records of the backup, and all that are whole in what is left, once and in their order.
    fn records(&self, name: &Path, is: &[u8]) -> Option<String> {
        let lines = |text: Option<&[u8]>| {
            let lines = text.unwrap_or_default().split(|byte| *byte == b'\n');
            lines.map(|line| without_zeros(line).to_vec()).filter(|line| !line.is_empty()).collect::<Vec<_>>()
        };
        let then: HashSet<_> = lines(self.then.bytes(name)).into_iter().collect();
        let left: HashSet<_> = lines(self.damaged.bytes(name)).into_iter().collect();
        let mut wanted = lines(self.now.bytes(name));
        wanted.retain(|line| then.contains(line) || left.contains(line));
        let there: Vec<_> = is.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        if there.iter().eq(wanted.iter()) {
            return None;
        }
        let lost = wanted.iter().filter(|line| !there.contains(&line.as_slice())).count();
        let more = there.iter().filter(|line| !wanted.iter().any(|wanted| wanted == *line)).count();
        Some(format!(
            "it has {} records instead of {}: {lost} are lost, {more} should not be there",
            there.len(),
            wanted.len()
        ))
    }

    /// All members of the backup, and over them all that are whole in what is left.
    fn document(&self, name: &Path, is: &[u8]) -> Option<String> {
        let Some(is) = members(is) else { return Some("it is no document".to_owned()) };
        let then = self.then.bytes(name).and_then(members).unwrap_or_default();
        let before = self.now.bytes(name)?;
        let now = members(before)?;
        let whole = self.damaged.bytes(name).map(|left| intact(before, left)).unwrap_or_default();
        for member in whole {
            if is.get(&member) != now.get(&member) {
                return Some(format!("{member:?} was whole, and is {:?}", is.get(&member)));
            }
        }
        for (member, value) in &then {
            let known = is.get(member).is_some_and(|is| is == value || now.get(member) == Some(is));
            if !known {
                return Some(format!("{member:?} is in the backup, and is {:?}", is.get(member)));
            }
        }
        let invented = is
            .iter()
            .find(|(member, value)| then.get(*member) != Some(*value) && now.get(*member) != Some(*value));
        invented.map(|(member, value)| format!("{member:?} is {value:?}, which nobody wrote"))
    }
}

fn damaged_bytes(thing: Option<&Thing>) -> Option<&[u8]> {
    match thing {
        Some(Thing::File { bytes, .. }) => Some(bytes),
        _ => None,
    }
}

fn without_zeros(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|byte| *byte != 0).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| *byte != 0).map_or(start, |last| last + 1);
    line[start..end].trim_ascii()
}

/// A script that was there no more must still be one that can be run.
fn came_back_otherwise(then: Option<&Thing>, damaged: Option<&Thing>, is: Option<&Thing>) -> Option<String> {
    match (then, damaged, is) {
        (Some(Thing::File { mode, .. }), None, Some(Thing::File { mode: is, .. })) if mode != is => {
            Some(format!("its permissions were {mode:03o}, and are {is:03o}"))
        }
        _ => None,
    }
}

fn told(thing: Option<&Thing>) -> String {
    match thing {
        None => "gone".to_owned(),
        Some(Thing::Folder { .. }) => "a folder".to_owned(),
        Some(Thing::Link(target)) => format!("a link to {}", target.display()),
        Some(Thing::File { mode, bytes, .. }) => format!("a file of {} bytes, {mode:03o}", bytes.len()),
    }
}

/// What a recovery needs on its way, and has to take away.
fn left_lying(home: &Path, damaged: &Files, after: &Files) -> Vec<String> {
    let is_aid = |name: &Path| {
        let name = name.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(".drydock") || name.ends_with(".tmp") || name.contains(".before-recovery")
    };
    let within = after.iter().map(|(name, _)| name.clone()).filter(|name| is_aid(name));
    let own = [".claude", ".claude.json", ".claude-backups", ".local", ".config", ".cache"];
    let beside = fs::read_dir(home).unwrap().flatten().map(|entry| PathBuf::from(entry.file_name()));
    // What happened is on record beside them.
    let is_record = |name: &Path| name.to_string_lossy().starts_with(".claude-docker-");
    let beside = beside.filter(|name| !own.iter().any(|own| Path::new(own) == name) && !is_record(name));
    within
        .chain(beside)
        .filter(|name| damaged.get(name).is_none())
        .map(|name| format!("{} is left lying", name.display()))
        .collect()
}
