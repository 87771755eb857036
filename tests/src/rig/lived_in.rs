//! A home with a past, made by the real Claude Code.

use super::{Anthropic, Home, HostClaude, Project, Release, conversation_id};
use std::path::Path;

/// What a generated home holds: conversations of every kind that Claude Code writes by itself.
pub struct LivedIn {
    /// The project that was worked on.
    pub project: Project,
    /// A conversation with tool calls and a sub-agent, continued once.
    pub worked: String,
    /// The same, gone on with as one of its own.
    pub forked: String,
    /// A second, shorter one.
    pub asked: String,
}

impl LivedIn {
    /// Gives `home` three conversations in one project, by driving `claude` against `api`. The last one is
    /// the one that was merely asked.
    #[must_use]
    pub fn make(home: &Home, api: &Anthropic) -> Self {
        let project = Project::make(&home.path().join("work/api.server_v2"));
        home.trust(project.path());
        let (worked, forked, asked) = (conversation_id(), conversation_id(), conversation_id());
        let file = project.file("notes.txt");
        let claude = |arguments: &[&str]| {
            HostClaude::new(Release::Current, home.path(), project.path(), &api.url_here())
                .args(["--allowedTools", "Write,Edit,Read,Bash,Agent"])
                .args(arguments)
                .done()
                .ok();
        };
        let first = format!(
            "take a note [[write:{file}]] [[bash:ls -la {}]] [[task:look it over]]",
            shell_quoted(project.path())
        );
        claude(&["-p", "--session-id", &worked, &first]);
        claude(&["-p", "--resume", &worked, &format!("mend the note [[read:{file}]] [[edit:{file}]]")]);
        claude(&["-p", "--resume", &worked, "--fork-session", "--session-id", &forked, "what if?"]);
        claude(&["-p", "--session-id", &asked, "a short question"]);
        Self { project, worked, forked, asked }
    }
}

fn shell_quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
