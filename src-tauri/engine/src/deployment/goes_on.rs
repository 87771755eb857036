//! What a launch goes on with, by Claude Code's arguments: a conversation stays on the version that it was had on.

use crate::{claude_home::project_dir_name, paths::Locations};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What a launch goes on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GoesOn {
    /// It begins anew.
    Nothing,
    /// The conversation with this id.
    With(String),
    /// The newest conversation of the project in this folder.
    Newest(PathBuf),
    /// One that the user will pick in Claude Code.
    Picked,
}

impl GoesOn {
    /// What these arguments go on with, in a project.
    pub(crate) fn of(arguments: &[String], project: &Path) -> Self {
        let mut words = arguments.iter().map(String::as_str).peekable();
        while let Some(word) = words.next() {
            let named = match word {
                "--" => break,
                "--continue" => return Self::Newest(project.to_path_buf()),
                "--resume" | "-r" => words.peek().copied(),
                other => match (other.strip_prefix("--resume="), short_flags(other)) {
                    (Some(named), _) => Some(named),
                    (None, Some(flags)) if flags.contains('c') => {
                        return Self::Newest(project.to_path_buf());
                    }
                    (None, Some(flags)) if flags.ends_with('r') => words.peek().copied(),
                    _ => continue,
                },
            };
            return match named.filter(|id| uuid::Uuid::parse_str(id).is_ok()) {
                Some(id) => Self::With(id.to_owned()),
                None => Self::Picked,
            };
        }
        Self::Nothing
    }

    /// The conversation's id, where it is known before Claude Code runs. Blocking.
    pub(super) fn conversation(&self, locations: &Locations) -> Option<String> {
        match self {
            Self::With(id) => Some(id.clone()),
            Self::Newest(project) => newest(locations, project),
            Self::Nothing | Self::Picked => None,
        }
    }
}

/// The letters of `-pc`; Claude Code's own letters only.
fn short_flags(word: &str) -> Option<&str> {
    const LETTERS: &str = "pcrd";
    word.strip_prefix('-')
        .filter(|flags| !flags.is_empty() && flags.chars().all(|flag| LETTERS.contains(flag)))
}

/// The conversation that `--continue` goes on with: of those of this folder, the one that was written to last.
fn newest(locations: &Locations, project: &Path) -> Option<String> {
    let folder = locations.claude_dir.join("projects").join(project_dir_name(project));
    let conversations = fs::read_dir(folder).ok()?.flatten().filter_map(|entry| {
        let id = entry.file_name().to_str()?.strip_suffix(".jsonl")?.to_owned();
        uuid::Uuid::parse_str(&id).ok()?;
        Some((entry.metadata().ok()?.modified().ok()?, id))
    });
    conversations.max().map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    const ID: &str = "0199d0a5-7c1e-7000-8000-000000000001";

    fn of(words: &[&str]) -> GoesOn {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        GoesOn::of(&words, Path::new("/p"))
    }

    #[test]
    fn what_is_gone_on_with_is_found_among_the_arguments() {
        let (with, newest) = (GoesOn::With(ID.to_owned()), GoesOn::Newest("/p".into()));
        for words in
            [&["-p", "x", "--resume", ID][..], &["-r", ID], &["-pr", ID], &[&format!("--resume={ID}")]]
        {
            assert_eq!(of(words), with, "{words:?}");
        }
        for words in [&["--continue"][..], &["-c"], &["-pc", "go on"], &["--model", "opus", "-c"]] {
            assert_eq!(of(words), newest, "{words:?}");
        }
        for words in [&["--resume"][..], &["-r"], &["--resume", "what I said"]] {
            assert_eq!(of(words), GoesOn::Picked, "{words:?}");
        }
        for words in [&[][..], &["-p", ID], &["-p", "--", "--continue"], &["-", "c"], &["--debug"]] {
            assert_eq!(of(words), GoesOn::Nothing, "{words:?}");
        }
    }

    #[test]
    fn the_newest_is_the_one_that_was_written_to_last() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let goes_on = GoesOn::Newest("/p".into());
        assert_eq!(goes_on.conversation(&locations), None);
        let folder = locations.claude_dir.join("projects/-p");
        fs::create_dir_all(&folder).unwrap();
        let other = ID.replace('1', "2");
        for (name, hours) in [(ID, 2), (other.as_str(), 1), ("no-conversation", 3)] {
            let file = fs::File::create(folder.join(format!("{name}.jsonl"))).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(hours * 3600)).unwrap();
        }
        assert_eq!(goes_on.conversation(&locations).as_deref(), Some(ID));
    }
}
