use super::*;

struct Rig {
    dir: tempfile::TempDir,
    base: BTreeMap<String, FileMark>,
}

const PROJECT: &str = "/p";
const CONVERSATION: &str = "projects/-p/11111111-1111-4111-8111-111111111111.jsonl";

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("home/.claude")).unwrap();
        Self { dir, base: BTreeMap::new() }
    }

    fn host(&self, name: &str) -> PathBuf {
        self.dir.path().join("home/.claude").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.host(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.host(name)).unwrap()
    }

    fn mark(text: &str) -> FileMark {
        FileMark { len: text.len() as u64, sha256: hex(&Sha256::digest(text)) }
    }

    /// Both sides have this text when the session starts.
    fn shared(&mut self, name: &str, text: &str) {
        self.write(name, text);
        self.base.insert(name.to_owned(), Self::mark(text));
    }

    fn out(&self, files: &[(&str, &str)]) -> Result<OutReport> {
        let staging = tempfile::tempdir_in(self.dir.path()).unwrap();
        let found = files
            .iter()
            .enumerate()
            .map(|(index, (name, text))| {
                let staged = staging.path().join(index.to_string());
                fs::write(&staged, text).unwrap();
                Found { name: (*name).to_owned(), staged, sha256: Self::mark(text).sha256 }
            })
            .collect();
        let collected = Collected::for_test(found, staging);
        let home = self.dir.path().join("home");
        let (claude_dir, backups, kept) =
            (home.join(".claude"), home.join(".claude-backups"), self.dir.path().join("kept"));
        let host = Host { home: &home, claude_dir: &claude_dir, backups: &backups, kept: &kept };
        apply(&host, "p-ab12", Path::new(PROJECT), &self.base, &collected)
    }
}

#[test]
fn a_conversation_grows_and_is_backed_up_first() {
    let mut rig = Rig::new();
    rig.shared(CONVERSATION, "one\n");
    let report = rig.out(&[(CONVERSATION, "one\ntwo\n")]).unwrap();
    assert_eq!(rig.read(CONVERSATION), "one\ntwo\n");
    assert_eq!(report.updated, [CONVERSATION]);
    let before = report.backup.unwrap().folder.join(".claude").join(CONVERSATION);
    assert_eq!(fs::read_to_string(before).unwrap(), "one\n");
    assert!(rig.out(&[(CONVERSATION, "one\ntwo\n")]).unwrap().is_empty(), "again changes nothing");
}

#[test]
fn an_append_that_was_cut_short_goes_on_where_it_stopped() {
    let mut rig = Rig::new();
    rig.shared(CONVERSATION, "one\n");
    rig.write(CONVERSATION, "one\ntw");
    rig.out(&[(CONVERSATION, "one\ntwo\n")]).unwrap();
    assert_eq!(rig.read(CONVERSATION), "one\ntwo\n");
}

#[test]
fn two_ways_on_both_survive() {
    let mut rig = Rig::new();
    let line =
        |text: &str| format!("{{\"sessionId\":\"11111111-1111-4111-8111-111111111111\",\"t\":\"{text}\"}}\n");
    rig.shared(CONVERSATION, &line("one"));
    let host = line("one") + &line("host");
    rig.write(CONVERSATION, &host);
    let session = line("one") + &line("session");
    let report = rig.out(&[(CONVERSATION, &session)]).unwrap();
    assert_eq!(rig.read(CONVERSATION), host);
    let fork = &report.forks[0].fork;
    let place = format!("projects/-p/{fork}.jsonl");
    let forked = rig.read(&place);
    assert!(forked.contains("\"t\":\"session\"") && forked.contains(fork), "{forked}");
    let more = session + &line("more");
    rig.out(&[(CONVERSATION, &more)]).unwrap();
    assert!(rig.read(&place).contains("\"t\":\"more\""));
    assert_eq!(fs::read_dir(rig.host("projects/-p")).unwrap().count(), 2, "one fork, not two");
}

#[test]
fn what_the_host_would_run_is_kept_aside() {
    let mut rig = Rig::new();
    rig.shared("settings.json", "{}");
    let planted = r#"{"hooks":{"Stop":[]}}"#;
    let report = rig
        .out(&[
            ("settings.json", planted),
            ("agents/evil.md", "x"),
            ("hooks/evil.sh", "x"),
            ("what.bin", "x"),
        ])
        .unwrap();
    assert_eq!(rig.read("settings.json"), "{}");
    assert!(!rig.host("agents/evil.md").exists() && !rig.host("hooks/evil.sh").exists());
    assert_eq!(report.kept.len(), 4);
    assert_eq!(fs::read_to_string(&report.kept[0].path).unwrap(), planted);
}

#[test]
fn another_projects_conversations_are_out_of_reach() {
    let rig = Rig::new();
    rig.write("projects/-other/a.jsonl", "one\n");
    let report =
        rig.out(&[("projects/-other/a.jsonl", "one\nplanted\n"), ("projects/-new/b.jsonl", "x\n")]).unwrap();
    assert_eq!(rig.read("projects/-other/a.jsonl"), "one\n");
    assert!(!rig.host("projects/-new").exists());
    assert_eq!(report.kept.len(), 2);
    rig.out(&[("projects/-p-sub/c.jsonl", "x\n")]).unwrap();
    assert_eq!(rig.read("projects/-p-sub/c.jsonl"), "x\n");
}

#[test]
fn notes_follow_unless_the_host_changed_them_too() {
    let mut rig = Rig::new();
    rig.shared("projects/-p/memory/A.md", "a");
    rig.shared("projects/-p/memory/B.md", "b");
    rig.write("projects/-p/memory/B.md", "b of the host");
    let report = rig
        .out(&[("projects/-p/memory/A.md", "a2"), ("projects/-p/memory/B.md", "b2"), ("plans/c.md", "c")])
        .unwrap();
    assert_eq!(rig.read("projects/-p/memory/A.md"), "a2");
    assert_eq!(rig.read("projects/-p/memory/B.md"), "b of the host");
    assert_eq!(rig.read("plans/c.md"), "c");
    assert_eq!(report.kept[0].name, "projects/-p/memory/B.md");
}

#[test]
fn prompts_are_united_by_line() {
    let rig = Rig::new();
    rig.write("history.jsonl", "{\"display\":\"a\"}\n{\"display\":\"b\"}");
    rig.out(&[("history.jsonl", "{\"display\":\"a\"}\n{\"display\":\"c\"}\n{\"torn")]).unwrap();
    assert_eq!(rig.read("history.jsonl"), "{\"display\":\"a\"}\n{\"display\":\"b\"}\n{\"display\":\"c\"}\n");
}

#[test]
fn a_link_on_the_host_is_not_written_through() {
    let rig = Rig::new();
    let outside = rig.dir.path().join("outside");
    fs::write(&outside, "mine").unwrap();
    fs::create_dir_all(rig.host("projects/-p")).unwrap();
    std::os::unix::fs::symlink(&outside, rig.host(CONVERSATION)).unwrap();
    let report = rig.out(&[(CONVERSATION, "mine and more")]).unwrap();
    assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
    assert_eq!(report.kept.len(), 1);
}
