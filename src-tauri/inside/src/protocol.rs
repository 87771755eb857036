//! What is said on the stream to the program beside a session's home.
//!
//! A frame is its length, four bytes little-endian, and a message in postcard's format. Requests are
//! answered in their order. Each side takes what the other says as a stranger's.

use crate::{Digest, Mark, Sign, Window, scan::Entry};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io::{self, Read, Write};

/// The version of this protocol; both sides have to speak the same.
pub const VERSION: u32 = 1;
/// The longest frame.
pub const LONGEST: usize = 4 << 20;
/// How much of a file a frame carries.
pub const CHUNK: usize = 256 << 10;

/// What is asked for. Names are below the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Who is there: answered by [`Reply::Hello`].
    Hello,
    /// Finish what a killed process left, now that no other is at work: answered by [`Reply::Done`].
    Recover,
    /// What is at these names: answered by [`Reply::Entries`] until [`Reply::Done`].
    Scan {
        /// Files or folders.
        tops: Vec<String>,
        /// Names of folders right below a top that are passed over.
        skip: Vec<String>,
        /// How many things to tell at most.
        most: u64,
    },
    /// The marks of files, or of their first bytes: [`Reply::Marks`].
    Marks(Vec<(String, u64)>),
    /// What stands before a byte of a file: [`Reply::Window`].
    Window {
        /// The file.
        name: String,
        /// The byte.
        end: u64,
    },
    /// A file's bytes from one on, as it is at one moment: [`Reply::Chunk`] until [`Reply::Read`].
    Read {
        /// The file.
        name: String,
        /// The first byte.
        from: u64,
    },
    /// Puts a file in its place; its content follows in [`Request::Chunk`] until [`Request::End`],
    /// which is answered by [`Reply::Put`].
    Put {
        /// The file.
        name: String,
        /// Its permission bits.
        mode: u32,
        /// What has to be there; nothing if `None`.
        before: Option<Mark>,
    },
    /// Appends to a file; what is appended follows as with [`Request::Put`].
    Append {
        /// The file.
        name: String,
        /// How long it is, and what stands there.
        window: Window,
    },
    /// Content.
    Chunk(Vec<u8>),
    /// The end of content, with its digest.
    End(Digest),
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// See [`Request::Hello`].
    Hello {
        /// The protocol's version.
        version: u32,
        /// What stands in the root's marker.
        replica: Option<String>,
    },
    /// Some of what is there.
    Entries(Vec<Entry>),
    /// The end of entries, or of a recovery.
    Done {
        /// Whether there were more than were asked for.
        more: bool,
    },
    /// Marks, in the order asked; `None` for what is no readable file.
    Marks(Vec<Option<Mark>>),
    /// A window; `None` when the file is shorter or not there.
    Window(Option<Window>),
    /// Content.
    Chunk(Vec<u8>),
    /// The end of content.
    Read(Sign),
    /// What became of a [`Request::Put`] or [`Request::Append`].
    Put(Outcome),
    /// The request failed; the stream goes on with the next.
    Fault {
        /// What kind of failure.
        kind: FaultKind,
        /// In words.
        text: String,
    },
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is done, and the file has this sign now.
    Done(Sign),
    /// Something else was there: nothing was changed.
    Surprise,
}

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// It is not there.
    Missing,
    /// It is no plain file below the root.
    Refused,
    /// It is being written without a pause.
    Changing,
    /// The disk is full.
    Full,
    /// Anything else.
    Failed,
}

/// Writes one message.
///
/// # Errors
/// When the stream is closed, or the message is too long.
pub fn send(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&frame(message)?)
}

/// One message as a frame.
///
/// # Errors
/// When it is too long.
pub fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    bytes = postcard::to_extend(message, bytes).map_err(io::Error::other)?;
    let len = bytes.len() - 4;
    if len > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too long"));
    }
    bytes[..4].copy_from_slice(&u32::try_from(len).map_err(io::Error::other)?.to_le_bytes());
    Ok(bytes)
}

/// Reads one message; `None` at the stream's end.
///
/// # Errors
/// When the stream breaks off in a message, or says what is no message.
pub fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut len = [0; 4];
    match from.read(&mut len)? {
        0 => return Ok(None),
        count => from.read_exact(&mut len[count..])?,
    }
    let len = length(len)?;
    let mut bytes = vec![0; len];
    from.read_exact(&mut bytes)?;
    message(&bytes).map(Some)
}

/// The length of a frame by its first four bytes.
///
/// # Errors
/// When it is too long.
pub fn length(first: [u8; 4]) -> io::Result<usize> {
    let len = u32::from_le_bytes(first) as usize;
    if len > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too long"));
    }
    Ok(len)
}

/// The message in a frame.
///
/// # Errors
/// When it is none.
pub fn message<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(|cause| io::Error::new(io::ErrorKind::InvalidData, cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_arrive_in_their_order() {
        let window = Window { end: 3, sha256: Digest::from([7; 32]) };
        let sent = [
            Request::Hello,
            Request::Read { name: "a/b".into(), from: 9 },
            Request::Append { name: "x".into(), window },
            Request::Chunk(vec![1, 2, 3]),
        ];
        let mut stream = Vec::new();
        for message in &sent {
            send(&mut stream, message).unwrap();
        }
        let mut from = &stream[..];
        for message in &sent {
            assert_eq!(receive::<Request>(&mut from).unwrap().as_ref(), Some(message));
        }
        assert_eq!(receive::<Request>(&mut from).unwrap(), None);
    }

    proptest! {
        #[test]
        fn what_is_no_message_is_an_error(bytes in any::<Vec<u8>>()) {
            let _ = receive::<Reply>(&mut &bytes[..]);
            let _ = message::<Request>(&bytes);
        }

        #[test]
        fn a_length_is_believed_within_limits_only(len in any::<u32>()) {
            prop_assert_eq!(length(len.to_le_bytes()).is_ok(), len as usize <= LONGEST);
        }
    }
}
