//! Making a repository from the present state: it says what this computer has, in files that read well by hand. A
//! secret that is found becomes `${secret:…}`; its value goes into no file in plain.

mod present;
mod texts;
mod yaml;

use super::{
    commit::Commit,
    git::Git,
    gitops::Gitops,
    repository::{self, Reader},
    sops::{RULES_FILE, Rules},
    tree::Tree,
};
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    paths::write_private,
};
use present::{Present, present};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// A repository that was made.
#[derive(Debug, Clone, Serialize)]
pub struct Begun {
    /// Its folder.
    pub folder: PathBuf,
    /// Its files.
    pub files: Vec<String>,
    /// Secrets that were found, by the names that stand for them, and where they are. In the repository they are encrypted.
    pub secrets: BTreeMap<String, String>,
    /// Who can open them: this computer's key, and the recovery recipient of the settings.
    pub recipients: Vec<String>,
    /// What is not in it, and why.
    pub left: BTreeMap<String, String>,
    /// Its first commit.
    pub commit: Commit,
}

impl Gitops {
    /// Makes a repository of what is here, in a folder that is empty or not there. Blocking.
    ///
    /// # Errors
    /// [`Code::GitopsPlace`] when the folder holds something; [`Code::GitNone`]; when a file cannot be read or written.
    pub fn init(&self, folder: &Path) -> Result<Begun> {
        refuse_full(folder)?;
        let Present { mut files, secrets, left } = present(self)?;
        let opener = self.secrets();
        for (name, kept) in &secrets {
            let path = format!("secrets/{name}.enc.yaml");
            let kept = kept.iter().map(|(key, one)| (key.clone(), one.value.clone())).collect();
            files.insert(path.clone(), opener.encrypt(&path, &kept)?);
        }
        let recipients = opener.recipients()?;
        files.insert(RULES_FILE.to_owned(), Rules::first(&recipients).into_bytes());
        files.extend(texts::FILES.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())));
        for (name, text) in &files {
            let file = folder.join(name);
            write_private(&file, text)?;
            if name == texts::HOOK {
                fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).context("write", &file)?;
            }
        }
        self.refuse_wrong(folder)?;
        let commit = first_commit(folder, &self.locations.home)?;
        let secrets = secrets
            .iter()
            .flat_map(|(file, kept)| {
                kept.iter().map(move |(key, one)| (format!("{file}/{key}"), one.place.to_string()))
            })
            .collect();
        let recipients = recipients.iter().map(ToString::to_string).collect();
        let (folder, files) = (folder.to_path_buf(), files.into_keys().collect());
        Ok(Begun { folder, files, secrets, recipients, left, commit })
    }

    /// What was made must be what is read.
    fn refuse_wrong(&self, folder: &Path) -> Result<()> {
        let tree = Tree::of_folder(folder)?;
        let (machine, _) = self.names();
        let home = self.locations.home.to_string_lossy().into_owned();
        let (_, problems) = repository::read(&tree, &Reader { home: &home, machine: &machine });
        let Some(first) = problems.first() else { return Ok(()) };
        Err(Error::new(Code::GitopsInvalid, "what is here cannot all be said in a repository")
            .why(first)
            .remedy(format!("mend it in {}, then: git commit", folder.display())))
    }
}

fn refuse_full(folder: &Path) -> Result<()> {
    match fs::read_dir(folder) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(cause).context("read", folder),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::new(Code::GitopsPlace, format!("{} is not empty", folder.display()))
                .remedy("name a folder that is not there yet")),
        },
    }
}

fn first_commit(folder: &Path, home: &Path) -> Result<Commit> {
    let git = Git::find(folder, home)?;
    git.output(&["init", "--quiet", "--initial-branch=main", "."], None)?;
    // The hook is in the repository, so that every clone can have it.
    git.output(&["config", "core.hooksPath", texts::HOOKS], None)?;
    git.output(&["add", "--all"], None)?;
    let known = git.run(&["config", "--get", "user.email"], None)?.status.success();
    let mut arguments: Vec<&str> = Vec::new();
    if !known {
        arguments.extend(["-c", "user.name=Drydock", "-c", "user.email=drydock@localhost"]);
    }
    arguments.extend(["commit", "--quiet", "-m", "Begin with what this computer has"]);
    git.output(&arguments, None)?;
    let commit = git.line(&["rev-parse", "HEAD"], None)?;
    Commit::parse(&commit)
        .ok_or_else(|| Error::new(Code::GitopsRepository, "git did not name its first commit"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::{
        Outcome, Wish, reconcile_config,
        rig::{Home, gitops_at},
    };

    fn furnished() -> Home {
        let home = Home::new();
        home.write(
            ".claude/settings.json",
            "{\n  \"model\": \"opus\",\n  \"env\": {\"A\": \"1\", \"API_TOKEN\": \"FAKE-abcdefgh-1\"},\n  \"weight\": 1.0,\n  \"statusLine\": {\"type\": \"command\", \"command\": \"HOME/bin/line\"}\n}\n"
                .replace("HOME", home.path("").to_str().unwrap().trim_end_matches('/'))
                .as_str(),
        );
        home.write(
            ".claude.json",
            r#"{"theme": "dark", "numStartups": 3, "mcpServers": {"git hub": {"command": "npx", "args": ["-y", "x"], "env": {"GITHUB_TOKEN": "ghp_FAKEFAKEFAKEFAKEFAKEFAKE"}}, "plain": {"type": "http", "url": "https://example.org/mcp"}}, "projects": {"/srv/app": {"allowedTools": ["Read"], "lastCost": 3, "mcpServers": {"db": {"command": "db"}}}, "/srv/other": {"lastCost": 1}}}"#,
        );
        home.write(".claude/CLAUDE.md", "# memory\n");
        home.write(".claude/agents/a.md", "an agent, ${HOME} and ${home}\n");
        home.write(".claude/commands/leak.md", "use ghp_0123456789abcdefghijFAKE\n");
        home.write(".claude/history.jsonl", "{}\n");
        home.write(
            ".config/drydock/settings.toml",
            "[container]\npids = 512\n[image]\npackages = \"git jq\"\n",
        );
        home
    }

    #[test]
    fn a_repository_says_what_is_here_without_its_secrets() {
        let home = furnished();
        let folder = home.path("").parent().unwrap().to_path_buf();
        let conf = folder.join("conf");
        let gitops = gitops_at(&folder, &conf, &[]);
        let begun = gitops.init(&conf).unwrap();
        assert_eq!(
            begun.secrets.keys().collect::<Vec<_>>(),
            ["mcp/git_hub_github_token", "settings/env_api_token"]
        );
        assert_eq!(begun.left.keys().collect::<Vec<_>>(), ["claude/commands/leak.md"]);
        for entry in
            walkdir::WalkDir::new(&conf).into_iter().flatten().filter(|entry| entry.file_type().is_file())
        {
            let text = fs::read(entry.path()).unwrap();
            for secret in ["ghp_", "FAKE-abcdefgh"] {
                assert!(
                    memchr::memmem::find(&text, secret.as_bytes()).is_none(),
                    "{}",
                    entry.path().display()
                );
            }
        }
        let read = |name: &str| fs::read_to_string(conf.join(name)).unwrap();
        assert_eq!(read("desired/settings.yaml"), "container:\n  pids: 512\nimage:\n  packages: git jq\n");
        assert_eq!(
            read("desired/mcp.yaml"),
            "git hub:\n  command: npx\n  args: [\"-y\", x]\n  env:\n    GITHUB_TOKEN: ${secret:mcp/git_hub_github_token}\n\
             plain:\n  type: http\n  url: https://example.org/mcp\n"
        );
        assert!(read("desired/claude/settings.json").contains("\"${home}/bin/line\""));
        assert!(read("projects/app/project.yaml").starts_with("path: /srv/app\n"));
        assert!(!conf.join("projects/other").exists());
        assert!(gitops.init(&conf).is_err());
    }

    #[test]
    fn what_was_made_is_in_force_at_once_and_changes_nothing() {
        let home = furnished();
        let folder = home.path("").parent().unwrap().to_path_buf();
        let conf = folder.join("conf");
        let gitops = gitops_at(&folder, &conf, &[]);
        gitops.init(&conf).unwrap();
        let before: Vec<_> = [".claude.json", ".claude/settings.json"].map(|name| home.read(name)).to_vec();
        let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let report = reconcile_config(&gitops, &Wish::of_user(), now).unwrap();
        assert_eq!(report.outcome, Outcome::Synced);
        assert!(report.changed.is_empty() && report.held.is_empty() && report.drift.is_empty(), "{report:?}");
        assert_eq!(report.missing.len(), 0);
        let after: Vec<_> = [".claude.json", ".claude/settings.json"].map(|name| home.read(name)).to_vec();
        assert_eq!(before, after);
    }
}
