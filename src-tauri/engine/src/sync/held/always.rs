//! What the user lets through each time: exactly the same content at exactly the same place, from sessions of one
//! project. Anything else about it is another question, and waits.

use super::{super::lock::SyncLock, Held, HeldId, Part, Reason, decide::Decided, store::HeldChanges};
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    observability::{Event, EventName, log_event},
    paths::write_record,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeSet, fs, io, path::PathBuf};

/// A change that is let through each time that a session of the project makes it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Always {
    /// The rule's name.
    pub id: HeldId,
    /// The project.
    pub project: PathBuf,
    /// What it is about.
    pub subject: String,
    /// When the user said so.
    pub since: DateTime<Utc>,
    /// What was approved: of each part its place with its content, as a digest.
    pub digests: BTreeSet<String>,
}

impl Always {
    /// The rule that a change makes. None where it waits for another reason than that this computer would act on it, or
    /// was seen before projects were noted.
    fn of(held: &Held, now: DateTime<Utc>) -> Option<Self> {
        let project = held.project.as_ref().filter(|_| held.reason == Reason::Acts)?;
        let digests: BTreeSet<_> = held.parts.iter().map(digest).collect();
        let all = digests.iter().fold(held.subject.clone(), |all, one| all + "\0" + one);
        Some(Self {
            id: HeldId::of(&project.to_string_lossy(), &all),
            project: project.clone(),
            subject: held.subject.clone(),
            since: now,
            digests,
        })
    }

    /// Whether it is about this change: all of it, and nothing more.
    fn lets(&self, held: &Held) -> bool {
        held.reason == Reason::Acts
            && held.project.as_ref() == Some(&self.project)
            && held.subject == self.subject
            && held.parts.iter().map(digest).collect::<BTreeSet<_>>() == self.digests
    }
}

/// A part's place with its content. Whether a file can be run is part of it.
fn digest(part: &Part) -> String {
    let mut digest = Sha256::new();
    let mut add = |text: &[u8]| {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    };
    match part {
        Part::File { name, session, mode, .. } => {
            add(b"file");
            add(name.as_bytes());
            add(session.sha256.as_bytes());
            add(&(mode & 0o700).to_le_bytes());
        }
        Part::Key { document, change } => {
            add(b"key");
            add(document.as_bytes());
            add(change.pointer.as_bytes());
            match &change.session {
                Some(text) => add(text.as_bytes()),
                None => add(b""),
            }
            add(if change.session.is_some() { b"set" } else { b"gone" });
        }
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl HeldChanges {
    /// What is let through each time, the newest first.
    ///
    /// # Errors
    /// When the record of it is damaged.
    pub fn always(&self) -> Result<Vec<Always>> {
        let file = self.always_file();
        let mut rules: Vec<Always> = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(|cause| {
                Error::new(Code::Internal, format!("Drydock's record {} is damaged", file.display()))
                    .why(cause)
                    .remedy("move it away: what was approved always then waits for you again")
            })?,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(cause) => return Err(cause).context("read", &file),
        };
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.since));
        Ok(rules)
    }

    /// Approves a change, and the same one each time that a session of its project makes it again. Blocking.
    ///
    /// # Errors
    /// [`Code::Usage`] where it waits for another reason than that this computer would act on it; as
    /// [`HeldChanges::approve`].
    pub fn approve_always(&self, id: &HeldId, lock: &SyncLock, now: DateTime<Utc>) -> Result<Decided> {
        // What speaks against a rule is found out before anything is approved.
        let mut rules = self.always()?;
        let rule = match self.find(id)? {
            Some(held) if held.is_waiting() => Some(Always::of(&held, now).ok_or_else(|| {
                Error::new(Code::Usage, format!("{id} cannot be approved always"))
                    .why("only what this computer would act on can, from a session whose project is known")
                    .remedy(format!("drydock held approve {id}"))
            })?),
            // Approving says what is the matter.
            _ => None,
        };
        let decided = self.approve(id, lock, now)?;
        if let Some(rule) = rule {
            rules.retain(|known| known.id != rule.id);
            rules.push(rule);
            self.write_always(&rules)?;
        }
        Ok(decided)
    }

    /// Takes a rule back: what it let through stays, and waits the next time.
    ///
    /// # Errors
    /// [`Code::HeldUnknown`] when there is none of this name.
    pub fn forget_always(&self, id: &HeldId, _lock: &SyncLock) -> Result<Always> {
        let (mut gone, kept): (Vec<_>, Vec<_>) = self.always()?.into_iter().partition(|rule| rule.id == *id);
        let Some(rule) = gone.pop() else {
            return Err(
                Error::new(Code::HeldUnknown, format!("there is no rule {id}")).remedy("drydock held always")
            );
        };
        self.write_always(&kept)?;
        Ok(rule)
    }

    /// Lets through what the user said so of, and gives those. What cannot be let through waits on.
    pub(crate) fn approve_by_rules(
        &self,
        waiting: &[HeldId],
        lock: &SyncLock,
        now: DateTime<Utc>,
    ) -> BTreeSet<HeldId> {
        let mut approved = BTreeSet::new();
        // A damaged record lets nothing through.
        let rules = self.always().inspect_err(|error| tracing::warn!(%error, "no rule is used"));
        let rules = rules.unwrap_or_default();
        if rules.is_empty() {
            return approved;
        }
        for id in waiting {
            let Ok(Some(held)) = self.find(id) else { continue };
            let Some(rule) = rules.iter().find(|rule| held.is_waiting() && rule.lets(&held)) else {
                continue;
            };
            match self.approve(id, lock, now) {
                Ok(_) => {
                    log_event(
                        &Event::new(EventName::ChangeAlways)
                            .session(&held.session)
                            .with("change", id.as_str())
                            .with("rule", rule.id.as_str()),
                    );
                    approved.insert(id.clone());
                }
                Err(error) => tracing::warn!(%error, change = %id, "what was approved always waits"),
            }
        }
        approved
    }

    /// Whoever takes a decision back does not want it made again by itself.
    pub(super) fn forget_rules_of(&self, held: &Held) -> Result<()> {
        // A damaged record lets nothing through.
        let rules = self.always().unwrap_or_default();
        let (gone, kept): (Vec<_>, Vec<_>) = rules.into_iter().partition(|rule| rule.lets(held));
        if gone.is_empty() { Ok(()) } else { self.write_always(&kept) }
    }

    fn write_always(&self, rules: &[Always]) -> Result<()> {
        write_record(&self.always_file(), &rules)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{FoundPart, store::Finding},
        *,
    };
    use crate::{backup::BeforeSync, claude_home::KeyChange, paths::Locations};
    use std::{path::Path, time::Duration};
    use tempfile::TempDir;

    const SHOP: &str = "/home/ann/shop";

    struct World {
        home: TempDir,
        held: HeldChanges,
        lock: SyncLock,
    }

    impl World {
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            let locations = Locations::find(Some(home.path())).unwrap();
            fs::create_dir_all(&locations.claude_dir).unwrap();
            fs::write(locations.claude_dir.join("settings.json"), "{}\n").unwrap();
            let held = HeldChanges::of(&locations, BeforeSync::Files(home.path().join("before")));
            let lock =
                SyncLock::acquire_blocking(&home.path().join("lock"), "a test", Duration::ZERO).unwrap();
            Self { home, held, lock }
        }

        /// What a session of a project changes about a hook.
        fn changed(&self, session: &str, project: &str, reason: Reason, hooks: Option<&str>) -> HeldId {
            let file = self.home.path().join(".claude/settings.json");
            let now: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
            let change = KeyChange {
                pointer: "/hooks".into(),
                base: None,
                host: now.get("hooks").map(ToString::to_string),
                session: hooks.map(str::to_owned),
            };
            let parts = vec![FoundPart::Key { document: ".claude/settings.json", change }];
            let project = Path::new(project);
            let finding = Finding { session, project, subject: "settings.json hooks", reason, parts };
            self.held.hold(&finding, Utc::now()).unwrap().expect("it waits").id
        }

        fn by_rules(&self, id: &HeldId) -> bool {
            self.held.approve_by_rules(std::slice::from_ref(id), &self.lock, Utc::now()).contains(id)
        }

        fn here(&self) -> String {
            fs::read_to_string(self.home.path().join(".claude/settings.json")).unwrap()
        }

        fn take_away(&self) {
            fs::write(self.home.path().join(".claude/settings.json"), "{}\n").unwrap();
        }
    }

    const HOOKS: &str = r#"{"Stop":[]}"#;

    #[test]
    fn exactly_the_same_is_let_through_again_and_nothing_else_is() {
        let world = World::new();
        let first = world.changed("shop-1", SHOP, Reason::Acts, Some(HOOKS));
        assert!(!world.by_rules(&first), "nobody said so yet");
        world.held.approve_always(&first, &world.lock, Utc::now()).unwrap();
        assert!(world.here().contains("Stop"), "{}", world.here());
        world.take_away();

        for (session, project, reason, hooks) in [
            ("blog-1", "/home/ann/blog", Reason::Acts, Some(HOOKS)),
            ("shop-2", SHOP, Reason::Acts, Some(r#"{"Stop":[1]}"#)),
            ("shop-3", SHOP, Reason::BothChanged, Some(HOOKS)),
            ("shop-4", SHOP, Reason::Acts, None),
        ] {
            let other = world.changed(session, project, reason, hooks);
            assert!(!world.by_rules(&other), "{session}");
            assert_eq!(world.here(), "{}\n");
        }
        let again = world.changed("shop-5", SHOP, Reason::Acts, Some(HOOKS));
        assert!(world.by_rules(&again));
        assert!(world.here().contains("Stop"));
        assert!(!world.held.find(&again).unwrap().unwrap().is_waiting());
    }

    #[test]
    fn a_rule_is_listed_and_taken_back() {
        let world = World::new();
        let first = world.changed("shop-1", SHOP, Reason::Acts, Some(HOOKS));
        world.held.approve_always(&first, &world.lock, Utc::now()).unwrap();
        let rule = world.held.always().unwrap().remove(0);
        assert_eq!((&*rule.project, &*rule.subject), (Path::new(SHOP), "settings.json hooks"));
        world.held.forget_always(&rule.id, &world.lock).unwrap();
        assert!(world.held.forget_always(&rule.id, &world.lock).is_err());
        assert!(world.here().contains("Stop"), "what it let through stays");
        world.take_away();
        let again = world.changed("shop-2", SHOP, Reason::Acts, Some(HOOKS));
        assert!(!world.by_rules(&again));
    }

    #[test]
    fn undoing_a_decision_takes_its_rule_back() {
        let world = World::new();
        let first = world.changed("shop-1", SHOP, Reason::Acts, Some(HOOKS));
        world.held.approve_always(&first, &world.lock, Utc::now()).unwrap();
        world.held.undo(&first, &world.lock, Utc::now()).unwrap();
        assert!(!world.here().contains("Stop"), "{}", world.here());
        assert!(!world.by_rules(&first), "it would be made again by itself");
        assert_eq!(world.held.always().unwrap(), []);
    }

    #[test]
    fn a_conflict_cannot_be_approved_always_and_a_damaged_record_lets_nothing_through() {
        let world = World::new();
        let both = world.changed("shop-1", SHOP, Reason::BothChanged, Some(HOOKS));
        let refused = world.held.approve_always(&both, &world.lock, Utc::now()).unwrap_err();
        assert_eq!(refused.code(), Code::Usage);
        assert_eq!(world.here(), "{}\n", "it was approved all the same");
        let acts = world.changed("shop-2", SHOP, Reason::Acts, Some(HOOKS));
        fs::write(world.held.always_file(), "[{").unwrap();
        assert!(world.held.always().is_err());
        assert!(!world.by_rules(&acts));
        assert!(world.held.approve_always(&acts, &world.lock, Utc::now()).is_err());
        assert_eq!(world.here(), "{}\n");
    }
}
