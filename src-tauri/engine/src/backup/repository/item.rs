//! What was listed of the host home, as small as it can be kept: there can be a hundred thousand, and all of
//! them are in memory until the last is read.

use super::source::{CLAUDE, Content, Entry, Unread};
use rustic_core::{
    RusticResult,
    jiff::Timestamp,
    repofile::{Metadata, Node, NodeType},
};
use sha2::{Digest, Sha256};
use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    vec,
};

/// One thing of the host home.
#[derive(Debug)]
pub(super) struct Item {
    /// Below the snapshot.
    name: Box<Path>,
    signs: Signs,
    what: What,
}

#[derive(Debug)]
enum What {
    Folder,
    Link(Box<Path>),
    /// To be read when its turn comes.
    File,
    /// Read already.
    Document(Vec<u8>),
}

/// By what a thing is known to be the same as before.
#[derive(Debug)]
struct Signs {
    mode: u32,
    modified: Option<Timestamp>,
    changed: Option<Timestamp>,
    user: u32,
    group: u32,
    inode: u64,
    size: u64,
}

impl Signs {
    fn of(data: &fs::Metadata, size: u64) -> Self {
        // Go's bits for folders and links, as restic writes them; those for permissions are the same as here.
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
        Self {
            mode: data.mode() & 0o777 | kind,
            modified: time(data.mtime(), data.mtime_nsec()),
            changed: time(data.ctime(), data.ctime_nsec()),
            user: data.uid(),
            group: data.gid(),
            inode: data.ino(),
            size,
        }
    }

    fn meta(&self) -> Metadata {
        Metadata {
            mode: Some(self.mode),
            mtime: self.modified,
            ctime: self.changed,
            uid: Some(self.user),
            gid: Some(self.group),
            inode: self.inode,
            size: self.size,
            ..Metadata::default()
        }
    }
}

impl Item {
    pub(super) fn folder(name: &Path, data: &fs::Metadata) -> Self {
        Self { name: name.into(), signs: Signs::of(data, 0), what: What::Folder }
    }

    pub(super) fn link(name: &Path, data: &fs::Metadata, target: &Path) -> Self {
        Self { name: name.into(), signs: Signs::of(data, 0), what: What::Link(target.into()) }
    }

    /// A file below Claude Code's folder, of which `length` bytes are taken.
    pub(super) fn file(name: &Path, data: &fs::Metadata, length: u64) -> Self {
        Self { name: name.into(), signs: Signs::of(data, length), what: What::File }
    }

    pub(super) fn document(name: &Path, data: &fs::Metadata, content: Vec<u8>) -> Self {
        let signs = Signs::of(data, content.len() as u64);
        Self { name: name.into(), signs, what: What::Document(content) }
    }

    pub(super) fn name(&self) -> &Path {
        &self.name
    }

    /// How many bytes of it are read.
    pub(super) fn bytes(&self) -> u64 {
        self.signs.size
    }

    /// Adds its name and its signs to a digest.
    pub(super) fn sign(&self, hash: &mut Sha256) {
        let Signs { mode, modified, changed, inode, size, .. } = &self.signs;
        hash.update(self.name.as_os_str().as_bytes());
        let time = |time: &Option<Timestamp>| time.map_or(0, Timestamp::as_nanosecond);
        hash.update(format!("\0{mode} {} {} {inode} {size}", time(modified), time(changed)));
        if let What::Link(target) = &self.what {
            hash.update(target.as_os_str().as_bytes());
        }
        hash.update(b"\n");
    }

    /// It as an entry of a snapshot; `root` is Claude Code's folder.
    fn entry(self, root: &Path, unread: &Unread) -> Entry {
        let own_name = self.name.file_name().unwrap_or(OsStr::new(CLAUDE));
        let kind = match &self.what {
            What::Folder => NodeType::Dir,
            What::Link(target) => NodeType::from_link(target),
            What::File | What::Document(_) => NodeType::File,
        };
        let node = Node::new_node(own_name, kind, self.signs.meta());
        let open = match self.what {
            What::Folder | What::Link(_) => None,
            What::Document(content) => Some(Content::Bytes(content)),
            What::File => Some(Content::File {
                path: root.join(self.name.strip_prefix(CLAUDE).unwrap_or(&self.name)),
                length: self.signs.size,
                name: self.name.to_string_lossy().into_owned(),
                unread: unread.clone(),
            }),
        };
        Entry { path: self.name.into_path_buf(), node, open }
    }
}

/// The entries of a snapshot, each made when it is asked for.
#[derive(Debug)]
pub(super) struct Entries {
    pub(super) root: PathBuf,
    pub(super) unread: Unread,
    pub(super) items: vec::IntoIter<Item>,
    /// Those that are in the repository alone.
    pub(super) stored: vec::IntoIter<Entry>,
}

impl Iterator for Entries {
    type Item = RusticResult<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.items.next().map(|item| item.entry(&self.root, &self.unread));
        item.or_else(|| self.stored.next()).map(Ok)
    }
}
