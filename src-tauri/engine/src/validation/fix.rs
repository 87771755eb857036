//! Mending what can be mended without a backup and without a loss.

use super::{Finding, Fix, FixOutcome, Fixed, document::BYTE_ORDER_MARK};
use crate::sync::SyncLock;
use drydock_inside::{Before, Placed, Staged, digest, disk, place};
use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// Does the fix of each finding that has one. What is not any more as it was found stays as it is. No sync may run
/// meanwhile, which takes what is half written for rubbish.
#[must_use]
pub fn fix(findings: &[Finding], _no_sync: &SyncLock) -> Vec<Fixed> {
    // Folders first, from the top: what is in them can be reached then.
    let mut wanted: Vec<_> =
        findings.iter().filter_map(|finding| Some((&finding.file, finding.fix?))).collect();
    wanted.sort_by_key(|(file, fix)| (matches!(fix, Fix::DropByteOrderMark), *file));
    wanted
        .into_iter()
        .map(|(file, fix)| {
            let done = match fix {
                Fix::SetMode(mode) => set_mode(file, mode),
                Fix::DropByteOrderMark => drop_mark(file),
            };
            let outcome = done.unwrap_or_else(|cause| FixOutcome::Failed(cause.to_string()));
            Fixed { file: file.clone(), fix, outcome }
        })
        .collect()
}

fn set_mode(file: &Path, mode: u32) -> io::Result<FixOutcome> {
    let data = match fs::symlink_metadata(file) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(FixOutcome::Changed),
        data => data?,
    };
    let now = data.permissions().mode() & 0o7777;
    // A mode that comes from what it has: its owner gets more, or others get less.
    let is_derived = [now | 0o600, now | 0o700, now & !0o077].contains(&mode);
    if data.is_symlink() || !is_derived {
        return Ok(FixOutcome::Changed);
    }
    fs::set_permissions(file, Permissions::from_mode(mode))?;
    Ok(FixOutcome::Done)
}

/// Writes the document without its mark beside it, and puts it in its place if that still holds what was read.
fn drop_mark(file: &Path) -> io::Result<FixOutcome> {
    // People keep their settings elsewhere, and link them.
    let target = match fs::canonicalize(file) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(FixOutcome::Changed),
        target => target?,
    };
    let text = fs::read(&target)?;
    let Some(rest) = text.strip_prefix(BYTE_ORDER_MARK) else { return Ok(FixOutcome::Changed) };
    if serde_json::from_slice::<serde::de::IgnoredAny>(rest).is_err() {
        return Ok(FixOutcome::Changed);
    }
    let mode = fs::metadata(&target)?.permissions().mode() & 0o7777;
    let before = Before::Holds(digest::read(&mut &text[..])?);
    let folder = target.parent().unwrap_or(Path::new("/"));
    let staged = Staged::write(folder, mode, &mut &rest[..])?;
    match place(staged, &target, before)? {
        Placed::Done { displaced, .. } => {
            displaced.map_or(Ok(()), |old| disk::remove_file(&old))?;
            Ok(FixOutcome::Done)
        }
        Placed::Surprise { .. } => Ok(FixOutcome::Changed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validation::{Damage, Severity};
    use std::time::Duration;

    fn wanted(file: &Path, fix: Fix) -> Finding {
        Finding::new(Severity::Warning, Damage::Permissions, file, "").fixed_by(fix)
    }

    fn outcome(file: &Path, wanted_fix: Fix) -> FixOutcome {
        let data = tempfile::tempdir().unwrap();
        let no_sync =
            SyncLock::acquire_blocking(&data.path().join("lock"), "a test", Duration::ZERO).unwrap();
        fix(&[wanted(file, wanted_fix)], &no_sync).remove(0).outcome
    }

    #[test]
    fn a_byte_order_mark_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("settings.json"), folder.path().join("link"));
        fs::write(&file, "\u{feff}{ \"a\": 1.50 }\n").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(outcome(&link, Fix::DropByteOrderMark), FixOutcome::Done);
        assert_eq!(fs::read_to_string(&file).unwrap(), "{ \"a\": 1.50 }\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(link.is_symlink() && fs::read_dir(folder.path()).unwrap().count() == 2);
        assert_eq!(outcome(&file, Fix::DropByteOrderMark), FixOutcome::Changed);
        fs::write(&file, "\u{feff}{ \"a\": ").unwrap();
        assert_eq!(outcome(&file, Fix::DropByteOrderMark), FixOutcome::Changed);
        assert!(fs::read(&file).unwrap().starts_with(BYTE_ORDER_MARK));
    }

    #[test]
    fn a_mode_is_set_only_where_it_comes_from_the_one_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        fs::write(&file, "x").unwrap();
        let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        fs::set_permissions(&file, Permissions::from_mode(0o044)).unwrap();
        assert_eq!(outcome(&file, Fix::SetMode(0o644)), FixOutcome::Done);
        assert_eq!(outcome(&file, Fix::SetMode(0o600)), FixOutcome::Done);
        assert_eq!(mode(), 0o600);
        assert_eq!(outcome(&file, Fix::SetMode(0o666)), FixOutcome::Changed);
        assert_eq!(mode(), 0o600);
        assert_eq!(outcome(&folder.path().join("gone"), Fix::SetMode(0o600)), FixOutcome::Changed);
    }
}
