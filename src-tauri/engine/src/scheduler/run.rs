//! Doing what is due, until this process ends.

use super::{
    alerts,
    guard::{Guard, GuardReport},
    holder::Holder,
    pause::paused,
    plan::{Job, Situation, due, missed},
    watch::Watch,
};
use crate::{
    alerting::{Change, channels::Clicked},
    backup::{Backups, CopyName, Depth, Heal, PrunePlan, Reason, Verdict},
    error_handling::{Code, Error, Result},
    gitops::Report,
    paths::Locations,
    progress::ProgressSink,
    settings::Settings,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// At least so often is looked what is due: timers stand still while a computer sleeps.
const TICK: Duration = Duration::from_secs(15);

/// What the scheduled work has to tell.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Told {
    /// Of a job.
    Job(JobReport),
    /// Of damage.
    Guard(GuardReport),
    /// Of an alert.
    Alert(Change),
    /// Of configuration from git.
    Configuration(Box<Report>),
    /// Of a click on a notification, which wants a window.
    Clicked(Clicked),
}

/// What became of a job.
#[derive(Debug, Clone, Serialize)]
pub struct JobReport {
    /// The job.
    pub job: Job,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// How it came out.
    #[serde(flatten)]
    pub outcome: JobOutcome,
}

/// How a job came out.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum JobOutcome {
    /// It was done.
    Done {
        /// What was done, in one sentence.
        what: String,
    },
    /// It failed, and is tried again.
    Failed {
        /// Why.
        error: Error,
    },
    /// It should have run before, and did not.
    Missed {
        /// When it should have run.
        due: DateTime<Utc>,
    },
}

/// The scheduled work of one home, while this process does it.
#[derive(Debug)]
pub struct Scheduler {
    locations: Locations,
    settings_file: PathBuf,
    watch: Arc<Watch>,
    running: Arc<Mutex<BTreeSet<Job>>>,
    ended: Arc<Notify>,
    /// The same for those who look for alerts.
    job_ended: Arc<Notify>,
    /// Held by the system until this process ends.
    _lock: File,
}

impl Scheduler {
    /// Begins to do the scheduled work of a home. Blocking: who only asks for it is waited for.
    ///
    /// # Errors
    /// [`Code::DaemonRunning`] when another process does it.
    pub fn begin(locations: &Locations, now: DateTime<Utc>) -> Result<Self> {
        let lock = super::holder::take(locations, now)?;
        Ok(Self {
            locations: locations.clone(),
            settings_file: locations.settings_file.clone(),
            watch: Arc::new(Watch::begin(locations)),
            running: Arc::default(),
            ended: Arc::default(),
            job_ended: Arc::default(),
            _lock: lock,
        })
    }

    /// Who does the scheduled work of a home now; nobody if `None`.
    #[must_use]
    pub fn holder(locations: &Locations) -> Option<Holder> {
        super::holder::holder(locations)
    }

    /// Whether the system tells of changes.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        self.watch.is_watching()
    }

    /// Does what is due, guards the documents and looks for alerts, for ever. What comes of it goes to `tell`.
    pub async fn run(&self, tell: impl Fn(Told) + Send + Sync + 'static) {
        let tell = Arc::new(tell);
        let (told, alerted, configured) = (tell.clone(), tell.clone(), tell.clone());
        let guard = Arc::new(Guard::of(&self.locations));
        let guarding = guard.run(self.watch.clone(), Arc::new(move |report| told(Told::Guard(report))));
        let jobs = self.do_jobs(Arc::new(move |report| tell(Told::Job(report))));
        let shipping = super::ship::ship(&self.locations);
        let watching = alerts::watch(
            self.locations.clone(),
            self.job_ended.clone(),
            Arc::new(move |told| alerted(told)),
        );
        let deploying = super::deploy::go_on(&self.locations);
        let following = super::gitops::follow(
            self.locations.clone(),
            self.job_ended.clone(),
            Arc::new(move |told| configured(told)),
        );
        // None of them ends.
        tokio::join!(guarding, jobs, shipping, watching, Box::pin(deploying), following);
    }

    async fn do_jobs(&self, report: Arc<dyn Fn(JobReport) + Send + Sync>) {
        loop {
            match self.look() {
                Ok(_) if paused(&self.locations, Utc::now()).is_some() => {}
                Ok((backups, situation)) => self.begin_due(&backups, &situation, &report),
                Err(error) => tracing::warn!(%error, "what is due cannot be told"),
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = self.ended.notified() => {}
            }
        }
    }

    /// How things stand. The settings are read each time: the user may have changed them.
    fn look(&self) -> Result<(Backups, Situation)> {
        let settings = Settings::load(&self.settings_file)?;
        let backups = Backups::of(&self.locations, &settings);
        let mut situation = backups.situation(settings.backup_interval(), Utc::now())?;
        self.watch.try_again();
        situation.changed = self.watch.changed();
        if !self.watch.is_watching() {
            // The clock alone has to find what changed.
            situation.interval = situation.interval.min(chrono::TimeDelta::minutes(10));
        }
        Ok((backups, situation))
    }

    fn begin_due(
        &self,
        backups: &Backups,
        situation: &Situation,
        report: &Arc<dyn Fn(JobReport) + Send + Sync>,
    ) {
        for (job, due) in missed(situation) {
            match backups.note_missed(job.word(), due, situation.now) {
                Ok(true) => report(JobReport { job, at: situation.now, outcome: JobOutcome::Missed { due } }),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "a missed run cannot be noted"),
            }
        }
        for job in due(situation) {
            if !self.may_begin(job) {
                continue;
            }
            let changes = if job == Job::Snapshot { self.watch.take() } else { None };
            let work = Work {
                job,
                backups: backups.clone(),
                running: self.running.clone(),
                ended: [self.ended.clone(), self.job_ended.clone()],
                report: report.clone(),
            };
            // Its own thread: work on the backups blocks, and a slow cloud must not hold up a snapshot.
            let done = tokio::task::spawn_blocking(move || work.run());
            if job == Job::Snapshot {
                self.give_back_if_failed(done, changes);
            }
        }
    }

    /// Begins a job, unless it runs already. What reads everything runs alone, but for a cloud.
    fn may_begin(&self, job: Job) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let heavy = |job: Job| !matches!(job, Job::Snapshot | Job::External | Job::Cloud);
        let busy = running.iter().any(|other| heavy(*other) || *other != Job::Cloud);
        (!heavy(job) || !busy) && running.insert(job)
    }

    fn give_back_if_failed(&self, done: tokio::task::JoinHandle<bool>, changes: Option<super::Changed>) {
        let watch = self.watch.clone();
        tokio::spawn(async move {
            if !done.await.unwrap_or(false) {
                watch.give_back(changes);
            }
        });
    }
}

/// One job on its way.
struct Work {
    job: Job,
    backups: Backups,
    running: Arc<Mutex<BTreeSet<Job>>>,
    ended: [Arc<Notify>; 2],
    report: Arc<dyn Fn(JobReport) + Send + Sync>,
}

impl Work {
    /// Whether it was done.
    fn run(self) -> bool {
        let begun = Utc::now();
        let done = do_job(self.job, &self.backups, begun);
        if let Err(error) = self.backups.note_run(self.job.word(), begun, done.as_ref().err()) {
            tracing::warn!(%error, "a run cannot be noted");
        }
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.job);
        let was_done = done.is_ok();
        let outcome = match done {
            Ok(what) => JobOutcome::Done { what },
            Err(error) => JobOutcome::Failed { error },
        };
        (self.report)(JobReport { job: self.job, at: Utc::now(), outcome });
        self.ended.iter().for_each(|ended| ended.notify_one());
        was_done
    }
}

/// Does a job; what it did, in one sentence.
fn do_job(job: Job, backups: &Backups, now: DateTime<Utc>) -> Result<String> {
    let nobody = ProgressSink::none();
    match job {
        Job::Snapshot => {
            let taken = backups.snapshot(Reason::Scheduled, &nobody);
            // A damaged repository takes no snapshots until it is mended.
            if taken.as_ref().is_err_and(|error| error.code() == Code::BackupRepository) {
                backups.verify_backup(&[CopyName::Local], Depth::Part, Heal::Yes, now, &nobody)?;
                return backups.snapshot(Reason::Scheduled, &nobody).map(|taken| taken.to_string());
            }
            taken.map(|taken| taken.to_string())
        }
        Job::External => mirrored(backups, CopyName::External, now),
        Job::Cloud => mirrored(backups, CopyName::Cloud, now),
        Job::Verify => verified(backups, now),
        Job::Prune => {
            let pruned = backups.prune(PrunePlan::Do, now, &nobody)?;
            Ok(format!("{} snapshots went, {} stay", pruned.gone.len(), pruned.stay.len()))
        }
        Job::DrillLocal => drilled(backups, CopyName::Local, now),
        Job::DrillExternal => drilled(backups, CopyName::External, now),
        Job::DrillCloud => drilled(backups, CopyName::Cloud, now),
    }
}

fn mirrored(backups: &Backups, copy: CopyName, now: DateTime<Utc>) -> Result<String> {
    // One that another process is writing counts as failed here: it is looked at again after a pause.
    Ok(match backups.mirror(copy, now, &ProgressSink::none())? {
        Some(report) => format!("{} files copied to the {copy} copy", report.copied),
        None => format!("there is no {copy} copy"),
    })
}

fn verified(backups: &Backups, now: DateTime<Utc>) -> Result<String> {
    let verified =
        backups.verify_backup(&CopyName::ALL, Depth::Part, Heal::Yes, now, &ProgressSink::none())?;
    let mut words = Vec::new();
    for verified in verified {
        let copy = verified.copy;
        match verified.verdict {
            Verdict::Whole(_) => words.push(format!("the {copy} copy is whole")),
            Verdict::Healed(seen) => {
                words.push(format!("the {copy} copy was mended in {} places", seen.faults.len()));
            }
            Verdict::Damaged(seen) => {
                let mut error = Error::new(Code::BackupDamaged, format!("the {copy} copy is damaged"));
                for fault in seen.faults.iter().take(3) {
                    error = error.why(format!("{}: {}", fault.file, fault.what));
                }
                return Err(error.remedy("drydock backup verify --heal"));
            }
            Verdict::Unseen { error } if copy == CopyName::Local => return Err(error),
            Verdict::Unseen { .. } | Verdict::NotSetUp => {}
        }
    }
    Ok(words.join(", "))
}

fn drilled(backups: &Backups, copy: CopyName, now: DateTime<Utc>) -> Result<String> {
    let drill = backups.drill(copy, now, &ProgressSink::none())?;
    Ok(format!("the {copy} copy is proven: {} files back in {:.1} s", drill.files, drill.seconds))
}
