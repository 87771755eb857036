//! Whether Claude Code's data on this computer is sound.

use super::{
    Damage, Earlier, Finding, Severity, Validation,
    access::check_access,
    compare::Comparison,
    content::{Form, PAUSE_OF_RECORDS, Writer, look},
    document::SIGN_IN,
    first_use::{had_state, has_history},
    listing::Listing,
    records::{OpenEnd, Records},
    remedy::{copy_command, newest_backup, quoted},
};
use crate::{
    claude_home::{KEY_VARIABLES, parse_document},
    error_handling::{Code, Error, Result},
    paths::Locations,
};
use chrono::Utc;
use serde_json::{Map, Value};
use std::{
    env, fs, io,
    num::NonZero,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

const MISSING: &str = "it is missing, and Claude Code would start as if new";

/// Checks the documents without which no session starts: `.claude.json` and `settings.json`. An absent one is fine
/// where Claude Code makes it itself.
#[must_use]
pub fn validate_documents(locations: &Locations) -> Vec<Finding> {
    let mut findings = document(&locations.claude_json, ".claude.json").unwrap_or_else(|| {
        let had_state = had_state(locations, || has_history(&locations.claude_dir));
        Vec::from_iter(had_state.then(|| missing_state(locations)))
    });
    let settings = locations.claude_dir.join("settings.json");
    findings.extend(document(&settings, "settings.json").into_iter().flatten());
    findings
}

/// The first fault that keeps a session from being launched on this home.
///
/// # Errors
/// [`Code::ConfigDamaged`].
pub fn refuse_damaged_config(locations: &Locations) -> Result<()> {
    let found = validate_documents(locations);
    // A byte-order mark is no loss, but nothing here reads on behind it. Without its state Claude Code works.
    let stops = |finding: &Finding| {
        finding.damage == Damage::ByteOrderMark
            || finding.severity == Severity::Error && finding.damage != Damage::Missing
    };
    let Some(finding) = found.into_iter().find(stops) else { return Ok(()) };
    let is_state = finding.file == locations.claude_json;
    let by_hand = match newest_backup(&locations.claude_dir).filter(|_| is_state) {
        Some(backup) => copy_command(&backup, &finding.file),
        None if is_state => {
            let file = quoted(&finding.file);
            format!(
                "mend it by hand, or move it away and let Claude Code make a new one: mv {file} {file}.damaged"
            )
        }
        None => super::remedy::mend_that_place(&finding.file),
    };
    Err(Error::new(Code::ConfigDamaged, format!("{} is damaged", finding.file.display()))
        .why(finding.told())
        .remedy(finding.remedy)
        .remedy(by_hand))
}

/// Checks all of Claude Code's data, and compares it with what it was at a backup.
#[must_use]
pub fn validate_claude_config(locations: &Locations, earlier: Option<&Earlier>) -> Validation {
    let mut validation = Validation::default();
    if let Some(finding) = folder(locations, earlier) {
        validation.findings.push(finding);
    }
    let listing = Listing::of(locations);
    validation.files = listing.files().count() as u64;
    let findings = &mut validation.findings;
    findings.extend(state_is_missing(locations, &listing, earlier));
    findings.extend(wrong_kinds(locations, &listing));
    findings.extend(listing.unlisted.iter().map(|(path, cause)| {
        Finding::new(Severity::Error, Damage::Unreadable, path, format!("it cannot be listed: {cause}"))
    }));
    findings.extend(check_access(locations, &listing));
    let read = read_all(&listing);
    validation.bytes = read.bytes;
    validation.records = read.records;
    findings.extend(read.findings);
    if !listing.entries.is_empty() {
        findings.extend(no_login(locations));
    }
    if let Some(earlier) = earlier {
        findings.extend(Comparison { locations, listing: &listing, earlier, now: Utc::now() }.findings());
    }
    drop_repeated(findings);
    findings.sort_by(|one, other| {
        other
            .severity
            .cmp(&one.severity)
            .then_with(|| one.file.cmp(&other.file))
            .then(one.damage.cmp(&other.damage))
    });
    validation
}

/// One fault is told once: the one that says more.
fn drop_repeated(findings: &mut Vec<Finding>) {
    let told: Vec<_> = findings.iter().map(|finding| (finding.file.clone(), finding.damage)).collect();
    let is_told = |file: &Path, damage| told.iter().any(|(path, kind)| path == file && *kind == damage);
    findings.retain(|finding| match finding.damage {
        Damage::Unreadable => {
            !is_told(&finding.file, Damage::Permissions) && !is_told(&finding.file, Damage::WrongKind)
        }
        Damage::Empty => !is_told(&finding.file, Damage::Shrunk),
        _ => true,
    });
}

/// Checks one document; nothing where it is absent.
fn document(file: &Path, name: &str) -> Option<Vec<Finding>> {
    if let Some(finding) = wrong_kind(file, Severity::Error) {
        return Some(vec![finding]);
    }
    match fs::metadata(file) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
        _ => Some(look(file, Form::of(name), Writer::Perhaps).findings),
    }
}

/// A link that leads nowhere, or something else than a file.
fn wrong_kind(file: &Path, severity: Severity) -> Option<Finding> {
    let data = fs::symlink_metadata(file).ok()?;
    let found = |reason: &str| Some(Finding::new(severity, Damage::WrongKind, file, reason));
    match fs::metadata(file) {
        Err(cause) if data.is_symlink() && cause.kind() != io::ErrorKind::PermissionDenied => {
            found("it is a link that leads nowhere")
        }
        Err(_) => None,
        Ok(data) if data.is_file() => None,
        Ok(data) if data.is_dir() => found("it is a folder, and must be a file"),
        Ok(_) => found("it is no file"),
    }
}

/// Documents and folders that are something else.
fn wrong_kinds(locations: &Locations, listing: &Listing) -> Vec<Finding> {
    let mut findings: Vec<_> = listing
        .entries
        .iter()
        .filter_map(|(path, listed)| match listed.form {
            Form::Opaque | Form::Text => None,
            Form::Document(shape) => wrong_kind(path, shape.unreadable()),
            Form::Records | Form::Prompts => wrong_kind(path, Severity::Warning),
        })
        .collect();
    let projects = locations.claude_dir.join("projects");
    if fs::symlink_metadata(&projects).is_ok() && !projects.is_dir() {
        findings.push(Finding::new(Severity::Error, Damage::WrongKind, &projects, "it is no folder"));
    }
    findings
}

/// What is wrong with Claude Code's folder itself.
fn folder(locations: &Locations, earlier: Option<&Earlier>) -> Option<Finding> {
    let dir = &locations.claude_dir;
    let found = |severity, damage, reason: &str| Some(Finding::new(severity, damage, dir, reason));
    let Ok(link) = fs::symlink_metadata(dir) else {
        // The comparison tells what is gone.
        if earlier.is_some_and(|earlier| !earlier.files.is_empty()) {
            return None;
        }
        return if knows_projects(&locations.claude_json) {
            found(
                Severity::Error,
                Damage::Missing,
                "it is missing, with all conversations, and projects are known",
            )
        } else {
            found(Severity::Note, Damage::Missing, "there is no Claude Code data here yet")
                .map(|finding| finding.remedy("start Claude Code once: claude"))
        };
    };
    if dir.is_dir() {
        let is_empty = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
        if is_empty && knows_projects(&locations.claude_json) && earlier.is_none() {
            return found(Severity::Error, Damage::Empty, "it is empty, and projects are known");
        }
        return None;
    }
    let reason = if link.is_symlink() { "it is a link that leads to no folder" } else { "it is no folder" };
    found(Severity::Error, Damage::WrongKind, reason)
}

fn knows_projects(state: &Path) -> bool {
    let projects = read(state).and_then(|state| state.get("projects").cloned());
    projects.and_then(|projects| projects.as_object().map(|known| !known.is_empty())).unwrap_or_default()
}

fn read(file: &Path) -> Option<Map<String, Value>> {
    if !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    parse_document(&fs::read(file).ok()?).ok()
}

fn missing_state(locations: &Locations) -> Finding {
    Finding::new(Severity::Error, Damage::Missing, &locations.claude_json, MISSING)
}

fn state_is_missing(locations: &Locations, listing: &Listing, earlier: Option<&Earlier>) -> Option<Finding> {
    let state = &locations.claude_json;
    let was_there = earlier.is_some_and(|earlier| earlier.files.contains_key(state));
    let expected = || was_there || had_state(locations, || listing.has_history());
    (!listing.has(state) && expected()).then(|| missing_state(locations))
}

/// Says so when Claude Code has no way to log in. A Keychain is not asked: `.claude.json` names the account then.
fn no_login(locations: &Locations) -> Option<Finding> {
    let credentials = locations.claude_dir.join(".credentials.json");
    // A state that cannot be read is told already, and may well have one.
    let state = read(&locations.claude_json)?;
    let settings = read(&locations.claude_dir.join("settings.json")).unwrap_or_default();
    let in_settings = settings.get("env").and_then(Value::as_object);
    let is_set = |name: &&str| {
        locations.own_home && env::var_os(name).is_some_and(|value| !value.is_empty())
            || in_settings.is_some_and(|env| env.contains_key(*name))
    };
    let has_one = ["oauthAccount", "primaryApiKey"].iter().any(|key| state.contains_key(*key))
        || settings.contains_key("apiKeyHelper")
        || credentials.exists()
        || KEY_VARIABLES.iter().any(is_set);
    let reason = "Claude Code is not signed in on this computer";
    (!has_one)
        .then(|| Finding::new(Severity::Note, Damage::Login, &locations.claude_json, reason).remedy(SIGN_IN))
}

/// Reads every file whose content is looked at, the largest first, on all cores.
fn read_all(listing: &Listing) -> Records {
    let mut work: Vec<(&Path, Form, u64)> = listing
        .entries
        .iter()
        .filter(|(path, listed)| {
            let is_link_to_file =
                || listed.data.is_symlink() && listed.form.may_be_linked() && path.is_file();
            listed.form != Form::Opaque && (listed.data.is_file() || is_link_to_file())
        })
        .map(|(path, listed)| (path.as_path(), listed.form, listed.data.len()))
        .collect();
    work.sort_by_key(|(_, _, len)| std::cmp::Reverse(*len));
    let next = AtomicUsize::new(0);
    let all = Mutex::new((Records::default(), Vec::<OpenEnd>::new()));
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(work.len());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((path, form, _)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let read = look(path, *form, Writer::Perhaps);
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.0.bytes += read.bytes;
                    all.0.records += read.records;
                    all.0.findings.extend(read.findings);
                    all.1.extend(read.open_end);
                }
            });
        }
    });
    let (mut read, open_ends) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !open_ends.is_empty() {
        thread::sleep(PAUSE_OF_RECORDS);
        read.findings.extend(open_ends.iter().filter_map(OpenEnd::look_again));
    }
    read
}

#[cfg(test)]
mod tests;
