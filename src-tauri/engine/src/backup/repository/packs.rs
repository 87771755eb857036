//! The packs that were read from last, kept open: of many small contents opening is much of the work, and in a
//! file that stays open the system reads ahead.

use rustic_core::Id;
use std::{
    collections::VecDeque,
    fs::File,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// As many as threads can be in at a time.
const KEPT: usize = 16;

/// Open packs, the one that was read from last at the end.
#[derive(Debug, Default)]
pub(super) struct OpenPacks(Mutex<VecDeque<(Id, Arc<File>)>>);

impl OpenPacks {
    /// A pack, opened if it is not.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn get(&self, id: &Id, path: &Path) -> io::Result<Arc<File>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = open.iter().position(|(known, _)| known == id).and_then(|at| open.remove(at));
        let file = match known {
            Some((_, file)) => file,
            None => Arc::new(File::open(path)?),
        };
        if open.len() == KEPT {
            open.pop_front();
        }
        open.push_back((*id, file.clone()));
        Ok(file)
    }
}
