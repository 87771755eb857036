use super::*;
use crate::claude_home::project_dir_name;

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn names(locations: &Locations, project: &Path, history: HistoryScope) -> Vec<String> {
    let plan = InwardPlan::make(
        locations,
        &Purpose {
            project,
            history,
            api_key: None,
            excluded: &Excluded::default(),
            map: &PathMap::default(),
            localhost: Localhost::Leave,
        },
    )
    .unwrap();
    let own = |item: &Item| item.name.starts_with(".drydock/");
    let mut names: Vec<_> = plan.items.into_iter().filter(|item| !own(item)).map(|item| item.name).collect();
    names.sort();
    names
}

#[test]
fn a_session_gets_configuration_and_its_own_conversations() {
    let home = tempfile::tempdir().unwrap();
    let locations = Locations::find(Some(home.path())).unwrap();
    let claude = &locations.claude_dir;
    let project = locations.home.join("proj");
    let own = project_dir_name(&project);
    let line = |cwd: &Path| format!("{}\n", serde_json::json!({"cwd": cwd}));
    write(&claude.join("CLAUDE.md"), "x");
    write(&claude.join("skills/a/SKILL.md"), "x");
    write(&claude.join(".credentials.json"), "{}");
    write(&claude.join("shell-snapshots/s.sh"), "x");
    write(&claude.join("secret-notes.txt"), "x");
    write(&claude.join(format!("projects/{own}/one.jsonl")), &line(&project));
    write(&claude.join(format!("projects/{own}-sub/two.jsonl")), &line(&project.join("sub")));
    write(
        &claude.join(format!("projects/{own}-neighbour/three.jsonl")),
        &line(&locations.home.join("proj-neighbour")),
    );
    write(&claude.join("file-history/one/ab@v1"), "x");
    write(&claude.join("file-history/three/ab@v1"), "x");
    let prompts = [&project, &locations.home.join("else")]
        .map(|path| serde_json::json!({"display": "p", "project": path}).to_string())
        .join("\n");
    write(&claude.join("history.jsonl"), &prompts);
    let expected: Vec<String> = [
        ".claude.json".into(),
        ".claude/CLAUDE.md".into(),
        ".claude/file-history/one/ab@v1".into(),
        ".claude/history.jsonl".into(),
        format!(".claude/projects/{own}-sub/two.jsonl"),
        format!(".claude/projects/{own}/one.jsonl"),
        ".claude/settings.json".into(),
        ".claude/skills/a/SKILL.md".into(),
    ]
    .into();
    assert_eq!(names(&locations, &project, HistoryScope::Project), expected);
    assert!(!names(&locations, &project, HistoryScope::None).iter().any(|name| name.contains("jsonl")));
    assert_eq!(
        names(&locations, &project, HistoryScope::All)
            .iter()
            .filter(|name| name.contains("projects/"))
            .count(),
        3
    );
}

#[test]
fn linked_folders_go_in_and_loops_do_not_hang() {
    let home = tempfile::tempdir().unwrap();
    let locations = Locations::find(Some(home.path())).unwrap();
    let dotfiles = locations.home.join("dotfiles");
    write(&dotfiles.join("agents/a.md"), "x");
    fs::create_dir_all(&locations.claude_dir).unwrap();
    std::os::unix::fs::symlink(dotfiles.join("agents"), locations.claude_dir.join("agents")).unwrap();
    std::os::unix::fs::symlink(&locations.claude_dir, locations.claude_dir.join("commands")).unwrap();
    std::os::unix::fs::symlink("/nowhere", locations.claude_dir.join("CLAUDE.md")).unwrap();
    let names = names(&locations, Path::new("/p"), HistoryScope::Project);
    assert!(names.contains(&".claude/agents/a.md".to_owned()), "{names:?}");
}

#[test]
fn a_damaged_document_is_refused_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    let locations = Locations::find(Some(home.path())).unwrap();
    write(&locations.claude_json, "{\"a\": ");
    let excluded = Excluded::default();
    let purpose = Purpose {
        project: Path::new("/p"),
        history: HistoryScope::Project,
        api_key: None,
        excluded: &excluded,
        map: &PathMap::default(),
        localhost: Localhost::Leave,
    };
    let error = InwardPlan::make(&locations, &purpose).err().unwrap();
    assert_eq!(error.code(), Code::ConfigDamaged);
    assert!(error.causes()[0].contains("line 1, column"), "{error}");
}
