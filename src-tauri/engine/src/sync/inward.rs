//! What goes into a session.

mod conversations;
mod packing;
#[cfg(test)]
mod tests;

use conversations::Conversations;

use super::{
    Layout, REPLICA,
    base::{Agreed, Base},
    documents::damaged,
    exclude::Excluded,
    path_map,
    path_map::{Direction, Localhost, PathMap, ServerNote, normalize_session_history},
    servers::fit_servers,
};
use crate::{
    claude_home::{Class, Inward, Outward, class_of, parse_document, session_settings, session_state},
    error_handling::{Code, Error, IoContext, Result},
    keychain::Sensitive,
    paths::Locations,
    settings::HistoryScope,
};
use drydock_inside::Sign;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
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
}

/// Classes of files whose paths are translated.
pub(crate) fn is_translated(class: Class) -> bool {
    matches!(class, Class::Transcript | Class::PromptHistory | Class::PluginRegistry)
}

#[derive(Deserialize)]
struct PromptLine {
    project: Option<PathBuf>,
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
