//! A file of lines to which several processes append at once: no line tears, and it does not grow for ever.
//!
//! Each line is one write at the end of the file, under a lock that all processes take. A full disk or one that
//! cannot be written stops nothing: what is lost is counted, and told once.

use crate::paths::create_private_dir;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

/// The path is looked at so often, for those who move the file away: to look costs a part of what a line does. That
/// Drydock put it aside is seen at once.
const LOOK: Duration = Duration::from_secs(1);

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of one file.
    pub(super) bytes: u64,
    /// Old files beside it.
    pub(super) files: u32,
    /// How old an old file may be.
    pub(super) age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 10 << 20, files: 5, age: Duration::from_secs(60 * 60 * 24 * 90) }
    }
}

/// The longest line. What is longer is cut by whoever makes it.
pub(super) const LONGEST: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct LineLog {
    path: PathBuf,
    lock: PathBuf,
    limits: Limits,
    open: Mutex<Option<Open>>,
    lost: AtomicU64,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Its length is how often the file was put aside.
    lock: File,
    /// How often it had been when it was opened.
    put_aside: u64,
    /// When its path was looked at.
    looked: Instant,
}

impl LineLog {
    /// The log at a path, with its lock in a folder of Drydock's. Nothing is made before the first line.
    pub(super) fn at(path: PathBuf, locks: &Path, limits: Limits) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let lock = locks.join(format!("{}.lock", name.trim_start_matches('.')));
        Self { path, lock, limits, open: Mutex::new(None), lost: AtomicU64::new(0) }
    }

    /// Appends a line, which holds no line feed. Never fails: what cannot be written is counted. Gives how many lines
    /// were lost before this one, which is written; each is told once.
    pub(super) fn append(&self, line: String) -> u64 {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = line.into_bytes();
        bytes.push(b'\n');
        if let Err(cause) = self.append_once(&mut open, &bytes) {
            *open = None;
            if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
                // The log itself is no place to say so.
                eprintln!(
                    "drydock: {} cannot be written, and is without what comes now: {cause}",
                    self.path.display()
                );
            }
            return 0;
        }
        self.lost.swap(0, Ordering::Relaxed)
    }

    /// Lines that could not be written by this process.
    #[cfg(test)]
    fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn append_once(&self, open: &mut Option<Open>, line: &[u8]) -> io::Result<()> {
        let open = match open {
            Some(open) => open,
            None => open.insert(self.opened()?),
        };
        open.lock.lock()?;
        let done = self.append_locked(open, line);
        open.lock.unlock()?;
        done
    }

    fn append_locked(&self, open: &mut Open, line: &[u8]) -> io::Result<()> {
        // Its length, for less than half of what `metadata` costs.
        let put_aside = open.lock.seek(SeekFrom::End(0))?;
        let mut before = open.file.metadata()?;
        if put_aside != open.put_aside || before.nlink() == 0 || self.was_moved(open, before.ino()) {
            open.file = append_to(&self.path)?;
            open.put_aside = put_aside;
            before = open.file.metadata()?;
        }
        let mut length = before.len();
        if length > 0 && length + line.len() as u64 > self.limits.bytes {
            self.put_aside()?;
            // What others know by: one byte each time.
            open.put_aside = put_aside + 1;
            open.lock.set_len(open.put_aside)?;
            open.file = append_to(&self.path)?;
            length = 0;
        }
        open.file.write_all(line).inspect_err(|_| {
            // Half a line is worse than none.
            let _ = open.file.set_len(length);
        })
    }

    /// Whether somebody has put something else in the file's place, such as nothing.
    fn was_moved(&self, open: &mut Open, inode: u64) -> bool {
        if open.looked.elapsed() < LOOK {
            return false;
        }
        open.looked = Instant::now();
        fs::metadata(&self.path).map_or(true, |there| there.ino() != inode)
    }

    fn opened(&self) -> io::Result<Open> {
        if let Some(folder) = self.lock.parent() {
            create_private_dir(folder).map_err(io::Error::other)?;
        }
        if let Some(folder) = self.path.parent() {
            create_private_dir(folder).map_err(io::Error::other)?;
        }
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&self.lock)?;
        let put_aside = lock.metadata()?.len();
        Ok(Open { file: append_to(&self.path)?, lock, put_aside, looked: Instant::now() })
    }

    /// The file becomes the first of the old ones; the oldest goes.
    fn put_aside(&self) -> io::Result<()> {
        for number in (1..self.limits.files).rev() {
            let from = numbered(&self.path, number);
            match fs::rename(&from, numbered(&self.path, number + 1)) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
        }
        fs::rename(&self.path, numbered(&self.path, 1))?;
        for number in 1..=self.limits.files {
            let old = numbered(&self.path, number);
            let modified = fs::metadata(&old).and_then(|data| data.modified());
            let is_old =
                |at: SystemTime| SystemTime::now().duration_since(at).is_ok_and(|age| age > self.limits.age);
            if modified.is_ok_and(is_old) {
                let _ = fs::remove_file(old);
            }
        }
        Ok(())
    }
}

/// The files of a log that are there, the oldest first.
pub(super) fn files_of(path: &Path) -> Vec<PathBuf> {
    numbered_files(path).into_iter().filter(|file| file.is_file()).collect()
}

/// The files that a log may have, the oldest first.
pub(super) fn numbered_files(path: &Path) -> Vec<PathBuf> {
    let old = (1..=Limits::default().files).rev().map(|number| numbered(path, number));
    old.chain([path.to_path_buf()]).collect()
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, env, process::Command};

    const FOLDER: &str = "DRYDOCK_TEST_LOG_FOLDER";
    const LINES: usize = 10_000;

    fn log(folder: &Path, bytes: u64) -> LineLog {
        let limits = Limits { bytes, files: 5, ..Limits::default() };
        LineLog::at(folder.join(".log.jsonl"), &folder.join("locks"), limits)
    }

    #[test]
    #[ignore = "one of the processes that write at once"]
    fn child_writes() {
        let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
        let log = log(&folder, 1 << 30);
        for n in 0..LINES {
            log.append(format!(
                "{{\"pid\":{},\"n\":{n},\"text\":\"{}\"}}",
                std::process::id(),
                "x".repeat(n % 200)
            ));
        }
        assert_eq!(log.lost(), 0);
    }

    #[test]
    fn eight_processes_write_at_once_and_no_line_tears() {
        let folder = tempfile::tempdir().unwrap();
        let start = || {
            Command::new(env::current_exe().unwrap())
                .args(["--exact", "observability::line_log::tests::child_writes", "--ignored", "--quiet"])
                .env(FOLDER, folder.path())
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        };
        let children: Vec<_> = (0..8).map(|_| start()).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let text = fs::read_to_string(folder.path().join(".log.jsonl")).unwrap();
        let mut next: BTreeMap<u64, u64> = BTreeMap::new();
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let expected = next.entry(line["pid"].as_u64().unwrap()).or_default();
            assert_eq!(line["n"].as_u64().unwrap(), *expected);
            *expected += 1;
        }
        assert_eq!(next.values().copied().collect::<Vec<_>>(), [LINES as u64; 8]);
    }

    #[test]
    fn it_is_put_aside_when_it_is_long_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (log(folder.path(), 1000), log(folder.path(), 1000));
        for n in 0..400 {
            (if n % 2 == 0 { &one } else { &other })
                .append(format!("{{\"n\":{n},\"text\":\"some words of it\"}}"));
        }
        let files = files_of(&folder.path().join(".log.jsonl"));
        assert_eq!(files.len(), 6);
        let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        let numbers: Vec<u64> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["n"].as_u64().unwrap())
            .collect();
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]) && numbers.last() == Some(&399));
        assert!(files.iter().all(|file| fs::metadata(file).unwrap().len() <= 1000));
    }

    #[test]
    fn one_that_was_removed_or_moved_away_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (log, path) = (log(folder.path(), 1000), folder.path().join(".log.jsonl"));
        log.append("1".into());
        fs::remove_file(&path).unwrap();
        log.append("2".into());
        assert_eq!(fs::read_to_string(&path).unwrap(), "2\n");
        fs::rename(&path, folder.path().join("mine")).unwrap();
        if let Some(open) = &mut *log.open.lock().unwrap() {
            open.looked = Instant::now().checked_sub(LOOK).unwrap();
        }
        log.append("3".into());
        assert_eq!(fs::read_to_string(&path).unwrap(), "3\n");
        assert_eq!(fs::read_to_string(folder.path().join("mine")).unwrap(), "2\n");
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".log.jsonl")).unwrap();
        let log = log(folder.path(), 1000);
        log.append("{}".into());
        log.append("{}".into());
        assert_eq!(log.lost(), 2);
        fs::remove_dir(folder.path().join(".log.jsonl")).unwrap();
        assert_eq!(log.append("{\"n\":1}".into()), 2);
        assert_eq!(log.append("{\"n\":2}".into()), 0);
        assert_eq!(fs::read_to_string(folder.path().join(".log.jsonl")).unwrap(), "{\"n\":1}\n{\"n\":2}\n");
    }
}
