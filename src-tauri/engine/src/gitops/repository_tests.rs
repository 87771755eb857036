use super::*;

const READER: Reader<'_> = Reader { home: "/home/me", machine: "desk" };

fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let mut all = vec![("drydock.yaml", "version: 1\n")];
    all.extend_from_slice(files);
    super::read(&Tree::of(&all), &READER).1.iter().map(ToString::to_string).collect()
}

fn wanted(files: &[(&str, &str)]) -> Vec<String> {
    let mut all = vec![("drydock.yaml", "version: 1\n")];
    all.extend_from_slice(files);
    let (repository, problems) = super::read(&Tree::of(&all), &READER);
    assert_eq!(problems, []);
    let shown = |wanted: &Wanted| match wanted {
        Wanted::Key(value) => value.to_string(),
        Wanted::File(blob) => String::from_utf8_lossy(&blob.bytes).into_owned(),
    };
    repository.wanted.iter().map(|(place, (value, _))| format!("{place} = {}", shown(value))).collect()
}

#[test]
fn each_file_says_what_is_wanted_at_which_place() {
    let found = wanted(&[
        ("desired/settings.yaml", "container:\n  pids: 512\nsession.history: all\n"),
        ("desired/image.yaml", "packages: [git, jq]\n"),
        ("desired/alerts.yaml", "rules:\n  mine:\n    metric: sync.failures\n    above: 3\n"),
        (
            "desired/claude/settings.json",
            r#"{"model": "opus", "env": {"A": "1"}, "statusLine": {"type": "command"}}"#,
        ),
        ("desired/claude.json", r#"{"editorMode": "vim"}"#),
        ("desired/claude/agents/a.md", "an agent"),
        ("desired/mcp.yaml", "fs:\n  command: npx\n  args: [-y, fs, \"${home}\"]\n"),
        ("projects/app/project.yaml", "path: ${home}/app\nallowedTools: [Read]\nmcp:\n  db: {command: db}\n"),
    ]);
    assert_eq!(
        found,
        [
            "drydock/settings.toml#/alerts/rules/mine/above = \"3\"",
            "drydock/settings.toml#/alerts/rules/mine/metric = \"sync.failures\"",
            "drydock/settings.toml#/container/pids = \"512\"",
            "drydock/settings.toml#/image/packages = \"git jq\"",
            "drydock/settings.toml#/session/history = \"all\"",
            "claude/settings.json#/env/A = \"1\"",
            "claude/settings.json#/model = \"opus\"",
            "claude/settings.json#/statusLine = {\"type\":\"command\"}",
            "claude.json#/editorMode = \"vim\"",
            "claude.json#/mcpServers/fs = {\"command\":\"npx\",\"args\":[\"-y\",\"fs\",\"${home}\"]}",
            "claude.json#/projects/~1home~1me~1app/allowedTools = [\"Read\"]",
            "claude.json#/projects/~1home~1me~1app/mcpServers/db = {\"command\":\"db\"}",
            "claude/agents/a.md = an agent",
        ]
    );
}

#[test]
fn a_computers_own_folder_wins_and_can_take_a_key_away() {
    let files = [
        ("desired/claude/settings.json", "{\"model\": \"opus\", \"theme\": \"dark\"}"),
        ("machines/desk/claude/settings.json", "{\"model\": \"haiku\", \"theme\": null}"),
        ("machines/other/claude/settings.json", "{\"model\": \"sonnet\"}"),
    ];
    assert_eq!(wanted(&files), ["claude/settings.json#/model = \"haiku\""]);
}

#[test]
fn what_is_wrong_has_its_file_and_line() {
    let one = |file: &str, text: &str| {
        let mut found = problems(&[(file, text)]);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    };
    let begins = |text: String, with: &str| assert!(text.starts_with(with), "{text}");
    begins(
        one("desired/settings.yaml", "container:\n  pids: many\n"),
        "desired/settings.yaml:2: `container.pids`",
    );
    begins(
        one("desired/settings.yaml", "container:\n  pdis: 500\n"),
        "desired/settings.yaml:2: there is no setting",
    );
    begins(
        one("desired/settings.yaml", "gitops:\n  enabled: \"true\"\n"),
        "desired/settings.yaml:2: `enabled`: which",
    );
    begins(one("desired/claude/settings.json", "{\n \"model\": 3\n}"), "desired/claude/settings.json:2: ");
    begins(one("desired/claude/settings.json", "{\n \"model\": \n}"), "desired/claude/settings.json:");
    begins(
        one("desired/claude.json", "{\"theme\": \"dark\",\n \"oauthAccount\": {}}"),
        "desired/claude.json:2: ",
    );
    begins(one("desired/mcp.yaml", "a: {command: x}\nb: nothing\n"), "desired/mcp.yaml:2: ");
    begins(one("desired/other.yaml", "a: 1\n"), "desired/other.yaml: Drydock knows no such file");
    begins(one("desired/claude/history.jsonl", "x"), "desired/claude/history.jsonl: only what people write");
    begins(one("machines/other/image.yaml", "bse: x\n"), "machines/other/image.yaml:1: there is no setting");
    begins(one("projects/app/project.yaml", "path: app\n"), "projects/app/project.yaml:1: `path`");
    begins(
        one("projects/app/project.yaml", "path: /app\nlastCost: [a]\n"),
        "projects/app/project.yaml:2: `lastCost`",
    );
    begins(one("secrets/mcp.enc.yaml", "key: plain\n"), "secrets/mcp.enc.yaml: it is not encrypted");
    begins(
        one("desired/claude/settings.json", "{\"env\": {\n\"A\": \"${secret:x\"}}"),
        "desired/claude/settings.json:2: ",
    );
    begins(
        one("desired/claude/CLAUDE.md", "x\nghp_0123456789abcdefghijFAKE\n"),
        "desired/claude/CLAUDE.md:2: ",
    );
}

#[test]
fn secrets_in_plain_are_told_by_file_line_and_kind_and_never_quoted() {
    const RULES: (&str, &str) = (
        ".sops.yaml",
        "creation_rules:\n  - path_regex: ^(secrets/.*|desired/claude/hooks/.*\\.key)$\n    age: []\n",
    );
    const KEY: &str = "9f8e7d6c5b4a39281706f5e4d3c2b1a0";
    for (file, text, line, kind) in [
        (
            "desired/mcp.yaml",
            format!("a:\n  command: npx\n  args:\n    - --api-key\n    - {KEY}\n"),
            5,
            "a value that is named",
        ),
        (
            "desired/claude/agents/a.md",
            "x\n-----BEGIN PGP PRIVATE KEY BLOCK-----\n".into(),
            2,
            "a private key",
        ),
        (
            "desired/claude/settings.json",
            format!("{{\"env\": {{\n\"H\": \"Authorization: Basic {KEY}\"}}}}"),
            2,
            "a token",
        ),
        ("desired/claude/hooks/a.key", "a: b\n".into(), 1, "something that has to be encrypted"),
    ] {
        let found = problems(&[RULES, (file, text.as_str())]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("{file}:{line}: {kind}")), "{found:?}");
        assert!(!found[0].contains(KEY), "{found:?}");
    }
    let found = problems(&[(".sops.yaml", "creation_rules:\n  - path_regex: \"(\"\n")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(".sops.yaml: line 2: `path_regex`"), "{found:?}");
}

#[test]
fn a_file_for_other_kinds_of_keys_is_encrypted_all_the_same() {
    let file = |more: &str| {
        let sealed = "ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]";
        format!(
            "a: {sealed}\n{more}sops: {{pgp: [{{fp: x, enc: x}}], lastmodified: \"2026-01-01T00:00:00Z\", mac: x}}\n"
        )
    };
    assert_eq!(problems(&[("secrets/theirs.enc.yaml", file("").as_str())]), [""; 0]);
    let found = problems(&[("secrets/theirs.enc.yaml", file("b: by hand\n").as_str())]);
    assert!(
        found[0].starts_with("secrets/theirs.enc.yaml:2: something that has to be encrypted"),
        "{found:?}"
    );
}

#[test]
fn a_repository_without_its_root_file_is_none() {
    let (_, problems) = super::read(&Tree::of(&[("desired/claude/CLAUDE.md", "x")]), &READER);
    assert!(problems[0].to_string().starts_with("drydock.yaml: the file is missing"));
}

#[test]
fn what_is_ignored_is_not_wanted() {
    let tree = Tree::of(&[
        ("drydock.yaml", "version: 1\nignore: [claude/settings.json#/env]\n"),
        ("desired/claude/settings.json", r#"{"model": "opus", "env": {"A": "1"}}"#),
    ]);
    assert_eq!(super::read(&tree, &READER).0.wanted.len(), 1);
}
