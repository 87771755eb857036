//! Files that count as soon as they have their name come to a remote under another one first.
//!
//! Object stores take a file whole or not at all. Where a remote is a disk, or a computer of one's own, rclone writes
//! under the name itself (before 1.63 always), and half an index keeps every reader from the whole copy. A pack counts
//! only once an index names it.

use super::Cloud;
use crate::{error_handling::Result, progress::ProgressSink};
use std::{collections::BTreeMap, ffi::OsStr, path::Path, sync::atomic::Ordering};

/// Where they wait.
pub(super) const INCOMING: &str = ".drydock-incoming";

impl Cloud {
    /// Copies files so that none has its name before it is whole; nothing but packs and the first file goes straight.
    pub(super) fn put_whole(&self, root: &Path, names: &[String], progress: &ProgressSink) -> Result<()> {
        let mut straight = Vec::new();
        let mut by_folder: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for name in names {
            match name.split_once('/') {
                Some((folder, file)) if folder != "data" => {
                    by_folder.entry(folder).or_default().push(file.to_owned());
                }
                _ => straight.push(name.clone()),
            }
        }
        let what = "copying to the cloud copy";
        if !straight.is_empty() {
            self.copy(root.as_os_str(), OsStr::new(&self.remote), &straight, progress, what)?;
        }
        if !by_folder.is_empty() && self.has_left.swap(false, Ordering::Relaxed) {
            // What a process left that was ended in the middle; without success it is written over.
            let _ = self.quietly(&["purge", &self.path(INCOMING)], None);
        }
        for (folder, files) in by_folder {
            // Folder by folder: to rclone 1.60, one within the other is no source of it.
            let waiting = self.path(&format!("{INCOMING}/{folder}"));
            self.copy(root.join(folder).as_os_str(), OsStr::new(&waiting), &files, progress, what)?;
            self.rename(&waiting, &self.path(folder), &files)?;
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str, files: &[String]) -> Result<()> {
        let list = Self::list_of(files)?;
        let mut command = self.rclone(&["move", from, to]);
        command.arg("--files-from-raw").arg(list.path()).args(["--no-traverse", "--ignore-times"]);
        let said = self.run(&mut command, None, &ProgressSink::none(), &|_| {})?;
        self.done("put files in their places at", said).map(drop)
    }
}
