//! The repository's process.
//!
//! All work on a repository happens in a process of its own: a damaged pack can make the library panic, an
//! unfinished piece of work can be ended at any time, and its memory is given back. The process is this
//! program itself, started again with one argument; its order, with the key in it, comes by standard input.

use super::{
    browse, check, open,
    open::Way,
    order::{Order, Unlocked, Work},
    prune, restore, take,
};
use crate::{
    error_handling::{Code, Error, HalfMade, Result},
    keychain::{Sensitive, forbid_core_dumps},
    observability::{Operation, traced_within},
    program::without_keys,
    progress::{Progress, ProgressSink},
};
use rustic_core::{Progress as Bar, ProgressBars, ProgressType, RusticProgress};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::VecDeque,
    env,
    io::{self, BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{ExitCode, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The argument that makes a program of Drydock's the repository's process.
pub const WORKER_ARGUMENT: &str = "backup-repository";

/// A line of its standard output.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Told {
    Progress { what: String, unit: Unit, done: u64, total: Option<u64> },
    Done(serde_json::Value),
    Failed(Error),
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Unit {
    Bytes,
    Things,
}

/// Does the work if this process was started for it; every program of Drydock's asks that first.
#[must_use]
pub fn serve_if_asked() -> Option<ExitCode> {
    if env::args_os().nth(1)? != WORKER_ARGUMENT {
        return None;
    }
    forbid_core_dumps();
    let told = match read_order().and_then(|order| work(&order, &ProgressLines)) {
        Ok(answer) => Told::Done(answer),
        Err(error) => Told::Failed(error),
    };
    tell(&told);
    Some(ExitCode::SUCCESS)
}

/// The order is the first line of standard input. The rest of it is the caller's life: when that ends, however
/// it ends, so does this process, wherever it is.
fn read_order() -> Result<Order> {
    let mut line = Vec::new();
    let read = io::stdin().lock().read_until(b'\n', &mut line).ok();
    let order = read.and_then(|_| serde_json::from_slice(&line).ok()).ok_or_else(|| {
        Error::new(Code::Usage, format!("`{WORKER_ARGUMENT}` is for Drydock itself"))
            .remedy("drydock backup --help")
    })?;
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    Ok(order)
}

fn tell(told: &Told) {
    if let Ok(mut line) = serde_json::to_vec(told) {
        line.push(b'\n');
        let mut out = io::stdout().lock();
        // Nobody is there to hear it when the caller is gone.
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}

/// Does one piece of work in this process.
pub(super) fn work(order: &Order, progress: &(impl ProgressBars + Clone)) -> Result<serde_json::Value> {
    let way = || {
        let master = order
            .master
            .clone()
            .ok_or_else(|| Error::new(Code::BackupKey, "the key of the backups is missing"))?;
        Ok::<_, Error>(Way { root: order.root.clone(), master: Sensitive::new(master) })
    };
    let unlocked = |(master, repository): (Sensitive<String>, String)| Unlocked {
        master: master.reveal().clone(),
        repository,
    };
    let bars = progress.clone();
    match &order.work {
        Work::Begin { code } => answer(&unlocked(open::begin(&order.root, code)?)),
        Work::Unlock { code } => answer(&unlocked(open::unlock(&order.root, code)?)),
        Work::AddKey { code } => answer(&open::add_key(&way()?, code)?),
        Work::Take(wanted) => answer(&take::take(&way()?, wanted, &bars)?),
        Work::List => answer(&take::list(&way()?)?),
        Work::Check { read, except } => answer(&check::check(&way()?, *read, except, bars)?),
        Work::Broken { among } => answer(&check::broken(&way()?, among)?),
        Work::Documents { snapshot } => answer(&check::documents(&way()?, snapshot)?),
        Work::Browse { snapshot, folder } => answer(&browse::browse(&way()?, snapshot, folder)?),
        Work::Files { snapshots } => answer(&browse::files(&way()?, snapshots)?),
        Work::Find { text } => answer(&browse::find(&way()?, text, bars)?),
        Work::Restore { snapshot, paths, to } => {
            answer(&restore::restore(&way()?, snapshot, paths, to, bars)?)
        }
        Work::Prune { retention, now, deed } => {
            answer(&prune::prune(&way()?, *retention, *now, *deed, bars)?)
        }
        Work::RepairIndex => answer(&prune::repair_index(&way()?)?),
    }
}

fn answer(value: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value)
        .map_err(|cause| Error::new(Code::Internal, "an answer could not be written down").why(cause))
}

/// Has a piece of work done by a process of its own. Blocking.
pub(in crate::backup) fn run<T: DeserializeOwned>(order: &Order, progress: &ProgressSink) -> Result<T> {
    traced_within(Operation::Repository, || run_now(order, progress))
}

fn run_now<T: DeserializeOwned>(order: &Order, progress: &ProgressSink) -> Result<T> {
    let unreadable =
        |cause: serde_json::Error| Error::new(Code::Internal, "an answer was not understood").why(cause);
    progress.go_on()?;
    if cfg!(test) {
        // The test program is nobody's repository process.
        return work(order, &rustic_core::NoProgressBars)
            .and_then(|value| serde_json::from_value(value).map_err(unreadable));
    }
    let not_started = |cause: io::Error| {
        Error::new(Code::Internal, "the repository's process could not be started").why(cause)
    };
    let mut child = without_keys(own_program()?)
        .arg(WORKER_ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(not_started)?;
    // Until it ends by itself: what it writes goes with it when this process is asked to go.
    let half_made = HalfMade::process(child.id());
    let mut text = serde_json::to_vec(order).map_err(unreadable)?;
    text.push(b'\n');
    let text = Sensitive::new(text);
    // Open for as long as this process lives and wants the work done.
    let input = Arc::new(Mutex::new(child.stdin.take()));
    if let Some(input) = &mut *input.lock().unwrap_or_else(PoisonError::into_inner) {
        // One that ended already says why by its exit code.
        let _ = input.write_all(text.reveal()).and_then(|()| input.flush());
    }
    let wanted = input.clone();
    let _stops =
        progress.when_stopped(move || drop(wanted.lock().unwrap_or_else(PoisonError::into_inner).take()));
    let errors = child.stderr.take().map(|errors| thread::spawn(move || last_lines(errors)));
    let mut told = None;
    for line in
        child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok)
    {
        match serde_json::from_str(&line) {
            Ok(Told::Progress { what, unit, done, total }) => progress.report(match unit {
                Unit::Bytes => Progress::Bytes { what, done, total },
                Unit::Things => Progress::Count { what, done, total },
            }),
            Ok(done) => told = Some(done),
            Err(cause) => tracing::debug!(%cause, "the repository's process told something strange"),
        }
    }
    // Before it is waited for: its number is another's after that.
    drop(half_made);
    let status = child.wait().map_err(not_started)?;
    let lines = errors.and_then(|reader| reader.join().ok()).unwrap_or_default();
    match told {
        Some(Told::Done(value)) => serde_json::from_value(value).map_err(unreadable),
        Some(Told::Failed(error)) => Err(error),
        _ => {
            progress.go_on()?;
            let mut error = Error::new(Code::BackupRepository, "work on the backups stopped in the middle")
                .why(format!("its process ended with {status}"));
            for line in lines {
                error = error.why(line);
            }
            Err(error.remedy("drydock backup verify"))
        }
    }
}

/// This program. On Linux by a name that stays when the file is replaced, as an update does it.
fn own_program() -> Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    env::current_exe()
        .map_err(|cause| Error::new(Code::Internal, "Drydock cannot find its own program").why(cause))
}

/// The last words of a process.
fn last_lines(errors: impl Read) -> Vec<String> {
    const KEPT: usize = 5;
    let mut lines = VecDeque::new();
    for line in BufReader::new(errors).lines().map_while(io::Result::ok) {
        tracing::debug!(%line, "the repository's process");
        // A panic can print a whole index.
        lines.push_back(line.chars().take(300).collect());
        if lines.len() > KEPT {
            lines.pop_front();
        }
    }
    lines.into()
}

/// Progress as lines of standard output.
#[derive(Debug, Clone)]
struct ProgressLines;

impl ProgressBars for ProgressLines {
    fn progress(&self, kind: ProgressType, prefix: &str) -> Bar {
        let unit = match kind {
            ProgressType::Spinner => return Bar::hidden(),
            ProgressType::Counter => Unit::Things,
            ProgressType::Bytes => Unit::Bytes,
        };
        Bar::new(ProgressLine {
            unit,
            what: Mutex::new(prefix.to_owned()),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            told: Mutex::new(Instant::now()),
        })
    }
}

#[derive(Debug)]
struct ProgressLine {
    unit: Unit,
    what: Mutex<String>,
    done: AtomicU64,
    total: AtomicU64,
    told: Mutex<Instant>,
}

impl ProgressLine {
    const OFTEN: Duration = Duration::from_millis(200);
}

impl RusticProgress for ProgressLine {
    fn is_hidden(&self) -> bool {
        false
    }

    fn set_length(&self, length: u64) {
        self.total.store(length, Ordering::Relaxed);
    }

    fn set_title(&self, title: &str) {
        title.clone_into(&mut self.what.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn inc(&self, more: u64) {
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() < Self::OFTEN {
            return;
        }
        *told = Instant::now();
        let total = Some(self.total.load(Ordering::Relaxed)).filter(|total| *total > 0);
        let what = self.what.lock().unwrap_or_else(PoisonError::into_inner).clone();
        tell(&Told::Progress { what, unit: self.unit, done, total });
    }

    fn finish(&self) {}
}
