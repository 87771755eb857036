//! Looking for secrets where others can see them: in what programs are started with, and in files.

use memchr::memmem;
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use walkdir::WalkDir;

/// Leaves the processors to those who are watched.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(1);

/// Where a process has what it was started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Everybody on the computer can read them.
    Arguments,
    /// Everybody who runs as the same user, and everything the process starts, can read it.
    Environment,
}

impl Place {
    fn file(self) -> &'static str {
        match self {
            Self::Arguments => "cmdline",
            Self::Environment => "environ",
        }
    }
}

/// The processes that can see each other: the kernel's name of their namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Processes(PathBuf);

impl Processes {
    /// Those that this one is among; nothing once it has gone.
    #[must_use]
    pub fn of(process: u32) -> Option<Self> {
        fs::read_link(format!("/proc/{process}/ns/pid")).ok().map(Self)
    }
}

/// A secret that a process was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The process.
    pub process: u32,
    /// Its program, as the kernel calls it.
    pub program: String,
    /// The file that the program is in. One that is just being started by another still is that one.
    pub file: PathBuf,
    /// Among which processes it counts: those of one container, or those of the computer itself.
    pub among: Processes,
    /// Where the secret was.
    pub place: Place,
    /// Which one it was of those that were looked for; not the secret itself, which would get into logs.
    pub secret: usize,
}

/// Looks through all processes of this computer, those in containers too, again and again while this lives.
///
/// It leaves out the test's own process, and those that its user may not look into. A process that lives for
/// less than a round can escape it; one that is there when the watch stops cannot.
pub struct ProcWatch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Vec<Sighting>>>,
}

#[derive(Default)]
struct Shared {
    secrets: Mutex<Vec<String>>,
    stopping: AtomicBool,
}

impl ProcWatch {
    /// Starts to look for these.
    #[must_use]
    pub fn start(secrets: Vec<String>) -> Self {
        let shared = Arc::new(Shared { secrets: Mutex::new(secrets), ..Shared::default() });
        let watched = Arc::clone(&shared);
        Self { shared, thread: Some(thread::spawn(move || watch(&watched))) }
    }

    /// One more to look for, from now on.
    pub fn add(&self, secret: String) {
        self.shared.secrets.lock().unwrap_or_else(PoisonError::into_inner).push(secret);
    }

    /// Looks once more, and tells what was seen.
    #[must_use]
    pub fn stop(mut self) -> Vec<Sighting> {
        self.shared.stopping.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("a watch stops once");
        thread.join().expect("the watch went on to its end")
    }
}

impl Drop for ProcWatch {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What was read of each process.
type Read = HashMap<(u32, Place), Vec<u8>>;

fn watch(shared: &Shared) -> Vec<Sighting> {
    let mut sightings = Vec::new();
    let mut before = Read::new();
    let mut searched = 0;
    loop {
        // Before the round: what is there when somebody says stop is still looked at.
        let last = shared.stopping.load(Ordering::Relaxed);
        let secrets = shared.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if secrets.len() > searched {
            searched = secrets.len();
            before.clear();
        }
        let mut now = Read::new();
        for process in processes() {
            for place in [Place::Arguments, Place::Environment] {
                let Ok(read) = fs::read(format!("/proc/{process}/{}", place.file())) else { continue };
                // Reading is quick and searching is not.
                if before.get(&(process, place)) != Some(&read) {
                    look(&read, process, place, &secrets, &mut sightings);
                }
                now.insert((process, place), read);
            }
        }
        if last {
            return sightings;
        }
        before = now;
        thread::sleep(BETWEEN_ROUNDS);
    }
}

fn processes() -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").expect("a Linux").flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|found| *found != process::id())
}

fn look(read: &[u8], process: u32, place: Place, secrets: &[String], sightings: &mut Vec<Sighting>) {
    for (secret, text) in secrets.iter().enumerate() {
        if memmem::find(read, text.as_bytes()).is_none() {
            continue;
        }
        let file = program_file(process);
        let again = fs::read(format!("/proc/{process}/{}", place.file())).unwrap_or_default();
        if file != program_file(process) || (!again.is_empty() && again != read) {
            // It became another program at this moment, and is looked at as that.
            continue;
        }
        let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        let sighting = Sighting {
            process,
            program: name.trim_end().to_owned(),
            file,
            among: Processes::of(process).unwrap_or_default(),
            place,
            secret,
        };
        if !sightings.contains(&sighting) {
            sightings.push(sighting);
        }
    }
}

fn program_file(process: u32) -> PathBuf {
    fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default()
}

/// The files below a folder that hold one of these secrets, each with the secret. The folder must be there,
/// and all of it readable: what cannot be looked into is not clean.
#[must_use]
pub fn holds(folder: &Path, secrets: &[String]) -> Vec<(PathBuf, String)> {
    assert!(folder.is_dir(), "{} is not there", folder.display());
    let mut found = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let content = match entry {
            Ok(entry) if !entry.file_type().is_file() => continue,
            Ok(entry) => fs::read(entry.path()).map(|content| (entry.into_path(), content)),
            Err(cause) => Err(cause.into()),
        };
        match content {
            Ok((path, content)) => {
                let held =
                    secrets.iter().filter(|secret| memmem::find(&content, secret.as_bytes()).is_some());
                found.extend(held.map(|secret| (path.clone(), secret.clone())));
            }
            // It went away since its folder was listed.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => panic!("{}: {cause}", folder.display()),
        }
    }
    found
}
