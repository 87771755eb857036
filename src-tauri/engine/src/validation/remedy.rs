//! Commands that a person can copy into a shell.

use crate::claude_home::parse_document;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A path as one word of a shell's.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

pub(super) fn copy_command(from: &Path, to: &Path) -> String {
    format!("cp {} {}", quoted(from), quoted(to))
}

pub(super) fn mend_that_place(file: &Path) -> String {
    format!("mend that place in {}", quoted(file))
}

/// The newest of Claude Code's own backups that can be read and is not of a home that was just made.
pub(super) fn newest_backup(claude_dir: &Path) -> Option<PathBuf> {
    let mut backups: Vec<_> = fs::read_dir(claude_dir.join("backups"))
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let stamp: u64 = name.strip_prefix(".claude.json.backup.")?.parse().ok()?;
            Some((stamp, entry.path()))
        })
        .collect();
    backups.sort_by_key(|(stamp, _)| std::cmp::Reverse(*stamp));
    backups.into_iter().map(|(_, path)| path).find(|path| {
        fs::read(path).ok().and_then(|text| parse_document(&text).ok()).is_some_and(|document| {
            ["projects", "mcpServers", "oauthAccount"].iter().any(|key| document.contains_key(*key))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_quoted_for_the_shell() {
        assert_eq!(quoted(Path::new("/a/b.json")), "/a/b.json");
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
