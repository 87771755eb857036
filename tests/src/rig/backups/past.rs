//! What months with Claude Code leave in a home: documents, conversations, and what belongs to no backup.

use super::{super::Home, record};
use serde_json::json;
use std::{
    fs::{self, File, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    time::{Duration, SystemTime},
};

/// A long conversation, with sub-agents beside it.
pub const WORKED: &str = ".claude/projects/-home-ann-shop/11111111-1111-4111-8111-111111111111.jsonl";
/// What is beside it.
pub const SIDECARS: &[&str] = &[
    ".claude/projects/-home-ann-shop/11111111-1111-4111-8111-111111111111/subagents/agent-a1b2c3d.jsonl",
    ".claude/projects/-home-ann-shop/11111111-1111-4111-8111-111111111111/subagents/agent-a1b2c3d.meta.json",
    ".claude/projects/-home-ann-shop/11111111-1111-4111-8111-111111111111/tool-results/toolu_01.txt",
];
/// A short one of the same project.
pub const ASKED: &str = ".claude/projects/-home-ann-shop/22222222-2222-4222-8222-222222222222.jsonl";
/// One of another project.
pub const ELSEWHERE: &str =
    ".claude/projects/-home-ann-api-server-v2/33333333-3333-4333-8333-333333333333.jsonl";
/// An old one of a third project.
pub const NOTED: &str = ".claude/projects/-home-ann-notes/44444444-4444-4444-8444-444444444444.jsonl";
/// What was typed.
pub const HISTORY: &str = ".claude/history.jsonl";

/// What of it belongs to no snapshot: logins, what is of one machine at one time, what is made again.
pub const LEFT_OUT: &[&str] = &[
    ".claude/.credentials.json",
    ".claude/sessions",
    ".claude/ide",
    ".claude/shell-snapshots",
    ".claude/session-env",
    ".claude/debug",
    ".claude/statsig",
    ".claude/local",
    ".claude/settings.json.tmp.4711",
    ".claude/projects/-home-ann-shop/11111111-1111-4111-8111-111111111111.jsonl.lock",
];

/// Days ago, so that a time that comes back is one that was there.
const AGES: &[(&str, u64)] =
    &[(WORKED, 2), (ASKED, 9), (ELSEWHERE, 1), (NOTED, 25), (HISTORY, 1), (".claude/CLAUDE.md", 60)];

/// Gives a home all of it.
pub(super) fn furnish(home: &Home) {
    documents(home);
    conversations(home);
    beside(home);
    fs::set_permissions(home.claude_dir(), Permissions::from_mode(0o700)).unwrap();
    let day = Duration::from_secs(24 * 3600);
    for (name, days) in AGES {
        // Between two whole seconds, where a time loses the most when it is rounded.
        let at = SystemTime::now() - day * u32::try_from(*days).unwrap() - Duration::from_nanos(123_456_789);
        File::open(home.path().join(name)).unwrap().set_modified(at).unwrap();
    }
}

fn documents(home: &Home) {
    let trusted = |path: &str| (path.to_owned(), json!({ "hasTrustDialogAccepted": true, "lastCost": 0.25 }));
    let projects = ["/home/ann/shop", "/home/ann/api.server_v2", "/home/ann/notes"].map(trusted);
    let state = json!({
        "numStartups": 217,
        "hasCompletedOnboarding": true,
        "userID": "f".repeat(64),
        "oauthAccount": { "emailAddress": "ann@example.com", "organizationName": "Ann" },
        "mcpServers": { "files": { "command": "npx", "args": ["-y", "files"], "env": { "ROOT": "/home/ann" } } },
        "projects": projects.into_iter().collect::<serde_json::Map<_, _>>(),
    });
    home.write(".claude.json", &serde_json::to_string_pretty(&state).unwrap());
    let settings =
        json!({ "model": "opus", "cleanupPeriodDays": 30, "permissions": { "allow": ["Bash(ls:*)"] } });
    home.write(".claude/settings.json", &settings.to_string());
    home.write(".claude/settings.local.json", "{}\n");
    home.write(".claude/CLAUDE.md", "# My memory\n- prefer small commits\n");
    home.write(".claude/skills/release-notes/SKILL.md", "---\nname: release-notes\n---\nWrite them.\n");
    let script = home.write(".claude/skills/release-notes/collect.sh", "#!/bin/sh\ngit log --oneline\n");
    fs::set_permissions(script, Permissions::from_mode(0o755)).unwrap();
    home.write(".claude/agents/reviewer.md", "---\nname: reviewer\n---\nLook closely.\n");
    home.write(".claude/commands/fix.md", "Fix $ARGUMENTS.\n");
    home.write(".claude/plugins/installed_plugins.json", r#"{"version":2,"plugins":{}}"#);
    symlink("release-notes", home.path().join(".claude/skills/latest")).unwrap();
    symlink("/nonexistent/shared.md", home.path().join(".claude/agents/shared.md")).unwrap();
    fs::create_dir(home.path().join(".claude/output-styles")).unwrap();
}

fn conversations(home: &Home) {
    for (name, count) in [(WORKED, 200), (ASKED, 6), (ELSEWHERE, 60), (NOTED, 30), (SIDECARS[0], 40)] {
        let records: String =
            (0..count).map(|n| record(name, &format!("step {n}: look at the till again"))).collect();
        home.write(name, &records);
    }
    home.write(SIDECARS[1], r#"{"agentType":"reviewer"}"#);
    home.write(SIDECARS[2], &"total 0\n".repeat(400));
    home.write(".claude/projects/-home-ann-shop/memory/MEMORY.md", "- the till is in src/till.rs\n");
    let typed =
        |n: u32| json!({ "display": format!("typed {n}"), "timestamp": n, "project": "/home/ann/shop" });
    home.write(HISTORY, &(0..50).map(|n| format!("{}\n", typed(n))).collect::<String>());
    let session = "11111111-1111-4111-8111-111111111111";
    home.write(&format!(".claude/file-history/{session}/0123456789abcdef@v1"), "fn till() {}\n");
    home.write(&format!(".claude/todos/{session}-agent-{session}.json"), "[]");
    home.write(".claude/plans/calm-river.md", "# Plan\n1. count the coins\n");
}

fn beside(home: &Home) {
    home.sign_in("sk-ant-oat01-FAKE-access-token-of-the-backups-tests-FAKE");
    home.write(".claude/sessions/4711.json", r#"{"pid":4711}"#);
    home.write(".claude/ide/9.lock", "{}");
    home.write(".claude/shell-snapshots/snapshot-1.sh", "alias ll='ls -l'\n");
    home.write(".claude/session-env/1/env", "A=b\n");
    home.write(".claude/debug/one.txt", "debug\n");
    symlink("/nonexistent/debug", home.path().join(".claude/debug/latest")).unwrap();
    home.write(".claude/statsig/cached", "{}");
    home.write(".claude/local/package.json", "{}");
    home.write(".claude/settings.json.tmp.4711", "{\"mod");
    home.write(&format!("{WORKED}.lock"), "");
}
