//! A change that waits, whole, so that a person can judge it: what `status` shows of it may be cut short.

use super::{
    gitops::Gitops,
    place::{Place, Target},
    plain_secrets::plain_secrets,
    planned::Planned,
    reconcile::Look,
    repository::Wanted,
    state::{HeldChange, Store},
    steps::held_id,
    value::{Content, Runs, Salt, Secrecy, Value},
};
use crate::{
    error_handling::{Code, Error, Result},
    sync::{pretty, unified},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::time::Duration;

/// A change that waits, as a person can judge it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Judged {
    /// The change.
    pub change: HeldChange,
    /// Where.
    #[cfg_attr(feature = "typescript", ts(as = "String"))]
    pub place: Place,
    /// All that stands here; nothing where it may not be shown.
    pub here: Option<String>,
    /// All that git says. Where a secret is in it, as it is written there: with the secret's name.
    pub git: Option<String>,
    /// Whether it is a file that can be run.
    pub program: bool,
    /// Both, line by line, with nothing in it that a terminal would obey.
    pub diff: String,
}

/// What stands on one side.
enum Side {
    Nothing,
    Shown(String),
    /// Something that may not be shown; its print.
    Hidden(String),
}

impl Side {
    fn lines(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Shown(text) => text.clone(),
            Self::Hidden(print) => format!("{print}\n"),
        }
    }

    fn shown(self) -> Option<String> {
        match self {
            Self::Shown(text) => Some(text),
            Self::Nothing | Self::Hidden(_) => None,
        }
    }
}

impl Gitops {
    /// A change that waits, whole. It is what `approve` would let happen, or this fails. Blocking.
    ///
    /// # Errors
    /// [`Code::GitopsPlace`] when nothing of this name waits, or no more; as [`super::reconcile_config`].
    pub fn judge(&self, id: &str, now: DateTime<Utc>) -> Result<Judged> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let store = Store::take(&self.locations.data_dir, PATIENCE)?;
        let look = Look::begin(self, store, now)?;
        let waiting = look.state.held.iter().find(|(_, held)| held.id == id);
        let (Some((place, change)), Some(in_force)) = (waiting, &look.state.in_force) else {
            return Err(unknown(id));
        };
        let planned = look.planned(&in_force.commit)?;
        let desired = planned.desired.values.get(place);
        let print = desired.map(|value| value.print(&look.salt));
        if held_id(&look.salt, place, print.as_ref()) != id {
            return Err(unknown(id).why("another value waits at its place by now"));
        }
        let here =
            look.actual(&planned, place).map_or(Side::Nothing, |value| side(place, &value, &look.salt));
        let git = desired.map_or(Side::Nothing, |value| wanted(&planned, place, value, &look.salt));
        Ok(Judged {
            change: change.clone(),
            place: place.clone(),
            program: desired
                .is_some_and(|value| matches!(value.content, Content::File { runs: Runs::Yes, .. })),
            diff: unified(&here.lines(), &git.lines()),
            here: here.shown(),
            git: git.shown(),
        })
    }
}

fn unknown(id: &str) -> Error {
    Error::new(Code::GitopsPlace, format!("nothing of the name {id} waits")).remedy("drydock gitops status")
}

/// What git says. A program beside a secret must not be hidden with it: the repository has the secret's name alone.
fn wanted(planned: &Planned, place: &Place, value: &Value, salt: &Salt) -> Side {
    match planned.repository.wanted.get(place) {
        Some((Wanted::Key(written), _)) if value.secrecy == Secrecy::Secret => {
            Side::Shown(pretty(&written.to_string()))
        }
        _ => side(place, value, salt),
    }
}

fn side(place: &Place, value: &Value, salt: &Salt) -> Side {
    const MOST: usize = 1 << 20;
    let hidden = || Side::Hidden(value.shown(salt));
    match (&value.content, &place.target) {
        _ if value.secrecy == Secrecy::Secret => hidden(),
        (Content::Key(text), _) => Side::Shown(pretty(text)),
        (Content::File { bytes, .. }, Target::File(name)) if bytes.len() <= MOST => {
            match std::str::from_utf8(bytes) {
                Ok(text) if plain_secrets(name, text).is_empty() => Side::Shown(text.to_owned()),
                _ => hidden(),
            }
        }
        (Content::File { .. }, _) => hidden(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gitops::{
            Report, Which, Wish, reconcile_config,
            rig::{Home, Repository},
            secrets::SopsSecrets,
        },
        keychain::Sensitive,
    };
    use std::collections::BTreeMap;

    const SECRET: &str = "FAKE-hunter2-value";

    struct World {
        repository: Repository,
        home: Home,
    }

    impl World {
        fn new() -> Self {
            let repository = Repository::new();
            repository.write("drydock.yaml", "version: 1\n");
            Self { repository, home: Home::new() }
        }

        fn gitops(&self) -> Gitops {
            self.home.gitops(&self.repository, &[])
        }

        fn look(&self) -> Report {
            reconcile_config(&self.gitops(), &Wish::of_user(), Utc::now()).unwrap()
        }

        fn judged(&self, place: &str) -> Judged {
            let report = self.look();
            let held = &report.held[&place.parse::<Place>().unwrap()];
            self.gitops().judge(&held.id, Utc::now()).unwrap()
        }
    }

    #[test]
    fn a_program_at_the_end_of_a_long_value_is_shown() {
        let world = World::new();
        let long = "x".repeat(2000);
        let hooks = format!(
            r#"{{"hooks": {{"Stop": [{{"matcher": "{long}", "hooks": [{{"type": "command", "command": "sh evil.sh"}}]}}]}}}}"#
        );
        world.repository.write("desired/claude/settings.json", &hooks);
        world.repository.commit("hooks");
        let report = world.look();
        let (place, held) = report.held.first_key_value().unwrap();
        assert!(!held.to.as_ref().unwrap().contains("evil"), "{held:?}");
        let judged = world.judged(&place.to_string());
        assert!(judged.git.unwrap().contains("sh evil.sh") && judged.diff.contains("sh evil.sh"));
        assert_eq!(judged.here, None);
    }

    #[test]
    fn a_file_is_shown_line_by_line_and_a_stale_name_is_refused() {
        let world = World::new();
        world.repository.write("desired/claude/hooks/check.sh", "#!/bin/sh\nold\n");
        world.repository.commit("a hook");
        world.look();
        world.gitops().approve(&Which::All, Utc::now()).unwrap();
        world.repository.write("desired/claude/hooks/check.sh", "#!/bin/sh\nnew \u{202e}\n");
        world.repository.commit("the hook is another");
        let judged = world.judged("claude/hooks/check.sh");
        assert!(judged.diff.contains("-old\n") && judged.diff.contains("+new \\u{202e}"), "{}", judged.diff);
        assert_eq!(judged.here.as_deref(), Some("#!/bin/sh\nold\n"));
        world.repository.write("desired/claude/hooks/check.sh", "#!/bin/sh\nother\n");
        world.repository.commit("and another");
        world.look();
        let refused = world.gitops().judge(&judged.change.id, Utc::now()).unwrap_err();
        assert_eq!(refused.code(), Code::GitopsPlace);
    }

    #[test]
    fn the_program_beside_a_secret_is_shown_and_the_secret_is_not() {
        let world = World::new();
        let secrets = BTreeMap::from([("key".to_owned(), Sensitive::new(SECRET.to_owned()))]);
        let sealed = SopsSecrets::of(&world.gitops().locations, &world.gitops().settings)
            .encrypt("secrets/mcp.enc.yaml", &secrets);
        world.repository.write("secrets/mcp.enc.yaml", &String::from_utf8(sealed.unwrap()).unwrap());
        let server =
            |program: &str| format!("fs:\n  command: {program}\n  env: {{KEY: \"${{secret:mcp/key}}\"}}\n");
        world.repository.write("desired/mcp.yaml", &server("npx"));
        world.repository.commit("a server");
        let first = world.judged("claude.json#/mcpServers/fs");
        assert!(first.diff.contains("npx") && first.diff.contains("${secret:mcp/key}"), "{}", first.diff);
        world.gitops().approve(&Which::All, Utc::now()).unwrap();
        assert!(world.home.read(".claude.json").contains(SECRET), "it is in force");

        world.repository.write("desired/mcp.yaml", &server("evil"));
        world.repository.commit("another server");
        let judged = world.judged("claude.json#/mcpServers/fs");
        assert!(judged.git.as_ref().unwrap().contains("evil"));
        assert_eq!(judged.here, None, "what stands here has the secret in it");
        assert!(!serde_json::to_string(&judged).unwrap().contains(SECRET), "{judged:?}");
    }

    #[test]
    fn a_change_is_its_authors_who_wanted_it_first() {
        let world = World::new();
        world.repository.write("desired/claude/agents/a.md", "You review.\n");
        let wanted = world.repository.commit("an agent");
        world.look();
        world.repository.write("desired/claude/settings.json", r#"{"model": "opus"}"#);
        world.repository.commit("something else");
        let judged = world.judged("claude/agents/a.md");
        assert_eq!(judged.change.commit, Some(wanted));
        assert_eq!(judged.change.about.unwrap().subject, "an agent");
        assert_eq!(judged.git.as_deref(), Some("You review.\n"));
    }
}
