//! The repository's key, and the recovery sheet that stands for it on paper.
//!
//! The key is random and opens the repository at once. The recovery code is a password for the same
//! repository: a key file in it, of restic's own form, can be opened with the code alone, by restic as well.

use crate::{
    error_handling::{Code, Error, Result},
    keychain::{Place, Secret, Sensitive, Vault},
    paths::Locations,
};
use serde::{Deserialize, Serialize};
use std::{fs::File, io::Read};

/// Crockford's alphabet: no letter that is mistaken for another (<https://www.crockford.com/base32.html>).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Groups of five letters: 32 letters of five bits are 160 bits, and scrypt is not even needed.
const LETTERS: usize = 32;
const GROUP: usize = 4;

/// What opens the repository.
#[derive(Clone)]
pub struct RepositoryKey {
    /// restic's master key, as JSON; not yet there while the repository is being begun.
    pub(super) master: Option<Sensitive<String>>,
    /// The code on the recovery sheet.
    pub(super) code: RecoveryCode,
}

impl std::fmt::Debug for RepositoryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RepositoryKey")
    }
}

/// As it is kept in the keyring.
#[derive(Serialize, Deserialize)]
struct Kept {
    master: Option<serde_json::Value>,
    code: String,
}

impl RepositoryKey {
    /// Reads the key from the keyring, or from its file where there is no keyring. Blocking.
    ///
    /// # Errors
    /// As [`Vault::read`]; [`Code::BackupKey`] when what is kept is no key.
    pub fn load(locations: &Locations) -> Result<Option<Self>> {
        let Some((text, _)) = Vault::of(locations).read(&Secret::RepositoryKey)? else { return Ok(None) };
        let unusable = || {
            Error::new(Code::BackupKey, "the key of the backups that the keyring holds cannot be used")
                .remedy("drydock backup key import, with the code of your recovery sheet")
        };
        let kept: Kept = serde_json::from_str(text.reveal()).map_err(|_| unusable())?;
        let code = RecoveryCode::read(&kept.code).map_err(|_| unusable())?;
        let master = kept.master.map(|master| Sensitive::new(master.to_string()));
        Ok(Some(Self { master, code }))
    }

    /// Keeps the key. Blocking.
    ///
    /// # Errors
    /// As [`Vault::write`].
    pub fn keep(&self, locations: &Locations) -> Result<Place> {
        let unusable = |_| Error::new(Code::BackupKey, "the key of the backups is not one");
        let kept = Kept {
            master: match &self.master {
                Some(master) => Some(serde_json::from_str(master.reveal()).map_err(unusable)?),
                None => None,
            },
            code: self.code.0.reveal().clone(),
        };
        let text = serde_json::to_string(&kept).map_err(unusable)?;
        Vault::of(locations).write(&Secret::RepositoryKey, &Sensitive::new(text))
    }

    /// The code for the recovery sheet, to be shown to the user who asked for it.
    #[must_use]
    pub fn code(&self) -> &RecoveryCode {
        &self.code
    }
}

/// The code on the recovery sheet: 160 random bits in eight groups of four letters.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(Sensitive<String>);

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCode")
    }
}

impl RecoveryCode {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn random() -> Result<Self> {
        let mut bytes = [0_u8; LETTERS];
        File::open("/dev/urandom")
            .and_then(|mut random| random.read_exact(&mut bytes))
            .map_err(|cause| Error::new(Code::Internal, "the system has no random numbers").why(cause))?;
        Ok(Self::of_letters(bytes.map(|byte| ALPHABET[usize::from(byte % 32)]).iter().copied()))
    }

    /// Reads one as a person types it: in any case, with or without its dashes, O for 0, I and L for 1.
    ///
    /// # Errors
    /// [`Code::BackupKey`] when it cannot be one.
    pub fn read(text: &str) -> Result<Self> {
        let letters: Vec<u8> = text
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'-')
            .map(|byte| match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                byte => byte,
            })
            .collect();
        if letters.len() != LETTERS || !letters.iter().all(|letter| ALPHABET.contains(letter)) {
            return Err(Error::new(Code::BackupKey, "that is not a recovery code")
                .why("a code has eight groups of four letters or digits")
                .remedy("type it as it stands on the recovery sheet"));
        }
        Ok(Self::of_letters(letters.into_iter()))
    }

    fn of_letters(letters: impl Iterator<Item = u8>) -> Self {
        let mut text = String::new();
        for (at, letter) in letters.enumerate() {
            if at > 0 && at % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(letter));
        }
        Self(Sensitive::new(text))
    }

    /// The code as it is printed and as restic takes it for a password.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// Whether a text is the last group of the code, as somebody reads it from their sheet.
    #[must_use]
    pub fn ends_with(&self, text: &str) -> bool {
        let typed = text.trim().to_ascii_uppercase().replace('O', "0").replace(['I', 'L'], "1");
        typed.len() == GROUP && self.reveal().ends_with(&typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = RecoveryCode::random().unwrap();
        assert_eq!(code.reveal().len(), 39);
        assert_ne!(code, RecoveryCode::random().unwrap());
        let typed = code.reveal().to_ascii_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert_eq!(RecoveryCode::read(&typed).unwrap(), code);
        assert!(RecoveryCode::read("ABCD-EFGH").is_err());
        assert!(RecoveryCode::read(&"U".repeat(32)).is_err());
        assert!(code.ends_with(&code.reveal()[35..]) && !code.ends_with("") && !code.ends_with("-"));
        assert_eq!(format!("{code:?}"), "RecoveryCode");
    }
}
