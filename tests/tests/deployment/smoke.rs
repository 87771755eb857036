//! What the smoke tests find, each in an image that is broken in one way.

use drydock_tests::rig::{Rig, session_image};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

/// In the place of Claude Code, and what is found then. `claude-itself` is the real one.
const BROKEN: &[(&str, &str, &[&str])] = &[
    ("dies", "exit 1", &["version", "turn", "tool", "configuration", "mcp", "resume"]),
    (
        "lies",
        "case $1 in --version) echo '0.0.0 (Claude Code)' ;; *) exec claude-itself \"$@\" ;; esac",
        &["version"],
    ),
    ("forgets", "rm -rf ~/.claude/projects; exec claude-itself \"$@\"", &["resume"]),
    ("reads-nothing", "CLAUDE_CONFIG_DIR=/tmp/elsewhere exec claude-itself \"$@\"", &["configuration"]),
    (
        "leaves",
        "claude-itself \"$@\"; code=$?; cp /usr/bin/sleep /tmp/claude; setsid /tmp/claude 600 >/dev/null 2>&1 & exit $code",
        &["ends-clean"],
    ),
];

#[test]
fn each_fault_is_found_and_no_other() {
    let rig = Rig::new();
    let image = session_image();
    let current = rig.home.path().join(".local/share/drydock/image.json");
    fs::create_dir_all(current.parent().unwrap()).unwrap();
    assert_eq!(smoke(&rig, &image.tag, &current), [""; 0]);
    for (name, script, faults) in BROKEN {
        let tag = format!("drydock/session:broken-{name}");
        build(&image.tag, script, &tag);
        let found = smoke(&rig, &tag, &current);
        remove(&tag);
        assert_eq!(&found, faults, "{name}");
    }
}

/// The names of the checks that fail with this image.
fn smoke(rig: &Rig, tag: &str, current: &std::path::Path) -> Vec<String> {
    fs::write(current, format!("{{\"tag\": {tag:?}}}")).unwrap();
    let done = rig.drydock().args(["deploy", "smoke", "--json"]).done();
    let report = done.json();
    assert_eq!(report["image"], tag, "{report}");
    let checks = report["checks"].as_array().unwrap();
    let failed = checks.iter().filter(|check| check["outcome"] != "passed");
    let names: Vec<_> = failed.map(|check: &Value| check["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(done.code, Some(i32::from(!names.is_empty())), "{report}");
    names
}

/// The image with another program in the place of Claude Code.
fn build(from: &str, script: &str, tag: &str) {
    let script = script.replace('\'', "'\\''");
    let recipe = format!(
        "FROM {from}\nUSER root\nRUN mv /usr/local/bin/claude /usr/local/bin/claude-itself \
         && printf '%s\\n' '#!/bin/bash' '{script}' >/usr/local/bin/claude && chmod 755 /usr/local/bin/claude\n"
    );
    let mut docker = Command::new("docker")
        .args(["build", "--quiet", "--tag", tag, "-"])
        .env("DOCKER_BUILDKIT", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    docker.stdin.take().unwrap().write_all(recipe.as_bytes()).unwrap();
    assert!(docker.wait().unwrap().success(), "{recipe}");
}

fn remove(tag: &str) {
    let done = Command::new("docker").args(["image", "rm", "--force", tag]).stdout(Stdio::null()).status();
    assert!(done.unwrap().success());
}
