//! Bringing out what a session wrote: once, or again and again while it runs.

use super::{
    SessionId, Sessions, blocking::blocking, login::Watch, observed::observe_out, record::Record,
    resources::Measured, usage::note_conversations,
};
use crate::{
    backup::{Backups, BeforeSync},
    container::{ArchiveLimits, Refused},
    error_handling::{Code, Error, Result},
    observability::{Operation, traced},
    sync::{
        Base, Collected, Excluded, HeldChanges, HomeVolume, Host, Layout, Moment, OutReport, Outgoing,
        Source, Step, Vanished, acquire_sync_lock, apply_out, plan_out,
    },
};
use chrono::Utc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How often a file that changes while it is looked at is looked at again in one sync.
const ROUNDS: usize = 4;

impl Sessions {
    /// Brings out what a session has written so far; it may run on.
    ///
    /// # Errors
    /// When the data cannot come out; it then stays in the session.
    pub async fn sync_claude_config_out(&self, id: &SessionId, vanished: Vanished) -> Result<OutReport> {
        let record = self.record_of(id).await?;
        let mut volume = self.open_volume(&record).await?;
        let moment = self.moment(id).await?;
        let report = self.bring_out(&record, &mut volume, moment, vanished).await;
        volume.close().await?;
        report
    }

    /// What a sync out would do now. Changes nothing.
    ///
    /// # Errors
    /// When the session cannot be read.
    pub async fn plan_sync_out(&self, id: &SessionId) -> Result<SyncPlan> {
        let record = self.record_of(id).await?;
        let mut volume = self.open_volume(&record).await?;
        let moment = self.moment(id).await?;
        let collected = self.collect(&record, &mut volume, moment, &[]).await;
        volume.close().await?;
        let collected = collected?;
        let sessions = self.clone();
        blocking(move || {
            let layout = Layout::of(&sessions.locations)?;
            let base = Base::open(&sessions.locations.session_dir(record.id.as_str()))?;
            let held = sessions.held();
            let host = sessions.host(&layout, &held);
            let outgoing = Outgoing {
                session: record.id.as_str(),
                project: &record.project.root,
                map: &record.map,
                vanished: Vanished::Accept,
                now: Utc::now(),
            };
            let steps = plan_out(&host, &outgoing, &base, &collected)?;
            Ok(SyncPlan { steps, unknown: collected.unknown.clone(), refused: collected.refused.clone() })
        })
        .await
    }

    async fn moment(&self, id: &SessionId) -> Result<Moment> {
        Ok(if self.is_running(id).await? { Moment::Running } else { Moment::Finished })
    }

    /// Reads what changed, then applies it under the lock; what changed in between is read again.
    pub(super) async fn bring_out(
        &self,
        record: &Record,
        volume: &mut HomeVolume,
        moment: Moment,
        vanished: Vanished,
    ) -> Result<OutReport> {
        let began = Instant::now();
        let session = Some(record.id.as_str());
        traced(Operation::SyncOut, session, async {
            let out = self.bring_out_now(record, volume, moment, vanished).await;
            observe_out(&record.id, &out, began.elapsed());
            if let (Ok(out), Some(_)) = (&out, &record.chosen) {
                let names = [out.created.as_slice(), out.updated.as_slice()].concat();
                self.deployments().conversed(record.id.as_str(), &names).await;
            }
            out
        })
        .await
    }

    async fn bring_out_now(
        &self,
        record: &Record,
        volume: &mut HomeVolume,
        moment: Moment,
        vanished: Vanished,
    ) -> Result<OutReport> {
        let mut report = OutReport::default();
        for _ in 0..ROUNDS {
            let whole = std::mem::take(&mut report.again);
            let collected = self.collect(record, volume, moment, &whole).await?;
            if collected.is_quiet() {
                report.refused.extend(collected.refused.iter().cloned());
                return Ok(report);
            }
            report.add(self.apply(record, collected, vanished).await?);
            if report.again.is_empty() {
                return Ok(report);
            }
        }
        Err(Error::new(Code::SyncOut, "some files change faster than they can be compared")
            .why(report.again.join(", "))
            .remedy("run the command again"))
    }

    async fn collect(
        &self,
        record: &Record,
        volume: &mut HomeVolume,
        moment: Moment,
        whole: &[String],
    ) -> Result<Collected> {
        let dir = self.locations.session_dir(record.id.as_str());
        let opened = dir.clone();
        let known = blocking(move || Base::open(&opened)?.files()).await?;
        let layout = Layout::of(&self.locations)?;
        let excluded = Excluded::new(&self.settings.excluded());
        let source = Source {
            layout: &layout,
            base: &known,
            limits: ArchiveLimits::from(self.settings.sync_limits()),
            excluded: &excluded,
            map: &record.map,
            moment,
            whole,
        };
        match volume.inside().await {
            Some(inside) => Collected::from_stream(inside, &source, &dir).await,
            None => Collected::from_archive(volume, &source, &dir).await,
        }
    }

    async fn apply(&self, record: &Record, collected: Collected, vanished: Vanished) -> Result<OutReport> {
        let lock =
            acquire_sync_lock(&self.locations.sync_lock, "sync out", self.settings.lock_timeout()).await?;
        let (sessions, record) = (self.clone(), record.clone());
        blocking(move || {
            let layout = Layout::of(&sessions.locations)?;
            let mut base = Base::open(&sessions.locations.session_dir(record.id.as_str()))?;
            let held = sessions.held();
            let host = sessions.host(&layout, &held);
            let outgoing = Outgoing {
                session: record.id.as_str(),
                project: &record.project.root,
                map: &record.map,
                vanished,
                now: Utc::now(),
            };
            let mut out = apply_out(&host, &outgoing, &mut base, &collected)?;
            out.let_through(&held, &lock, outgoing.now);
            note_conversations(&sessions.locations, &record, &out)?;
            Ok(out)
        })
        .await
    }

    fn host<'a>(&'a self, layout: &'a Layout, held: &'a HeldChanges) -> Host<'a> {
        Host { layout, data_dir: &self.locations.data_dir, held }
    }

    pub(super) fn held(&self) -> HeldChanges {
        HeldChanges::of(
            &self.locations,
            BeforeSync::Snapshot(Box::new(Backups::of(&self.locations, &self.settings))),
        )
    }

    /// Brings out what a session writes on the interval of the settings, until it is told to stop.
    ///
    /// One sync that fails is said in the log; the next tries again, and the last one, at the
    /// session's end, is not this task's.
    pub(super) fn keep_bringing_out(&self, record: &Record) -> BringingOut {
        let (stop, stopped) = oneshot::channel();
        let (sessions, record) = (self.clone(), record.clone());
        let task = tokio::spawn(async move {
            let interval = sessions.settings.sync_interval();
            sessions.bring_out_until(&record, interval, stopped).await
        });
        BringingOut { stop, task }
    }

    async fn bring_out_until(
        &self,
        record: &Record,
        interval: Duration,
        mut stopped: oneshot::Receiver<()>,
    ) -> Option<HomeVolume> {
        let (mut volume, mut watch, mut measured) = (None, Watch::default(), Measured::default());
        loop {
            tokio::select! {
                // A dropped sender is a process that no longer looks after the session.
                _ = &mut stopped => return volume,
                () = tokio::time::sleep(interval) => {}
            }
            self.measure(&record.id, &mut measured).await;
            if let Err(error) = self.bring_out_once(record, &mut volume, &mut watch).await {
                tracing::warn!(session = %record.id, code = %error.code(), %error, "a sync out failed; the next one tries again");
                if let Some(broken) = volume.take() {
                    let _ = HomeVolume::close(broken).await;
                }
            }
        }
    }

    async fn bring_out_once(
        &self,
        record: &Record,
        volume: &mut Option<HomeVolume>,
        watch: &mut Watch,
    ) -> Result<()> {
        let open = match volume {
            Some(open) => open,
            None => volume.insert(self.open_volume(record).await?),
        };
        // First: what waits for a sync can wait longer than a login that ends.
        if let Err(error) = self.look_after_login(record, open, watch).await {
            tracing::warn!(session = %record.id, code = %error.code(), %error, "the session's login could not be looked after");
        }
        let begun = std::time::Instant::now();
        let report = self.bring_out(record, open, Moment::Running, Vanished::Stop).await?;
        tracing::debug!(
            session = %record.id,
            microseconds = begun.elapsed().as_micros(),
            changes = report.created.len() + report.updated.len(),
            "looked for what a session wrote"
        );
        if !report.is_empty() {
            tracing::info!(
                session = %record.id, created = report.created.len(), updated = report.updated.len(),
                held = report.held.len(), "brought out"
            );
        }
        Ok(())
    }
}

/// A session's data coming out in the background.
#[derive(Debug)]
pub(super) struct BringingOut {
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Option<HomeVolume>>,
}

impl BringingOut {
    /// Ends it after the sync that it may be in, and hands over the home it has open.
    pub(super) async fn end(self) -> Option<HomeVolume> {
        let _ = self.stop.send(());
        self.task.await.ok().flatten()
    }
}

/// What a sync out would do.
#[derive(Debug, serde::Serialize)]
pub struct SyncPlan {
    /// The steps, by name.
    pub steps: Vec<Step>,
    /// Files that Drydock does not know, by name: they wait for the user.
    pub unknown: Vec<String>,
    /// What would not be read, and why.
    pub refused: Vec<Refused>,
}
