//! The engine is found where the user says, and where it usually is; also behind TLS and SSH.
#![cfg(target_os = "linux")]
// the far ends are made of Linux programs
// A step that does not succeed is the test failing, said where it happened.
#![allow(clippy::unwrap_used)]

mod behind_ssh;
mod behind_tls;

use behind_ssh::BehindSsh;
use behind_tls::BehindTls;
use drydock_tests::rig::{Done, Rig};
use serde_json::Value;
use std::fs;

fn engine_check(done: &Done) -> Value {
    let checks = done.json();
    checks.as_array().unwrap().iter().find(|check| check["name"] == "engine").unwrap().clone()
}

#[test]
fn where_the_user_says_nothing_the_usual_socket_is_named() {
    let rig = Rig::new();
    let check = engine_check(&rig.drydock().args(["doctor", "--json"]).done());
    assert_eq!(check["standing"], "good", "{check}");
    let found = check["found"].as_str().unwrap();
    assert!(found.contains("unix://") && found.contains("found by"), "{found}");
}

#[test]
fn an_engine_behind_tls_serves_a_session() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let far = BehindTls::start();

    let done = rig
        .run(project.path())
        .variable("DOCKER_HOST", far.address())
        .variable("DOCKER_TLS_VERIFY", "1")
        .variable("DOCKER_CERT_PATH", far.client_certificates())
        .claude(["-p", "over tls"])
        .done()
        .ok();

    assert_eq!(done.stdout.trim(), "You said: over tls");
    rig.assert_nothing_left();
}

#[test]
fn an_engine_behind_tls_does_not_serve_a_stranger() {
    let rig = Rig::new();
    let far = BehindTls::start();
    let stranger = BehindTls::start();

    let done = rig
        .drydock()
        .args(["list"])
        .variable("DOCKER_HOST", far.address())
        .variable("DOCKER_TLS_VERIFY", "1")
        .variable("DOCKER_CERT_PATH", stranger.client_certificates())
        .done()
        .exits(3)
        .tells("engine.none");

    assert!(done.stderr.contains("DOCKER_HOST"), "{}", done.stderr);
}

#[test]
fn a_docker_context_over_ssh_serves_a_session_and_says_what_ssh_says() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let far = BehindSsh::start();
    far.write_context(&rig.home.path().join(".docker"), "far");

    let run = |prompt: &str| {
        rig.run(project.path())
            .variable("DOCKER_CONTEXT", "far")
            .variable("PATH", far.path_with_configured_ssh())
            .claude(["-p", prompt])
    };
    let done = run("over ssh").done().ok();
    assert_eq!(done.stdout.trim(), "You said: over ssh");
    rig.assert_nothing_left();

    // A host that has become another one is not spoken to.
    far.forget_host();
    let done = rig
        .drydock()
        .args(["list"])
        .variable("DOCKER_HOST", far.address())
        .variable("PATH", far.path_with_configured_ssh())
        .done()
        .exits(3)
        .tells("engine.none");
    assert!(done.stderr.contains("Host key verification failed"), "{}", done.stderr);
    let left: Vec<_> = fs::read_dir("/tmp")
        .unwrap()
        .flatten()
        .filter(|entry| {
            entry.file_name().to_string_lossy().starts_with("drydock-ssh-")
                && entry.path().join("engine").exists()
        })
        .collect();
    assert!(left.is_empty(), "a bridge's folder is left: {left:?}");
}
