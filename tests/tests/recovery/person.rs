//! Somebody with a backup, who has worked on since: before anything is damaged.

use super::{files::Files, saved::Saved};
use drydock_tests::rig::{Backups, Done, HISTORY, Home, LEFT_OUT, SmallDisk, WORKED, record};
use serde_json::{Value, json};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

/// A conversation that was begun after the snapshot.
pub(crate) const BEGUN_SINCE: &str =
    ".claude/projects/-home-ann-shop/55555555-5555-4555-8555-555555555555.jsonl";
pub(crate) const STATE: &str = ".claude.json";
pub(crate) const SETTINGS: &str = ".claude/settings.json";
pub(crate) const MEMORY: &str = ".claude/CLAUDE.md";
/// What `drydock recover --plan` says where there is nothing to do.
pub(crate) const NOTHING: &str = "nothing is damaged\n";

pub(crate) struct Person {
    pub(crate) backups: Backups,
    /// What is in the snapshot.
    pub(crate) then: Files,
    /// What is there before any damage.
    pub(crate) now: Files,
    /// The snapshot.
    pub(crate) snapshot: String,
    saved: Saved,
    /// The disk that the home is on, where it is one of its own.
    _disk: Option<SmallDisk>,
}

impl Person {
    /// With the local copy alone.
    pub(crate) fn new() -> Self {
        Self::of(Backups::new())
    }

    /// The same on a disk in memory, for those who go through much.
    pub(crate) fn on_a_fast_disk() -> Self {
        let disk = SmallDisk::mount(128);
        let home = disk.path().join("home");
        fs::create_dir(&home).unwrap();
        Self { _disk: Some(disk), ..Self::of(Backups::furnished(Home::at(&home))) }
    }

    pub(crate) fn with_three_copies() -> Self {
        Self::of(Backups::with_three_copies())
    }

    pub(crate) fn of(backups: Backups) -> Self {
        backups.home.write(STATE, &text(&state(Age::Then)));
        backups.home.write(SETTINGS, &text(&settings(Age::Then)));
        backups.home.write(".claude/agents/tester.md", "---\nname: tester\n---\nTry it.\n");
        let snapshot = backups.snapshot();
        let then = Files::of(backups.home.path()).without(LEFT_OUT);
        backups.home.write(STATE, &text(&state(Age::Now)));
        backups.home.write(SETTINGS, &text(&settings(Age::Now)));
        work_on(&backups);
        let now = Files::of(backups.home.path());
        let saved = Saved::of(&backups);
        Self { backups, then, now, snapshot, saved, _disk: None }
    }

    /// Everything is as it was before the damage, also what was recovered.
    pub(crate) fn back(&self) {
        self.saved.back();
    }

    pub(crate) fn home(&self) -> &Path {
        self.backups.home.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.backups.file(name)
    }

    pub(crate) fn files(&self) -> Files {
        Files::of(self.home())
    }

    /// What a file was at the snapshot.
    pub(crate) fn then(&self, name: &str) -> &[u8] {
        self.then.bytes(name).unwrap_or_else(|| panic!("{name} is not in the snapshot"))
    }

    /// What a file is before the damage.
    pub(crate) fn now(&self, name: &str) -> &[u8] {
        self.now.bytes(name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// Cuts a file in the middle, as a crash does.
    pub(crate) fn cut(&self, name: &str) {
        let whole = fs::read(self.file(name)).unwrap();
        fs::write(self.file(name), &whole[..whole.len() / 2]).unwrap();
    }

    /// `drydock recover`, as somebody whom permissions hold back.
    pub(crate) fn recover(&self, arguments: &[&str]) -> Done {
        self.backups.drydock(["recover"]).args(arguments).done_without_privileges()
    }

    /// Fails unless there is nothing to recover.
    pub(crate) fn assert_nothing_is_damaged(&self) {
        assert_eq!(self.recover(&["--plan"]).ok().stdout, NOTHING);
    }
}

/// Work after the snapshot: conversations go on, one is begun.
fn work_on(backups: &Backups) {
    backups.append(WORKED, 12);
    let begun: String = (0..25).map(|n| record(BEGUN_SINCE, &format!("begun {n}"))).collect();
    backups.home.write(BEGUN_SINCE, &begun);
    let mut history = OpenOptions::new().append(true).open(backups.file(HISTORY)).unwrap();
    for n in 50..60 {
        let typed = json!({ "display": format!("typed {n}"), "timestamp": n, "project": "/home/ann/shop" });
        writeln!(history, "{typed}").unwrap();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Then,
    Now,
}

fn text(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap()
}

fn state(age: Age) -> Value {
    let is_now = age == Age::Now;
    let project = |cost: f64| {
        json!({
            "allowedTools": ["Bash(ls:*)", "Read"],
            "hasTrustDialogAccepted": true,
            "lastCost": cost,
            "lastSessionId": "11111111-1111-4111-8111-111111111111",
            "mcpServers": {},
        })
    };
    let names = ["api.server_v2", "notes", "shop", "site", "tools", "weather"];
    let mut projects: serde_json::Map<_, _> =
        names.iter().map(|name| (format!("/home/ann/{name}"), project(0.25))).collect();
    let server =
        |name: &str| json!({ "command": "npx", "args": ["-y", name], "env": { "ROOT": "/home/ann" } });
    let mut servers = json!({ "files": server("files"), "search": server("search") });
    let mut state = json!({
        "cachedChangelog": "many words. ".repeat(40),
        "hasCompletedOnboarding": true,
        "numStartups": if is_now { 218 } else { 217 },
        "oauthAccount": { "emailAddress": "ann@example.com", "organizationName": "Ann" },
        "tipsHistory": { "new-user-warmup": 3, "shift-enter": 200 },
        "userID": "f".repeat(64),
    });
    if is_now {
        projects.insert("/home/ann/brand-new".to_owned(), project(0.5));
        projects["/home/ann/notes"] = project(1.75);
        servers["another"] = server("another");
        state["zoomLevel"] = json!({ "terminal": 2 });
    }
    state["projects"] = projects.into();
    state["mcpServers"] = servers;
    state
}

fn settings(age: Age) -> Value {
    let hook =
        |command: &str| json!([{ "matcher": "Bash", "hooks": [{ "type": "command", "command": command }] }]);
    let mut settings = json!({
        "cleanupPeriodDays": 30,
        "enabledPlugins": {},
        "env": { "EDITOR": "vi" },
        "hooks": { "PreToolUse": hook("check.sh"), "Stop": hook("bell.sh") },
        "model": "opus",
        "permissions": { "allow": ["Bash(ls:*)", "Read"], "deny": ["Read(./secret)"], "defaultMode": "plan" },
    });
    if age == Age::Now {
        settings["permissions"]["allow"] = json!(["Bash(ls:*)", "Read", "Bash(git status)"]);
        settings["alwaysThinkingEnabled"] = json!(true);
        settings["model"] = json!("sonnet");
        settings["zebra"] = json!("striped");
    }
    settings
}
