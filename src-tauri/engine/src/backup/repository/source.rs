//! The host home as a snapshot sees it: every file of Claude Code's, under names that are the same on every
//! computer.
//!
//! In a snapshot are `.claude/` and `.claude.json`, wherever they are here, and `archive/`: conversations that
//! are not in the host home any more.

use super::{
    archived::Stored,
    consistent::{Document, read_document, whole_records},
    item::{Entries, Item},
};
use crate::{
    backup::snapshot::DamagedDocument,
    claude_home::{Class, Patterns, class_of},
    container::hex,
    paths::Locations,
};
use rustic_core::{ErrorKind, ReadSource, ReadSourceEntry, ReadSourceOpen, RusticError, RusticResult};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Cursor, Read},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::SystemTime,
};
use walkdir::WalkDir;

/// What no snapshot holds: logins (a login that was used since opens nothing), what is of one machine at one
/// time, and what Claude Code fetches or makes again by itself.
pub const NOT_BACKED_UP: &[&str] = &[
    ".credentials.json",
    "*.lock",
    "*.lock.owner",
    "projects/*/*.lock",
    "plugins/store/*.lock",
    "*.tmp",
    "*.tmp.*",
    "projects/*/*.tmp.*",
    "plugins/*.tmp.*",
    "**/.drydock*",
    "**/.DS_Store",
    "sessions/",
    "ide/",
    "shell-snapshots/",
    "session-env/",
    "debug/",
    "telemetry/",
    "statsig/",
    "logs/",
    "cache/",
    "startup-perf/",
    "local/",
    "downloads/",
    "mcp-needs-auth-cache.json",
];

/// The folder of a snapshot that Claude Code's folder is in.
pub(super) const CLAUDE: &str = ".claude";
/// The name in a snapshot of Claude Code's state file.
pub(super) const STATE: &str = ".claude.json";

/// Where the host home is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Origin {
    /// Claude Code's folder.
    pub claude_dir: PathBuf,
    /// Its state file.
    pub claude_json: PathBuf,
}

/// A file to be read, or a place in the repository where it is already.
#[derive(Debug)]
pub(super) enum Content {
    File { path: PathBuf, length: u64, name: String, unread: Unread },
    Bytes(Vec<u8>),
    Stored(Stored),
}

/// The names of files that were there and could not be read.
pub(super) type Unread = Arc<Mutex<Vec<String>>>;

pub(super) type Entry = ReadSourceEntry<Content>;

/// The host home, listed.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Claude Code's folder.
    root: PathBuf,
    /// Sorted as a tree is, and taken when they are read.
    items: Mutex<Vec<Item>>,
    /// What comes after that, and is in the repository alone.
    stored: Mutex<Vec<Entry>>,
    bytes: u64,
    pub(super) damaged: Vec<DamagedDocument>,
    pub(super) unread: Unread,
    /// The names of all conversations' files, below the snapshot.
    pub(super) conversations: Vec<String>,
}

impl Source {
    /// Lists the host home, and reads its documents.
    ///
    /// # Errors
    /// When Claude Code's folder is there and cannot be listed.
    pub(super) fn list(origin: &Origin, now: SystemTime) -> io::Result<Self> {
        let mut source = Self::default();
        let mut items = Vec::new();
        // Where it is inside of Claude Code's folder, it is here what it is everywhere else.
        let state = fs::canonicalize(&origin.claude_json).ok();
        if let Ok(root) = fs::canonicalize(&origin.claude_dir) {
            source.list_folder(&root, state.as_deref(), now, &mut items)?;
            source.root = root;
        }
        if let Some(path) = state {
            source.add_document(&path, Path::new(STATE), &mut items);
        }
        source.bytes = items.iter().map(Item::bytes).sum();
        source.items = Mutex::new(items);
        Ok(source)
    }

    fn list_folder(
        &mut self,
        root: &Path,
        state: Option<&Path>,
        now: SystemTime,
        items: &mut Vec<Item>,
    ) -> io::Result<()> {
        let walk = WalkDir::new(root).follow_links(false).sort_by_file_name().into_iter();
        let walk = walk.filter_entry(|entry| entry.depth() == 0 || !is_left_out(root, entry.path()));
        for entry in walk {
            let entry = match entry {
                Ok(entry) => entry,
                Err(cause) if cause.depth() == 0 => return Err(cause.into()),
                // Gone since its folder was listed.
                Err(cause) if cause.io_error().is_some_and(|io| io.kind() == io::ErrorKind::NotFound) => {
                    continue;
                }
                Err(cause) => {
                    self.note_unread(&cause.path().unwrap_or(root).display().to_string());
                    continue;
                }
            };
            let Ok(below) = entry.path().strip_prefix(root) else { continue };
            let name = Path::new(CLAUDE).join(below);
            let Ok(data) = entry.metadata() else { continue };
            let kind = data.file_type();
            if kind.is_dir() {
                items.push(Item::folder(&name, &data));
            } else if kind.is_symlink() {
                let Ok(target) = fs::read_link(entry.path()) else { continue };
                items.push(Item::link(&name, &data, &target));
            } else if kind.is_file() && Some(entry.path()) != state {
                self.add_file(entry.path(), below, &name, &data, now, items);
            }
        }
        Ok(())
    }

    fn add_file(
        &mut self,
        path: &Path,
        below: &Path,
        name: &Path,
        data: &fs::Metadata,
        now: SystemTime,
        items: &mut Vec<Item>,
    ) {
        let below = below.to_string_lossy();
        let class = class_of(&below);
        let is_json = below.ends_with(".json");
        if is_json && matches!(class, Class::State | Class::Settings | Class::PluginRegistry) {
            return self.add_document(path, name, items);
        }
        let length = if below.ends_with(".jsonl") {
            whole_records(path, data, now).unwrap_or(data.len())
        } else {
            data.len()
        };
        if matches!(class, Class::Transcript | Class::ConversationFile) {
            self.conversations.push(name.to_string_lossy().into_owned());
        }
        items.push(Item::file(name, data, length));
    }

    fn add_document(&mut self, path: &Path, name: &Path, items: &mut Vec<Item>) {
        let shown = name.to_string_lossy();
        match read_document(path, &shown) {
            Ok(Document { content, data, damage }) => {
                self.damaged.extend(damage);
                items.push(Item::document(name, &data, content));
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(_) => self.note_unread(&shown),
        }
    }

    /// Adds what is in the repository alone.
    pub(super) fn add_stored(&self, stored: Vec<Entry>) {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).extend(stored);
    }

    /// A digest of all names and signs: two homes with the same have the same files.
    pub(super) fn signature(&self) -> String {
        let mut hash = Sha256::new();
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.iter().for_each(|item| item.sign(&mut hash));
        hex(&hash.finalize())
    }

    /// Whether something of this name is in it.
    pub(super) fn has(&self, name: &str) -> bool {
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.iter().any(|item| item.name() == Path::new(name))
    }

    fn note_unread(&self, name: &str) {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
    }
}

/// Whether a snapshot would have a file of this path.
#[must_use]
pub fn is_backed_up(locations: &Locations, path: &Path) -> bool {
    if path == locations.claude_json {
        return true;
    }
    path.starts_with(&locations.claude_dir)
        && path
            .ancestors()
            .take_while(|above| *above != locations.claude_dir)
            .all(|above| !is_left_out(&locations.claude_dir, above))
}

fn is_left_out(root: &Path, path: &Path) -> bool {
    static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns::of(NOT_BACKED_UP));
    path.strip_prefix(root).is_ok_and(|below| PATTERNS.cover(&below.to_string_lossy()))
}

impl ReadSource for Source {
    type Open = Content;
    type Iter = Entries;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(Some(self.bytes))
    }

    fn entries(&self) -> Self::Iter {
        let items = std::mem::take(&mut *self.items.lock().unwrap_or_else(PoisonError::into_inner));
        let stored = std::mem::take(&mut *self.stored.lock().unwrap_or_else(PoisonError::into_inner));
        Entries {
            root: self.root.clone(),
            unread: self.unread.clone(),
            items: items.into_iter(),
            stored: stored.into_iter(),
        }
    }
}

impl ReadSourceOpen for Content {
    type Reader = Box<dyn Read + Send>;

    fn open(self) -> RusticResult<Self::Reader> {
        match self {
            Self::Bytes(content) => Ok(Box::new(Cursor::new(content))),
            Self::Stored(stored) => Ok(Box::new(stored)),
            Self::File { path, length, name, unread } => match File::open(&path) {
                Ok(file) => Ok(Box::new(Bounded { file, left: length, name, unread })),
                Err(cause) => {
                    if cause.kind() != io::ErrorKind::NotFound {
                        unread.lock().unwrap_or_else(PoisonError::into_inner).push(name);
                    }
                    Err(RusticError::with_source(ErrorKind::InputOutput, "could not open `{path}`", cause)
                        .attach_context("path", path.display().to_string()))
                }
            },
        }
    }
}

/// As much of a file as there was when it was listed. What is written meanwhile is the next snapshot's.
struct Bounded {
    file: File,
    left: u64,
    name: String,
    unread: Unread,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = match self.file.read(&mut buffer[..wanted]) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut while it was read")),
            read => read,
        };
        match read {
            Ok(count) => {
                self.left -= count as u64;
                Ok(count)
            }
            Err(cause) => {
                if cause.kind() != io::ErrorKind::Interrupted {
                    self.unread.lock().unwrap_or_else(PoisonError::into_inner).push(self.name.clone());
                }
                Err(cause)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_and_what_is_of_one_machine_are_left_out() {
        let root = Path::new("/h/.claude");
        for name in [
            ".credentials.json",
            "sessions",
            "sessions/1.json",
            "ide/1.lock",
            "projects/p/x.jsonl.lock",
            "debug",
        ] {
            assert!(is_left_out(root, &root.join(name)), "{name}");
        }
        for name in
            ["settings.json", "projects", "projects/p/x.jsonl", "backups/.claude.json.backup.1", "plugins"]
        {
            assert!(!is_left_out(root, &root.join(name)), "{name}");
        }
    }

    #[test]
    fn names_are_the_same_wherever_the_home_is_and_in_the_order_of_a_tree() {
        let home = tempfile::tempdir().unwrap();
        let claude_dir = home.path().join("elsewhere");
        fs::create_dir_all(claude_dir.join("projects/-p/memory")).unwrap();
        for name in ["settings.json", "projects/-p/1.jsonl", "projects/-p/memory/M.md", ".credentials.json"] {
            fs::write(claude_dir.join(name), "{}").unwrap();
        }
        let claude_json = home.path().join("state.json");
        fs::write(&claude_json, "{\"a\": }").unwrap();
        let source = Source::list(&Origin { claude_dir, claude_json }, SystemTime::now()).unwrap();
        let names: Vec<_> = source.entries().map(|entry| entry.unwrap().path).collect();
        let wanted = [
            ".claude",
            ".claude/projects",
            ".claude/projects/-p",
            ".claude/projects/-p/1.jsonl",
            ".claude/projects/-p/memory",
            ".claude/projects/-p/memory/M.md",
            ".claude/settings.json",
            ".claude.json",
        ];
        assert_eq!(names, wanted.map(PathBuf::from));
        assert_eq!(source.damaged[0].name, ".claude.json");
        assert_eq!(source.conversations, [".claude/projects/-p/1.jsonl"]);
    }
}
