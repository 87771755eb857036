//! A computer on which Claude Code was only ever used in sessions. It has conversations and no `.claude.json`, for a
//! session brings keys of that file, not the file; nothing is missing there.

use super::remedy::newest_backup;
use crate::{
    error_handling::{IoContext, Result},
    paths::{Locations, write_private},
};
use std::{fs, io, path::Path};

/// On record while no state of Claude Code has been seen here.
const FILE: &str = "no-claude-state-yet";

/// Writes down, before a session starts, whether Claude Code was ever used on this computer itself.
///
/// # Errors
/// When that cannot be written down.
pub(crate) fn note_first_use(locations: &Locations) -> Result<()> {
    let record = locations.data_dir.join(FILE);
    if fs::symlink_metadata(&locations.claude_json).is_ok() {
        match fs::remove_file(&record) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause).context("remove", &record),
            _ => Ok(()),
        }
    } else if record.exists() || had_state(locations, || has_history(&locations.claude_dir)) {
        Ok(())
    } else {
        write_private(&record, b"")
    }
}

/// Whether what lies there tells that there once was a `.claude.json`.
pub(super) fn had_state(locations: &Locations, has_history: impl FnOnce() -> bool) -> bool {
    // Claude Code keeps backups of it beside itself, which no session brings here.
    newest_backup(&locations.claude_dir).is_some() || has_history() && !locations.data_dir.join(FILE).exists()
}

/// Whether there is any conversation, without a look at all of them.
pub(super) fn has_history(claude_dir: &Path) -> bool {
    let has_some = |file: &Path| fs::metadata(file).is_ok_and(|data| data.is_file() && data.len() > 0);
    let projects = fs::read_dir(claude_dir.join("projects")).into_iter().flatten().flatten();
    has_some(&claude_dir.join("history.jsonl"))
        || projects.flat_map(|project| fs::read_dir(project.path()).into_iter().flatten().flatten()).any(
            |entry| entry.path().extension().is_some_and(|kind| kind == "jsonl") && has_some(&entry.path()),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validation::{Damage, validate_claude_config, validate_documents};

    fn home() -> (tempfile::TempDir, Locations) {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        (home, locations)
    }

    fn converse(locations: &Locations) {
        fs::create_dir_all(locations.claude_dir.join("projects/-p")).unwrap();
        fs::write(locations.claude_dir.join("projects/-p/1.jsonl"), "{}\n").unwrap();
    }

    fn says_missing(locations: &Locations) -> bool {
        let is_told = |finding: &crate::validation::Finding| finding.damage == Damage::Missing;
        let quick = validate_documents(locations).iter().any(is_told);
        assert_eq!(validate_claude_config(locations, None).findings.iter().any(is_told), quick);
        quick
    }

    #[test]
    fn a_home_that_only_sessions_wrote_to_misses_nothing() {
        let (_home, locations) = home();
        note_first_use(&locations).unwrap();
        converse(&locations);
        assert!(!says_missing(&locations));
        note_first_use(&locations).unwrap();
        assert!(!says_missing(&locations));
    }

    #[test]
    fn a_state_that_was_there_and_is_gone_is_missed() {
        let (_home, locations) = home();
        note_first_use(&locations).unwrap();
        converse(&locations);
        fs::write(&locations.claude_json, "{}").unwrap();
        note_first_use(&locations).unwrap();
        fs::remove_file(&locations.claude_json).unwrap();
        note_first_use(&locations).unwrap();
        assert!(says_missing(&locations));
    }

    #[test]
    fn a_home_with_history_before_the_first_session_misses_its_state() {
        let (_home, locations) = home();
        converse(&locations);
        note_first_use(&locations).unwrap();
        assert!(says_missing(&locations));
    }
}
