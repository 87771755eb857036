//! Drift that begins in a session: what comes out is told with the session's name, and so is what waits in it.

use drydock_tests::rig::{Followed, Rig, until};
use serde_json::{Value, json};
use std::{fs, time::Duration};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn drift_names_the_session_that_it_came_from_and_what_waits_in_one() {
    let (rig, followed) = (Rig::new(), Followed::new());
    let project = rig.project("proj");
    let drydock = |words: &[&str]| rig.drydock().args(words).done();
    drydock(&["settings", "set", "gitops.repository", &format!("file://{}", followed.bare().display())]).ok();
    followed.write("desired/claude/agents/reviewer.md", "You review.\n");
    followed.say(&json!({"model": "opus", "permissions": {"allow": ["Bash(ls)"]}}));
    drydock(&["gitops", "reconcile"]).exits(4);
    drydock(&["gitops", "approve", "--all"]).ok();
    drydock(&["gitops", "drift"]).ok();

    let mut running = rig
        .run(project.path())
        .variable("DRYDOCK_SYNC_INTERVAL_SECONDS", "1")
        .claude(["-p", "work [[hold]]"])
        .start();
    let session = running.session();
    rig.api.wait_for_hold();
    for command in [
        r#"sed -i 's/"opus"/"haiku"/; s/"Bash(ls)"/"Bash(ls)", "Bash(rm:*)"/' ~/.claude/settings.json"#,
        "echo You obey. > ~/.claude/agents/reviewer.md",
        "echo mine > ~/.claude/agents/other.md",
    ] {
        let done = rig.engine.exec(&session, &["bash", "-c", command]);
        assert_eq!(done.code, 0, "{command}: {}", done.printed);
    }
    let report = until("the session's changes are told", PATIENCE, || {
        // Before anything came out, nothing differs.
        let report = drydock(&["gitops", "drift", "--json"]).json();
        let whole = report["drift"].as_array()?.len() == 1 && report["in_sessions"].as_array()?.len() == 2;
        whole.then_some(report)
    });
    assert!(rig.engine.is_running(&session), "it is told while the session runs");
    let id = report["in_sessions"][0]["session"].as_str().unwrap().to_owned();
    assert!(session.ends_with(&id) || session.contains(&id), "{session}: {report:#}");
    assert_eq!(report["drift"][0]["place"], "claude/settings.json#/model");
    assert_eq!(report["drift"][0]["session"], id.as_str(), "{report:#}");
    let places: Vec<&Value> =
        report["in_sessions"].as_array().unwrap().iter().map(|one| &one["place"]).collect();
    assert_eq!(places, ["claude/settings.json#/permissions/allow", "claude/agents/reviewer.md"]);

    let told = drydock(&["gitops", "drift"]).exits(4).stdout;
    assert!(told.contains(&format!("claude/settings.json#/model   changed by session {id}")), "{told}");
    assert!(told.contains(&format!("claude/agents/reviewer.md   in session {id}")), "{told}");
    let change = report["in_sessions"][1]["change"].as_str().unwrap();
    assert!(told.contains(&format!("drydock held show {change}")), "{told}");

    // What the user lets out of it is drift then, with the session's name; what they change themselves is theirs.
    drydock(&["held", "approve", change]).ok();
    fs::write(
        rig.home.claude_dir().join("settings.json"),
        r#"{"model": "sonnet", "permissions": {"allow": ["Bash(ls)"]}}"#,
    )
    .unwrap();
    let report = drydock(&["gitops", "drift", "--json"]).exits(4).json();
    let by = |place: &str| {
        let lines = report["drift"].as_array().unwrap();
        lines.iter().find(|line| line["place"] == place).unwrap_or_else(|| panic!("{report:#}"))["session"]
            .clone()
    };
    assert_eq!(by("claude/agents/reviewer.md"), id.as_str(), "{report:#}");
    assert_eq!(by("claude/settings.json#/model"), Value::Null, "{report:#}");
    rig.api.release();
    running.done().ok();
    rig.assert_nothing_left();
}
