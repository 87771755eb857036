//! Proof after a recovery: what came back is what was put there, the checks find nothing, and Claude Code
//! itself can read it.

use super::{Recovery, record::Deed};
use crate::{
    error_handling::{IoContext, Result},
    keychain::host_claude,
    paths::{Locations, create_private_dir},
    program::{ask, without_keys},
    validation::{Finding, Severity, validate_documents},
};
use drydock_inside::digest::mark_of;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// What the user's own Claude Code says of the recovered state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum ClaudeSays {
    /// It reads it.
    Reads,
    /// It does not.
    Refuses,
    /// There is none here, or it does not know the command that was asked.
    NotAsked,
}

/// What was proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "RecoveryProof"))]
pub struct Verified {
    /// Files that hold what was put there.
    pub same: u64,
    /// Files that another program has written since.
    pub written_since: Vec<PathBuf>,
    /// What is still wrong with what was recovered.
    pub findings: Vec<Finding>,
    /// What is wrong with other documents.
    pub elsewhere: Vec<Finding>,
    /// What Claude Code says.
    pub claude: ClaudeSays,
}

impl Verified {
    /// Whether Claude Code works with what was recovered.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let is_error = |finding: &Finding| finding.severity == Severity::Error;
        let refuses = self.claude == ClaudeSays::Refuses && !self.elsewhere.iter().any(is_error);
        !refuses && !self.findings.iter().any(is_error)
    }
}

/// Proves a recovery by its deeds. Blocking.
///
/// # Errors
/// When a file cannot be read.
pub fn verify_recovery(recovery: &Recovery, deeds: &[Deed]) -> Result<Verified> {
    let (mut same, mut written_since) = (0, Vec::new());
    for deed in deeds {
        let Some(after) = deed.after else { continue };
        match mark_of(&deed.file) {
            Ok(now) if now == after => same += 1,
            _ => written_since.push(deed.file.clone()),
        }
    }
    written_since.dedup();
    let was_recovered = |finding: &Finding| deeds.iter().any(|deed| deed.file == finding.file);
    let (findings, elsewhere) = validate_documents(&recovery.locations).into_iter().partition(was_recovered);
    Ok(Verified { same, written_since, findings, elsewhere, claude: ask_claude(&recovery.locations)? })
}

/// Asks the user's own Claude Code to read a copy of the documents, in a home of its own: it takes no turn,
/// starts no server and writes nothing of the user's.
///
/// Source: observed with 2.1.330: `claude plugin list` reads the state and the settings and ends at once; with a
/// state that it cannot read, it ends with exit code 1.
fn ask_claude(locations: &Locations) -> Result<ClaudeSays> {
    let Some(program) = host_claude(&locations.home) else { return Ok(ClaudeSays::NotAsked) };
    create_private_dir(&locations.cache_dir)?;
    let scratch = tempfile::Builder::new()
        .prefix("recovered-")
        .tempdir_in(&locations.cache_dir)
        .context("make a folder in", &locations.cache_dir)?;
    if !reads(&program, &scratch.path().join("empty"), None)? {
        return Ok(ClaudeSays::NotAsked);
    }
    let read = reads(&program, &scratch.path().join("copy"), Some(locations))?;
    Ok(if read { ClaudeSays::Reads } else { ClaudeSays::Refuses })
}

fn reads(program: &Path, home: &Path, of: Option<&Locations>) -> Result<bool> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let folder = home.join(".claude");
    create_private_dir(&folder)?;
    if let Some(locations) = of {
        let documents = [
            (locations.claude_json.clone(), home.join(".claude.json")),
            (locations.claude_dir.join("settings.json"), folder.join("settings.json")),
        ];
        for (from, to) in documents {
            if from.is_file() {
                fs::copy(&from, &to).context("copy", &from)?;
            }
        }
    }
    let mut command = without_keys(program);
    command
        .args(["plugin", "list"])
        .current_dir(home)
        .env("HOME", home)
        .env_remove("CLAUDE_CONFIG_DIR")
        // Source: Claude Code's documentation, "Environment variables".
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1");
    let said = ask(&mut command, None, PATIENCE).context("run", program)?;
    Ok(said.is_some_and(|said| said.status.success()))
}
