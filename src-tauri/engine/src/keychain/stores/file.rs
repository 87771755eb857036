//! `.credentials.json`, where Claude Code keeps its login without a Keychain.

use super::{CredentialStore, Found, StoreKind, Written, claude_item::locked};
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    keychain::Credentials,
    paths::{Locations, create_private_dir},
};
use drydock_inside::{Before, Placed, Staged, digest, disk, place};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The file of a home.
#[derive(Debug, Clone)]
pub(in crate::keychain) struct CredentialsFile {
    file: PathBuf,
}

impl CredentialsFile {
    pub(in crate::keychain) fn of(locations: &Locations) -> Self {
        Self { file: locations.claude_dir.join(".credentials.json") }
    }

    fn text(&self) -> Result<Option<Vec<u8>>> {
        match fs::read(&self.file) {
            Ok(text) => Ok(Some(text)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Error::io("read", &self.file, &cause)),
        }
    }

    fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("/"))
    }

    /// Where a login is staged: a folder of its own, so that whatever an ended process left in it is known
    /// to be a login that nobody needs.
    fn staging(&self) -> PathBuf {
        self.folder().join(".drydock-login.tmp")
    }

    fn parsed(&self, text: &[u8]) -> Result<Credentials> {
        Credentials::parse(text).map_err(|fault| {
            Error::new(Code::ConfigDamaged, format!("{} is not a login", self.file.display()))
                .why(fault)
                .remedy("sign in again: claude auth login")
        })
    }
}

impl CredentialStore for CredentialsFile {
    fn kind(&self) -> StoreKind {
        StoreKind::File
    }

    fn read(&self) -> Result<Found> {
        self.text()?.map_or(Ok(Found::Nothing), |text| self.parsed(&text).map(Found::Login))
    }

    /// Under Claude Code's locks, and by exchange: a version that was written between the look and the
    /// deed comes out of it, and goes back.
    fn replace(&self, expected: Option<&Credentials>, login: &Credentials) -> Result<Written> {
        let _locks = locked(self.folder())?;
        let text = self.text()?;
        let there = text.as_deref().map(|text| self.parsed(text)).transpose()?;
        if there.as_ref() != expected {
            return Ok(Written::Changed);
        }
        let before = match &text {
            Some(text) => Before::Holds(digest::read(&mut &text[..]).context("read", &self.file)?),
            None => Before::Nothing,
        };
        let new = login.text();
        let staging = self.staging();
        create_private_dir(&staging)?;
        let placed = Staged::write(&staging, 0o600, &mut &new.reveal()[..])
            .and_then(|staged| place(staged, &self.file, before))
            .context("write", &self.file);
        // An old login is of no use to anybody but a thief.
        clear(&staging)?;
        Ok(match placed? {
            Placed::Done { .. } => Written::Done,
            Placed::Surprise { .. } => Written::Changed,
        })
    }

    fn tidy(&self) -> Result<()> {
        clear(&self.staging())
    }

    fn remove(&self) -> Result<()> {
        let _locks = locked(self.folder())?;
        match disk::remove_file(&self.file) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", &self.file, &cause))
            }
            _ => Ok(()),
        }
    }
}

fn clear(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", dir, &cause)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn store() -> (tempfile::TempDir, CredentialsFile) {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        (home, CredentialsFile::of(&locations))
    }

    fn login(n: u32) -> Credentials {
        Credentials::of_pair(&format!("FAKE-a{n}"), &format!("FAKE-r{n}"))
    }

    #[test]
    fn a_login_is_written_only_over_the_one_that_was_seen() {
        let (_home, store) = store();
        assert_eq!(store.read().unwrap(), Found::Nothing);
        assert_eq!(store.replace(None, &login(1)).unwrap(), Written::Done);
        assert_eq!(store.replace(None, &login(2)).unwrap(), Written::Changed);
        assert_eq!(store.replace(Some(&login(1)), &login(2)).unwrap(), Written::Done);
        assert_eq!(store.read().unwrap(), Found::Login(login(2)));
        assert_eq!(fs::metadata(&store.file).unwrap().permissions().mode() & 0o777, 0o600);
        let left: Vec<_> = fs::read_dir(store.folder()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(left, [".credentials.json"], "nothing of an old login is left");
        store.remove().unwrap();
        store.remove().unwrap();
        assert_eq!(store.read().unwrap(), Found::Nothing);
    }

    #[test]
    fn a_file_that_is_no_login_is_damage_and_is_not_written_over() {
        let (_home, store) = store();
        fs::create_dir_all(store.folder()).unwrap();
        fs::write(&store.file, "{\"claudeAiOauth\":{\"accessToken\":\"FAKE").unwrap();
        let error = store.read().unwrap_err();
        assert_eq!(error.code(), Code::ConfigDamaged);
        assert!(!format!("{error:?}").contains("FAKE"));
        assert!(store.replace(None, &login(1)).is_err());
    }
}
