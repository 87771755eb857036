use super::*;
use std::{
    collections::BTreeMap,
    os::unix::fs::{PermissionsExt, symlink},
};
use tempfile::TempDir;

fn home() -> (TempDir, Locations) {
    let home = tempfile::tempdir().unwrap();
    let locations = Locations::find(Some(home.path())).unwrap();
    (home, locations)
}

#[test]
fn the_remedy_is_the_newest_backup_worth_having() {
    let (_home, locations) = home();
    let backups = locations.claude_dir.join("backups");
    fs::create_dir_all(&backups).unwrap();
    fs::write(&locations.claude_json, "{\"projects\":{\n").unwrap();
    fs::write(backups.join(".claude.json.backup.1"), r#"{"projects":{}}"#).unwrap();
    fs::write(backups.join(".claude.json.backup.2"), r#"{"projects":{},"x":1}"#).unwrap();
    fs::write(backups.join(".claude.json.backup.3"), r#"{"firstStartTime":"x"}"#).unwrap();
    fs::write(backups.join(".claude.json.backup.4"), r#"{"projects":"#).unwrap();
    let error = refuse_damaged_config(&locations).unwrap_err();
    assert_eq!(error.code(), Code::ConfigDamaged);
    assert!(error.causes()[0].starts_with("line 1, column"), "{error}");
    assert_eq!(error.remedies()[0], "drydock recover");
    assert!(error.remedies()[1].contains(".backup.2"), "{error:?}");
}

#[test]
fn a_fresh_home_is_fine() {
    let (_home, locations) = home();
    assert!(validate_documents(&locations).is_empty());
    assert!(validate_claude_config(&locations, None).is_sound());
}

/// A home as Claude Code leaves it.
fn lived_in() -> (TempDir, Locations) {
    let (home, locations) = home();
    write(&locations.claude_json, r#"{"projects":{"/p":{}},"oauthAccount":{}}"#, 0o600);
    for (name, text) in FILES {
        write(&locations.claude_dir.join(name), text, 0o600);
    }
    (home, locations)
}

const FILES: &[(&str, &str)] = &[
    ("settings.json", r#"{"cleanupPeriodDays":30}"#),
    ("CLAUDE.md", "# Me\n"),
    ("agents/a.md", "a\n"),
    ("agents/b.md", "b\n"),
    ("plugins/installed_plugins.json", r#"{"plugins":{}}"#),
    ("history.jsonl", "{\"display\":\"x\"}\n"),
    ("projects/-p/1.jsonl", "{}\n{}\n"),
    ("projects/-p/2.jsonl", "{}\n"),
    ("projects/-p/1/tool-results/r.txt", "r\n"),
    ("projects/-p/memory/MEMORY.md", "m\n"),
    ("projects/-q/3.jsonl", "{}\n"),
    ("file-history/1/x@v1", "x\n"),
    ("debug/x.txt", "x\n"),
];

fn write(file: &Path, text: &str, mode: u32) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

fn told(locations: &Locations, earlier: Option<&Earlier>) -> Vec<(Severity, Damage, String)> {
    let findings = validate_claude_config(locations, earlier).findings;
    let name = |file: &Path| file.strip_prefix(&locations.home).unwrap().display().to_string();
    findings.iter().map(|one| (one.severity, one.damage, name(&one.file))).collect()
}

#[test]
fn a_lived_in_home_is_sound_and_counted() {
    let (_home, locations) = lived_in();
    let found = validate_claude_config(&locations, None);
    assert_eq!(found.findings, []);
    assert_eq!((found.files, found.records), (FILES.len() as u64, 5));
    assert!(found.is_sound() && found.bytes > 80);
}

#[test]
fn every_damage_of_a_home_is_told_by_its_kind_and_file() {
    type Deed = fn(&Locations);
    let cases: &[(&str, Deed, Severity, Damage, &str)] = &[
        (
            "state",
            |at| fs::remove_file(&at.claude_json).unwrap(),
            Severity::Error,
            Damage::Missing,
            ".claude.json",
        ),
        (
            "state is a folder",
            |at| {
                fs::remove_file(&at.claude_json).unwrap();
                fs::create_dir(&at.claude_json).unwrap();
            },
            Severity::Error,
            Damage::WrongKind,
            ".claude.json",
        ),
        (
            "state is a dangling link",
            |at| {
                fs::remove_file(&at.claude_json).unwrap();
                symlink("nowhere", &at.claude_json).unwrap();
            },
            Severity::Error,
            Damage::WrongKind,
            ".claude.json",
        ),
        (
            "projects",
            |at| {
                fs::remove_dir_all(at.claude_dir.join("projects")).unwrap();
                fs::write(at.claude_dir.join("projects"), "x").unwrap();
            },
            Severity::Error,
            Damage::WrongKind,
            ".claude/projects",
        ),
        (
            "unreadable",
            |at| write(&at.claude_dir.join("projects/-p/1.jsonl"), "{}\n", 0o044),
            Severity::Error,
            Damage::Permissions,
            ".claude/projects/-p/1.jsonl",
        ),
        (
            "read-only document",
            |at| write(&at.claude_dir.join("settings.json"), "{}", 0o400),
            Severity::Error,
            Damage::Permissions,
            ".claude/settings.json",
        ),
        (
            "open login",
            |at| {
                write(
                    &at.claude_dir.join(".credentials.json"),
                    r#"{"claudeAiOauth":{"accessToken":"x"}}"#,
                    0o644,
                );
            },
            Severity::Warning,
            Damage::Permissions,
            ".claude/.credentials.json",
        ),
        (
            "open state",
            |at| fs::set_permissions(&at.claude_json, fs::Permissions::from_mode(0o644)).unwrap(),
            Severity::Note,
            Damage::Permissions,
            ".claude.json",
        ),
        (
            "two cases",
            |at| write(&at.claude_dir.join("agents/A.md"), "a", 0o600),
            Severity::Note,
            Damage::CaseFold,
            ".claude/agents/a.md",
        ),
        (
            "markers",
            |at| write(&at.claude_dir.join("CLAUDE.md"), "<<<<<<< a\n=======\n>>>>>>> b\n", 0o600),
            Severity::Warning,
            Damage::ConflictMarkers,
            ".claude/CLAUDE.md",
        ),
        (
            "no login",
            |at| fs::write(&at.claude_json, r#"{"projects":{}}"#).unwrap(),
            Severity::Note,
            Damage::Login,
            ".claude.json",
        ),
        (
            "empty conversation",
            |at| write(&at.claude_dir.join("projects/-p/1.jsonl"), "", 0o600),
            Severity::Warning,
            Damage::Empty,
            ".claude/projects/-p/1.jsonl",
        ),
        (
            "plugins",
            |at| write(&at.claude_dir.join("plugins/installed_plugins.json"), "{", 0o600),
            Severity::Warning,
            Damage::Syntax,
            ".claude/plugins/installed_plugins.json",
        ),
        (
            "torn",
            |at| write(&at.claude_dir.join("projects/-p/1.jsonl"), "{}\n{", 0o600),
            Severity::Note,
            Damage::TornEnd,
            ".claude/projects/-p/1.jsonl",
        ),
    ];
    for (what, deed, severity, damage, file) in cases {
        let (_home, locations) = lived_in();
        deed(&locations);
        assert_eq!(told(&locations, None), [(*severity, *damage, (*file).to_owned())], "{what}");
    }
}

#[test]
fn the_folder_itself() {
    let (_home, locations) = lived_in();
    let elsewhere = locations.home.join("dotfiles");
    fs::rename(&locations.claude_dir, &elsewhere).unwrap();
    let missing = (Severity::Error, Damage::Missing, ".claude".to_owned());
    assert_eq!(told(&locations, None), [missing]);
    symlink(&elsewhere, &locations.claude_dir).unwrap();
    let found = validate_claude_config(&locations, None);
    assert_eq!((found.findings, found.files), (vec![], FILES.len() as u64), "dotfiles are as good");
    fs::remove_dir_all(&elsewhere).unwrap();
    assert_eq!(told(&locations, None), [(Severity::Error, Damage::WrongKind, ".claude".to_owned())]);
    fs::remove_file(&locations.claude_dir).unwrap();
    fs::write(&locations.claude_dir, "x").unwrap();
    assert!(told(&locations, None).contains(&(Severity::Error, Damage::WrongKind, ".claude".to_owned())));
}

#[test]
fn what_belongs_to_somebody_else_is_one_finding_a_folder() {
    let (_home, locations) = lived_in();
    let strange = |name: &str| std::os::unix::fs::lchown(locations.claude_dir.join(name), Some(12_345), None);
    if strange("agents/a.md").is_err() {
        // Only root can give files away.
        return;
    }
    strange("agents/b.md").unwrap();
    for name in ["projects/-q", "projects/-q/3.jsonl"] {
        strange(name).unwrap();
    }
    let found = validate_claude_config(&locations, None).findings;
    let told: Vec<_> =
        found.iter().map(|one| (one.damage, one.file.strip_prefix(&locations.claude_dir).unwrap())).collect();
    assert_eq!(told, [(Damage::Owner, Path::new("agents")), (Damage::Owner, Path::new("projects/-q"))]);
    assert!(found.iter().all(|one| one.remedy.starts_with("sudo chown -R ")), "{found:?}");
}

fn as_it_is(locations: &Locations, days: i64) -> Earlier {
    let modified = Some(Utc::now() - chrono::TimeDelta::days(days));
    let files = walkdir::WalkDir::new(&locations.home)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file());
    let files: BTreeMap<_, _> = files
        .map(|entry| {
            let len = entry.metadata().unwrap().len();
            (entry.into_path(), crate::validation::EarlierFile { len, modified })
        })
        .collect();
    Earlier { as_of: Utc::now(), files }
}

#[test]
fn what_is_gone_since_a_backup_is_told_by_its_part() {
    type Case<'c> = (&'c [&'c str], i64, &'c [(Severity, Damage, &'c str)], usize);
    let (warning, error) = (Severity::Warning, Severity::Error);
    let cases: &[Case<'_>] = &[
        (&["CLAUDE.md"], 99, &[(warning, Damage::Gone, ".claude/CLAUDE.md")], 1),
        (&["settings.json"], 99, &[(warning, Damage::Gone, ".claude/settings.json")], 1),
        // Somebody deleted one of theirs.
        (&["agents/a.md"], 1, &[], 0),
        (&["agents/a.md", "agents/b.md"], 99, &[(warning, Damage::Gone, ".claude/agents")], 2),
        (&["debug/x.txt"], 1, &[], 0),
        (&["plugins/installed_plugins.json"], 99, &[(warning, Damage::Gone, ".claude/plugins")], 1),
        // What belongs to a conversation goes with it.
        (&["projects/-p/1.jsonl"], 1, &[(warning, Damage::Gone, ".claude/projects/-p")], 1),
        (
            &["projects/-p/1.jsonl", "projects/-p/1/tool-results/r.txt", "file-history/1/x@v1"],
            1,
            &[
                (warning, Damage::Gone, ".claude/file-history"),
                (warning, Damage::Gone, ".claude/projects/-p"),
            ],
            3,
        ),
        // Claude Code deleted it.
        (&["projects/-p/1.jsonl", "projects/-p/1/tool-results/r.txt", "file-history/1/x@v1"], 31, &[], 0),
        (&["projects/-p/memory/MEMORY.md"], 99, &[(warning, Damage::Gone, ".claude/projects/-p/memory")], 1),
        (&["history.jsonl"], 99, &[(warning, Damage::Gone, ".claude/history.jsonl")], 1),
        (&["projects"], 1, &[(error, Damage::Gone, ".claude/projects")], 5),
    ];
    for (removed, days, wanted, count) in cases {
        let (_home, locations) = lived_in();
        let earlier = as_it_is(&locations, *days);
        for name in *removed {
            let path = locations.claude_dir.join(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        let wanted: Vec<_> = wanted.iter().map(|(s, d, file)| (*s, *d, (*file).to_owned())).collect();
        assert_eq!(told(&locations, Some(&earlier)), wanted, "{removed:?}");
        assert_eq!(crate::validation::gone(&locations, &earlier).len(), *count, "{removed:?}");
    }
}

#[test]
fn everything_gone_is_one_finding_and_the_state_another() {
    let (_home, locations) = lived_in();
    let earlier = as_it_is(&locations, 1);
    fs::remove_dir_all(&locations.claude_dir).unwrap();
    fs::remove_file(&locations.claude_json).unwrap();
    let wanted = [
        (Severity::Error, Damage::Gone, ".claude".to_owned()),
        (Severity::Error, Damage::Missing, ".claude.json".to_owned()),
    ];
    assert_eq!(told(&locations, Some(&earlier)), wanted);
    let all = FILES.len();
    assert_eq!(
        crate::validation::gone(&locations, &earlier).len(),
        all,
        "without what no backup has, and with the state"
    );
    fs::create_dir(&locations.claude_dir).unwrap();
    assert_eq!(told(&locations, Some(&earlier)), wanted);
}

#[test]
fn a_conversation_only_grows_and_may_move() {
    let (_home, locations) = lived_in();
    let earlier = as_it_is(&locations, 1);
    let at = |name: &str| locations.claude_dir.join(name);
    fs::write(at("projects/-p/1.jsonl"), "{}\n").unwrap();
    fs::write(at("history.jsonl"), "").unwrap();
    fs::write(at("settings.json"), "{}").unwrap();
    fs::create_dir_all(at("projects/-new")).unwrap();
    fs::rename(at("projects/-p/2.jsonl"), at("projects/-new/2.jsonl")).unwrap();
    let wanted = [
        (Severity::Error, Damage::Shrunk, ".claude/history.jsonl".to_owned()),
        (Severity::Warning, Damage::Shrunk, ".claude/projects/-p/1.jsonl".to_owned()),
    ];
    assert_eq!(told(&locations, Some(&earlier)), wanted);
    assert!(crate::validation::gone(&locations, &earlier).is_empty());
}

#[test]
fn the_launch_goes_on_over_what_is_only_missing_or_worth_a_warning() {
    let (_home, locations) = lived_in();
    fs::write(&locations.claude_json, r#"{"a":1,"a":2}"#).unwrap();
    refuse_damaged_config(&locations).unwrap();
    fs::remove_file(&locations.claude_json).unwrap();
    assert_eq!(validate_documents(&locations)[0].damage, Damage::Missing);
    refuse_damaged_config(&locations).unwrap();
    fs::write(&locations.claude_json, "\u{feff}{}").unwrap();
    let error = refuse_damaged_config(&locations).unwrap_err();
    assert_eq!(error.remedies()[0], "drydock validate --fix");
    fs::write(&locations.claude_json, r#"{"mcpServers":[]}"#).unwrap();
    assert!(refuse_damaged_config(&locations).unwrap_err().causes()[0].contains("`mcpServers` is a list"));
}
