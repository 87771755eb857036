//! Walking a folder as a stranger's: links are not followed, and odd things are told, not met.

use crate::Sign;
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A device, pipe or socket.
    Other,
    /// Something whose name is not text.
    Nameless,
}

/// Something in a folder that is no folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name below the root, with `/` between the parts; made printable where it is not text.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its signs.
    pub sign: Sign,
}

/// Walks what is at `top` below `root`, a file or a folder, and tells each thing that is no folder.
/// Folders at the first level below `top` with a name in `skip` are passed over, and so is what
/// vanishes meanwhile.
///
/// # Errors
/// When the visitor gives one; a folder that cannot be read is passed over.
pub fn scan(
    root: &Path,
    top: &str,
    skip: &[String],
    visit: &mut dyn FnMut(Entry) -> io::Result<()>,
) -> io::Result<()> {
    let Ok(data) = fs::symlink_metadata(root.join(top)) else { return Ok(()) };
    if !data.is_dir() {
        return visit(Entry { name: top.to_owned(), kind: kind_of(&data), sign: Sign::of(&data) });
    }
    let mut folders = VecDeque::from([(PathBuf::from(top), 0_usize)]);
    while let Some((folder, depth)) = folders.pop_front() {
        let Ok(entries) = fs::read_dir(root.join(&folder)) else { continue };
        for entry in entries.flatten() {
            let Ok(data) = entry.metadata() else { continue };
            let name = entry.file_name();
            let path = folder.join(&name);
            if data.is_dir() {
                let skipped = depth == 0 && skip.iter().any(|skipped| skipped.as_bytes() == name.as_bytes());
                if !skipped {
                    folders.push_back((path, depth + 1));
                }
                continue;
            }
            let sign = Sign::of(&data);
            visit(match path.to_str() {
                Some(name) => Entry { name: name.to_owned(), kind: kind_of(&data), sign },
                None => Entry { name: path.display().to_string(), kind: Kind::Nameless, sign },
            })?;
        }
    }
    Ok(())
}

fn kind_of(data: &fs::Metadata) -> Kind {
    match data.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_symlink() => Kind::Link,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{ffi::OsStr, os::unix::fs::symlink};

    #[test]
    fn links_are_told_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for name in ["data/a/b.txt", "data/skipped/c.txt", "data/a/skipped/d.txt", "outside/e.txt"] {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), "x").unwrap();
        }
        symlink(root.join("outside"), root.join("data/link")).unwrap();
        symlink("..", root.join("data/a/loop")).unwrap();
        fs::write(root.join("data").join(OsStr::from_bytes(b"\xff")), "x").unwrap();
        let mut found = Vec::new();
        scan(root, "data", &["skipped".into()], &mut |entry| {
            found.push((entry.name, entry.kind));
            Ok(())
        })
        .unwrap();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let expected = [
            ("data/a/b.txt", Kind::File),
            ("data/a/loop", Kind::Link),
            ("data/a/skipped/d.txt", Kind::File),
            ("data/link", Kind::Link),
            ("data/\u{fffd}", Kind::Nameless),
        ];
        assert_eq!(found, expected.map(|(name, kind)| (name.to_owned(), kind)));
    }
}
