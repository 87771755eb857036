//! Small files of state that several processes change: the app, the daemon, a command.

use crate::{
    error_handling::{IoContext, Result},
    paths::{create_private_dir, write_private},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// What a file holds; nothing where it is not there. One that cannot be read is as good as none: what it remembers
/// makes messages nicer, and no alert may be lost for it.
pub(super) fn read<T: DeserializeOwned + Default>(file: &Path) -> T {
    fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Changes what a file holds, one process after the other. Blocking, for as long as others write.
pub(super) fn change<T: Serialize + DeserializeOwned + Default>(
    file: &Path,
    change: impl FnOnce(&mut T),
) -> Result<()> {
    if let Some(folder) = file.parent() {
        create_private_dir(folder)?;
    }
    let lock = file.with_extension("lock");
    let held = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&lock)
        .context("open the lock", &lock)?;
    // Given back when it is dropped, or the process ends.
    held.lock().context("lock", &lock)?;
    let mut state = read(file);
    change(&mut state);
    let text = serde_json::to_vec_pretty(&state).map_err(std::io::Error::from).context("write", file)?;
    write_private(file, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, thread};

    #[test]
    fn no_change_of_many_at_once_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alerts/state.json");
        thread::scope(|scope| {
            for number in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    change(file, |state: &mut BTreeMap<String, u32>| {
                        state.insert(number.to_string(), number);
                    })
                    .unwrap();
                });
            }
        });
        assert_eq!(read::<BTreeMap<String, u32>>(&file).len(), 8);
    }

    #[test]
    fn a_torn_file_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.json");
        fs::write(&file, "{\"a\":").unwrap();
        change(&file, |state: &mut BTreeMap<String, u32>| {
            state.insert("b".into(), 1);
        })
        .unwrap();
        assert_eq!(read::<BTreeMap<String, u32>>(&file), BTreeMap::from([("b".into(), 1)]));
    }
}
