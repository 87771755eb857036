//! Random interleavings of a host and several sessions, against a model that only knows that
//! whatever was written has to be somewhere.

use super::{
    tests::{CONVERSATION, Rig},
    *,
};
use drydock_inside::digest;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NOTE: &str = "projects/-p/memory/N.md";
const SESSIONS: usize = 3;

#[derive(Debug, Clone)]
enum Act {
    /// Claude Code on the host goes on with the conversation.
    HostTalks,
    /// The user edits a note.
    HostNotes,
    /// A session begins: what the host has now goes in.
    Begin(usize),
    SessionTalks(usize),
    SessionNotes(usize),
    /// A conversation of its own.
    SessionStarts(usize),
    /// Its container deletes everything it has.
    SessionForgets(usize),
    SyncOut(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let session = 0..SESSIONS;
    prop_oneof![
        2 => Just(Act::HostTalks),
        1 => Just(Act::HostNotes),
        1 => session.clone().prop_map(Act::Begin),
        3 => session.clone().prop_map(Act::SessionTalks),
        1 => session.clone().prop_map(Act::SessionNotes),
        1 => session.clone().prop_map(Act::SessionStarts),
        1 => session.clone().prop_map(Act::SessionForgets),
        3 => session.prop_map(Act::SyncOut),
    ]
}

/// A session's home, by names below Claude Code's folder.
type Inside = BTreeMap<String, String>;

struct World {
    rig: Rig,
    bases: Vec<Base>,
    sessions: Vec<Option<Inside>>,
    /// Everything that was ever written and may not get lost.
    written: BTreeSet<String>,
    /// Each session's last version of the note: its own next one replaces it, wherever it waits.
    noted: Vec<Option<String>>,
    counter: usize,
}

impl World {
    fn new() -> Self {
        let rig = Rig::new();
        let bases =
            (0..SESSIONS).map(|index| Base::open(&rig.dir.join(format!("s{index}"))).unwrap()).collect();
        let mut world = Self {
            rig,
            bases,
            sessions: vec![None; SESSIONS],
            written: BTreeSet::new(),
            noted: vec![None; SESSIONS],
            counter: 0,
        };
        world.act(&Act::HostTalks);
        world.act(&Act::HostNotes);
        world
    }

    fn record(&mut self, who: &str) -> String {
        self.counter += 1;
        let mark = format!("{who}-{}", self.counter);
        self.written.insert(mark.clone());
        mark
    }

    fn line(&mut self, who: &str) -> String {
        let mark = self.record(who);
        format!("{{\"sessionId\":\"11111111-1111-4111-8111-111111111111\",\"text\":\"{mark}\"}}\n")
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::HostTalks => {
                let line = self.line("host");
                let before = fs::read_to_string(self.rig.host(CONVERSATION)).unwrap_or_default();
                self.rig.write(CONVERSATION, &(before + &line));
            }
            Act::HostNotes => {
                // An edit on the host is the user's own: it replaces what was there, whoever wrote that.
                if let Ok(before) = fs::read_to_string(self.rig.host(NOTE)) {
                    self.written.remove(&before);
                }
                let text = self.record("note");
                self.rig.write(NOTE, &text);
            }
            Act::Begin(index) => self.begin(*index),
            Act::SessionTalks(index) => {
                let line = self.line("session");
                match &mut self.sessions[*index] {
                    Some(inside) => inside.entry(CONVERSATION.into()).or_default().push_str(&line),
                    None => self.forget_last(),
                }
            }
            Act::SessionNotes(index) => {
                let text = self.record("note");
                let Some(inside) = &mut self.sessions[*index] else { return self.forget_last() };
                let before = inside.insert(NOTE.into(), text.clone());
                let own = self.noted[*index].replace(text);
                // What it replaces, it knew; that is no loss.
                for known in before.into_iter().chain(own) {
                    self.written.remove(&known);
                }
            }
            Act::SessionStarts(index) => {
                let line = self.line("started");
                let id = uuid::Uuid::from_u128(self.counter as u128);
                match &mut self.sessions[*index] {
                    Some(inside) => {
                        inside.insert(format!("projects/-p/{id}.jsonl"), line);
                    }
                    None => self.forget_last(),
                }
            }
            Act::SessionForgets(index) => {
                // What had not come out is gone with it, by its own hand.
                self.sync_out(*index);
                if let Some(inside) = &mut self.sessions[*index] {
                    inside.clear();
                }
            }
            Act::SyncOut(index) => self.sync_out(*index),
        }
    }

    fn forget_last(&mut self) {
        self.written.retain(|mark| !mark.ends_with(&format!("-{}", self.counter)));
    }

    fn begin(&mut self, index: usize) {
        if self.sessions[index].is_some() {
            return;
        }
        let mut inside = Inside::new();
        let mut news = News::default();
        for name in [CONVERSATION, NOTE] {
            let Ok(text) = fs::read_to_string(self.rig.host(name)) else { continue };
            let mark = digest::mark_of(&self.rig.host(name)).unwrap();
            let agreed = Agreed { len: mark.len, digest: Some(mark.sha256), ..Agreed::default() };
            news.files.push((format!(".claude/{name}"), agreed));
            inside.insert(name.to_owned(), text);
        }
        self.bases[index].record(&news).unwrap();
        self.sessions[index] = Some(inside);
    }

    fn sync_out(&mut self, index: usize) {
        let Some(inside) = &self.sessions[index] else { return };
        let files: Vec<_> = inside.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        self.rig.out_of(&format!("p-s{index}"), &mut self.bases[index], &files).unwrap();
    }

    /// Everything that is on the host, waits there, or was replaced there by who knew it.
    fn everything(&self) -> String {
        let mut all = String::new();
        let locations = self.rig.locations();
        for root in [locations.claude_dir, locations.data_dir.join("held"), locations.backups_dir] {
            for entry in walkdir::WalkDir::new(root).into_iter().flatten() {
                if entry.file_type().is_file() {
                    all.push_str(&fs::read_to_string(entry.path()).unwrap_or_default());
                    all.push('\n');
                }
            }
        }
        all
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_anywhere_is_somewhere(acts in proptest::collection::vec(act(), 1..40)) {
        let mut world = World::new();
        for act in &acts {
            world.act(act);
        }
        for index in 0..SESSIONS {
            world.sync_out(index);
        }
        let all = world.everything();
        for mark in &world.written {
            let there = all.contains(&format!("\"{mark}\"")) || all.lines().any(|line| line == mark);
            prop_assert!(there, "{mark} is nowhere");
        }
        // And a further round changes nothing.
        let before = world.everything();
        for index in 0..SESSIONS {
            world.sync_out(index);
        }
        prop_assert_eq!(before, world.everything());
    }
}
