//! Safety stops: signs that a side of a sync is not what it was, so that nothing is concluded from it.

use crate::error_handling::{Code, Error, Result};

/// So many files may be gone from one side since the last sync, whatever the share.
const FEW: usize = 4;
/// More than this many gone at once stop a sync.
const MANY: usize = 50;

/// Which side of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Host,
    Session,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Host => "the host home",
            Self::Session => "the session's home",
        }
    }
}

/// What the user said about files that are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Vanished {
    /// Nothing: many of them stop the sync.
    #[default]
    Stop,
    /// That it is right.
    Accept,
}

/// Stops when more than a fifth, or more than fifty, of the files that were there are gone.
///
/// Deletions never travel, so nothing would be lost by going on. But a home that has just been
/// emptied is a sign of something else: a wrong volume, a disk that is not mounted, a program gone
/// wild. The few that people delete in a small home are no such sign.
pub(crate) fn check_vanished(side: Side, known: usize, gone: usize, answer: Vanished) -> Result<()> {
    let alarming = gone > MANY || (gone > FEW && gone * 5 > known);
    if !alarming || answer == Vanished::Accept {
        return Ok(());
    }
    let error =
        Error::new(Code::SyncStopped, format!("{gone} of {known} files are gone from {}", side.name()))
            .why("so many at once are rarely meant; nothing was synced");
    Err(match side {
        Side::Host => error.remedy("drydock doctor").remedy("if you deleted them: add --accept-vanished"),
        Side::Session => error.remedy("if the session deleted them: add --accept-vanished"),
    })
}

/// Stops when a side has no root any more, or not the one it had.
pub(crate) fn check_replica(expected: Option<&str>, found: Option<&str>) -> Result<()> {
    match (expected, found) {
        (Some(expected), Some(found)) if expected == found => Ok(()),
        // A base without a marker is of a session that an older Drydock made.
        (None, _) => Ok(()),
        (Some(_), found) => {
            let why = match found {
                None => "its marker is gone: the volume was emptied, or is a new one",
                Some(_) => "its marker is another's: the volume was replaced",
            };
            Err(Error::new(Code::SyncStopped, "the session's home is not the one that was made for it")
                .why(why)
                .remedy("remove the session: drydock rm SESSION --discard"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_or_fifty_at_once_stop_a_sync() {
        let stops = |known, gone| check_vanished(Side::Host, known, gone, Vanished::Stop).is_err();
        assert!(!stops(6, 2) && !stops(5, 4) && !stops(25, 5) && !stops(1000, 50));
        assert!(stops(5, 5) && stops(24, 5) && stops(1000, 51));
        assert!(check_vanished(Side::Host, 5, 5, Vanished::Accept).is_ok());
    }

    #[test]
    fn another_volume_of_the_same_name_is_not_the_session() {
        assert!(check_replica(Some("a"), Some("a")).is_ok() && check_replica(None, Some("a")).is_ok());
        assert!(check_replica(Some("a"), None).is_err() && check_replica(Some("a"), Some("b")).is_err());
    }
}
