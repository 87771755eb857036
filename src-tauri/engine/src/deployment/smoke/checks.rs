//! What is tried, and what proves it.

use super::throw_away::{HOME, STAND_IN, Said, ThrowAway};
use serde_json::Value;
use std::time::Duration;

/// How a check came out; why not, in words.
pub(super) type Checked = Result<(), String>;

/// For a program that only looks.
const QUICK: Duration = Duration::from_secs(20);
/// For a turn of Claude Code, also on a machine that is busy or emulates another.
const TURN: Duration = Duration::from_secs(90);

/// A fixed conversation, so that it can be gone on with.
const CONVERSATION: &str = "5d0c0de0-0000-4000-8000-000000000001";

/// The home of somebody who has settings and a memory. `stand_in.py` looks for the memory's words.
const MAKE_HOME: &str = r#"mkdir -p ~/.claude ~/.drydock ~/project && cd ~
printf '%s' '{"env": {"DRYDOCK_SMOKE": "read"}}' > .claude/settings.json
printf '%s' "The word of the smoke test's memory is heron." > .claude/CLAUDE.md
printf '%s' "$1" > stand_in.py
python3 -c 'import time, urllib.request as r
for _ in range(100):
    try: r.urlopen("http://127.0.0.1:8765/ready"); break
    except OSError: time.sleep(0.1)
else: raise SystemExit("the stand-in for the API does not answer")'"#;

/// The image starts, a home can be made in it, and the stand-in answers.
pub(super) async fn starts(inside: &ThrowAway<'_>) -> Checked {
    ended_well(&inside.run(&["sh", "-c", MAKE_HOME, "sh", STAND_IN], QUICK).await?)
}

/// Claude Code is the version that the image promises.
pub(super) async fn version(inside: &ThrowAway<'_>, promised: &str) -> Checked {
    let said = inside.run(&["claude", "--version"], TURN).await?;
    ended_well(&said)?;
    match said.out.split_whitespace().next() {
        Some(version) if version == promised => Ok(()),
        _ => Err(format!("it says `{}`, and {promised} was promised", said.out.trim())),
    }
}

/// It does not run as root.
pub(super) async fn not_root(inside: &ThrowAway<'_>) -> Checked {
    let said = inside.run(&["id", "-u"], QUICK).await?;
    ended_well(&said)?;
    if said.out.trim() == "0" { Err("it runs as root".into()) } else { Ok(()) }
}

/// What holds a session in is in force, as seen from inside.
pub(super) async fn hardened(inside: &ThrowAway<'_>) -> Checked {
    let look = "cat /proc/self/status; touch /usr/local/bin/smoke 2>/dev/null && echo Writable: /usr; \
                [ -S /var/run/docker.sock ] && echo Engine: reachable; true";
    let said = inside.run(&["sh", "-c", look], QUICK).await?;
    ended_well(&said)?;
    judge_hardening(&said.out)
}

fn judge_hardening(status: &str) -> Checked {
    let field = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let no_capability = |name| field(name).is_some_and(|set| u64::from_str_radix(set, 16) == Ok(0));
    if !["CapPrm", "CapEff", "CapBnd"].into_iter().all(no_capability) {
        return Err("it has capabilities".into());
    }
    if field("NoNewPrivs") != Some("1") {
        return Err("programs in it can get more rights".into());
    }
    if field("Writable").is_some() {
        return Err("the image's own files can be written".into());
    }
    if field("Engine").is_some() {
        return Err("the container engine can be reached from inside".into());
    }
    Ok(())
}

/// A turn, begun as a session's first is, by the program that starts sessions.
pub(super) async fn turn(inside: &ThrowAway<'_>) -> Checked {
    let words = ["drydock-session", "-p", "smoke words", "--session-id", CONVERSATION];
    says(inside, &words, "words heard").await
}

/// Claude Code runs a tool.
pub(super) async fn tool(inside: &ThrowAway<'_>) -> Checked {
    says(inside, &["claude", "-p", "smoke tool", "--allowedTools", "Bash"], "the tool said: tool-").await
}

/// It has read the user's settings and memory.
pub(super) async fn configuration(inside: &ThrowAway<'_>) -> Checked {
    let tool = ["claude", "-p", "smoke tool", "--allowedTools", "Bash"];
    says(inside, &tool, "tool-read").await.map_err(|why| format!("the settings: {why}"))?;
    let memory = ["claude", "-p", "smoke memory"];
    says(inside, &memory, "memory seen").await.map_err(|why| format!("CLAUDE.md: {why}"))
}

/// A server of tools is started, and answers.
pub(super) async fn mcp(inside: &ThrowAway<'_>) -> Checked {
    let servers = format!(
        r#"{{"mcpServers": {{"smoke": {{"command": "python3", "args": ["{HOME}/stand_in.py", "mcp"]}}}}}}"#
    );
    let words = ["claude", "-p", "smoke mcp", "--allowedTools", "mcp__smoke__say"];
    let words: Vec<&str> =
        words.into_iter().chain(["--strict-mcp-config", "--mcp-config", servers.as_str()]).collect();
    says(inside, &words, "a word of the server").await
}

/// The conversation of the first turn is gone on with.
pub(super) async fn resume(inside: &ThrowAway<'_>) -> Checked {
    says(inside, &["claude", "-p", "--resume", CONVERSATION, "smoke resume"], "earlier words seen").await
}

/// Nothing of Claude Code is left running, and the container ends when it is asked to.
pub(super) async fn ends_clean(inside: &ThrowAway<'_>) -> Checked {
    let said = inside.run(&["ps", "-eo", "comm="], QUICK).await?;
    ended_well(&said)?;
    if let Some(left) = said.out.lines().map(str::trim).find(|name| ["claude", "node"].contains(name)) {
        return Err(format!("{left} still runs after its last turn"));
    }
    let state = inside.stop().await.map_err(|error| error.message().to_owned())?;
    if state.oom_killed == Some(true) {
        return Err("it used up its memory".into());
    }
    match state.exit_code {
        // Ended by itself, or by the signal to do so (128 + 15).
        Some(0 | 143) => Ok(()),
        other => Err(format!("the container ended with {}", other.unwrap_or(-1))),
    }
}

/// A turn whose last words have to hold `wanted`.
async fn says(inside: &ThrowAway<'_>, words: &[&str], wanted: &str) -> Checked {
    let in_project = ["sh", "-c", "cd ~/project && exec \"$@\"", "sh"];
    let command: Vec<&str> =
        in_project.into_iter().chain(words.iter().copied()).chain(["--output-format", "json"]).collect();
    let said = inside.run(&command, TURN).await?;
    ended_well(&said)?;
    judge_turn(&said.out, wanted)
}

fn judge_turn(out: &str, wanted: &str) -> Checked {
    let result: Value = serde_json::from_str(out.trim())
        .map_err(|_| format!("it printed no result but `{}`", beginning(out)))?;
    let last = result["result"].as_str().unwrap_or_default();
    if result["is_error"] == Value::Bool(true) || !last.contains(wanted) {
        return Err(format!("it ended with `{}`, not with `{wanted}`", beginning(last)));
    }
    Ok(())
}

fn ended_well(said: &Said) -> Checked {
    if said.exit == 0 {
        return Ok(());
    }
    let words = if said.err.trim().is_empty() { &said.out } else { &said.err };
    Err(format!("it ended with {}: {}", said.exit, beginning(words)))
}

fn beginning(words: &str) -> String {
    words.trim().chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loosened_bound_is_seen() {
        let status = "Name:\tcat\nCapInh:\t0\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
                      CapBnd:\t0000000000000000\nNoNewPrivs:\t1\n";
        assert_eq!(judge_hardening(status), Ok(()));
        for (is, other) in
            [("CapBnd:\t0000000000000000", "CapBnd:\t00000000a80425fb"), ("NoNewPrivs:\t1", "NoNewPrivs:\t0")]
        {
            assert!(judge_hardening(&status.replace(is, other)).is_err(), "{other}");
        }
        for more in ["Writable: /usr\n", "Engine: reachable\n"] {
            assert!(judge_hardening(&format!("{status}{more}")).is_err(), "{more}");
        }
        assert!(judge_hardening("").is_err());
    }

    #[test]
    fn a_turn_counts_by_its_last_words() {
        assert_eq!(judge_turn(r#"{"is_error": false, "result": "words heard"}"#, "words heard"), Ok(()));
        let not = |out: &str| judge_turn(out, "words heard").unwrap_err();
        assert!(not(r#"{"is_error": true, "result": "words heard"}"#).contains("it ended with"));
        assert!(not(r#"{"result": "nothing to say"}"#).contains("nothing to say"));
        assert!(not("Segmentation fault\n\u{1b}[2J").contains("Segmentation fault  [2J"));
    }
}
