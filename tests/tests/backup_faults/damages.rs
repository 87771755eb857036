//! Damage: in which ways files of the copies break, and which of them do.

use super::dice::Dice;
use drydock_tests::rig::{BackupCopy, Backups};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// A way in which a file breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    BitFlipped,
    CutByOne,
    Emptied,
    BlockZeroed,
    Deleted,
    /// It and another of its kind have each other's content.
    Swapped,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pack,
    Index,
    Snapshot,
    Key,
    Config,
    Ledger,
    Marker,
    Seen,
    State,
}

/// A way for a kind of file of a copy to break.
#[derive(Clone, Copy)]
pub(crate) struct Damage {
    pub(crate) copy: BackupCopy,
    pub(crate) kind: Kind,
    pub(crate) how: How,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of the {} copy {:?}", self.kind, self.copy.word(), self.how)
    }
}

const REPOSITORY: [Kind; 5] = [Kind::Pack, Kind::Index, Kind::Snapshot, Kind::Key, Kind::Config];
const OWN: [Kind; 4] = [Kind::Ledger, Kind::Marker, Kind::Seen, Kind::State];
const WAYS: [How; 6] =
    [How::BitFlipped, How::CutByOne, How::Emptied, How::BlockZeroed, How::Deleted, How::Swapped];

impl Damage {
    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        let kinds = |copy| match copy {
            BackupCopy::Local => [&REPOSITORY[..], &OWN].concat(),
            _ => REPOSITORY.to_vec(),
        };
        let each = |copy| kinds(copy).into_iter().map(move |kind| (copy, kind));
        let all = BackupCopy::ALL.into_iter().flat_map(each);
        let all = all.flat_map(|(copy, kind)| WAYS.map(|how| Self { copy, kind, how }));
        // Of these there is one alone.
        let can_be = |one: &Self| one.how != How::Swapped || REPOSITORY[..3].contains(&one.kind);
        all.filter(can_be).collect()
    }

    /// Does it to one file, or two. Gives their names, as Drydock has to name them.
    pub(crate) fn strike(self, backups: &Backups, dice: &mut Dice) -> Vec<String> {
        let root = backups.folder(self.copy);
        let mut files = self.kind.files(&root, backups);
        let one = files.swap_remove(dice.below(files.len()));
        if self.how == How::Swapped {
            let other = files.swap_remove(dice.below(files.len()));
            let (a, b) = (fs::read(&one).unwrap(), fs::read(&other).unwrap());
            assert_ne!(a, b, "{}", one.display());
            fs::write(&one, b).unwrap();
            fs::write(&other, a).unwrap();
            return vec![name(&one, &root), name(&other, &root)];
        }
        self.how.strike(&one, dice);
        vec![name(&one, &root)]
    }
}

impl Kind {
    fn files(self, root: &Path, backups: &Backups) -> Vec<PathBuf> {
        let below = |folder: &str| {
            let entries = walkdir::WalkDir::new(root.join(folder)).sort_by_file_name().into_iter().flatten();
            let files: Vec<_> = entries
                .filter(|entry| entry.file_type().is_file())
                .map(walkdir::DirEntry::into_path)
                .collect();
            assert!(!files.is_empty(), "nothing in {folder}");
            files
        };
        match self {
            Self::Pack => below("data"),
            Self::Index => below("index"),
            Self::Snapshot => below("snapshots"),
            Self::Key => below("keys"),
            Self::Config => vec![root.join("config")],
            Self::Ledger => vec![root.join("drydock/ledger.jsonl")],
            Self::Marker => vec![root.join("drydock/copy.json")],
            Self::Seen => vec![root.join("drydock/seen.json")],
            Self::State => vec![backups.file(".local/share/drydock/backup/state.json")],
        }
    }
}

impl How {
    /// Does it to a file.
    pub(crate) fn strike(self, file: &Path, dice: &mut Dice) {
        let whole = fs::read(file).unwrap_or_else(|cause| panic!("{}: {cause}", file.display()));
        let mut broken = whole.clone();
        match self {
            Self::BitFlipped => broken[dice.below(whole.len())] ^= 1 << dice.below(8),
            Self::CutByOne => broken.truncate(whole.len() - 1),
            Self::Emptied => broken.clear(),
            Self::BlockZeroed => {
                let begin = dice.below(whole.len().div_ceil(512)) * 512;
                let end = whole.len().min(begin + 512);
                broken[begin..end].fill(0);
            }
            Self::Deleted => return fs::remove_file(file).unwrap(),
            Self::Swapped => panic!("that takes two"),
        }
        assert_ne!(whole, broken, "{}", file.display());
        fs::write(file, broken).unwrap();
    }
}

/// A file's name below its copy, or where it is if it is in none.
fn name(file: &Path, root: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}
