//! Who can read and write the host home, by the permission bits and owners of its files; and names that a Mac
//! cannot tell apart.

use super::{
    Damage, Finding, Fix, Severity,
    content::Form,
    listing::{Listed, Listing},
    remedy::quoted,
};
use crate::{claude_home::Class, paths::Locations};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// All findings about permissions, owners and names.
pub(super) fn check_access(locations: &Locations, listing: &Listing) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The folder itself is in no listing.
    let root = fs::metadata(&locations.claude_dir).ok().filter(fs::Metadata::is_dir).map(|data| Listed {
        name: String::new(),
        class: Class::Authored,
        form: Form::Opaque,
        data,
    });
    let all = || root.iter().map(|root| (&locations.claude_dir, root)).chain(&listing.entries);
    findings.extend(
        all().filter(|(_, listed)| !listed.data.is_symlink()).filter_map(|(path, listed)| mode(path, listed)),
    );
    if let Ok(home) = fs::metadata(&locations.home) {
        findings.extend(owners(locations, &home, all()));
    }
    findings.extend(folded(listing));
    findings
}

fn mode(path: &Path, listed: &Listed) -> Option<Finding> {
    let mode = listed.data.mode() & 0o7777;
    let is_document =
        matches!(listed.class, Class::State | Class::Settings | Class::Credentials | Class::PluginRegistry);
    let (needed, whole, reason) = if listed.data.is_dir() {
        (0o500, 0o700, "its owner cannot list or enter it")
    } else if is_document {
        (0o600, 0o600, "its owner cannot read and write it")
    } else {
        (0o400, 0o600, "its owner cannot read it")
    };
    let finding = |severity, reason: String, fixed| {
        Some(Finding::new(severity, Damage::Permissions, path, reason).fixed_by(Fix::SetMode(fixed)))
    };
    if mode & needed != needed {
        return finding(Severity::Error, format!("{reason} (mode {mode:03o})"), mode | whole);
    }
    let others = mode & 0o077 != 0 && listed.data.is_file();
    match listed.class {
        Class::Credentials if others => finding(
            Severity::Warning,
            format!("others than its owner can read the login (mode {mode:03o})"),
            mode & !0o077,
        ),
        Class::State if others => finding(
            Severity::Note,
            format!("others than its owner can read it (mode {mode:03o})"),
            mode & !0o077,
        ),
        _ => None,
    }
}

/// What belongs to somebody else than the home does: one finding a folder.
fn owners<'l>(
    locations: &Locations,
    home: &fs::Metadata,
    all: impl Iterator<Item = (&'l PathBuf, &'l Listed)>,
) -> Vec<Finding> {
    let mut strange: BTreeMap<PathBuf, Vec<(&Path, u32)>> = BTreeMap::new();
    let mut folders: Vec<&Path> = Vec::new();
    for (path, listed) in all.filter(|(_, listed)| listed.data.uid() != home.uid()) {
        // What is in a folder that is somebody else's goes with it.
        if folders.last().is_some_and(|folder| path.starts_with(folder)) {
            continue;
        }
        if listed.data.is_dir() {
            folders.push(path);
        }
        // The home has more in it than Claude Code's.
        let folder = path.parent().filter(|parent| parent.starts_with(&locations.claude_dir)).unwrap_or(path);
        strange.entry(folder.to_path_buf()).or_default().push((path, listed.data.uid()));
    }
    let owner = format!("{}:{}", home.uid(), home.gid());
    strange
        .into_iter()
        .map(|(folder, found)| match found.as_slice() {
            [(path, uid)] => {
                let reason = format!("it belongs to another user ({uid}) than your home ({})", home.uid());
                let deep = if folders.contains(path) { "-R " } else { "" };
                Finding::new(Severity::Error, Damage::Owner, path, reason)
                    .remedy(format!("sudo chown {deep}{owner} {}", quoted(path)))
            }
            many => {
                let uid = home.uid();
                let reason = format!("{} in it belong to another user than your home ({uid})", many.len());
                Finding::new(Severity::Error, Damage::Owner, &folder, reason)
                    .remedy(format!("sudo chown -R {owner} {}", quoted(&folder)))
            }
        })
        .collect()
}

/// Names in one folder that are one on a disk that does not tell cases apart.
fn folded(listing: &Listing) -> Vec<Finding> {
    let mut known: BTreeMap<(&Path, String), &Path> = BTreeMap::new();
    let mut findings = Vec::new();
    for path in listing.entries.keys() {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { continue };
        let name = name.to_string_lossy().to_lowercase();
        if let Some(other) = known.insert((folder, name), path) {
            let other = other.file_name().unwrap_or_default().to_string_lossy();
            let reason = format!("its name differs only in case from {other}: on a Mac they are one file");
            findings.push(
                Finding::new(Severity::Note, Damage::CaseFold, path, reason)
                    .remedy(format!("rename {}", quoted(path))),
            );
        }
    }
    findings
}
