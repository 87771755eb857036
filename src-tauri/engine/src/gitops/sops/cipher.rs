//! `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`: one value, encrypted with the file's data key and bound to its place.
//!
//! The form is sops' own (<https://github.com/getsops/sops/blob/v3.11.0/aes/cipher.go>): AES-256 in GCM, a random
//! nonce of 32 bytes, and the keys on the way to the value as additional data.

use super::value::{NoValue, Value};
use crate::error_handling::{Code, Error, Result};
use aes_gcm::{
    AesGcm, KeyInit,
    aead::{Aead, Generate, Nonce, Payload, consts::U32},
    aes::Aes256,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

type Cipher = AesGcm<Aes256, U32>;

const NONCE: usize = 32;
const TAG: usize = 16;

/// The key of one file, which its recipients' keys open.
#[derive(Clone)]
pub(super) struct DataKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey")
    }
}

/// Why a ciphertext did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is no ciphertext.
    NotEncrypted,
    /// It has another form than Drydock knows.
    Form,
    /// It is not what was encrypted, or not for this place.
    Changed,
}

impl From<NoValue> for Refusal {
    fn from(_: NoValue) -> Self {
        Self::Form
    }
}

impl DataKey {
    /// A new one.
    pub(super) fn random() -> Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&random()?);
        Ok(Self(key))
    }

    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|key| Self(Zeroizing::new(key)))
    }

    pub(super) fn reveal(&self) -> &[u8] {
        &*self.0
    }

    /// Encrypts a value for a place. What is empty stays so, as with sops.
    pub(super) fn seal(&self, value: &Value, place: &str) -> Result<String> {
        let bytes = value.bytes();
        if bytes.is_empty() {
            return Ok(String::new());
        }
        let nonce = random()?;
        let payload = Payload { msg: &bytes, aad: place.as_bytes() };
        let sealed = self.cipher().encrypt(&nonce, payload).map_err(|_| {
            // More than 64 GiB; files are smaller.
            Error::new(Code::Internal, "a value is too large to be encrypted")
        })?;
        let (data, tag) = sealed.split_at(sealed.len() - TAG);
        Ok(format!(
            "ENC[AES256_GCM,data:{},iv:{},tag:{},type:{}]",
            STANDARD.encode(data),
            STANDARD.encode(nonce),
            STANDARD.encode(tag),
            value.sops_type()
        ))
    }

    /// Decrypts a value of a place.
    pub(super) fn open(&self, text: &str, place: &str) -> Result<Value, Refusal> {
        if text.is_empty() {
            return Ok(Value::text(""));
        }
        let (plaintext, kind) = self.open_bytes(text, place)?;
        Ok(Value::of_plaintext(kind, &plaintext)?)
    }

    /// Decrypts a comment, which has no kind of a value.
    pub(super) fn open_comment(&self, text: &str, place: &str) -> Result<Zeroizing<String>, Refusal> {
        let (plaintext, _) = self.open_bytes(text, place)?;
        let text = std::str::from_utf8(&plaintext).map_err(|_| Refusal::Form)?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    fn open_bytes<'t>(&self, text: &'t str, place: &str) -> Result<(Zeroizing<Vec<u8>>, &'t str), Refusal> {
        let [data, nonce, tag, kind] = parts(text).ok_or(Refusal::NotEncrypted)?;
        let bytes = |field: &str| STANDARD.decode(field).map_err(|_| Refusal::Changed);
        let (mut sealed, nonce, tag) = (bytes(data)?, bytes(nonce)?, bytes(tag)?);
        if tag.len() != TAG {
            return Err(Refusal::Changed);
        }
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| Refusal::Form)?;
        sealed.extend_from_slice(&tag);
        let payload = Payload { msg: &sealed, aad: place.as_bytes() };
        let opened = self.cipher().decrypt(&nonce.into(), payload).map_err(|_| Refusal::Changed)?;
        Ok((Zeroizing::new(opened), kind))
    }

    fn cipher(&self) -> Cipher {
        Cipher::new(&(*self.0).into())
    }
}

/// Whether a text has the form of a ciphertext.
pub(super) fn is_encrypted(text: &str) -> bool {
    parts(text).is_some()
}

/// Whether a text has the form of a comment's ciphertext.
pub(super) fn is_comment(text: &str) -> bool {
    parts(text).is_some_and(|[.., kind]| kind == "comment")
}

/// Data, nonce, tag and type.
fn parts(text: &str) -> Option<[&str; 4]> {
    let inner = text.strip_prefix("ENC[AES256_GCM,")?.strip_suffix(']')?;
    let mut fields = inner.split(',');
    let mut field = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix(':');
    let parts = [field("data")?, field("iv")?, field("tag")?, field("type")?];
    fields.next().is_none().then_some(parts)
}

fn random() -> Result<Nonce<Cipher>> {
    Nonce::<Cipher>::try_generate()
        .map_err(|cause| Error::new(Code::Internal, "the system has no random numbers").why(cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_in_its_place_and_with_its_key_only() {
        let key = DataKey::random().unwrap();
        let sealed = key.seal(&Value::text("hunter2"), "a:b:").unwrap();
        assert!(is_encrypted(&sealed) && !sealed.contains("hunter2"));
        assert!(key.open(&sealed, "a:b:").unwrap() == Value::text("hunter2"));
        assert_eq!(key.open(&sealed, "a:c:").unwrap_err(), Refusal::Changed);
        assert_eq!(DataKey::random().unwrap().open(&sealed, "a:b:").unwrap_err(), Refusal::Changed);
        assert_ne!(key.seal(&Value::text("hunter2"), "a:b:").unwrap(), sealed);
        assert_eq!(format!("{key:?}"), "DataKey");
    }

    #[test]
    fn no_letter_of_a_ciphertext_can_be_changed() {
        let key = DataKey::random().unwrap();
        let sealed = key.seal(&Value::text("a"), "a:").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(key.open(&changed, "a:").is_err(), "at {at} of {sealed}");
        }
    }

    #[test]
    fn what_is_empty_stays_empty() {
        let key = DataKey::random().unwrap();
        assert_eq!(key.seal(&Value::text(""), "a:").unwrap(), "");
        assert!(key.open("", "a:").unwrap() == Value::text(""));
    }
}
