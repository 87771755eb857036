//! What tells one content of a file from another.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, fs::Metadata, os::unix::fs::MetadataExt};

/// A SHA-256 digest. For people it is written in hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 32]>::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        let wrong = || de::Error::custom("a digest is 64 hexadecimal digits");
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

/// A content: its length in bytes and its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Bytes.
    pub len: u64,
    /// The digest of all of them.
    pub sha256: Digest,
}

/// The cheap signs of a file: while they are the same, so is its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign {
    /// Bytes.
    pub len: u64,
    /// The time of its last change, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// The time of its last change of any kind: no program can set it back.
    pub ctime_ns: i64,
    /// Its number on its file system.
    pub inode: u64,
    /// Its kind and permission bits.
    pub mode: u32,
}

impl Sign {
    /// The signs that these metadata hold.
    #[must_use]
    pub fn of(data: &Metadata) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            len: data.len(),
            mtime_ns: nanoseconds(data.mtime(), data.mtime_nsec()),
            ctime_ns: nanoseconds(data.ctime(), data.ctime_nsec()),
            inode: data.ino(),
            mode: data.mode(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_hex_for_people_and_short_for_programs() {
        let digest = Digest::from([0xab; 32]);
        assert_eq!(digest.to_string(), "ab".repeat(32));
        let packed = postcard::to_allocvec(&digest).unwrap();
        assert_eq!(packed.len(), 32);
        assert_eq!(postcard::from_bytes::<Digest>(&packed).unwrap(), digest);
    }
}
