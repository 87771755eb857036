//! Whether Claude Code's own documents can be read.

use super::{Damage, Finding, Severity};
use crate::{
    claude_home::parse_document,
    error_handling::{Code, Error, Result},
    paths::Locations,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Checks the documents of the host home. An absent one is fine where Claude Code makes it itself.
#[must_use]
pub fn validate_documents(locations: &Locations) -> Vec<Finding> {
    let mut findings = Vec::new();
    let newest = newest_backup(&locations.claude_dir);
    match check(&locations.claude_json) {
        Document::Fine => {}
        Document::Absent => {
            if let Some(backup) = &newest {
                findings.push(Finding::new(Severity::Warning, Damage::Missing, &locations.claude_json, "it is missing, and Claude Code would start as if new").remedy(copy_command(backup, &locations.claude_json)));
            }
        }
        Document::Damaged(reason) => findings.push(
            Finding::new(Severity::Error, Damage::Syntax, &locations.claude_json, reason).remedy(newest.as_ref().map_or_else(
                || format!("mend it by hand, or move it away and let Claude Code make a new one: mv {0} {0}.damaged", quoted(&locations.claude_json)),
                |backup| copy_command(backup, &locations.claude_json),
            )),
        ),
    }
    let settings = locations.claude_dir.join("settings.json");
    if let Document::Damaged(reason) = check(&settings) {
        let remedy = format!("mend that place in {}", quoted(&settings));
        findings.push(Finding::new(Severity::Error, Damage::Syntax, &settings, reason).remedy(remedy));
    }
    findings
}

/// The first fault that keeps a session from being launched on this home.
///
/// # Errors
/// [`Code::ConfigDamaged`].
pub fn refuse_damaged_config(locations: &Locations) -> Result<()> {
    match validate_documents(locations).into_iter().find(|finding| finding.severity == Severity::Error) {
        None => Ok(()),
        Some(finding) => {
            Err(Error::new(Code::ConfigDamaged, format!("{} is damaged", finding.file.display()))
                .why(finding.reason)
                .remedy(finding.remedy))
        }
    }
}

enum Document {
    Fine,
    Absent,
    Damaged(String),
}

fn check(file: &Path) -> Document {
    // Claude Code replaces these files by rename, but older versions and other programs write in
    // place: what looks torn is read again before it is called damaged.
    let mut last = String::new();
    for attempt in 0..3 {
        if attempt > 0 {
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
        match fs::read(file) {
            Ok(text) => match parse_document(&text) {
                Ok(_) => return Document::Fine,
                Err(fault) => last = fault.to_string(),
            },
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Document::Absent,
            Err(cause) => last = format!("it cannot be read: {cause}"),
        }
    }
    Document::Damaged(last)
}

/// The newest of Claude Code's own backups that can be read and is not of a home that was just made.
fn newest_backup(claude_dir: &Path) -> Option<PathBuf> {
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

fn copy_command(from: &Path, to: &Path) -> String {
    format!("cp {} {}", quoted(from), quoted(to))
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_the_newest_backup_worth_having() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let backups = locations.claude_dir.join("backups");
        fs::create_dir_all(&backups).unwrap();
        fs::write(&locations.claude_json, "{\"projects\":{\n").unwrap();
        fs::write(backups.join(".claude.json.backup.1"), r#"{"projects":{}}"#).unwrap();
        fs::write(backups.join(".claude.json.backup.2"), r#"{"projects":{},"x":1}"#).unwrap();
        fs::write(backups.join(".claude.json.backup.3"), r#"{"firstStartTime":"x"}"#).unwrap();
        fs::write(backups.join(".claude.json.backup.4"), r#"{"projects":"#).unwrap();
        let error = refuse_damaged_config(&locations).unwrap_err();
        assert_eq!(error.code(), Code::ConfigDamaged);
        assert!(error.causes()[0].starts_with("line 1, column"), "{error}");
        assert!(error.remedies()[0].contains(".backup.2"), "{error:?}");
    }

    #[test]
    fn a_fresh_home_is_fine() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        assert!(validate_documents(&locations).is_empty());
    }

    #[test]
    fn commands_are_quoted_for_the_shell() {
        assert_eq!(quoted(Path::new("/a/b.json")), "/a/b.json");
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
