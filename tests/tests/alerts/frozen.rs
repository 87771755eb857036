//! A container engine that says it is there and answers nothing else.

use super::watched::{daemon, set, until_fires};
use drydock_tests::rig::Backups;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    thread,
};

fn freeze(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(|| answer(stream));
        }
    });
}

/// Answers the first question as an engine does, and leaves the others open.
fn answer(mut stream: UnixStream) {
    let mut questions = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let ping =
        "HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK";
    while let Some(line) = questions.next() {
        if line.contains("/_ping ") {
            questions.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
            stream.write_all(ping.as_bytes()).unwrap();
        }
    }
}

#[test]
fn it_keeps_no_other_alert_waiting() {
    let backups = Backups::new();
    let socket = backups.scratch("engine.sock");
    freeze(&socket);
    let address = format!("unix://{}", socket.display());
    let drydock = |words: &[&str]| backups.drydock(words).variable("DOCKER_HOST", &address);
    set(&drydock, &[("recovery.automatic", "off")]);
    fs::write(backups.file(".claude/settings.json"), "{\"model\": \"op").unwrap();
    let _daemon = daemon(&drydock);
    assert_eq!(until_fires(&drydock, "damage")["about"], "settings.json");
}
