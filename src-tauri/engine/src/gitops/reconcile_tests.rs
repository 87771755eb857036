use super::super::{
    Below, DriftKind, Force, Which, detect_drift,
    rig::{Home, Repository},
};
use super::*;
use serde_json::json;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn below(text: &str) -> Vec<Below> {
    vec![text.parse().unwrap()]
}

struct World {
    repository: Repository,
    home: Home,
    settings: Vec<(&'static str, &'static str)>,
    clock: std::cell::Cell<i64>,
}

impl World {
    fn new() -> Self {
        let repository = Repository::new();
        repository.write("drydock.yaml", "version: 1\n");
        Self { repository, home: Home::new(), settings: Vec::new(), clock: std::cell::Cell::new(0) }
    }

    /// A repository that says this of Claude Code's settings.
    fn says(settings: &str) -> Self {
        let world = Self::new();
        world.say(settings);
        world
    }

    fn say(&self, settings: &str) {
        self.repository.write("desired/claude/settings.json", settings);
        self.repository.commit("settings");
    }

    fn gitops(&self) -> Gitops {
        self.home.gitops(&self.repository, &self.settings)
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.set(self.clock.get() + 60);
        at(self.clock.get())
    }

    fn look(&self) -> Report {
        self.wish(&Wish::of_loop())
    }

    fn wish(&self, wish: &Wish) -> Report {
        let report = reconcile_config(&self.gitops(), wish, self.now()).unwrap();
        self.gitops().verify_audit().unwrap();
        report
    }
}

#[test]
fn what_git_says_comes_and_goes_and_everything_else_stays() {
    let world = World::says(r#"{"model": "opus", "theme": "dark"}"#);
    let report = world.look();
    assert_eq!(report.outcome, Outcome::Synced);
    assert_eq!(report.changed.len(), 2);
    assert_eq!(world.home.setting("/model"), Some(json!("opus")));
    assert_eq!(world.home.setting("/cleanupPeriodDays"), Some(json!(30)));
    assert!(world.look().changed.is_empty());

    world.say(r#"{"model": "haiku"}"#);
    let report = world.look();
    assert_eq!(report.changed.len(), 2);
    assert_eq!((world.home.setting("/model"), world.home.setting("/theme")), (Some(json!("haiku")), None));
    let audit = world.gitops().audit().unwrap();
    assert_eq!(audit.len(), 4);
    let model = audit.iter().rfind(|line| line.place.to_string().ends_with("/model")).unwrap();
    assert_eq!((model.from.as_deref(), model.to.as_deref()), (Some("\"opus\""), Some("\"haiku\"")));
    assert_eq!(model.author.as_deref(), Some("Somebody <somebody@example.org>"));
}

#[test]
fn what_the_computer_would_act_on_waits_until_it_is_approved_and_the_rest_goes_on() {
    let world = World::says(r#"{"model": "opus", "hooks": {"PreToolUse": [{"hooks": []}]}}"#);
    world.repository.write("desired/mcp.yaml", "fs:\n  command: npx\n");
    world.repository.write("desired/claude/agents/a.md", "an agent\n");
    world.repository.commit("servers");
    let report = world.look();
    assert_eq!(report.held.len(), 3);
    assert_eq!(world.home.setting("/model"), Some(json!("opus")));
    assert_eq!(world.home.setting("/hooks"), None);
    assert!(
        !world.home.read(".claude.json").contains("npx") && world.home.read(".claude/agents/a.md").is_empty()
    );

    let id = report.held.values().next().unwrap().id.clone();
    let report = world.gitops().approve(&Which::These(vec![id]), world.now()).unwrap();
    assert_eq!((report.changed.len(), report.held.len()), (1, 2));
    let report = world.gitops().approve(&Which::All, world.now()).unwrap();
    assert!(report.is_settled(), "{report:?}");
    assert!(world.home.read(".claude.json").contains("npx"));
    assert_eq!(world.home.read(".claude/agents/a.md"), "an agent\n");
    // Another content is another question; the same one is none.
    world.repository.write("desired/mcp.yaml", "fs:\n  command: evil\n");
    world.repository.commit("another");
    assert_eq!(world.look().held.len(), 1);
    assert!(world.home.read(".claude.json").contains("npx"));
    world.repository.write("desired/mcp.yaml", "fs:\n  command: npx\n");
    world.repository.commit("back");
    assert!(world.look().is_settled());
    assert!(world.gitops().approve(&Which::These(vec!["00000000".into()]), world.now()).is_err());
}

#[test]
fn what_somebody_changed_here_is_drift_and_stays_by_the_first_policy() {
    let world = World::says(r#"{"model": "opus"}"#);
    world.look();
    world.home.write(".claude/settings.json", r#"{"model": "sonnet"}"#);
    let report = world.look();
    assert_eq!(report.drift.len(), 1);
    let (since, line) = (report.drift[0].since, &report.drift[0]);
    assert_eq!((line.actual.as_deref(), line.desired.as_deref()), (Some("\"sonnet\""), Some("\"opus\"")));
    assert_eq!(world.home.setting("/model"), Some(json!("sonnet")));
    assert_eq!(detect_drift(&world.gitops(), world.now()).unwrap().drift[0].since, since);
    // Git says another thing as well: a conflict, and still the user's.
    world.say(r#"{"model": "haiku"}"#);
    let report = world.look();
    assert_eq!(report.drift[0].kind, DriftKind::Both);
    assert_eq!(world.home.setting("/model"), Some(json!("sonnet")));
    // Until they say otherwise.
    let wish = Wish { revert: below("claude/settings.json#/model"), ..Wish::of_user() };
    assert!(world.wish(&wish).is_settled());
    assert_eq!(world.home.setting("/model"), Some(json!("haiku")));
}

#[test]
fn a_value_that_was_there_before_git_said_anything_is_the_users() {
    let world = World::says(r#"{"model": "opus"}"#);
    world.home.write(".claude/settings.json", r#"{"model": "sonnet"}"#);
    assert_eq!(world.look().drift[0].kind, DriftKind::Both);
    assert_eq!(world.home.setting("/model"), Some(json!("sonnet")));
}

#[test]
fn drift_comes_back_where_the_policy_says_so_until_it_is_a_fight() {
    let mut world = World::says(r#"{"model": "opus"}"#);
    world.settings.push(("gitops.drift_policy", "revert"));
    world.look();
    for round in 0..8 {
        world.home.write(".claude/settings.json", r#"{"model": "sonnet"}"#);
        let report = world.look();
        let is_back = world.home.setting("/model") == Some(json!("opus"));
        assert_eq!(is_back, round < 5, "round {round}: {report:?}");
        assert_eq!(report.drift.iter().any(|line| line.fights), round >= 5);
    }
    world.gitops().resume(world.now()).unwrap();
    assert_eq!(world.home.setting("/model"), Some(json!("opus")));
}

#[test]
fn drift_becomes_a_commit_where_the_policy_says_so() {
    let mut world = World::says("{\n  \"model\": \"opus\",\n  \"theme\": \"dark\"\n}\n");
    world.settings.push(("gitops.drift_policy", "adopt"));
    world.look();
    world.home.write(".claude/settings.json", r#"{"model": "sonnet", "theme": "dark"}"#);
    let report = world.look();
    assert_eq!(report.adopted.unwrap().places.len(), 1);
    assert!(world.look().is_settled());
    world.repository.git(&["pull", "--quiet", "origin", "main"]);
    let text = std::fs::read_to_string(world.repository.work().join("desired/claude/settings.json")).unwrap();
    assert_eq!(text, "{\n  \"model\": \"sonnet\",\n  \"theme\": \"dark\"\n}\n");
}

#[test]
fn drift_becomes_a_commit_once_where_the_branch_does_not_take_it() {
    let mut world = World::says(r#"{"model": "opus"}"#);
    world.settings.push(("gitops.drift_policy", "adopt"));
    world.look();
    let refuse = world.repository.bare().join("hooks/update");
    std::fs::create_dir_all(refuse.parent().unwrap()).unwrap();
    std::fs::write(&refuse, "#!/bin/sh\ntest \"$1\" != refs/heads/main\n").unwrap();
    std::fs::set_permissions(&refuse, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.home.write(".claude/settings.json", r#"{"model": "sonnet"}"#);
    let branches = || world.repository.git(&["ls-remote", "--heads", "origin", "drydock/*"]).lines().count();
    assert!(world.look().adopted.is_some());
    for _ in 0..3 {
        assert!(world.look().adopted.is_none());
        assert_eq!(branches(), 1);
    }
    world.home.write(".claude/settings.json", r#"{"model": "haiku"}"#);
    assert!(world.look().adopted.is_some());
    assert_eq!(branches(), 2);
}

#[test]
fn a_secret_never_becomes_a_commit_and_stands_in_no_log() {
    let world = World::new();
    world.repository.write("desired/mcp.yaml", "fs:\n  command: npx\n");
    world.repository.commit("servers");
    world.look();
    world.gitops().approve(&Which::All, world.now()).unwrap();
    let changed = world.home.read(".claude.json").replace(
        r#"{"command":"npx"}"#,
        r#"{"command":"npx","env":{"GITHUB_TOKEN":"ghp_FAKEFAKEFAKEFAKEFAKEFAKE"}}"#,
    );
    world.home.write(".claude.json", &changed);
    assert!(world.home.read(".claude.json").contains("ghp_"));
    let report = world.look();
    assert!(report.drift[0].actual.as_ref().unwrap().starts_with("(secret "), "{report:?}");
    let adopted = world.gitops().adopt(&below("claude.json#/mcpServers"), Actor::User, world.now()).unwrap();
    assert_eq!((adopted.commit, adopted.left.len()), (None, 1));
    let wish = Wish { revert: below("claude.json#/"), ..Wish::of_user() };
    world.wish(&wish);
    for entry in walkdir::WalkDir::new(world.home.path(".local/share/drydock/gitops")).into_iter().flatten() {
        let text = std::fs::read(entry.path()).unwrap_or_default();
        assert!(memchr::memmem::find(&text, b"ghp_FAKE").is_none(), "{}", entry.path().display());
    }
}

#[test]
fn a_commit_that_cannot_be_configuration_changes_nothing_and_is_tried_once() {
    let world = World::says(r#"{"model": "opus"}"#);
    world.look();
    world.say("{\n  \"model\": \"haiku\",\n  \"theme\": \n}");
    let Outcome::Failed { error, .. } = world.look().outcome else { panic!("not refused") };
    assert!(error.causes()[0].starts_with("desired/claude/settings.json:"), "{error}");
    assert_eq!(world.home.setting("/model"), Some(json!("opus")));
    let tried = world.gitops().status().unwrap().failed.unwrap().at;
    assert!(matches!(world.look().outcome, Outcome::Failed { .. }));
    assert_eq!(world.gitops().status().unwrap().failed.unwrap().at, tried);
    world.say(r#"{"model": "sonnet"}"#);
    assert_eq!(world.look().outcome, Outcome::Synced);
    assert_eq!(world.home.setting("/model"), Some(json!("sonnet")));
    assert_eq!(world.gitops().status().unwrap().failed, None);
}

#[test]
fn a_commit_that_does_not_pass_its_check_is_taken_back_and_the_next_good_one_comes() {
    let world = World::says(r#"{"model": "opus"}"#);
    world.look();
    let before = (world.home.read(".claude/settings.json"), world.home.read(".config/drydock/settings.toml"));
    // Each value is right by itself; only here it turns out that the rule lacks what it looks at.
    world.repository.write("desired/alerts.yaml", "rules:\n  mine:\n    above: 3\n");
    world.say(r#"{"model": "haiku"}"#);
    let Outcome::RolledBack { error, .. } = world.look().outcome else { panic!("not taken back") };
    assert!(error.causes()[0].contains("mine"), "{error}");
    assert_eq!(
        (world.home.read(".claude/settings.json"), world.home.read(".config/drydock/settings.toml")),
        before
    );
    assert!(matches!(world.look().outcome, Outcome::Failed { .. }));
    world
        .repository
        .write("desired/alerts.yaml", "rules:\n  mine:\n    above: 3\n    metric: sync.failures\n");
    world.repository.commit("mended");
    assert_eq!(world.look().outcome, Outcome::Synced);
    assert_eq!(world.home.setting("/model"), Some(json!("haiku")));
    assert!(world.home.read(".config/drydock/settings.toml").contains("metric = \"sync.failures\""));
}

#[test]
fn a_rewritten_history_waits_for_the_user() {
    let world = World::says(r#"{"model": "opus"}"#);
    world.look();
    world.repository.git(&["checkout", "--quiet", "--orphan", "other"]);
    world.repository.write("desired/claude/settings.json", r#"{"model": "haiku"}"#);
    world.repository.git(&["commit", "--quiet", "-am", "another story"]);
    world.repository.git(&["push", "--quiet", "--force", "origin", "other:main"]);
    assert!(matches!(world.look().outcome, Outcome::Held { .. }));
    assert_eq!(world.home.setting("/model"), Some(json!("opus")));
    let forced = world.wish(&Wish { force: Force::Yes, ..Wish::of_user() });
    assert_eq!(forced.outcome, Outcome::Synced);
    assert_eq!(world.home.setting("/model"), Some(json!("haiku")));
}

#[test]
fn a_commit_that_is_not_signed_waits_where_signatures_are_demanded() {
    let mut world = World::says(r#"{"model": "opus"}"#);
    world.settings.push(("gitops.require_signed", "true"));
    assert!(matches!(world.look().outcome, Outcome::Held { .. }));
    assert_eq!(world.home.setting("/model"), None);
}

#[test]
fn an_earlier_commit_comes_back_and_nothing_newer_until_the_user_says_so() {
    let world = World::says(r#"{"model": "opus"}"#);
    world.look();
    world.say(r#"{"model": "haiku"}"#);
    world.look();
    world.gitops().rollback(None, world.now()).unwrap();
    assert_eq!(world.home.setting("/model"), Some(json!("opus")));
    world.say(r#"{"model": "sonnet"}"#);
    assert!(matches!(world.look().outcome, Outcome::Suspended { .. }));
    assert_eq!(world.home.setting("/model"), Some(json!("opus")));
    world.gitops().resume(world.now()).unwrap();
    assert_eq!(world.home.setting("/model"), Some(json!("sonnet")));
}

#[test]
fn a_repository_that_says_nothing_any_more_takes_nothing_away_unless_it_means_to() {
    let world = World::says(r#"{"model": "opus"}"#);
    world.look();
    std::fs::remove_dir_all(world.repository.work().join("desired")).unwrap();
    world.repository.commit("a slip");
    assert!(matches!(world.look().outcome, Outcome::Failed { .. }));
    assert_eq!(world.home.setting("/model"), Some(json!("opus")));
    world.repository.write("drydock.yaml", "version: 1\nallow_empty: true\n");
    world.repository.commit("meant");
    assert_eq!(world.look().outcome, Outcome::Synced);
    assert_eq!(world.home.setting("/model"), None);
}

#[test]
fn a_repository_that_cannot_be_reached_is_no_error_and_drift_is_still_seen() {
    let world = World::says(r#"{"model": "opus"}"#);
    world.look();
    let (bare, away) = (world.repository.bare(), world.repository.bare().with_extension("away"));
    std::fs::rename(&bare, &away).unwrap();
    world.home.write(".claude/settings.json", r#"{"model": "sonnet"}"#);
    let report = world.look();
    assert_eq!((report.outcome.clone(), report.drift.len()), (Outcome::Synced, 1));
    assert_eq!(report.unreachable.unwrap().times, 1);
    assert_eq!(world.look().unreachable.unwrap().times, 2);
    std::fs::rename(&away, &bare).unwrap();
    assert_eq!(world.look().unreachable, None);
}

#[test]
fn a_value_that_waits_for_a_secret_leaves_the_rest_alone() {
    let world = World::says(r#"{"model": "opus"}"#);
    world.repository.write("desired/mcp.yaml", "fs:\n  command: npx\n  env: {KEY: \"${secret:mcp/key}\"}\n");
    world.repository.commit("a server");
    let report = world.look();
    assert_eq!((report.changed.len(), report.missing.len()), (1, 1));
}

#[test]
fn what_git_says_nothing_of_any_more_stays_where_somebody_changed_it() {
    let world = World::says(r#"{"model": "opus", "theme": "dark"}"#);
    world.look();
    world.home.write(".claude/settings.json", r#"{"model": "sonnet", "theme": "dark"}"#);
    world.say(r#"{"theme": "dark"}"#);
    let report = world.look();
    assert_eq!(report.released.len(), 1);
    assert_eq!(world.home.setting("/model"), Some(json!("sonnet")));
    assert!(world.look().is_settled());
}
