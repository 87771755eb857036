//! Secrets files on the disk, as the command line works on them. All of it blocks.

use super::{
    encrypt::encrypt,
    opened::{Opened, open},
    recipients::{Recipient, with_recovery},
    rules::{RULES_FILE, Rule, rules_above},
    selection::{MacScope, Selection},
    yaml::Source,
};
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    gitops::identity::Identity,
    keychain::Sensitive,
    paths::Locations,
    settings::Settings,
};
use chrono::{DateTime, Utc};
use drydock_inside::{Staged, disk};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// What became of a file.
#[derive(Debug, Clone, Serialize)]
pub struct Encrypted {
    /// The file.
    pub file: PathBuf,
    /// What was done to it.
    pub done: Done,
    /// Who can open it now.
    pub recipients: Vec<String>,
    /// What becomes of it when this computer is lost.
    pub recovery: Recovery,
}

/// Who can open a file when this computer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// Somebody whose key is not this computer's.
    Others,
    /// Others, but not the recipient of `gitops.recovery_recipient`: the rule for the file does not name it.
    LeftOut,
    /// Nobody who has no copy of this computer's key.
    Nobody,
}

/// What was done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    /// It was plain and is encrypted.
    Encrypted,
    /// Others can open it than before.
    Rewrapped,
    /// Nothing: it is for the same recipients.
    Unchanged,
    /// A value was changed or added.
    Set,
}

/// The secrets files of one home's user.
#[derive(Debug, Clone)]
pub struct SecretFiles {
    locations: Locations,
    recovery: Option<Recipient>,
}

/// Encrypts a plain file in its place, for the recipients of the repository's `.sops.yaml`; without one, for this
/// computer's key and the recovery recipient of the settings. The key is made if there is none.
///
/// # Errors
/// As [`encrypt`]; [`Code::SecretsRules`] when no rule is for the file; [`Code::SecretsForOthers`] when the rule
/// leaves this computer's key out.
pub fn encrypt_secrets(
    locations: &Locations,
    settings: &Settings,
    file: &Path,
    now: DateTime<Utc>,
) -> Result<Encrypted> {
    let files = SecretFiles::of(locations).with_recovery(settings);
    let file = found(file)?;
    let _alone = alone(&file)?;
    let identity = Identity::load_or_make(locations)?;
    let rule = files.rule(&file, &identity)?;
    let text = read(&file)?;
    let name = file.display().to_string();
    let encrypted = encrypt(Source { name: &name, text: &text }, &rule, now)?;
    replace(&file, &encrypted)?;
    Ok(files.told(file, Done::Encrypted, names(&rule.recipients), &identity.recipient()))
}

impl SecretFiles {
    /// Those that this home's key opens.
    #[must_use]
    pub fn of(locations: &Locations) -> Self {
        Self { locations: locations.clone(), recovery: None }
    }

    /// The same, with new files for the recovery recipient of the settings as well where no rule says for whom.
    #[must_use]
    pub fn with_recovery(self, settings: &Settings) -> Self {
        Self { recovery: settings.gitops_recovery_recipient(), ..self }
    }

    /// Every value of an encrypted file, by its name; the file's name decides about its form.
    ///
    /// # Errors
    /// As [`open`].
    pub fn decrypt(&self, name: &str, text: &[u8]) -> Result<BTreeMap<String, Sensitive<String>>> {
        let text = std::str::from_utf8(text).map_err(|_| {
            Source { name, text: "" }.error_whole(Code::SecretsSyntax, "it is no text in UTF-8")
        })?;
        open(Source { name, text }, &self.identity()?)?.secrets()
    }

    /// Does something with an opened file.
    ///
    /// # Errors
    /// As [`open`], and what the deed says.
    pub fn with<T>(&self, file: &Path, deed: impl FnOnce(&Opened<'_>) -> Result<T>) -> Result<T> {
        let file = found(file)?;
        let text = read(&file)?;
        let name = file.display().to_string();
        deed(&open(Source { name: &name, text: &text }, &self.identity()?)?)
    }

    /// Changes or adds one value.
    ///
    /// # Errors
    /// As [`open`] and [`Opened::set`].
    pub fn set(
        &self,
        file: &Path,
        key: &str,
        value: &Sensitive<String>,
        now: DateTime<Utc>,
    ) -> Result<Encrypted> {
        let file = found(file)?;
        let _alone = alone(&file)?;
        let own = self.identity()?.recipient();
        let (text, recipients) =
            self.with(&file, |opened| Ok((opened.set(key, value, now)?, opened.recipients())))?;
        replace(&file, &text)?;
        Ok(self.told(file, Done::Set, recipients, &own))
    }

    /// Encrypts the data key for those recipients that the rules name now. Values stay as they are.
    ///
    /// # Errors
    /// As [`open`] and [`Opened::rewrapped`].
    pub fn rewrap(&self, file: &Path) -> Result<Encrypted> {
        let file = found(file)?;
        let _alone = alone(&file)?;
        let identity = self.identity()?;
        let rule = self.rule(&file, &identity)?;
        let text = self.with(&file, |opened| opened.rewrapped(&rule.recipients))?;
        let done = match text {
            Some(text) => replace(&file, &text).map(|()| Done::Rewrapped)?,
            None => Done::Unchanged,
        };
        Ok(self.told(file, done, names(&rule.recipients), &identity.recipient()))
    }

    fn told(&self, file: PathBuf, done: Done, recipients: Vec<String>, own: &Recipient) -> Encrypted {
        let is_named = |wanted: &Recipient| recipients.iter().any(|name| name == wanted.as_str());
        let recovery = match &self.recovery {
            _ if recipients.iter().all(|name| name == own.as_str()) => Recovery::Nobody,
            Some(recovery) if !is_named(recovery) => Recovery::LeftOut,
            _ => Recovery::Others,
        };
        Encrypted { file, done, recipients, recovery }
    }

    fn identity(&self) -> Result<Identity> {
        Identity::load(&self.locations)?.ok_or_else(|| {
            Error::new(Code::SecretsKey, "there is no key here that opens secrets")
                .why("it is made when a file is encrypted for the first time, or brought here from elsewhere")
                .remedy("drydock gitops key import, with the key that the files are encrypted for")
        })
    }

    fn rule(&self, file: &Path, identity: &Identity) -> Result<Rule> {
        let own = identity.recipient();
        let Some((rules, path)) = rules_above(file)? else {
            let recipients = with_recovery(own, self.recovery.as_ref());
            return Ok(Rule { recipients, selection: Selection::default(), scope: MacScope::All });
        };
        let name = path.display().to_string();
        let Some(mut rule) = rules.rule_for(&name)? else {
            return Err(Error::new(Code::SecretsRules, format!("no rule of {RULES_FILE} is for {name}"))
                .remedy(format!("add one to {RULES_FILE}, with a path_regex that matches, and age: {own}")));
        };
        if rule.recipients.is_empty() {
            rule.recipients = with_recovery(own, self.recovery.as_ref());
        } else if !rule.recipients.contains(&own) {
            return Err(Error::new(
                Code::SecretsForOthers,
                format!("the rule for {name} leaves this computer's key out"),
            )
            .why("Drydock could not read what it wrote")
            .remedy(format!("add it to `age` in {RULES_FILE}: {own}")));
        }
        Ok(rule)
    }
}

impl Opened<'_> {
    /// Who can open the file.
    #[must_use]
    pub fn recipients(&self) -> Vec<String> {
        self.metadata.wrapped.iter().map(|wrapped| wrapped.recipient.clone()).collect()
    }
}

fn names(recipients: &[Recipient]) -> Vec<String> {
    recipients.iter().map(ToString::to_string).collect()
}

/// The file itself, where a link leads to it.
fn found(file: &Path) -> Result<PathBuf> {
    fs::canonicalize(file).context("find", file)
}

/// Keeps other processes of Drydock's from changing the file meanwhile. A lock is on what has the name when it is taken,
/// and each change puts another file there: whoever waited looks again.
fn alone(file: &Path) -> Result<File> {
    loop {
        let lock = File::open(file).context("open", file)?;
        lock.lock().context("lock", file)?;
        let (locked, named) =
            (lock.metadata().context("look at", file)?, fs::metadata(file).context("find", file)?);
        if (locked.dev(), locked.ino()) == (named.dev(), named.ino()) {
            return Ok(lock);
        }
    }
}

fn read(file: &Path) -> Result<Zeroizing<String>> {
    fs::read_to_string(file).map(Zeroizing::new).context("read", file)
}

/// Puts an encrypted text into the place of a file, whole or not at all, with the permissions that it had.
fn replace(file: &Path, text: &str) -> Result<()> {
    let mode = fs::metadata(file).context("look at", file)?.permissions().mode() & 0o777;
    let dir = file.parent().unwrap_or(Path::new("/"));
    let staged = Staged::write(dir, mode, &mut text.as_bytes()).context("write", file)?;
    disk::rename(staged.path(), file).and_then(|()| disk::sync_folder(dir)).context("write", file)
}
