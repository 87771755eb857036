//! What goes into a session.

use super::{
    Layout, REPLICA,
    base::{Agreed, AgreedDocument, Base, News},
    documents::damaged,
    exclude::Excluded,
    inside::program_for,
    pack::{Marked, Packed, Packer, manifest_line},
    path_map,
    path_map::{Direction, Localhost, PathMap, ServerNote, normalize_session_history},
    servers::fit_servers,
};
use crate::{
    claude_home::{
        Class, Inward, Outward, class_of, parse_document, project_dir_name, recorded_cwd, session_of,
        session_settings, session_state,
    },
    container::TarSender,
    error_handling::{Code, Error, IoContext, Result},
    image::SessionUser,
    keychain::Sensitive,
    paths::Locations,
    settings::HistoryScope,
};
use drydock_inside::{Mark, Sign};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    io::{self, Read, Write},
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
    /// What the user keeps out of every sync.
    pub(crate) excluded: &'a Excluded,
    /// Where the session has the host's folders.
    pub(crate) map: &'a PathMap,
    /// What happens to MCP servers on this computer.
    pub(crate) localhost: Localhost,
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
    /// The host's own text of the documents that were made for the session, by name.
    documents: BTreeMap<String, Vec<u8>>,
    layout: Option<Layout>,
    map: PathMap,
    /// What the user should know of the MCP servers.
    pub(crate) notes: Vec<ServerNote>,
}

/// A file that changed on the host since the session got it.
pub(crate) struct Incoming {
    pub(crate) name: String,
    pub(crate) content: IncomingContent,
    pub(crate) mode: u32,
    /// Whether it only ever grows.
    pub(crate) grows: bool,
    pub(crate) agreed: Option<Agreed>,
}

/// What the session is to get of it.
pub(crate) enum IncomingContent {
    /// A document in the form made for the session, and the host's own text.
    Document { text: Vec<u8>, host: Vec<u8> },
    /// The host's file.
    File(PathBuf),
}

impl InwardPlan {
    /// Decides what goes in. Reads names and the documents, not the files. Blocking.
    pub(crate) fn make(locations: &Locations, purpose: &Purpose<'_>) -> Result<Self> {
        let layout = Layout::of(locations)?;
        let config = layout.config().to_owned();
        let mut plan = Self::empty();
        plan.add_folder(&config);
        let (state_text, state) = read_document(&locations.claude_json)?;
        let (settings_text, settings) = read_document(&locations.claude_dir.join("settings.json"))?;
        let mut state = session_state(&state, purpose.project, purpose.api_key);
        plan.notes = fit_servers(&mut state, &settings, locations, purpose);
        path_map::state(&mut state, purpose.map, Direction::Inward);
        plan.add_document(layout.state(), state_text, &state)?;
        let mut settings = session_settings(&settings);
        path_map::settings(&mut settings, purpose.map, Direction::Inward);
        plan.add_document(&layout.settings(), settings_text, &settings)?;
        plan.map = purpose.map.clone();
        plan.add_file(REPLICA, 0o600, Sensitive::new(uuid::Uuid::new_v4().to_string().into_bytes()));
        plan.layout = Some(layout);
        let conversations = Conversations::find(&locations.claude_dir, purpose);
        plan.add_prompts(&locations.claude_dir, &config, purpose)?;
        plan.walk(&locations.claude_dir, &config, &conversations, purpose.excluded)?;
        if let Ok(project) = purpose.map.inside(purpose.project).strip_prefix(&locations.home) {
            plan.add_folder(&project.to_string_lossy());
        }
        Ok(plan)
    }

    /// Nothing yet.
    pub(crate) fn empty() -> Self {
        Self {
            items: Vec::new(),
            folders: BTreeSet::new(),
            documents: BTreeMap::new(),
            layout: None,
            map: PathMap::default(),
            notes: Vec::new(),
        }
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

    fn add_document(&mut self, name: &str, host: Vec<u8>, document: &Map<String, Value>) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(document)
            .map_err(|cause| Error::new(Code::Internal, "a document cannot be written").why(cause))?;
        text.push(b'\n');
        self.add_file(name, 0o600, Sensitive::new(text));
        self.documents.insert(name.to_owned(), host);
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
            let mut translated = Vec::new();
            normalize_session_history(&wanted[..], &mut translated, purpose.map, Direction::Inward)
                .context("translate", &file)?;
            self.add_file(&format!("{config}/history.jsonl"), 0o600, Sensitive::new(translated));
        }
        Ok(())
    }

    /// Links are followed: people keep parts of this folder in a repository of dotfiles.
    fn walk(
        &mut self,
        dir: &Path,
        config: &str,
        conversations: &Conversations,
        excluded: &Excluded,
    ) -> Result<()> {
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
            if excluded.has(name) {
                continue;
            }
            let wanted = match class_of(name).inward() {
                Inward::Always => true,
                Inward::WithConversation => conversations.has(name),
                Inward::Adapted | Inward::Never => false,
            };
            if wanted {
                let full = format!("{config}/{name}");
                let there = self.map.name(name, Direction::Inward).into_owned();
                if there != name && dir.join(&there).exists() && conversations.all {
                    tracing::warn!(%name, "left out of the session: another project's folder has its name there");
                    continue;
                }
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

    /// What of it changed on the host since both sides agreed last.
    pub(crate) fn changes_since(self, base: &Base) -> Result<Vec<Incoming>> {
        let known = base.files()?;
        let mut changes = Vec::new();
        for item in self.items {
            let Some(class) = self.layout.as_ref().and_then(|layout| layout.class(&item.name)) else {
                continue;
            };
            let agreed = known.get(&item.name).cloned();
            let content = match item.source {
                Source::Made(text) => {
                    let Some(host) = self.documents.get(&item.name) else { continue };
                    if base.document(&item.name)?.is_none_or(|agreed| agreed.host == *host) {
                        continue;
                    }
                    IncomingContent::Document { text: text.reveal().clone(), host: host.clone() }
                }
                Source::File(path) => {
                    let now = fs::metadata(&path).map(|data| Sign::of(&data)).ok();
                    if now.is_none() || agreed.as_ref().is_some_and(|agreed| agreed.host == now) {
                        continue;
                    }
                    IncomingContent::File(path)
                }
            };
            let grows = class.outward() == Outward::Append;
            if !self.map.is_identity() && is_translated(class) {
                // The session has another form of it, which only a new session gets.
                continue;
            }
            changes.push(Incoming { name: item.name, content, mode: item.mode, grows, agreed });
        }
        Ok(changes)
    }

    /// Writes everything as one uncompressed tar with the manifest at its end, and tells what both
    /// sides agree on from then. Blocking.
    ///
    /// The names are below the image's mount of the home volume; the archive is for the root folder.
    /// `arch` is the engine's machine, for the program that checks what arrives.
    pub(crate) fn pack(self, sender: TarSender, user: &SessionUser, arch: &str) -> Result<News> {
        let mut packer = Packer::new(sender, user);
        packer.folder("", 0o755)?;
        for folder in &self.folders {
            packer.folder(&self.name_inside(folder), 0o755)?;
        }
        let mut news = News::default();
        let mut manifest = String::new();
        for item in &self.items {
            let name = self.name_inside(&item.name);
            let (packed, original) = match &item.source {
                Source::Made(content) => (packer.bytes(&name, item.mode, content.reveal())?, None),
                Source::File(path) => match self.translated(&item.name, path)? {
                    Some((file, original)) => (packer.file(&name, item.mode, file.path())?, Some(original)),
                    None => (packer.file(&name, item.mode, path)?, None),
                },
            };
            manifest.push_str(&manifest_line(&packed.mark.sha256, &name));
            self.note(item, &packed, original, &mut news);
        }
        packer.folder(".drydock", 0o700)?;
        packer.bytes(".drydock/manifest.sha256", 0o600, manifest.as_bytes())?;
        if let Some(program) = program_for(arch) {
            packer.bytes(".drydock/inside", 0o500, program)?;
        }
        packer.finish()?;
        Ok(news)
    }

    fn name_inside(&self, name: &str) -> String {
        match self.layout.as_ref().and_then(|layout| Some((layout, layout.below_config(name)?))) {
            Some((layout, below)) => layout.in_config(&self.map.name(below, Direction::Inward)),
            None => name.to_owned(),
        }
    }

    /// A file's form for the session, where that is another, and what the host's is.
    fn translated(&self, name: &str, path: &Path) -> Result<Option<(tempfile::NamedTempFile, Original)>> {
        let class = self.layout.as_ref().and_then(|layout| layout.class(name));
        if self.map.is_identity() || !class.is_some_and(is_translated) {
            return Ok(None);
        }
        let mut file = fs::File::open(path).context("read", path)?;
        let data = file.metadata().context("read", path)?;
        // As long as it is now: what a writer appends meanwhile goes in another time.
        let mut text = (&mut file).take(data.len());
        let mut out = tempfile::NamedTempFile::new().context("make a file in", &std::env::temp_dir())?;
        let mut reading = Marked::of(&mut text);
        if class == Some(Class::PluginRegistry) {
            let mut whole = Vec::new();
            reading.read_to_end(&mut whole).context("read", path)?;
            let there = path_map::plugin_ledger(&whole, &self.map, Direction::Inward).unwrap_or(whole);
            out.write_all(&there).context("write", out.path())?;
        } else {
            normalize_session_history(&mut reading, &mut out, &self.map, Direction::Inward)
                .context("translate", path)?;
        }
        let mark = reading.mark();
        let time = data.modified().context("read", path)?;
        out.as_file().set_modified(time).context("write", out.path())?;
        Ok(Some((out, Original { mark, sign: Sign::of(&data) })))
    }

    fn note(&self, item: &Item, packed: &Packed, original: Option<Original>, news: &mut News) {
        if item.name == REPLICA
            && let Source::Made(content) = &item.source
        {
            news.replica = Some(String::from_utf8_lossy(content.reveal()).into_owned());
        }
        let Some(class) = self.layout.as_ref().and_then(|layout| layout.class(&item.name)) else { return };
        if let (Source::Made(content), Some(host)) = (&item.source, self.documents.get(&item.name)) {
            let document = AgreedDocument { host: host.clone(), session: content.reveal().clone() };
            news.documents.push((item.name.clone(), document));
        }
        // Digests of secrets are nobody's business, not even on this disk.
        if class.outward() == Outward::Never && class == Class::Credentials {
            return;
        }
        let host = original.as_ref().map_or(packed.mark, |original| original.mark);
        let agreed = Agreed {
            len: host.len,
            digest: Some(host.sha256),
            packed: is_settled(packed.mtime).then_some(packed.mtime),
            translated: original.as_ref().map(|_| packed.mark),
            host: original.map(|original| original.sign).or(packed.host),
            ..Agreed::default()
        };
        news.files.push((item.name.clone(), agreed));
    }
}

/// The host's file of which a session gets another form.
struct Original {
    mark: Mark,
    sign: Sign,
}

/// Classes of files whose paths are translated.
pub(crate) fn is_translated(class: Class) -> bool {
    matches!(class, Class::Transcript | Class::PromptHistory | Class::PluginRegistry)
}

/// Whether a file's time is long enough ago that a later change shows in it.
fn is_settled(mtime: i64) -> bool {
    std::time::UNIX_EPOCH.elapsed().is_ok_and(|now| now.as_secs().cast_signed() - mtime > 2)
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

/// A document's text and what it says; an absent one says nothing.
fn read_document(file: &Path) -> Result<(Vec<u8>, Map<String, Value>)> {
    match fs::read(file) {
        Ok(text) => {
            let document = parse_document(&text).map_err(|fault| damaged(file, &fault))?;
            Ok((text, document))
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok((Vec::new(), Map::new())),
        Err(cause) => Err(Error::io("read", file, &cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut names: Vec<_> =
            plan.items.into_iter().filter(|item| !own(item)).map(|item| item.name).collect();
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
}
