//! Files as git keeps them: of a commit, or staged for the next one.

use super::{
    commit::Commit,
    git::{Git, Keeps},
    tree::{Blob, LARGEST_FILE, Listed, Tree, is_read, refuse_odd},
    value::Runs,
};
use crate::error_handling::{Code, Error, Result};
use std::{collections::BTreeMap, path::Path};

/// The files of a commit that configuration is made of.
///
/// # Errors
/// [`Code::GitopsInvalid`] for a commit with anything in it that has no business there.
pub(super) fn committed(git: &Git, commit: &Commit) -> Result<Tree> {
    let out = git.output(&["ls-tree", "-r", "-z", "-l", "--full-tree", commit.as_str()], None)?;
    read(git, listed(&out), &format!("commit {commit}"))
}

/// The files that are staged for the next commit in a repository on this computer.
///
/// # Errors
/// As [`committed`].
pub(super) fn staged(folder: &Path, home: &Path) -> Result<Tree> {
    let git = Git::find(folder, home)?.keeping(Keeps::HooksRepository);
    let out = git.output(&["ls-files", "--stage", "-z", "--full-name", ":/"], None)?;
    let mut found = Vec::new();
    for entry in out.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else { continue };
        let head = String::from_utf8_lossy(&entry[..tab]).into_owned();
        let mut words = head.split_whitespace();
        let (mode, object) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        found.push(Listed {
            mode: mode.to_owned(),
            object: object.to_owned(),
            size: None,
            name: entry[tab + 1..].to_vec(),
        });
    }
    read(&git, found, "what is staged")
}

/// The lines of `git ls-tree -z -l`.
fn listed(out: &[u8]) -> Vec<Listed> {
    let mut found = Vec::new();
    for entry in out.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else { continue };
        let head = String::from_utf8_lossy(&entry[..tab]).into_owned();
        let words: Vec<_> = head.split_whitespace().collect();
        if let [mode, _, object, size] = words[..] {
            found.push(Listed {
                mode: mode.to_owned(),
                object: object.to_owned(),
                size: size.parse().ok(),
                name: entry[tab + 1..].to_vec(),
            });
        }
    }
    found
}

/// Reads the files, after a look at all names.
fn read(git: &Git, listed: Vec<Listed>, whose: &str) -> Result<Tree> {
    refuse_odd(&listed).map_err(|(name, fault)| {
        Error::new(Code::GitopsInvalid, format!("{name} of {whose} is refused"))
            .why(fault.what)
            .remedy("remove it from the repository, and commit")
    })?;
    let wanted: Vec<_> = listed
        .into_iter()
        .filter_map(|one| {
            let name = String::from_utf8(one.name).ok()?;
            is_read(&name).then_some((name, one.object, one.mode))
        })
        .collect();
    if wanted.is_empty() {
        return Ok(Tree::default());
    }
    let asked: String = wanted.iter().map(|(_, object, _)| format!("{object}\n")).collect();
    let out = git.output(&["cat-file", "--batch"], Some(asked.as_bytes()))?;
    let (mut rest, mut files) = (out.as_slice(), BTreeMap::new());
    let torn = || Error::new(Code::GitopsRepository, format!("git did not give all files of {whose}"));
    for (name, object, mode) in wanted {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(torn)?;
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        let words: Vec<_> = head.split(' ').collect();
        let ([found, "blob", len], Some(body)) = (&words[..], rest.get(end + 1..)) else {
            return Err(torn());
        };
        let len: usize = len.parse().map_err(|_| torn())?;
        if *found != object || body.len() <= len {
            return Err(torn());
        }
        let too_large = len as u64 > LARGEST_FILE;
        if too_large {
            return Err(Error::new(Code::GitopsInvalid, format!("{name} of {whose} is larger than 1 MiB")));
        }
        let runs = if mode == "100755" { Runs::Yes } else { Runs::No };
        files.insert(name, Blob { bytes: body[..len].to_vec(), runs });
        rest = &body[len + 1..];
    }
    Ok(Tree(files))
}
