//! A reconcile that is killed at any moment. Each file is old or new then, and the next one finishes; at every deed on
//! the disk it is ended in the engine's own tests.

use drydock_tests::{
    faults::dice::{Dice, rounds},
    rig::Followed,
};
use serde_json::json;
use std::{fs, thread, time::Instant};

const USUAL_ROUNDS: usize = 20;

#[test]
fn a_killed_reconcile_leaves_each_file_old_or_new_and_the_next_one_finishes() {
    let mut dice = Dice::thrown_for("gitops reconcile, killed");
    let followed = Followed::new();
    let say = |number: usize| {
        followed.write("desired/settings.yaml", &format!("container: {{pids: {}}}\n", 500 + number));
        followed.write("desired/claude.json", &json!({"theme": format!("theme-{number}")}).to_string());
        followed.say(&json!({"model": format!("model-{number}"), "theme": "dark"}));
    };
    say(0);
    let begun = Instant::now();
    assert_eq!(followed.reconcile().1, 0);
    let whole = begun.elapsed();
    let now = || {
        let state: serde_json::Value =
            serde_json::from_slice(&fs::read(followed.home.claude_json()).unwrap()).unwrap();
        let own = fs::read_to_string(followed.file(".config/drydock/settings.toml")).unwrap();
        let pids = own.lines().find_map(|line| line.strip_prefix("pids = ")).unwrap().to_owned();
        let text = |value: Option<serde_json::Value>| value.unwrap().as_str().unwrap().to_owned();
        [text(followed.setting("/model")), text(state.pointer("/theme").cloned()), pids]
    };
    let says =
        |number: usize| [format!("model-{number}"), format!("theme-{number}"), (500 + number).to_string()];
    for round in 1..=rounds(USUAL_ROUNDS) {
        say(round);
        let running = followed.drydock(["gitops", "reconcile"]).start_apart();
        thread::sleep(whole.mul_f64(dice.fraction()));
        running.kill();
        let (old, new) = (says(round - 1), says(round));
        for (at, text) in now().iter().enumerate() {
            assert!(*text == old[at] || *text == new[at], "round {round}: {text}");
        }
        // The lock of a killed process is taken over after its ten seconds; nobody waits for that here.
        let _ = fs::remove_dir(followed.file(".claude.json.lock"));
        let (report, code) = followed.reconcile();
        assert_eq!(code, 0, "round {round}: {report:#}");
        assert_eq!(now(), new, "round {round}");
        followed.gitops(["audit", "--verify"]).ok();
    }
}
