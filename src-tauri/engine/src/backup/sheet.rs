//! The recovery sheet: what the user keeps outside this computer, so that the backups can be opened without it.

use super::{
    Backups,
    copies::{Cloud, LEDGER, Place, Volume, rank},
    key::{RecoveryCode, RepositoryKey},
    ledger::{Ledger, replace},
    state::State,
};
use crate::{
    error_handling::{Code, Error, Result},
    keychain::{Secret, Sensitive, Vault},
    paths::create_private_dir,
    progress::ProgressSink,
};
use chrono::{DateTime, Utc};

/// The sheet's text. It holds the code that opens all backups, and must go nowhere but where the user wants it.
pub struct Sheet {
    text: String,
}

impl Sheet {
    /// The text, to be shown to the user who asked for it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl std::fmt::Debug for Sheet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sheet")
    }
}

impl Backups {
    /// The recovery sheet.
    ///
    /// # Errors
    /// [`Code::BackupNone`] when there is no backup yet.
    pub fn sheet(&self, now: DateTime<Utc>) -> Result<Sheet> {
        let key = self.existing()?;
        let mut places = vec![self.root.display().to_string()];
        places
            .extend(self.settings.external_copy(&self.locations.home).map(|path| path.display().to_string()));
        places.extend(self.settings.cloud_copy().map(|remote| format!("rclone:{remote}")));
        let secrets = Vault::of(&self.locations).read(&Secret::AgeIdentity)?;
        let secrets = secrets.map(|(identity, _)| identity);
        Ok(Sheet { text: text(&key.code, &places, secrets.as_ref(), now) })
    }

    /// Notes that the user has the sheet: they read the last group of its code from it.
    ///
    /// # Errors
    /// [`Code::BackupKey`] when it is not the last group.
    pub fn confirm_sheet(&self, last_group: &str, now: DateTime<Utc>) -> Result<()> {
        if !self.existing()?.code.ends_with(last_group) {
            return Err(Error::new(Code::BackupKey, "that is not how the code on the recovery sheet ends")
                .remedy("drydock backup key export, for the sheet once more"));
        }
        self.remember(|state| state.sheet_saved = Some(now))
    }

    /// Takes over backups of another computer, or of before the keyring was lost, by the code on their sheet.
    /// Without a local copy, it is brought back from another one first.
    ///
    /// # Errors
    /// [`Code::BackupKey`] when the code does not open them.
    pub fn import_key(&self, code: &str, now: DateTime<Utc>) -> Result<()> {
        let code = RecoveryCode::read(code)?;
        if !self.root.join("config").exists() {
            self.fetch_local()?;
        }
        self.unlocked(code)?;
        // Who typed it has it.
        self.remember(|state| state.sheet_saved = Some(now))?;
        self.adopt_ledger()
    }

    /// Brings the local copy back from the first of the others that can give it.
    fn fetch_local(&self) -> Result<()> {
        let mut error = Error::new(Code::BackupNone, "there are no backups here that a code could open")
            .why(format!("{} holds none", self.root.display()));
        let mut places: Vec<Result<Option<Box<dyn Place>>>> = Vec::new();
        if let Some(path) = self.settings.external_copy(&self.locations.home) {
            let found = Volume::existing(&path);
            places.push(found.map(|found| found.map(|volume| Box::new(volume) as Box<dyn Place>)));
        }
        if let Some(remote) = self.settings.cloud_copy() {
            places.push(Ok(Some(Box::new(Cloud::at(&remote, &self.locations)))));
        }
        for place in places {
            match place.and_then(|place| place.map_or(Ok(false), |place| self.fetch_from(&*place))) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(cause) => error = error.why(cause),
            }
        }
        Err(error
            .remedy("drydock settings set backup.external.path FOLDER, or backup.cloud.remote REMOTE:FOLDER"))
    }

    /// Whether a copy gave all that it has.
    fn fetch_from(&self, place: &dyn Place) -> Result<bool> {
        let nobody = ProgressSink::none();
        let (config, mut names): (Vec<_>, Vec<_>) =
            place.list()?.into_keys().partition(|name| name == "config");
        if config.is_empty() {
            return Ok(false);
        }
        names.sort_by_key(|name| rank(name));
        create_private_dir(&self.root)?;
        place.fetch(&names, &self.root, &nobody)?;
        if let Some(text) = place.read(LEDGER)?.filter(|text| Ledger::of(text).is_ok()) {
            replace(&Ledger::file(&self.root), &text)?;
        }
        // Last: it makes the folder a repository.
        place.fetch(&config, &self.root, &nobody).map(|()| true)
    }

    fn adopt_ledger(&self) -> Result<()> {
        self.remember_head()?;
        self.record_found()
    }

    /// Whether the user still has to save the sheet.
    pub(super) fn wants_sheet(&self, state: &State) -> bool {
        state.repository.is_some() && state.sheet_saved.is_none()
    }

    /// The key, for those who show that they have the sheet.
    ///
    /// # Errors
    /// As the keyring.
    pub fn key(&self) -> Result<Option<RepositoryKey>> {
        RepositoryKey::load(&self.locations)
    }
}

/// What opens the secrets of the user's repository of configuration, which is in no backup.
fn secrets_text(identity: &Sensitive<String>) -> String {
    let key = identity.reveal().lines().map(str::trim).find(|line| line.starts_with("AGE-SECRET-KEY-"));
    key.map_or_else(String::new, |key| {
        format!(
            "
The key of the secrets in your configuration's repository

    {key}

    drydock gitops key import          asks for it
"
        )
    })
}

fn text(
    code: &RecoveryCode,
    places: &[String],
    secrets: Option<&Sensitive<String>>,
    now: DateTime<Utc>,
) -> String {
    let secrets = secrets.map(secrets_text).unwrap_or_default();
    let code = code.reveal();
    let (first, last) = code.split_at(code.len() / 2 + 1);
    let places: String = places.iter().map(|place| format!("    {place}\n")).collect();
    format!(
        "\
DRYDOCK RECOVERY SHEET                                        {}

Recovery code

    {first}
    {last}

Keep it where this computer's loss cannot reach it: on paper, or in a password
manager. Whoever has it and one of the copies can read all your Claude data.
Without it and without this computer's keyring, nobody can, and neither can you.

The copies

{places}
To restore with Drydock, on any computer

    drydock backup key import          asks for the code
    drydock restore latest --to FOLDER

To restore without Drydock, with the program restic (https://restic.net)

    restic -r COPY restore latest --target FOLDER

    The password is the code, with its dashes and in one line. COPY is one of
    the places above. For one of rclone's, its remote has to be set up first.
{secrets}",
        now.format("%Y-%m-%d")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sheet_fits_a_page_and_has_the_code_as_it_is_typed() {
        let code = RecoveryCode::random().unwrap();
        let key = format!("AGE-SECRET-KEY-1{}", "F".repeat(58));
        let kept = Sensitive::new(format!("# created: now\n{key}\n"));
        let places = ["/home/me/.claude-backups".into()];
        let text = text(&code, &places, Some(&kept), DateTime::UNIX_EPOCH);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() < 60 && lines.iter().all(|line| line.chars().count() <= 80), "{text}");
        let typed: String = lines[4..6].iter().map(|line| line.trim()).collect();
        assert_eq!(RecoveryCode::read(&typed).unwrap(), code);
        assert!(lines.iter().any(|line| line.trim() == key) && !text.contains("created"), "{text}");
        assert!(!super::text(&code, &places, None, DateTime::UNIX_EPOCH).contains("gitops"));
    }
}
