//! The files of a repository at one moment, by their names: of a commit, of the index, or of a folder. What has no
//! business in such a repository is refused before anything of it is read.

use super::node::Fault;
use crate::error_handling::{Code, Error, IoContext, Result};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
};
use unicode_normalization::UnicodeNormalization;

/// Bytes of one file.
pub(super) const LARGEST_FILE: u64 = 1 << 20;
/// Bytes of all.
pub(super) const LARGEST_TREE: u64 = 32 << 20;
pub(super) const MOST_FILES: usize = 10_000;

/// A file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) bytes: Vec<u8>,
    pub(super) runs: super::value::Runs,
}

/// The files that configuration is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tree(pub(super) BTreeMap<String, Blob>);

/// The folders and files that are read; the rest of a repository is the user's own.
pub(super) fn is_read(name: &str) -> bool {
    const FOLDERS: &[&str] = &["desired/", "machines/", "projects/", "secrets/"];
    name == super::repository::ROOT_FILE || FOLDERS.iter().any(|folder| name.starts_with(folder))
}

/// One name of a commit, as git lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) mode: String,
    pub(super) object: String,
    pub(super) size: Option<u64>,
    pub(super) name: Vec<u8>,
}

/// What of a listing may not be there.
///
/// # Errors
/// The first name that is refused, with the reason. Nothing of such a commit is used.
pub(super) fn refuse_odd(listed: &[Listed]) -> std::result::Result<(), (String, Fault)> {
    let mut folded: HashMap<String, &str> = HashMap::new();
    let (mut total, mut count) = (0_u64, 0_usize);
    for one in listed {
        let lossy = String::from_utf8_lossy(&one.name).into_owned();
        let refused = |what: &str| Err((lossy.clone(), Fault::new(0, what)));
        match one.mode.as_str() {
            "100644" | "100755" => {}
            "120000" => return refused("it is a link, and links are not followed"),
            "160000" => return refused("it is another repository inside this one, which is not read"),
            _ => return refused("it is no plain file"),
        }
        let Ok(name) = std::str::from_utf8(&one.name) else {
            return refused("its name is no text (UTF-8)");
        };
        if let Some(what) = odd_name(name) {
            return refused(what);
        }
        // Each folder of it as well: two that differ in case are one folder on a Mac.
        let mut end = 0;
        while end < name.len() {
            end = name[end..].find('/').map_or(name.len(), |at| end + at);
            let part = &name[..end];
            let fold: String = part.nfc().flat_map(char::to_lowercase).collect();
            match folded.insert(fold, part) {
                Some(other) if other != part => {
                    return refused(
                        "another name differs from it only in case, and they would be one file on a Mac",
                    );
                }
                _ => {}
            }
            end += 1;
        }
        let size = one.size.unwrap_or(0);
        if size > LARGEST_FILE {
            return refused("it is larger than 1 MiB");
        }
        (total, count) = (total + size, count + 1);
        if total > LARGEST_TREE || count > MOST_FILES {
            return refused("with it the repository has more than 10,000 files or 32 MiB");
        }
    }
    Ok(())
}

/// What is wrong with a name.
fn odd_name(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.starts_with('/') {
        return Some("its path is absolute or empty");
    }
    if name.chars().any(char::is_control) || name.contains('\\') {
        return Some("control characters or a backslash are in its name");
    }
    let odd = |part: &str| matches!(part, "" | "." | "..") || part.eq_ignore_ascii_case(".git");
    name.split('/').any(odd).then_some("`.`, `..` or `.git` is in its path")
}

impl Tree {
    /// That of a folder as it is now, with the names that git would not take refused in the same way.
    ///
    /// # Errors
    /// [`Code::GitopsInvalid`] for what is refused, or when a file cannot be read.
    pub(super) fn of_folder(folder: &Path) -> Result<Self> {
        let (mut listed, mut files) = (Vec::new(), BTreeMap::new());
        let own = |entry: &walkdir::DirEntry| !(entry.depth() == 1 && entry.file_name() == ".git");
        for entry in walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(own) {
            let entry = entry.map_err(|cause| {
                Error::new(Code::FileAccess, format!("could not read {}", folder.display())).why(cause)
            })?;
            if entry.file_type().is_dir() {
                continue;
            }
            let name =
                entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_string_lossy().into_owned();
            let data = entry.path().symlink_metadata().context("look at", entry.path())?;
            let runs = data.permissions().mode() & 0o100 != 0;
            let mode = match (data.is_symlink(), data.is_file()) {
                (true, _) => "120000",
                (_, true) if runs => "100755",
                (_, true) => "100644",
                _ => "other",
            };
            // What is not configuration is refused for its kind alone: a checkout may have anything beside it.
            if is_read(&name) {
                listed.push(Listed {
                    mode: mode.to_owned(),
                    object: String::new(),
                    size: Some(data.len()),
                    name: name.clone().into_bytes(),
                });
                files.insert(name, (entry.into_path(), runs));
            }
        }
        refuse_odd(&listed).map_err(|(name, fault)| {
            Error::new(Code::GitopsInvalid, format!("{name} is refused")).why(fault.what)
        })?;
        let read = files.into_iter().map(|(name, (path, runs))| {
            let bytes = fs::read(&path).context("read", &path)?;
            let runs = if runs { super::value::Runs::Yes } else { super::value::Runs::No };
            Ok((name, Blob { bytes, runs }))
        });
        read.collect::<Result<BTreeMap<_, _>>>().map(Self)
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let blob = |text: &str| Blob { bytes: text.as_bytes().to_vec(), runs: super::value::Runs::No };
        Self(files.iter().map(|(name, text)| ((*name).to_owned(), blob(text))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(mode: &str, names: &[&[u8]]) -> Option<String> {
        let listed: Vec<_> = names
            .iter()
            .map(|name| Listed {
                mode: mode.into(),
                object: String::new(),
                size: Some(1),
                name: name.to_vec(),
            })
            .collect();
        refuse_odd(&listed).err().map(|(_, fault)| fault.what)
    }

    #[test]
    fn only_plain_files_with_plain_names_are_taken() {
        assert_eq!(refused("100644", &[b"desired/a.md", b"desired/b/c.md"]), None);
        assert!(refused("120000", &[b"x"]).unwrap().contains("link"));
        assert!(refused("160000", &[b"x"]).unwrap().contains("repository"));
        for odd in
            [&b"../x"[..], b"/x", b"a/../b", b"a//b", b".git/config", b"a/.GIT/x", b"a\0b", b"a\\b", b"\xff"]
        {
            assert!(refused("100644", &[odd]).is_some(), "{odd:?}");
        }
        assert!(refused("100644", &[b"a/X.md", b"a/x.md"]).unwrap().contains("case"));
        assert!(refused("100644", &[b"A/one.md", b"a/two.md"]).unwrap().contains("case"));
        assert!(refused("100644", &["e\u{301}.md".as_bytes(), "\u{e9}.md".as_bytes()]).is_some());
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let one = |size| Listed {
            mode: "100644".into(),
            object: String::new(),
            size: Some(size),
            name: format!("f{size}").into_bytes(),
        };
        assert!(refuse_odd(&[one(LARGEST_FILE + 1)]).is_err());
        let many: Vec<_> = (0..40).map(|n| one(LARGEST_FILE - n)).collect();
        assert!(refuse_odd(&many).is_err());
    }
}
