//! Names as a session gives them: which are let through, and which cannot stand side by side.

use crate::container::Refusal;
use std::collections::{HashMap, HashSet};
use unicode_normalization::UnicodeNormalization;

/// The longest part of a name that file systems take, in bytes.
const LONGEST: usize = 255;

/// The names seen so far. Two that a case-insensitive disk takes for one are not both let through:
/// which of the contents stayed would be chance.
#[derive(Debug, Default)]
pub(crate) struct Names {
    folded: HashMap<String, String>,
    /// Folders that were let through.
    folders: HashSet<String>,
}

impl Names {
    /// Lets a name through, or says why not.
    pub(crate) fn admit(&mut self, name: &str) -> Result<(), Refusal> {
        let odd = |part: &str| part.is_empty() || part == "." || part == ".." || part.len() > LONGEST;
        if name.chars().any(char::is_control) || name.split('/').any(odd) {
            return Err(Refusal::Name);
        }
        // Folders fold as well: `Skills/a` and `skills/b` would end in one folder.
        for (end, _) in name.match_indices('/') {
            if !self.folders.contains(&name[..end]) {
                self.unfold(&name[..end])?;
                self.folders.insert(name[..end].to_owned());
            }
        }
        self.unfold(name)
    }

    fn unfold(&mut self, exact: &str) -> Result<(), Refusal> {
        let known = self.folded.entry(fold(exact)).or_insert_with(|| exact.to_owned());
        if known == exact { Ok(()) } else { Err(Refusal::Folds) }
    }
}

/// What a disk of macOS makes of a name: one case, composed.
fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.nfc().flat_map(char::to_lowercase).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_one_disk_takes_for_one_are_told_apart() {
        let mut names = Names::default();
        assert_eq!(names.admit("skills/a/SKILL.md"), Ok(()));
        assert_eq!(names.admit("skills/a/other.md"), Ok(()));
        assert_eq!(names.admit("skills/a/skill.md"), Err(Refusal::Folds));
        assert_eq!(names.admit("Skills/b/x"), Err(Refusal::Folds));
        assert_eq!(names.admit("plans/e\u{301}.md"), Ok(()));
        assert_eq!(names.admit("plans/\u{e9}.md"), Err(Refusal::Folds));
        assert_eq!(names.admit("skills/a/SKILL.md"), Ok(()), "the same name again is itself");
    }

    #[test]
    fn odd_names_are_refused() {
        let mut names = Names::default();
        for name in ["a/../b", "a//b", "a\nb", "a/./b", "\u{1b}[31m", ""] {
            assert_eq!(names.admit(name), Err(Refusal::Name), "{name:?}");
        }
        assert_eq!(names.admit(&"x".repeat(256)), Err(Refusal::Name));
        assert_eq!(names.admit(&"x".repeat(255)), Ok(()));
    }
}
