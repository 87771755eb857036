//! Small files of Drydock's own that tell when a bit of them has changed.

use crate::{
    container::hex,
    error_handling::{Code, Error, IoContext, Result},
    paths::write_private,
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{fs, io, path::Path};

/// A document with the digest of its text in its first line. `None` when there is no such file.
///
/// # Errors
/// [`Code::BackupDamaged`] when it is not what was written.
pub(super) fn read<T: DeserializeOwned>(file: &Path) -> Result<Option<T>> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(Error::io("read", file, &cause)),
    };
    unseal(&text)
        .ok_or_else(|| Error::new(Code::BackupDamaged, format!("{} is damaged", file.display())))
        .map(Some)
}

/// What a sealed text holds, if it is whole.
pub(super) fn unseal<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    let (seal, rest) = text.split_at_checked(65)?;
    let digest = hex(&Sha256::digest(rest));
    (seal.strip_suffix(b"\n") == Some(digest.as_bytes())).then(|| serde_json::from_slice(rest).ok())?
}

/// A document as it is written.
pub(super) fn seal(value: &impl Serialize) -> Result<Vec<u8>> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|cause| Error::new(Code::Internal, "a document could not be written down").why(cause))?;
    Ok([hex(&Sha256::digest(&text)).as_bytes(), b"\n", &text].concat())
}

/// Writes a document with its digest, whole or not at all.
///
/// # Errors
/// When it cannot be written; the old one is then still there.
pub(super) fn write(file: &Path, value: &impl Serialize) -> Result<()> {
    let text = seal(value)?;
    write_private(file, &text)
}

/// The digest of a file's content, if it is there.
///
/// # Errors
/// When it cannot be read.
pub(super) fn digest_of(file: &Path) -> Result<Option<String>> {
    match fs::read(file) {
        Ok(text) => Ok(Some(hex(&Sha256::digest(&text)))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause).context("read", file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_bit_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.json");
        assert_eq!(read::<Vec<u32>>(&file).unwrap(), None);
        write(&file, &vec![1_u32, 2, 300]).unwrap();
        assert_eq!(read::<Vec<u32>>(&file).unwrap(), Some(vec![1, 2, 300]));
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut other = whole.clone();
                other[at] ^= 1 << bit;
                fs::write(&file, other).unwrap();
                assert_eq!(read::<Vec<u32>>(&file).unwrap_err().code(), Code::BackupDamaged);
            }
            fs::write(&file, &whole[..at]).unwrap();
            assert!(read::<Vec<u32>>(&file).is_err());
        }
    }
}
