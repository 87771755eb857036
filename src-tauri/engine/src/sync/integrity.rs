//! Whether both sides hold the same: sizes and content, by digests computed on each.

use super::{Layout, base::Agreed};
use crate::{
    claude_home::Outward,
    error_handling::{Error, Result},
};
use drydock_inside::{Mark, digest};
use serde::Serialize;
use std::{collections::HashMap, io};

/// How two sides compare.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Integrity {
    /// How many files are the same.
    pub same: usize,
    /// Names of those that are not.
    pub differing: Vec<String>,
}

impl Integrity {
    /// Compares the session's marks with the host's files. What waits for the user, what forked and
    /// what is merged by key differs by right, and is not compared; a conversation that the host went
    /// on with is compared as far as the session's goes.
    pub(crate) fn compare(
        layout: &Layout,
        known: &HashMap<String, Agreed>,
        session: impl IntoIterator<Item = (String, Mark)>,
    ) -> Result<Self> {
        let mut found = Self::default();
        for (name, mark) in session {
            let Some(agreed) = known.get(&name) else { continue };
            if !is_shared(layout, &name, agreed) {
                continue;
            }
            if let Some(translated) = agreed.translated {
                // The host's form is another; the session's is what was translated, or it is not.
                match translated == mark {
                    true => found.same += 1,
                    false => found.differing.push(name),
                }
                continue;
            }
            match digest::prefix_mark(&layout.path(&name), mark.len) {
                Ok(host) if host == mark => found.same += 1,
                Ok(_) => found.differing.push(name),
                // Deletions do not travel: what one side deleted is no difference to mend.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(cause) => return Err(Error::io("read", &layout.path(&name), &cause)),
            }
        }
        found.differing.sort();
        Ok(found)
    }
}

/// Whether both sides are to hold the same of this file.
pub(crate) fn is_shared(layout: &Layout, name: &str, agreed: &Agreed) -> bool {
    let outward = layout.class(name).map(crate::claude_home::Class::outward);
    let shared = matches!(outward, Some(Outward::Append | Outward::ThreeWay | Outward::Hold));
    shared && agreed.settled.is_none() && agreed.fork.is_none()
}

/// Whether a file came out of the session, so that its copy there is the original.
pub(crate) fn came_out(agreed: &Agreed) -> bool {
    agreed.packed.is_none() && agreed.host.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::Locations;
    use drydock_inside::Digest;
    use sha2::{Digest as _, Sha256};

    fn mark(text: &str) -> Mark {
        Mark { len: text.len() as u64, sha256: Digest::from(<[u8; 32]>::from(Sha256::digest(text))) }
    }

    #[test]
    fn a_byte_that_differs_is_named_and_a_longer_conversation_is_not() {
        let home = tempfile::tempdir().unwrap();
        let layout = Layout::of(&Locations::find(Some(home.path())).unwrap()).unwrap();
        let (note, talk) = (".claude/plans/a.md", ".claude/projects/-p/c.jsonl");
        for (name, text) in [(note, "one"), (talk, "one\ntwo\n")] {
            let path = layout.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let known =
            HashMap::from([(note.to_owned(), Agreed::default()), (talk.to_owned(), Agreed::default())]);
        let session = [(note.to_owned(), mark("onE")), (talk.to_owned(), mark("one\n"))];
        let found = Integrity::compare(&layout, &known, session).unwrap();
        assert_eq!((found.same, found.differing), (1, vec![note.to_owned()]));
    }
}
