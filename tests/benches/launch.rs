//! How long until `claude` first says something: through Drydock, and by a bare `docker run` of the same
//! image with the same command. Both are measured in turns in one run, so that the computer's mood counts
//! for both.
//!
//! `cargo bench -p drydock-tests --bench launch`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a step that fails ends the measurement

use drydock_tests::rig::{API_KEY, Rig, session_image};
use std::{
    io::Read,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const ROUNDS: usize = 5;

fn main() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let image = &session_image().tag;
    // The image's layers are in memory and the home knows its image, as after the day's first session.
    rig.run(project.path()).claude(["-p", "say hi"]).done().ok();
    let (mut through, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        through.push(rig.run(project.path()).claude(["-p", "say hi"]).until_first_output());
        bare.push(first_output_of_docker_run(image, &rig.api.url_inside()));
    }
    let (through, bare) = (median(through), median(bare));
    println!("claude -p \"say hi\", first output, median of {ROUNDS}:");
    println!("  drydock run   {:>6} ms", through.as_millis());
    println!("  docker run    {:>6} ms", bare.as_millis());
    println!("  difference    {:>6} ms", through.as_millis().cast_signed() - bare.as_millis().cast_signed());
}

fn first_output_of_docker_run(image: &str, api: &str) -> Duration {
    let variable = |name: &str, value: &str| ["--env".to_owned(), format!("{name}={value}")];
    let begun = Instant::now();
    let mut child = Command::new("docker")
        .args(["run", "--rm", "--add-host", "host.docker.internal:host-gateway", "--entrypoint", "claude"])
        .args(["--tmpfs", "/tmp/home:mode=1777"])
        .args(variable("HOME", "/tmp/home"))
        .args(variable("ANTHROPIC_BASE_URL", api))
        .args(variable("ANTHROPIC_API_KEY", API_KEY))
        .args(variable("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"))
        .args([image, "-p", "say hi"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the docker program is installed");
    let mut first = [0];
    child.stdout.take().unwrap().read_exact(&mut first).expect("claude says something");
    let took = begun.elapsed();
    assert!(child.wait().unwrap().success());
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
