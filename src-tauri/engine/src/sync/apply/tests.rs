use super::*;
use crate::{backup::BeforeSync, error_handling::Code, paths::Locations, sync::stops::Vanished};
use drydock_inside::{Sign, digest};
use std::path::{Path, PathBuf};

/// A host home, and what a session that began on it would bring.
pub(super) struct Rig {
    pub(super) dir: PathBuf,
    base: Base,
    /// Kept only to be removed.
    _scratch: Option<tempfile::TempDir>,
}

pub(super) const PROJECT: &str = "/p";
pub(super) const CONVERSATION: &str = "projects/-p/11111111-1111-4111-8111-111111111111.jsonl";

impl Rig {
    pub(super) fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir_all(scratch.path().join("home/.claude")).unwrap();
        let rig = Self::at(scratch.path());
        Self { _scratch: Some(scratch), ..rig }
    }

    /// One that was made before, by this process or another.
    pub(super) fn at(dir: &Path) -> Self {
        let base = Base::open(&dir.join("session")).unwrap();
        Self { dir: dir.to_path_buf(), base, _scratch: None }
    }

    pub(super) fn locations(&self) -> Locations {
        Locations::find(Some(&self.dir.join("home"))).unwrap()
    }

    pub(super) fn host(&self, name: &str) -> PathBuf {
        self.dir.join("home/.claude").join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.host(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.host(name)).unwrap()
    }

    /// Both sides have this text when the session starts.
    pub(super) fn shared(&mut self, name: &str, text: &str) {
        self.write(name, text);
        let mark = digest::mark_of(&self.host(name)).unwrap();
        let host = Some(Sign::of(&fs::metadata(self.host(name)).unwrap()));
        let agreed = Agreed { len: mark.len, digest: Some(mark.sha256), host, ..Agreed::default() };
        let news = News { files: vec![(format!(".claude/{name}"), agreed)], ..News::default() };
        self.base.record(&news).unwrap();
    }

    pub(super) fn held(&self) -> HeldChanges {
        let locations = self.locations();
        HeldChanges::of(&locations, BeforeSync::Files(locations.home.join(".claude-backups")))
    }

    pub(super) fn out(&mut self, files: &[(&str, &str)]) -> Result<OutReport> {
        let mut base = Base::open(&self.dir.join("session")).unwrap();
        self.out_of("p-ab12", &mut base, files)
    }

    pub(super) fn out_of(&self, session: &str, base: &mut Base, files: &[(&str, &str)]) -> Result<OutReport> {
        let files: Vec<_> =
            files.iter().map(|(name, text)| (format!(".claude/{name}"), text.as_bytes())).collect();
        let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        let collected = Collected::for_test(&self.dir, &files);
        let locations = self.locations();
        let (layout, held) = (Layout::of(&locations).unwrap(), self.held());
        let host = Host { layout: &layout, data_dir: &locations.data_dir, held: &held };
        let outgoing = Outgoing {
            session,
            project: Path::new(PROJECT),
            map: &PathMap::default(),
            vanished: Vanished::Stop,
            now: Utc::now(),
        };
        apply_out(&host, &outgoing, base, &collected)
    }
}

fn names(list: &[String]) -> Vec<&str> {
    list.iter().map(|name| name.trim_start_matches(".claude/")).collect()
}

#[test]
fn a_conversation_grows_once() {
    let mut rig = Rig::new();
    rig.shared(CONVERSATION, "one\n");
    let report = rig.out(&[(CONVERSATION, "one\ntwo\n")]).unwrap();
    assert_eq!(rig.read(CONVERSATION), "one\ntwo\n");
    assert_eq!(names(&report.updated), [CONVERSATION]);
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
    assert!(rig.out(&[(CONVERSATION, &more)]).unwrap().is_empty(), "again changes nothing");
}

#[test]
fn a_conversation_that_lost_its_beginning_is_held() {
    let mut rig = Rig::new();
    let long = "x".repeat(100_000) + "\n";
    rig.shared(CONVERSATION, &long);
    let report = rig.out(&[(CONVERSATION, "summary\n")]).unwrap();
    assert_eq!(rig.read(CONVERSATION), long);
    assert_eq!(report.held[0].reason, Reason::Shrank);
}

#[test]
fn what_the_host_would_act_on_waits() {
    let mut rig = Rig::new();
    rig.shared("skills/notes/SKILL.md", "before");
    let changes = [
        ("agents/evil.md", "x"),
        ("hooks/evil.sh", "x"),
        ("skills/notes/SKILL.md", "after"),
        ("skills/notes/run.sh", "x"),
        ("plugins/cache/m/p/1/x.js", "x"),
        ("what.bin", "x"),
    ];
    let report = rig.out(&changes).unwrap();
    assert_eq!(rig.read("skills/notes/SKILL.md"), "before");
    for name in ["agents/evil.md", "hooks/evil.sh", "skills/notes/run.sh", "plugins", "what.bin"] {
        assert!(!rig.host(name).exists(), "{name}");
    }
    let subjects: Vec<_> = report.held.iter().map(|held| held.subject.as_str()).collect();
    let expected = ["agents/evil.md", "hooks/evil.sh", "plugins/cache/m/p/1", "skills/notes", "what.bin"];
    assert_eq!(subjects, expected);
    assert!(rig.out(&changes).unwrap().held.is_empty(), "what waits is not told again");
}

#[test]
fn another_projects_conversations_are_out_of_reach() {
    let mut rig = Rig::new();
    rig.write("projects/-other/a.jsonl", "one\n");
    let report =
        rig.out(&[("projects/-other/a.jsonl", "one\nplanted\n"), ("projects/-new/b.jsonl", "x\n")]).unwrap();
    assert_eq!(rig.read("projects/-other/a.jsonl"), "one\n");
    assert!(!rig.host("projects/-new").exists());
    assert_eq!(report.held.len(), 2);
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
    assert_eq!(
        (&*report.held[0].subject, report.held[0].reason),
        ("projects/-p/memory/B.md", Reason::BothChanged)
    );
    let Some(crate::backup::PreSyncBackup::Files { folder, .. }) = report.backup else {
        panic!("nothing was kept")
    };
    let before = folder.join(".claude/projects/-p/memory/A.md");
    assert_eq!(fs::read_to_string(before).unwrap(), "a");
}

#[test]
fn prompts_are_united_by_line() {
    let mut rig = Rig::new();
    rig.write("history.jsonl", "{\"display\":\"a\"}\n{\"display\":\"b\"}");
    rig.out(&[("history.jsonl", "{\"display\":\"a\"}\n{\"display\":\"c\"}\n{\"torn")]).unwrap();
    assert_eq!(rig.read("history.jsonl"), "{\"display\":\"a\"}\n{\"display\":\"b\"}\n{\"display\":\"c\"}\n");
}

#[test]
fn a_link_on_the_host_is_not_written_through() {
    let mut rig = Rig::new();
    let outside = rig.dir.join("outside");
    fs::write(&outside, "mine").unwrap();
    fs::create_dir_all(rig.host("projects/-p")).unwrap();
    std::os::unix::fs::symlink(&outside, rig.host(CONVERSATION)).unwrap();
    let report = rig.out(&[(CONVERSATION, "mine and more")]).unwrap();
    assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
    assert_eq!(report.held[0].reason, Reason::NameTaken);
}

#[test]
fn a_host_home_that_was_emptied_stops_the_sync() {
    let mut rig = Rig::new();
    for index in 0..10 {
        rig.shared(&format!("plans/{index}.md"), "x");
    }
    fs::remove_dir_all(rig.host("plans")).unwrap();
    let error = rig.out(&[("plans/0.md", "y")]).unwrap_err();
    assert_eq!(error.code(), Code::SyncStopped);
    assert!(!rig.host("plans").exists());
}

#[test]
fn what_was_decided_stays_decided_and_can_be_undone() {
    let mut rig = Rig::new();
    rig.shared("CLAUDE.md", "before");
    let id = rig.out(&[("CLAUDE.md", "after")]).unwrap().held[0].id.clone();
    let held = rig.held();
    assert!(super::super::diff(&held, &held.find(&id).unwrap().unwrap()).unwrap().contains("+after"));
    let lock = lock(&rig);
    held.approve(&id, &lock, Utc::now()).unwrap();
    assert_eq!(rig.read("CLAUDE.md"), "after");
    held.undo(&id, &lock, Utc::now()).unwrap();
    assert_eq!(rig.read("CLAUDE.md"), "before");
    held.reject(&id, Utc::now()).unwrap();
    assert!(rig.out(&[("CLAUDE.md", "after")]).unwrap().held.is_empty(), "it was rejected");
    assert_eq!(rig.out(&[("CLAUDE.md", "something else")]).unwrap().held.len(), 1, "another content is new");
}

#[test]
fn only_what_was_looked_at_is_approved() {
    let mut rig = Rig::new();
    rig.shared("CLAUDE.md", "before");
    let id = rig.out(&[("CLAUDE.md", "after")]).unwrap().held[0].id.clone();
    rig.write("CLAUDE.md", "edited meanwhile");
    let (held, lock) = (rig.held(), lock(&rig));
    assert_eq!(held.approve(&id, &lock, Utc::now()).unwrap_err().code(), Code::HeldStale);
    assert_eq!(rig.read("CLAUDE.md"), "edited meanwhile");
    held.approve(&id, &lock, Utc::now()).unwrap();
    assert_eq!(rig.read("CLAUDE.md"), "after");
}

fn lock(rig: &Rig) -> crate::sync::SyncLock {
    let path = rig.dir.join("lock");
    let taking = crate::sync::acquire_sync_lock(&path, "a test", std::time::Duration::from_secs(5));
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(taking).unwrap()
}

#[test]
fn a_document_merges_by_key_and_the_rest_waits() {
    let mut rig = Rig::new();
    let text = "{\n  \"model\": \"opus\",\n  \"odd\": 1e5\n}\n";
    rig.write("settings.json", text);
    let document = crate::sync::base::AgreedDocument { host: text.into(), session: text.into() };
    let news = News { documents: vec![(".claude/settings.json".into(), document)], ..News::default() };
    rig.base.record(&news).unwrap();
    let session = text.replace("opus", "sonnet").replace("1e5", "1e5,\n  \"hooks\": {\"Stop\": []}");
    let report = rig.out(&[("settings.json", &session)]).unwrap();
    assert_eq!(rig.read("settings.json"), text.replace("opus", "sonnet"));
    assert_eq!(report.held[0].subject, "settings.json /hooks/Stop");
}
