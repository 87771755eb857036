//! One look at everything a session needs: a line and a remedy each.

use super::{Severity, validate_docker_environment, validate_documents};
use crate::{
    backup::Backups,
    error_handling::Code,
    keychain::{KEY_VARIABLES, Sensitive, check_login, contests, extract_keychain_credentials},
    paths::{Disk, Locations},
    settings::{LoginMode, Settings},
};
use chrono::Utc;
use serde::Serialize;
use std::path::Path;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "CheckStanding"))]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Fine.
    Good,
    /// Works, but will want attention.
    Attention,
    /// Keeps sessions from working.
    Bad,
}

/// One line of the examination.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Check {
    /// What was looked at: engine, image, disk, login, config, backup; memory and architecture of the engine.
    pub name: &'static str,
    /// How it came out.
    pub standing: Standing,
    /// What was found, in one sentence.
    pub found: String,
    /// What to do, unless it is fine.
    pub remedy: Option<String>,
}

impl Check {
    pub(super) fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, standing: Standing::Good, found: found.into(), remedy: None }
    }

    pub(super) fn other(
        name: &'static str,
        standing: Standing,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { name, standing, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// Looks at engine, image, disk, login and configuration. Reads only.
pub async fn examine(locations: &Locations, settings: &Settings) -> Vec<Check> {
    let mut checks = validate_docker_environment(locations, settings).await;
    // What is well with the engine's machine needs no line of its own.
    checks.retain(|check| check.standing != Standing::Good || ["engine", "image"].contains(&check.name));
    checks.push(disk(&locations.home));
    checks.extend(logins(locations, settings).await);
    checks.extend(config(locations));
    checks.extend(backups(locations, settings));
    checks
}

fn disk(home: &Path) -> Check {
    const LOW: u64 = 2 << 30;
    match Disk::of(home).map(|disk| disk.free) {
        Ok(free) if free < LOW => Check::other(
            "disk",
            Standing::Attention,
            format!("{:.1} GB free where your home is", gigabytes(free)),
            "free some space: a session image alone takes about 1 GB",
        ),
        Ok(free) => Check::good("disk", format!("{:.0} GB free where your home is", gigabytes(free))),
        Err(cause) => {
            Check::other("disk", Standing::Attention, format!("free space is unknown: {cause}"), "df -h")
        }
    }
}

#[allow(clippy::cast_precision_loss)] // for a person's eyes
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

/// The login, and what wins over it. The keyring is asked, which blocks.
async fn logins(locations: &Locations, settings: &Settings) -> Vec<Check> {
    let (locations, mode) = (locations.clone(), settings.login_mode());
    let looked = tokio::task::spawn_blocking(move || {
        let mut checks = vec![login(&locations, mode)];
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        checks.extend(
            contests(&locations, mode, is_set)
                .into_iter()
                .map(|contest| Check::other("login", Standing::Attention, contest.found, contest.remedy)),
        );
        checks
    });
    looked.await.unwrap_or_else(|cause| {
        vec![Check::other(
            "login",
            Standing::Bad,
            format!("the check stopped: {cause}"),
            "drydock credentials status",
        )]
    })
}

fn login(locations: &Locations, mode: LoginMode) -> Check {
    let keys: Vec<_> =
        KEY_VARIABLES.iter().filter(|name| std::env::var_os(name).is_some()).copied().collect();
    let given: Vec<_> = keys.iter().map(|name| ((*name).to_owned(), Sensitive::new(String::new()))).collect();
    match check_login(locations, mode, &given) {
        Ok(None) if mode == LoginMode::Own => Check::other(
            "login",
            Standing::Attention,
            "sessions have no login that works",
            "drydock run, then sign in inside (/login)",
        ),
        Ok(_) => Check::good("login", described(mode, &keys)),
        Err(error) if error.code() == Code::LoginUndecided => {
            let lends = matches!(extract_keychain_credentials(locations), Ok(Some(_)));
            let remedy = if lends {
                "drydock settings set login.mode lease   (or own, setup-token, copy, api-key)"
            } else {
                "drydock settings set login.mode own   (or setup-token, api-key)"
            };
            Check::other("login", Standing::Attention, error.message(), remedy)
        }
        Err(error) => Check::other(
            "login",
            Standing::Bad,
            error.to_string(),
            error.remedies().first().cloned().unwrap_or_default(),
        ),
    }
}

fn described(mode: LoginMode, keys: &[&str]) -> String {
    match mode {
        LoginMode::Own => "sessions have a login of their own".into(),
        LoginMode::SetupToken => "sessions use the token of your `claude setup-token`".into(),
        LoginMode::Lease => "sessions borrow this computer's login (access token only)".into(),
        LoginMode::Copy => "one session at a time gets this computer's whole login".into(),
        LoginMode::Ask | LoginMode::ApiKey if keys.is_empty() => {
            "sessions use the key that your apiKeyHelper prints".into()
        }
        LoginMode::Ask | LoginMode::ApiKey => {
            format!("sessions use {} from your environment", keys.join(", "))
        }
    }
}

fn backups(locations: &Locations, settings: &Settings) -> Vec<Check> {
    let concerns = Backups::of(locations, settings).concerns(Utc::now());
    if concerns.is_empty() {
        return vec![Check::good("backup", "your Claude data is backed up")];
    }
    concerns
        .into_iter()
        // Sessions run without any backup as well.
        .map(|concern| Check::other("backup", Standing::Attention, concern.what, concern.remedy))
        .collect()
}

fn config(locations: &Locations) -> Vec<Check> {
    let findings = validate_documents(locations);
    if findings.is_empty() {
        let found = if locations.claude_dir.is_dir() {
            "Claude Code's configuration can be read"
        } else {
            "no Claude Code configuration yet: sessions start fresh"
        };
        return vec![Check::good("config", found)];
    }
    findings
        .into_iter()
        .map(|finding| {
            let standing = match finding.severity {
                Severity::Error => Standing::Bad,
                Severity::Warning | Severity::Note => Standing::Attention,
            };
            Check::other(
                "config",
                standing,
                format!("{}: {}", finding.file.display(), finding.told()),
                finding.remedy,
            )
        })
        .collect()
}
