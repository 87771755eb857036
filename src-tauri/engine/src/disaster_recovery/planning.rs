//! Making a plan: what is damaged, and from where it comes back.

use super::{
    Recovery,
    find::{GoodBackups, find_good_backup},
    plan::{Act, Chosen, Item, Plan, RecoveryId, Scope, Wish},
    record::Standing,
    running::running,
    salvage::{merge_records, whole_members},
};
use crate::{
    backup::{CopyName, Listed, ListedKind, SnapshotId},
    claude_home::{Class, class_of, parse_document},
    error_handling::{Code, Error, Result},
    paths::Locations,
    progress::{Progress, ProgressSink},
    validation::{Damage, Earlier, Finding, Fix, Severity, gone, validate_claude_config, validate_documents},
};
use chrono::{DateTime, Utc};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
};

/// Bytes a second that a restore is taken to do before a drill has measured it.
const ASSUMED_SPEED: f64 = 40e6;
/// Seconds for everything that does not depend on the size.
const ASSUMED_START: f64 = 1.0;

impl Recovery {
    /// Looks at the host home and at the backups, and says what a recovery would do. Changes nothing of the host
    /// home; a local copy of the backups that is gone or damaged is mended from the others. Blocking.
    ///
    /// # Errors
    /// [`Code::RecoveryNoBackup`] when there is nothing to recover from and something that needs it.
    pub fn plan(&self, wish: &Wish, now: DateTime<Utc>, progress: &ProgressSink) -> Result<Plan> {
        self.tidy()?;
        let mut look = match find_good_backup(&self.backups, &wish.source, now, progress) {
            Ok(look) => look,
            Err(error) if error.code() == Code::SnapshotUnknown || !self.has_data() => {
                return Err(without_backup(error));
            }
            Err(error) => GoodBackups::none(&error),
        };
        progress.report(Progress::Step("looking at your Claude data".to_owned()));
        let earlier = match &wish.scope {
            Scope::Unusable => None,
            Scope::Damaged | Scope::Only(_) | Scope::Whole => {
                self.backups.earlier_of(look.snapshots(), &self.settled(), now)?
            }
        };
        let findings = self.findings(&wish.scope, earlier.as_ref());
        let mut damaged: BTreeMap<PathBuf, Vec<Finding>> = BTreeMap::new();
        for finding in findings.iter().filter(|finding| is_for_recovery(finding)) {
            damaged.entry(finding.file.clone()).or_default().push(finding.clone());
        }
        let mut items = Vec::new();
        for (file, findings) in &damaged {
            items.extend(self.item(file, findings, &mut look));
        }
        if let Some(earlier) = &earlier {
            for file in gone(&self.locations, earlier) {
                if !items.iter().any(|item| item.file == file) && wish.scope.covers(&file) {
                    items.extend(self.lost(&file, &mut look));
                }
            }
        }
        let Locations { claude_dir, claude_json, .. } = &self.locations;
        match &wish.scope {
            // Where all of it is gone, what would come again by itself comes back as well.
            Scope::Damaged if !self.has_folder() => {
                self.add_wanted(std::slice::from_ref(claude_dir), Wanted::Missing, &mut look, &mut items)?;
            }
            Scope::Unusable | Scope::Damaged => {}
            Scope::Whole => {
                let all = [claude_dir.clone(), claude_json.clone()];
                self.add_wanted(&all, Wanted::AsItWas, &mut look, &mut items)?;
            }
            Scope::Only(paths) => self.add_wanted(paths, Wanted::AsItWas, &mut look, &mut items)?,
        }
        items.sort_by_key(|item| (self.rank(&item.file), item.file.clone()));
        let bytes: u64 = items.iter().map(|item| item.bytes).sum();
        let chosen = self.chosen(&items, &mut look);
        Ok(Plan {
            id: RecoveryId::random(),
            made: now,
            findings: findings.into_iter().filter(|finding| wish.scope.covers(&finding.file)).collect(),
            chosen,
            skipped: look.skipped,
            mended: look.mended,
            items,
            running: running(&self.locations),
            seconds: self.expected_seconds(bytes),
        })
    }

    /// Whether anything of the host home is there.
    fn has_data(&self) -> bool {
        self.locations.claude_json.exists() || self.has_folder()
    }

    fn has_folder(&self) -> bool {
        match fs::read_dir(&self.locations.claude_dir) {
            Ok(mut entries) => entries.next().is_some(),
            // What cannot be looked into may well be there.
            Err(cause) => cause.kind() == io::ErrorKind::PermissionDenied,
        }
    }

    /// What people look for first comes first.
    fn rank(&self, file: &Path) -> u8 {
        if *file == self.locations.claude_json {
            return 0;
        }
        if *file == self.locations.claude_dir.join("settings.json") { 1 } else { 2 }
    }

    /// The files that a recovery has put right, and when: what was before is no measure for them any more.
    fn settled(&self) -> HashMap<PathBuf, DateTime<Utc>> {
        let mut settled = HashMap::new();
        for past in self.history().into_iter().filter(|past| past.standing == Standing::Done) {
            let recovered = past.report.iter().flat_map(|report| &report.recovered);
            settled.extend(recovered.map(|one| (one.file.clone(), past.begun)));
        }
        settled
    }

    /// The host home as it was lately, to compare it with; `None` when there is no backup. Blocking.
    ///
    /// # Errors
    /// When there are backups and they cannot be read.
    pub fn earlier(&self, now: DateTime<Utc>) -> Result<Option<Earlier>> {
        if !self.backups.has_snapshot() {
            return Ok(None);
        }
        let mut listed = self.backups.list()?;
        listed.sort_by_key(|one| std::cmp::Reverse(one.snapshot.time));
        self.backups.earlier_of(&listed, &self.settled(), now)
    }

    fn findings(&self, scope: &Scope, earlier: Option<&Earlier>) -> Vec<Finding> {
        match scope {
            Scope::Unusable => {
                let mut findings = validate_documents(&self.locations);
                findings.retain(|finding| finding.severity == Severity::Error);
                findings
            }
            Scope::Damaged | Scope::Only(_) | Scope::Whole => {
                let mut findings = validate_claude_config(&self.locations, earlier).findings;
                findings.retain(|finding| scope.covers(&finding.file));
                findings
            }
        }
    }

    /// What happens to a damaged file.
    fn item(&self, file: &Path, findings: &[Finding], look: &mut GoodBackups) -> Option<Item> {
        let why = findings.iter().map(Finding::told).collect::<Vec<_>>().join("; ");
        let name = self.backups.name_of(file)?;
        let named = |name: &Path, act, bytes| {
            Some(Item { file: file.to_path_buf(), name: name.to_path_buf(), why: why.clone(), act, bytes })
        };
        let item = |act, bytes| named(&name, act, bytes);
        let by_hand = |remedy: &str| Act::ByHand { remedy: remedy.to_owned() };
        // What is mended in place keeps its content, and needs no backup.
        let fixes: Vec<Fix> = findings.iter().filter_map(|finding| finding.fix).collect();
        if fixes.len() == findings.len()
            && let Some(fix) = fixes.first()
        {
            return item(Act::Fix { fix: *fix }, 0);
        }
        let is = |damage| findings.iter().any(|finding: &Finding| finding.damage == damage);
        if is(Damage::Owner) || is(Damage::Login) {
            return item(by_hand(&findings[0].remedy), 0);
        }
        let below = name.strip_prefix(".claude").unwrap_or(&name).to_string_lossy().into_owned();
        if class_of(&below) == Class::Credentials {
            return item(by_hand("sign in again: claude auth login"), 0);
        }
        if name == Path::new(".claude") {
            // Its files are gone, each for itself; what stands in its place is set aside for the first of them.
            return None;
        }
        let is_there = file.symlink_metadata().is_ok_and(|data| data.is_file());
        let length = file.metadata().map_or(0, |data| data.len());
        let found = if is_records(&below) {
            look.versions(&self.backups, &name).pop()
        } else {
            look.next_with(&self.backups, &name, None)
        };
        let Some((chosen, listed)) = found else {
            if is(Damage::WrongKind) && *file != self.locations.claude_json {
                // Where a folder should be: as above.
                return None;
            }
            return match self.newest_own_backup(file, None) {
                Some(backup) => item(Act::FromClaudeCode { file: backup }, length),
                None if is_there && has_whole(file, &below) => item(Act::KeepWhatIsWhole, length),
                None if below.ends_with(".json") => item(
                    by_hand("move it away: Claude Code makes a new one, and nothing of this one is whole"),
                    0,
                ),
                None => item(by_hand("no backup has it; see what is left of it"), 0),
            };
        };
        if let Some(backup) = self.newest_own_backup(file, Some(&chosen)) {
            return item(Act::FromClaudeCode { file: backup }, listed.size);
        }
        let snapshot = chosen.id;
        let act = if file.symlink_metadata().is_err() {
            Act::BringBack { snapshot }
        } else if is_there && can_be_salvaged(&below) {
            Act::Merge { snapshot }
        } else {
            Act::Replace { snapshot }
        };
        named(&listed.path, act, listed.size)
    }

    /// A file that is not there any more.
    fn lost(&self, file: &Path, look: &mut GoodBackups) -> Option<Item> {
        let name = self.backups.name_of(file)?;
        let below = name.strip_prefix(".claude").unwrap_or(&name).to_string_lossy();
        let (chosen, listed) = if is_records(&below) {
            look.versions(&self.backups, &name).pop()?
        } else {
            look.next_with(&self.backups, &name, None)?
        };
        Some(Item {
            file: file.to_path_buf(),
            name: listed.path,
            why: "it is gone".to_owned(),
            act: Act::BringBack { snapshot: chosen.id },
            bytes: listed.size,
        })
    }

    /// Files that somebody wants as the snapshot has them, damaged or not.
    fn add_wanted(
        &self,
        wanted: &[PathBuf],
        how: Wanted,
        look: &mut GoodBackups,
        items: &mut Vec<Item>,
    ) -> Result<()> {
        let Some(chosen) = look.best.clone() else { return Ok(()) };
        let files = look.files(&self.backups, &chosen.id)?;
        let known: HashSet<_> = items.iter().map(|item| item.file.clone()).collect();
        let mut found = how == Wanted::Missing;
        for listed in files.values() {
            if listed.path.starts_with("archive") {
                continue;
            }
            let Some(file) = self.backups.place_of(&listed.path) else { continue };
            if !wanted.iter().any(|wanted| file.starts_with(wanted)) {
                continue;
            }
            found = true;
            let is_there = file.symlink_metadata().is_ok();
            if known.contains(&file) || is_same(&file, listed) || (is_there && how == Wanted::Missing) {
                continue;
            }
            let below = listed.path.strip_prefix(".claude").unwrap_or(&listed.path).to_string_lossy();
            let act = if !is_there {
                Act::BringBack { snapshot: chosen.id.clone() }
            } else if is_records(&below) {
                Act::Merge { snapshot: chosen.id.clone() }
            } else {
                Act::Replace { snapshot: chosen.id.clone() }
            };
            let why = if is_there { "you asked for it" } else { "it is gone" }.to_owned();
            items.push(Item { file, name: listed.path.clone(), why, act, bytes: listed.size });
        }
        if !found && items.is_empty() {
            return Err(Error::new(Code::SnapshotPath, "the snapshot has none of these files")
                .why(wanted.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))
                .remedy(format!("drydock backup list {}", chosen.id)));
        }
        Ok(())
    }

    /// The snapshot to name: the newest that is used, else the newest good one.
    fn chosen(&self, items: &[Item], look: &mut GoodBackups) -> Option<Chosen> {
        let used: Vec<&SnapshotId> = items.iter().filter_map(|item| item.act.snapshot()).collect();
        let all = look.all();
        all.into_iter().find(|one| used.contains(&&one.id)).or_else(|| look.best.clone())
    }

    /// By what the last drill of the local copy took, where there was one.
    #[allow(clippy::cast_precision_loss)] // an estimate
    fn expected_seconds(&self, bytes: u64) -> f64 {
        let status = self.backups.status().ok();
        let drill = status.and_then(|status| {
            status.copies.into_iter().find(|copy| copy.copy == CopyName::Local).and_then(|copy| copy.drill)
        });
        let speed = drill
            .filter(|drill| drill.bytes > 1 << 20 && drill.seconds > 0.0)
            .map_or(ASSUMED_SPEED, |drill| drill.bytes as f64 / drill.seconds);
        ASSUMED_START + bytes as f64 / speed
    }

    /// The newest of Claude Code's own backups of its state, if it is newer than a snapshot, can be read, and
    /// is not of a home that was just made.
    ///
    /// Source: observed with 2.1.330: `backups/.claude.json.backup.<milliseconds>`, the newest five.
    fn newest_own_backup(&self, file: &Path, than: Option<&Chosen>) -> Option<PathBuf> {
        if *file != self.locations.claude_json {
            return None;
        }
        let mut backups: Vec<(i64, PathBuf)> = fs::read_dir(self.locations.claude_dir.join("backups"))
            .ok()?
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                Some((name.strip_prefix(".claude.json.backup.")?.parse().ok()?, entry.path()))
            })
            .filter(|(at, _)| than.is_none_or(|chosen| *at > chosen.taken.timestamp_millis()))
            .collect();
        backups.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        backups.into_iter().map(|(_, path)| path).find(|path| {
            let document = fs::read(path).ok().and_then(|text| parse_document(&text).ok());
            document.is_some_and(|document| {
                ["projects", "mcpServers", "oauthAccount"].iter().any(|key| document.contains_key(*key))
            })
        })
    }
}

/// Which files come from the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Those that are not there.
    Missing,
    /// All that are another.
    AsItWas,
}

impl Scope {
    fn covers(&self, file: &Path) -> bool {
        match self {
            Self::Only(paths) => paths.iter().any(|path| file.starts_with(path) || path.starts_with(file)),
            Self::Unusable | Self::Damaged | Self::Whole => true,
        }
    }
}

/// Whether a finding is one that a recovery does something about.
fn is_for_recovery(finding: &Finding) -> bool {
    use Damage::*;
    match finding.damage {
        Missing | WrongKind | Unreadable | Empty | ZeroBytes | Encoding | Syntax | WrongType
        | BrokenRecord | Shrunk | Permissions | Owner => finding.severity >= Severity::Warning,
        ByteOrderMark => true,
        // Each file that is gone is looked for by itself.
        Gone => false,
        // A merge that somebody is at is theirs to finish, but not in a document that Claude Code reads.
        ConflictMarkers => finding.severity == Severity::Error,
        DuplicateKey | TornEnd | Login | CaseFold => false,
    }
}

fn is_records(below: &str) -> bool {
    matches!(class_of(below), Class::Transcript | Class::PromptHistory)
}

fn can_be_salvaged(below: &str) -> bool {
    is_records(below) || Path::new(below).extension().is_some_and(|ending| ending == "json")
}

/// Whether anything of a damaged file is whole.
fn has_whole(file: &Path, below: &str) -> bool {
    if is_records(below) {
        return merge_records(None, Some(file), &mut io::sink()).is_ok_and(|found| found.newer > 0);
    }
    below.ends_with(".json") && fs::read(file).is_ok_and(|text| !whole_members(&text).is_empty())
}

/// Whether a file has the signs that it had in the snapshot.
fn is_same(file: &Path, listed: &Listed) -> bool {
    let Ok(data) = file.symlink_metadata() else { return false };
    let modified = data.modified().map(DateTime::<Utc>::from).ok();
    match listed.kind {
        ListedKind::Link => data.is_symlink(),
        ListedKind::File => data.is_file() && data.len() == listed.size && modified == listed.modified,
        ListedKind::Folder => true,
    }
}

fn without_backup(error: Error) -> Error {
    if error.code() != Code::BackupNone && error.code() != Code::BackupKey {
        return error;
    }
    let mut told =
        Error::new(Code::RecoveryNoBackup, "there is no backup here to recover from").why(error.message());
    for cause in error.causes() {
        told = told.why(cause);
    }
    told.remedy("drydock recover --copy FOLDER   (or REMOTE:FOLDER), with the code of your recovery sheet")
}
