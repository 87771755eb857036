//! The host home as a snapshot sees it: every file of Claude Code's, under names that are the same on every
//! computer.
//!
//! In a snapshot are `.claude/` and `.claude.json`, wherever they are here, and `archive/`: conversations that
//! are not in the host home any more.

use super::{
    archived::Stored,
    consistent::{Document, read_document, whole_records},
};
use crate::{
    backup::snapshot::DamagedDocument,
    claude_home::{Class, Patterns, class_of},
    container::hex,
    paths::Locations,
};
use rustic_core::{
    ErrorKind, ReadSource, ReadSourceEntry, ReadSourceOpen, RusticError, RusticResult,
    jiff::Timestamp,
    repofile::{Metadata, Node, NodeType},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Cursor, Read},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
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
    /// Sorted as a tree is, and taken when they are read.
    entries: Mutex<Vec<Entry>>,
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
        let mut entries = Vec::new();
        // Where it is inside of Claude Code's folder, it is here what it is everywhere else.
        let state = fs::canonicalize(&origin.claude_json).ok();
        if let Ok(root) = fs::canonicalize(&origin.claude_dir) {
            source.list_folder(&root, state.as_deref(), now, &mut entries)?;
        }
        if let Some(path) = state {
            source.add_document(&path, Path::new(STATE), &mut entries);
        }
        source.bytes =
            entries.iter().filter(|entry| !entry.node.is_dir()).map(|entry| entry.node.meta.size).sum();
        source.entries = Mutex::new(entries);
        Ok(source)
    }

    fn list_folder(
        &mut self,
        root: &Path,
        state: Option<&Path>,
        now: SystemTime,
        entries: &mut Vec<Entry>,
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
                let folder = name.file_name().unwrap_or(OsStr::new(CLAUDE));
                let node = Node::new_node(folder, NodeType::Dir, meta_of(&data, 0));
                entries.push(Entry { path: name, node, open: None });
            } else if kind.is_symlink() {
                let Ok(target) = fs::read_link(entry.path()) else { continue };
                let node = Node::new_node(entry.file_name(), NodeType::from_link(&target), meta_of(&data, 0));
                entries.push(Entry { path: name, node, open: None });
            } else if kind.is_file() && Some(entry.path()) != state {
                self.add_file(entry.path(), below, &name, &data, now, entries);
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
        entries: &mut Vec<Entry>,
    ) {
        let below = below.to_string_lossy();
        let class = class_of(&below);
        let is_json = below.ends_with(".json");
        if is_json && matches!(class, Class::State | Class::Settings | Class::PluginRegistry) {
            return self.add_document(path, name, entries);
        }
        let length = if below.ends_with(".jsonl") {
            whole_records(path, data, now).unwrap_or(data.len())
        } else {
            data.len()
        };
        if matches!(class, Class::Transcript | Class::ConversationFile) {
            self.conversations.push(name.to_string_lossy().into_owned());
        }
        let shown = name.to_string_lossy().into_owned();
        let open =
            Content::File { path: path.to_path_buf(), length, name: shown, unread: self.unread.clone() };
        entries.push(file_entry(name, data, length, open));
    }

    fn add_document(&mut self, path: &Path, name: &Path, entries: &mut Vec<Entry>) {
        let shown = name.to_string_lossy();
        match read_document(path, &shown) {
            Ok(Document { content, data, damage }) => {
                self.damaged.extend(damage);
                entries.push(file_entry(name, &data, content.len() as u64, Content::Bytes(content)));
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(_) => self.note_unread(&shown),
        }
    }

    /// Adds what is in the repository alone.
    pub(super) fn add_stored(&self, stored: Vec<Entry>) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).extend(stored);
    }

    /// A digest of all names and signs: two homes with the same have the same files.
    pub(super) fn signature(&self) -> String {
        let mut hash = Sha256::new();
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries.iter() {
            let Metadata { mode, mtime, ctime, inode, size, .. } = &entry.node.meta;
            hash.update(entry.path.as_os_str().as_bytes());
            let time = |time: &Option<Timestamp>| time.map_or(0, Timestamp::as_nanosecond);
            hash.update(format!("\0{mode:?} {} {} {inode} {size}", time(mtime), time(ctime)));
            if entry.node.is_symlink() {
                hash.update(entry.node.node_type.to_link().as_os_str().as_bytes());
            }
            hash.update(b"\n");
        }
        hex(&hash.finalize())
    }

    /// Whether something of this name is in it.
    pub(super) fn has(&self, name: &str) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().any(|entry| entry.path == Path::new(name))
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

fn file_entry(name: &Path, data: &fs::Metadata, length: u64, open: Content) -> Entry {
    let node = Node::new_node(name.file_name().unwrap_or_default(), NodeType::File, meta_of(data, length));
    Entry { path: name.to_path_buf(), node, open: Some(open) }
}

/// The signs of a file, as restic writes them down.
fn meta_of(data: &fs::Metadata, size: u64) -> Metadata {
    // Go's bits for folders and links; those for permissions are the same as here.
    let kind = if data.is_dir() {
        1 << 31
    } else if data.is_symlink() {
        1 << 27
    } else {
        0
    };
    let time = |seconds: i64, nanoseconds: i64| {
        Timestamp::new(seconds, i32::try_from(nanoseconds).unwrap_or_default()).ok()
    };
    Metadata {
        mode: Some(data.mode() & 0o777 | kind),
        mtime: time(data.mtime(), data.mtime_nsec()),
        ctime: time(data.ctime(), data.ctime_nsec()),
        uid: Some(data.uid()),
        gid: Some(data.gid()),
        inode: data.ino(),
        size,
        ..Metadata::default()
    }
}

impl ReadSource for Source {
    type Open = Content;
    type Iter = std::vec::IntoIter<RusticResult<Entry>>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(Some(self.bytes))
    }

    fn entries(&self) -> Self::Iter {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *entries).into_iter().map(Ok).collect::<Vec<_>>().into_iter()
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
