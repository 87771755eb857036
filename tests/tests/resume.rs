//! Work that goes back and forth between the host and sessions, with today's Claude Code and one a year older.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use drydock_tests::rig::{API_KEY, Done, Paths, Project, Release, Rig, Terminal, conversation_id};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    time::{Duration, SystemTime},
};

/// Every test here, with one Claude Code on both sides and one way to name folders.
macro_rules! suite {
    ($name:ident, $release:expr, $paths:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn both_sides_run_this_claude_code() {
                super::both_sides_run(&Person::of($release, $paths), $release);
            }

            #[test]
            fn a_conversation_is_resumed_in_a_session_and_back_three_times() {
                super::goes_back_and_forth(&Person::of($release, $paths), Way::ById);
            }

            #[test]
            fn the_newest_conversation_goes_on_in_a_session_and_back_three_times() {
                super::goes_back_and_forth(&Person::of($release, $paths), Way::Newest);
            }

            #[test]
            fn an_edit_of_the_host_is_rewound_in_a_session() {
                super::is_rewound_on_the_other_side(&Person::of($release, $paths), Side::Host);
            }

            #[test]
            fn an_edit_of_a_session_is_rewound_on_the_host() {
                super::is_rewound_on_the_other_side(&Person::of($release, $paths), Side::Session);
            }

            #[test]
            fn servers_of_every_scope_are_connected_on_both_sides() {
                super::servers_are_connected(&Person::of($release, $paths), $paths);
            }
        }
    };
}

suite!(current, Release::Current, Paths::Same);
suite!(year_old, Release::YearOld, Paths::Same);
suite!(current_mapped, Release::Current, Paths::Mapped);
suite!(year_old_mapped, Release::YearOld, Paths::Mapped);

/// Where Claude Code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Host,
    Session,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Host => Self::Session,
            Self::Session => Self::Host,
        }
    }
}

/// How a conversation is found again.
#[derive(Debug, Clone, Copy)]
enum Way {
    ById,
    Newest,
}

/// Somebody who works on one project on both sides.
struct Person {
    rig: Rig,
    project: Project,
}

impl Person {
    fn of(release: Release, paths: Paths) -> Self {
        let rig = Rig::of(release, paths);
        let project = rig.project("proj");
        let person = Self { rig, project };
        // The first question of a Claude Code that finds a key has been answered.
        let mut state = person.state();
        state["customApiKeyResponses"] =
            json!({ "approved": [&API_KEY[API_KEY.len() - 20..]], "rejected": [] });
        fs::write(person.rig.home.claude_json(), state.to_string()).unwrap();
        person
    }

    /// `.claude.json` of the host.
    fn state(&self) -> Value {
        serde_json::from_slice(&fs::read(self.rig.home.claude_json()).unwrap()).unwrap()
    }

    /// Runs `claude` to its end.
    fn claude(&self, side: Side, arguments: &[&str]) -> Done {
        let folder = self.project.path();
        match side {
            Side::Host => self.rig.claude(folder).args(arguments).done(),
            Side::Session => self.rig.run(folder).claude(arguments).done(),
        }
        .ok()
    }

    /// Opens `claude` in a terminal, and waits until it takes words.
    fn open(&self, side: Side, arguments: &[&str]) -> Terminal {
        let (folder, columns, rows) = (self.project.path(), 100, 40);
        let mut terminal = match side {
            Side::Host => self.rig.claude(folder).args(arguments).in_terminal(columns, rows),
            Side::Session => self.rig.run(folder).claude(arguments).in_terminal(columns, rows),
        };
        terminal.wait_until("Claude Code waits for the user", |screen| {
            screen.lines().any(|line| line.starts_with('❯') || line.starts_with(">\u{a0}"))
        });
        terminal.wait_until_still();
        terminal
    }

    /// Leaves `claude` by its own word.
    fn leave(mut terminal: Terminal) {
        terminal.wait_until_still();
        terminal.type_line("/exit");
        // The older Claude Code leaves the terminal in paste mode.
        terminal.ended().ok();
    }
}

fn both_sides_run(person: &Person, release: Release) {
    for side in [Side::Host, Side::Session] {
        let told = person.claude(side, &["--version"]).stdout;
        assert_eq!(told.trim(), format!("{} (Claude Code)", release.version()), "{side:?}");
    }
    person.rig.assert_nothing_left();
}

fn goes_back_and_forth(person: &Person, way: Way) {
    let (rig, id, other) = (&person.rig, conversation_id(), conversation_id());
    person.claude(Side::Host, &["--session-id", &other, "-p", "another matter"]);
    let earlier = SystemTime::now() - Duration::from_secs(3600);
    let file = rig.home.conversation(&other).path().to_owned();
    File::options().append(true).open(file).unwrap().set_modified(earlier).unwrap();
    person.claude(Side::Host, &["--session-id", &id, "-p", "the first words"]);

    let mut said = vec!["the first words".to_owned(), "You said: the first words".to_owned()];
    let mut before = rig.home.conversation(&id).bytes();
    for round in 1..=3 {
        for side in [Side::Session, Side::Host] {
            let words = format!("round {round} on the {side:?} side");
            match way {
                Way::ById => person.claude(side, &["--resume", &id, "-p", &words]),
                Way::Newest => person.claude(side, &["--continue", "-p", &words]),
            };

            let turn = rig.api.wait_for_turn(&words);
            said.push(words.clone());
            let spoken: Vec<_> =
                turn.said.iter().filter(|(who, _)| who != "system").map(|(_, said)| said).collect();
            assert_eq!(spoken, said.iter().collect::<Vec<_>>(), "what Claude was told in {words:?}");
            assert_eq!(turn.status, 200, "the API refused the conversation: {turn:?}");
            said.push(format!("You said: {words}"));
            let kept = rig.home.conversation(&id);
            let after = kept.bytes();
            assert!(after.starts_with(&before), "what was there before {words:?} was changed");
            assert_eq!(kept.said(), said, "what the host has after {words:?}");
            before = after;
        }
    }
    assert!(!rig.home.conversation(&other).says("round"), "another conversation went on");
    rig.assert_nothing_left();
}

fn is_rewound_on_the_other_side(person: &Person, edits: Side) {
    let (rig, project, id) = (&person.rig, &person.project, conversation_id());
    let rewinds = edits.other();
    fs::write(project.path().join("notes.txt"), "hello\n").unwrap();
    person.claude(rewinds, &["--session-id", &id, "-p", "look around"]);

    let mut terminal = person.open(edits, &["--resume", &id, "--permission-mode", "acceptEdits"]);
    terminal.type_line("part with it [[read:notes.txt]] [[edit:notes.txt]]");
    terminal.wait_for("You said: part with it");
    Person::leave(terminal);
    assert_eq!(project.read("notes.txt"), "goodbye\n");

    let mut terminal = person.open(rewinds, &["--resume", &id]);
    terminal.type_line("/rewind");
    terminal.wait_for("Restore the code and/or conversation");
    take(&mut terminal, "\x1b[A", |line| line.contains("part with it"));
    take(&mut terminal, "\x1b[B", |line| line.ends_with("Restore code"));

    terminal.wait_until("the file is as it was", |_| project.read("notes.txt") == "hello\n");
    Person::leave(terminal);
    assert_eq!(project.read("notes.txt"), "hello\n");
    assert!(rig.home.conversation(&id).says("part with it"), "more was rewound than the code");
    rig.assert_nothing_left();
}

/// Goes through a list by a key, and takes what is wanted.
fn take(terminal: &mut Terminal, key: &str, is_wanted: impl Fn(&str) -> bool) {
    for _ in 0..10 {
        terminal.wait_until_still();
        // What was said before stands at the left edge, with the same mark.
        let chosen = |line: &&str| line.starts_with(' ') && line.trim_start().starts_with('❯');
        if terminal.screen().lines().filter(chosen).any(|line| is_wanted(line.trim_end())) {
            terminal.press("\r");
            return;
        }
        terminal.press(key);
    }
    panic!("it is not in the list:\n{}", terminal.screen());
}

/// A server without tools, in the words of a shell that is on both sides.
const SERVER: &str = r#"#!/bin/bash
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p" <<<"$line"; }
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$(field id)" "$1"; }
while read -r line; do
    case $(field method) in
    initialize)
        answer '{"protocolVersion":"'"$(field protocolVersion)"'","capabilities":{"tools":{}},"serverInfo":{"name":"test","version":"1"}}' ;;
    tools/list) answer '{"tools":[]}' ;;
    esac
done
"#;

fn servers_are_connected(person: &Person, paths: Paths) {
    let (rig, project) = (&person.rig, &person.project);
    let server = project.file("server.sh");
    fs::write(&server, SERVER).unwrap();
    let scopes = ["user", "local", "project"];
    for scope in scopes {
        person.claude(
            Side::Host,
            &["mcp", "add", "--scope", scope, &format!("of-{scope}"), "--", "bash", &server],
        );
    }
    // The user has agreed to what the project brings.
    let agreed = json!({ "enabledMcpjsonServers": ["of-project"] }).to_string();
    fs::create_dir_all(project.path().join(".claude")).unwrap();
    fs::write(project.path().join(".claude/settings.local.json"), agreed).unwrap();
    let servers = || {
        let state = person.state();
        let of_project = state["projects"][project.path().to_str().unwrap()]["mcpServers"].clone();
        (state["mcpServers"].clone(), of_project, project.read(".mcp.json"))
    };
    let before = servers();

    for side in [Side::Host, Side::Session, Side::Host] {
        let listed = person.claude(side, &["mcp", "list"]).stdout;
        for scope in scopes {
            let line = listed.lines().find(|line| line.starts_with(&format!("of-{scope}:")));
            let line = line.unwrap_or_else(|| panic!("{side:?} has no server of the {scope}:\n{listed}"));
            assert!(line.ends_with("✔ Connected") || line.ends_with("✓ Connected"), "{side:?}: {line}");
            let here = (side, paths) != (Side::Session, Paths::Mapped);
            assert_eq!(line.contains(&format!("bash {server} ")), here, "{side:?}: {line}");
        }
        assert_eq!(servers(), before, "the host's servers were changed by the {side:?} side");
    }
    rig.assert_nothing_left();
}
