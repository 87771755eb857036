//! What goes into a session.

use super::pack::{FileMark, Packer, manifest_line};
use crate::{
    claude_home::{
        Class, Inward, class_of, parse_document, project_dir_name, recorded_cwd, session_of,
        session_settings, session_state, shared_part_digest,
    },
    container::TarSender,
    error_handling::{Code, Error, Result},
    image::SessionUser,
    keychain::Sensitive,
    paths::Locations,
    settings::HistoryScope,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use walkdir::WalkDir;

/// What a session is for; decides what it gets.
pub(crate) struct Purpose<'a> {
    pub(crate) project: &'a Path,
    pub(crate) history: HistoryScope,
    /// An API key that the user gave the session.
    pub(crate) api_key: Option<&'a Sensitive<String>>,
}

enum Source {
    File(PathBuf),
    Made(Sensitive<Vec<u8>>),
}

struct Item {
    /// Below the home, with `/` between the parts.
    name: String,
    source: Source,
    mode: u32,
}

/// Everything that one session will get, before any of it is read.
pub(crate) struct InwardPlan {
    items: Vec<Item>,
    folders: BTreeSet<String>,
    state: Option<String>,
}

/// What went in.
pub(crate) struct Brought {
    /// Every file by its name below the home.
    pub(crate) base: BTreeMap<String, FileMark>,
    /// The digest of what counts in the session's `.claude.json`.
    pub(crate) state: Option<String>,
}

impl InwardPlan {
    /// Decides what goes in. Reads names and the documents, not the files. Blocking.
    pub(crate) fn make(locations: &Locations, purpose: &Purpose<'_>) -> Result<Self> {
        let config = relative(&locations.home, &locations.claude_dir)?;
        let mut plan = Self::empty();
        plan.add_folder(&config);
        let state = read_document(&locations.claude_json)?.unwrap_or_default();
        let state = session_state(&state, purpose.project, purpose.api_key);
        plan.state = shared_part_digest(Value::Object(state.clone()).to_string().as_bytes(), purpose.project);
        plan.add_made(&relative(&locations.home, &locations.claude_json)?, &state)?;
        let settings = read_document(&locations.claude_dir.join("settings.json"))?.unwrap_or_default();
        plan.add_made(&format!("{config}/settings.json"), &session_settings(&settings))?;
        let conversations = Conversations::find(&locations.claude_dir, purpose);
        plan.add_prompts(&locations.claude_dir, &config, purpose)?;
        plan.walk(&locations.claude_dir, &config, &conversations)?;
        if let Ok(project) = purpose.project.strip_prefix(&locations.home) {
            plan.add_folder(&project.to_string_lossy());
        }
        Ok(plan)
    }

    /// Nothing yet.
    pub(crate) fn empty() -> Self {
        Self { items: Vec::new(), folders: BTreeSet::new(), state: None }
    }

    /// Adds a file that is made here. Secrets among them are for their owner only.
    pub(crate) fn add_file(&mut self, name: &str, mode: u32, content: Sensitive<Vec<u8>>) {
        if let Some((parent, _)) = name.rsplit_once('/') {
            self.add_folder(parent);
        }
        self.items.push(Item { name: name.to_owned(), source: Source::Made(content), mode });
    }

    /// Adds a folder and those above it.
    pub(crate) fn add_folder(&mut self, name: &str) {
        let mut whole = String::new();
        for part in name.split('/').filter(|part| !part.is_empty()) {
            if !whole.is_empty() {
                whole.push('/');
            }
            whole.push_str(part);
            self.folders.insert(whole.clone());
        }
    }

    fn add_made(&mut self, name: &str, document: &Map<String, Value>) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(document)
            .map_err(|cause| Error::new(Code::Internal, "a document cannot be written").why(cause))?;
        text.push(b'\n');
        self.add_file(name, 0o600, Sensitive::new(text));
        Ok(())
    }

    /// The prompts typed in this project, for the arrow-up key.
    fn add_prompts(&mut self, dir: &Path, config: &str, purpose: &Purpose<'_>) -> Result<()> {
        let file = dir.join("history.jsonl");
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => return Err(Error::io("read", &file, &cause)),
        };
        let wanted: Vec<u8> = match purpose.history {
            HistoryScope::All => text,
            HistoryScope::None => return Ok(()),
            HistoryScope::Project => text
                .split_inclusive(|byte| *byte == b'\n')
                .filter(|line| {
                    serde_json::from_slice::<PromptLine>(line)
                        .is_ok_and(|line| line.project.is_some_and(|path| path.starts_with(purpose.project)))
                })
                .flatten()
                .copied()
                .collect(),
        };
        if !wanted.is_empty() {
            self.add_file(&format!("{config}/history.jsonl"), 0o600, Sensitive::new(wanted));
        }
        Ok(())
    }

    /// Links are followed: people keep parts of this folder in a repository of dotfiles.
    fn walk(&mut self, dir: &Path, config: &str, conversations: &Conversations) -> Result<()> {
        if !dir.is_dir() {
            return Ok(());
        }
        for entry in WalkDir::new(dir).follow_links(true).sort_by_file_name() {
            let entry = match entry {
                Ok(entry) => entry,
                // A link to nowhere, a loop, a file deleted meanwhile, or a folder that is not ours:
                // nothing that a session could use.
                Err(cause) => {
                    tracing::warn!(%cause, "left out of the session");
                    continue;
                }
            };
            if !entry.file_type().is_file() {
                continue;
            }
            let Ok(path) = entry.path().strip_prefix(dir) else { continue };
            let Some(name) = path.to_str() else {
                tracing::warn!(file = %entry.path().display(), "left out of the session: its name is not text");
                continue;
            };
            let wanted = match class_of(name).inward() {
                Inward::Always => true,
                Inward::WithConversation => conversations.has(name),
                Inward::Adapted | Inward::Never => false,
            };
            if wanted {
                let full = format!("{config}/{name}");
                if let Some((parent, _)) = full.rsplit_once('/') {
                    self.add_folder(parent);
                }
                let mode = entry.metadata().map_or(0o600, |data| data.permissions().mode() & 0o777);
                self.items.push(Item {
                    name: full,
                    source: Source::File(entry.into_path()),
                    mode: mode | 0o600,
                });
            }
        }
        Ok(())
    }

    /// Writes everything as one uncompressed tar with the manifest at its end. Blocking.
    ///
    /// The names are below the image's mount of the home volume; the archive is for the root folder.
    pub(crate) fn pack(self, sender: TarSender, user: &SessionUser) -> Result<Brought> {
        let mut packer = Packer::new(sender, user);
        packer.folder("", 0o755)?;
        for folder in &self.folders {
            packer.folder(folder, 0o755)?;
        }
        let mut brought = Brought { base: BTreeMap::new(), state: self.state };
        let mut manifest = String::new();
        for item in self.items {
            let mark = match &item.source {
                Source::Made(content) => packer.bytes(&item.name, item.mode, content.reveal())?,
                Source::File(path) => packer.file(&item.name, item.mode, path)?,
            };
            manifest.push_str(&manifest_line(&mark.sha256, &item.name));
            brought.base.insert(item.name, mark);
        }
        packer.folder(".drydock", 0o700)?;
        packer.bytes(".drydock/manifest.sha256", 0o600, manifest.as_bytes())?;
        packer.finish()?;
        Ok(brought)
    }
}

#[derive(Deserialize)]
struct PromptLine {
    project: Option<PathBuf>,
}

/// The conversations that a session gets: project folders, and the ids in them.
struct Conversations {
    folders: HashSet<String>,
    ids: HashSet<String>,
    all: bool,
}

impl Conversations {
    fn find(dir: &Path, purpose: &Purpose<'_>) -> Self {
        let mut found =
            Self { folders: HashSet::new(), ids: HashSet::new(), all: purpose.history == HistoryScope::All };
        if purpose.history != HistoryScope::Project {
            return found;
        }
        let own = project_dir_name(purpose.project);
        let Ok(entries) = fs::read_dir(dir.join("projects")) else { return found };
        for entry in entries.flatten() {
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            // The name of a folder inside the project starts like the project's; so does a
            // neighbour's, so the conversations themselves are asked.
            if name == own || (name.starts_with(&own) && is_inside(&entry.path(), purpose.project)) {
                found.ids.extend(ids_in(&entry.path()));
                found.folders.insert(name);
            }
        }
        found
    }

    fn has(&self, name: &str) -> bool {
        if self.all {
            return true;
        }
        if let Some(rest) = name.strip_prefix("projects/") {
            return rest.split('/').next().is_some_and(|folder| self.folders.contains(folder));
        }
        match session_of(name) {
            Some(id) => self.ids.contains(id),
            None => class_of(name) == Class::Notes,
        }
    }
}

fn is_inside(folder: &Path, project: &Path) -> bool {
    transcripts(folder).find_map(|file| recorded_cwd(&file)).is_some_and(|cwd| cwd.starts_with(project))
}

fn ids_in(folder: &Path) -> impl Iterator<Item = String> {
    transcripts(folder).filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
}

fn transcripts(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).ok().into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
}

fn read_document(file: &Path) -> Result<Option<Map<String, Value>>> {
    match fs::read(file) {
        Ok(text) => parse_document(&text).map(Some).map_err(|fault| {
            Error::new(Code::ConfigDamaged, format!("{} is damaged", file.display()))
                .why(fault)
                .remedy("drydock doctor")
        }),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::io("read", file, &cause)),
    }
}

fn relative(home: &Path, path: &Path) -> Result<String> {
    path.strip_prefix(home).ok().and_then(Path::to_str).map(str::to_owned).ok_or_else(|| {
        Error::new(Code::HomeUnsupported, format!("{} is outside your home folder", path.display()))
            .why("a session's home mirrors yours, and has no place for it")
            .remedy("unset CLAUDE_CONFIG_DIR, or put that folder below your home")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn names(locations: &Locations, project: &Path, history: HistoryScope) -> Vec<String> {
        let plan = InwardPlan::make(locations, &Purpose { project, history, api_key: None }).unwrap();
        let mut names: Vec<_> = plan.items.into_iter().map(|item| item.name).collect();
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
        let purpose = Purpose { project: Path::new("/p"), history: HistoryScope::Project, api_key: None };
        let error = InwardPlan::make(&locations, &purpose).err().unwrap();
        assert_eq!(error.code(), Code::ConfigDamaged);
        assert!(error.causes()[0].contains("line 1, column"), "{error}");
    }
}
