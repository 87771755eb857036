//! The menu as data: plain lines from an overview, so that it can be compared, tested and read at a glance.

use crate::{
    messages::Words,
    overview::{Need, Overview},
    windows::Page,
};
use chrono::{DateTime, Local, Utc};
use drydock_engine::{
    backup::CopyName,
    session::{ListedSession, SessionState},
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// So many things that want the user stand in the menu; the window has all.
const NEEDS: usize = 3;

/// Backups can rest for so many hours.
const PAUSES: [u32; 3] = [1, 4, 24];

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Something to read.
    Said(String),
    /// Something to do.
    Act(String, Act),
    /// More lines behind this one.
    More(String, Vec<Line>),
    Separator,
}

/// What a line does. It is the line's name as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Act {
    Open(Page),
    Attach(String),
    Stop(String),
    Launch(PathBuf),
    ChooseProject,
    BackUp,
    /// For so many hours.
    Pause(u32),
    GoOn,
    Quit,
}

impl Act {
    pub(super) fn id(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn of_id(id: &str) -> Option<Self> {
        serde_json::from_str(id).ok()
    }
}

/// What can be done before anything is known.
pub(super) fn before_first_look(words: &Words) -> Vec<Line> {
    vec![
        open(words, "menu.dashboard", Page::Home),
        Line::Separator,
        Line::Act(words.say("menu.quit").to_owned(), Act::Quit),
    ]
}

/// The whole menu.
pub(super) fn of(overview: &Overview, words: &Words, now: DateTime<Utc>) -> Vec<Line> {
    let mut lines = vec![Line::Said(state_line(overview, words, now))];
    lines.extend(overview.needs.iter().take(NEEDS).map(|need| to_do(need, words)));
    if let Some(version) = &overview.newer {
        let try_it = words.with("menu.try-newer", &[("version", version)]);
        lines.push(Line::Act(try_it, Act::Open(Page::Deployment)));
    }
    lines.push(Line::Separator);
    let at_work = overview.sessions.iter().filter(|one| can_be_joined(one));
    let sessions: Vec<_> = at_work.map(|session| session_line(session, words)).collect();
    if !sessions.is_empty() {
        lines.extend(sessions);
        lines.push(Line::Separator);
    }
    lines.push(launch(&overview.projects, words));
    lines.push(Line::Act(words.say("menu.back-up").to_owned(), Act::BackUp));
    lines.push(pause(overview, words));
    lines.push(open(words, "menu.recover", Page::Recovery));
    lines.push(Line::Separator);
    lines.push(open(words, "menu.dashboard", Page::Home));
    lines.push(open(words, "menu.backups", Page::Backups));
    lines.push(open(words, "menu.activity", Page::Activity));
    lines.push(open(words, "menu.deployment", Page::Deployment));
    lines.push(open(words, "menu.configuration", Page::Configuration));
    lines.push(open(words, "menu.settings", Page::Settings));
    lines.push(Line::Separator);
    lines.push(Line::Act(quit(overview, words), Act::Quit));
    lines
}

/// All of it in one line.
pub(super) fn state_line(overview: &Overview, words: &Words, now: DateTime<Utc>) -> String {
    let backed_up = local(overview).map(|at| words.with("state.backed-up", &[("ago", &words.ago(at, now))]));
    let head = match overview.needs.first() {
        None => words.say("state.safe").to_owned(),
        Some(need) => said(need, words, now),
    };
    match (backed_up, overview.needs.first()) {
        // It says that already.
        (_, Some(Need::BackupOld { .. } | Need::NoBackup | Need::BackupFailing)) | (None, _) => head,
        (Some(backed_up), _) => format!("{head} · {backed_up}"),
    }
}

fn local(overview: &Overview) -> Option<DateTime<Utc>> {
    let copies = &overview.backups.as_ref()?.copies;
    copies.iter().find(|copy| copy.copy == CopyName::Local)?.as_of
}

/// What wants the user, in words.
fn said(need: &Need, words: &Words, now: DateTime<Utc>) -> String {
    match need {
        Need::Damaged { count } => words.count("need.damaged", *count),
        Need::RecoveryFailed => words.say("need.recovery-failed").to_owned(),
        Need::BackupOld { as_of } => words.with("need.backup-old", &[("ago", &words.ago(*as_of, now))]),
        Need::BackupFailing => words.say("need.backup-failing").to_owned(),
        Need::Held { count } => words.count("need.held", *count),
        Need::ConfigurationHeld { count } => words.count("need.configuration-held", *count),
        Need::DataInside { count } => words.count("need.data-inside", *count),
        Need::EngineMissing => words.say("need.engine-missing").to_owned(),
        Need::LoginUndecided => words.say("need.login-undecided").to_owned(),
        Need::NoBackup => words.say("need.no-backup").to_owned(),
        Need::CopyFailing { copy, .. } => {
            words.with("need.copy-failing", &[("copy", words.say(&format!("copy.{copy}")))])
        }
        Need::OneDisk => words.say("need.one-disk").to_owned(),
        Need::SheetUnsaved => words.say("need.sheet-unsaved").to_owned(),
        // The engine's own sentence.
        Need::Alert { title, .. } => title.clone(),
    }
}

/// What is done about it.
fn to_do(need: &Need, words: &Words) -> Line {
    let (key, act) = match need {
        Need::Damaged { .. } | Need::RecoveryFailed => ("do.recover", Act::Open(Page::Recovery)),
        Need::BackupOld { .. } | Need::BackupFailing | Need::NoBackup => ("do.back-up", Act::BackUp),
        Need::Held { .. } => ("do.review", Act::Open(Page::Held)),
        Need::ConfigurationHeld { .. } => ("do.review-configuration", Act::Open(Page::Configuration)),
        Need::DataInside { .. } => ("do.look", Act::Open(Page::Home)),
        Need::EngineMissing => ("do.set-up", Act::Open(Page::Setup)),
        Need::LoginUndecided => ("do.choose-login", Act::Open(Page::Setup)),
        Need::CopyFailing { .. } | Need::SheetUnsaved => ("do.look-at-backups", Act::Open(Page::Backups)),
        Need::OneDisk => ("do.add-copy", Act::Open(Page::Settings)),
        Need::Alert { page, .. } => ("do.show", Act::Open(*page)),
    };
    Line::Act(words.say(key).to_owned(), act)
}

fn can_be_joined(session: &ListedSession) -> bool {
    matches!(session.state, SessionState::Running | SessionState::Preparing | SessionState::Interrupted)
}

fn session_line(session: &ListedSession, words: &Words) -> Line {
    let id = session.id.as_str();
    let state = match (session.state, session.attached) {
        (SessionState::Running, true) => "session.attached",
        (SessionState::Running, false) => "session.running",
        (SessionState::Preparing, _) => "session.preparing",
        _ => "session.interrupted",
    };
    let act = |key: &str, act| Line::Act(words.say(key).to_owned(), act);
    let mut acts = Vec::new();
    if !session.attached {
        acts.push(act("menu.attach", Act::Attach(id.to_owned())));
    }
    acts.push(act("menu.stop", Act::Stop(id.to_owned())));
    Line::More(format!("{id} · {}", words.say(state)), acts)
}

fn launch(projects: &[PathBuf], words: &Words) -> Line {
    let name = |project: &Path| {
        project
            .file_name()
            .map_or_else(|| project.display().to_string(), |name| name.to_string_lossy().into_owned())
    };
    let mut lines: Vec<_> = projects
        .iter()
        .map(|project| {
            // Two of one name are told apart by their folders.
            let twins = projects.iter().filter(|other| name(other) == name(project)).count() > 1;
            let label = if twins { project.display().to_string() } else { name(project) };
            Line::Act(label, Act::Launch(project.clone()))
        })
        .collect();
    if !lines.is_empty() {
        lines.push(Line::Separator);
    }
    lines.push(Line::Act(words.say("menu.choose-folder").to_owned(), Act::ChooseProject));
    Line::More(words.say("menu.launch").to_owned(), lines)
}

/// A rest for a while, or its end.
fn pause(overview: &Overview, words: &Words) -> Line {
    if let Some(pause) = &overview.paused {
        let until = pause.until.with_timezone(&Local).format("%H:%M").to_string();
        return Line::Act(words.with("menu.go-on", &[("until", &until)]), Act::GoOn);
    }
    let for_hours =
        PAUSES.map(|hours| Line::Act(words.count("menu.pause-hours", hours as usize), Act::Pause(hours)));
    Line::More(words.say("menu.pause").to_owned(), for_hours.to_vec())
}

/// Quit means quit; sessions go on, and that is said.
fn quit(overview: &Overview, words: &Words) -> String {
    match overview.sessions.iter().filter(|one| one.state == SessionState::Running).count() {
        0 => words.say("menu.quit").to_owned(),
        running => words.count("menu.quit-running", running),
    }
}

fn open(words: &Words, key: &str, page: Page) -> Line {
    Line::Act(words.say(key).to_owned(), Act::Open(page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overview::{Promised, State, Urgency};

    fn overview(needs: Vec<Need>) -> Overview {
        Overview {
            state: State::Idle,
            needs,
            sessions: Vec::new(),
            engine_error: None,
            backups: None,
            held: 0,
            configuration: None,
            newer: None,
            damage: Vec::new(),
            promised: Promised { loss_seconds: 3600, back_seconds: 300, back_measured: None },
            scheduler: None,
            paused: None,
            projects: vec!["/a/shop".into(), "/b/shop".into(), "/b/blog".into()],
            home: "/home/ann".into(),
        }
    }

    fn labels(lines: &[Line]) -> Vec<String> {
        let label = |line: &Line| match line {
            Line::Said(text) | Line::Act(text, _) | Line::More(text, _) => text.clone(),
            Line::Separator => "-".to_owned(),
        };
        lines.iter().map(label).collect()
    }

    #[test]
    fn what_wants_the_user_comes_right_after_the_state() {
        let words = Words::of_locale("en").unwrap();
        let found =
            of(&overview(vec![Need::Damaged { count: 1 }, Need::Held { count: 2 }]), &words, Utc::now());
        assert_eq!(labels(&found)[..4], ["1 file is damaged", "Recover…", "Review Held Changes…", "-"]);
    }

    #[test]
    fn a_newer_claude_code_is_one_line_and_leads_to_where_it_is_tried() {
        let words = Words::of_locale("en").unwrap();
        let found = Overview { newer: Some("2.1.340".into()), ..overview(Vec::new()) };
        let line = Line::Act("Try Claude Code 2.1.340…".into(), Act::Open(Page::Deployment));
        assert_eq!(of(&found, &words, Utc::now()).iter().filter(|one| **one == line).count(), 1);
        assert!(!of(&overview(Vec::new()), &words, Utc::now()).contains(&line));
    }

    #[test]
    fn projects_of_one_name_are_told_apart() {
        let words = Words::of_locale("en").unwrap();
        let Line::More(_, lines) = launch(&overview(Vec::new()).projects, &words) else {
            panic!("no submenu")
        };
        assert_eq!(labels(&lines), ["/a/shop", "/b/shop", "blog", "-", "Choose Folder…"]);
    }

    #[test]
    fn an_act_is_known_again_by_its_name() {
        for act in
            [Act::Open(Page::Held), Act::Launch("/a b/\"c\"".into()), Act::Quit, Act::Stop("x-1".into())]
        {
            assert_eq!(Act::of_id(&act.id()), Some(act));
        }
        assert_eq!(Act::of_id("nonsense"), None);
    }

    #[test]
    fn every_line_has_words_in_every_language() {
        let all = vec![
            Need::Damaged { count: 2 },
            Need::RecoveryFailed,
            Need::BackupOld { as_of: Utc::now() },
            Need::BackupFailing,
            Need::Held { count: 5 },
            Need::ConfigurationHeld { count: 3 },
            Need::DataInside { count: 1 },
            Need::EngineMissing,
            Need::LoginUndecided,
            Need::NoBackup,
            Need::CopyFailing { copy: CopyName::Cloud, since: Utc::now() },
            Need::OneDisk,
            Need::SheetUnsaved,
            Need::Alert { title: "Syncs fail".into(), urgency: Urgency::Now, page: Page::Activity },
        ];
        for locale in ["en", "ru"] {
            let words = Words::of_locale(locale).unwrap();
            for need in &all {
                let text = said(need, &words, Utc::now()) + &labels(&[to_do(need, &words)])[0];
                assert!(!text.contains("need.") && !text.contains("do.") && !text.contains('{'), "{text}");
            }
            let found = Overview { newer: Some("2.1.340".into()), ..overview(Vec::new()) };
            for label in labels(&of(&found, &words, Utc::now())) {
                assert!(!label.contains("menu.") && !label.contains("state."), "{label}");
            }
        }
    }
}
