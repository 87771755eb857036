//! Names of sessions: short enough to type, with the project in them.

use crate::error_handling::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use std::{fmt, path::Path};

/// A session's name, such as `proj-k3f9`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct SessionId(String);

/// Without look-alikes: 0/o, 1/l/i.
const ALPHABET: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";

impl SessionId {
    /// A new name for a session in `project`; `randomness` makes it its own.
    pub(super) fn new(project: &Path, randomness: u128) -> Self {
        let folder = project.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let mut slug = String::new();
        for c in folder.chars() {
            if c.is_ascii_alphanumeric() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.truncate(20);
        let slug = slug.trim_matches('-');
        let slug = if slug.is_empty() { "session" } else { slug };
        let mut tail = String::new();
        let mut rest = randomness;
        for _ in 0..5 {
            tail.push(char::from(ALPHABET[(rest % ALPHABET.len() as u128) as usize]));
            rest /= ALPHABET.len() as u128;
        }
        Self(format!("{slug}-{tail}"))
    }

    /// Takes a name that was written down, by a label or a folder.
    pub(super) fn known(text: &str) -> Option<Self> {
        let plain = text.len() <= 40
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        (plain && !text.is_empty() && !text.starts_with('-')).then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn container(&self) -> String {
        format!("drydock-{}", self.0)
    }

    pub(super) fn volume(&self) -> String {
        format!("drydock-{}", self.0)
    }

    /// Finds the session that `text` names: a whole name, or the beginning or the end of just one.
    pub(super) fn resolve<'a>(text: &str, known: impl Iterator<Item = &'a Self>) -> Result<Self> {
        let known: Vec<_> = known.collect();
        if let Some(exact) = known.iter().find(|id| id.0 == text) {
            return Ok((*exact).clone());
        }
        let mut close = known.iter().filter(|id| id.0.starts_with(text) || id.0.ends_with(text));
        match (close.next(), close.next()) {
            (Some(only), None) => Ok((*only).clone()),
            (Some(_), Some(_)) => {
                let names: Vec<_> = known.iter().map(|id| id.as_str()).collect();
                Err(Error::new(Code::SessionAmbiguous, format!("several sessions match \"{text}\""))
                    .why(names.join(", "))
                    .remedy("drydock list"))
            }
            _ => Err(Error::new(Code::SessionUnknown, format!("there is no session \"{text}\""))
                .remedy("drydock list")),
        }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_folder_gives_a_name_that_engines_take() {
        for (folder, start) in [
            ("/u/proj", "proj-"),
            ("/u/My Project (2)", "my-project-2-"),
            ("/u/Проект", "session-"),
            ("/", "session-"),
            ("/u/a_very_long_name_that_goes_on_and_on", "a-very-long-name-tha-"),
        ] {
            let id = SessionId::new(Path::new(folder), 12345);
            assert!(id.as_str().starts_with(start), "{folder} {id}");
            assert_eq!(SessionId::known(id.as_str()), Some(id));
        }
        assert_eq!(SessionId::known("../../etc"), None);
    }

    #[test]
    fn a_part_of_a_name_is_enough_when_it_is_the_only_one() {
        let ids = [SessionId("proj-ab".into()), SessionId("proj-cd".into()), SessionId("other-ef".into())];
        let find = |text| SessionId::resolve(text, ids.iter());
        assert_eq!(find("other").unwrap(), ids[2]);
        assert_eq!(find("cd").unwrap(), ids[1]);
        assert_eq!(find("proj").unwrap_err().code(), Code::SessionAmbiguous);
        assert_eq!(find("zz").unwrap_err().code(), Code::SessionUnknown);
    }
}
