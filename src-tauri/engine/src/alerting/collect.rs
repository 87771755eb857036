//! Looking at everything that the rules ask for. What cannot be looked at has no data, and says why.

use super::{
    Aggregate, AlertState, ChannelName, Measure, NoData, Quantity, Reading, Readings, Rule, RuleId, Seen,
    backups, configuration, disks,
    records::{Launch, Records, Sync},
};
use crate::{
    backup::{Backups, BeforeSync},
    container::{ContainerEngine, EngineKind},
    deployment::{Deployments, State},
    error_handling::Error,
    observability::{Files, Quantiles},
    paths::Locations,
    session::{SessionState, Sessions, has_records},
    settings::Settings,
    sync::HeldChanges,
    validation::{Severity, validate_documents},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

/// Whoever writes a document in place is given so long to come to the end.
const SETTLE: Duration = Duration::from_millis(400);
/// The login is looked at so often: on macOS that asks the Keychain.
const LOGIN: TimeDelta = TimeDelta::hours(6);
/// Where the engine keeps its data is asked for so often.
const ENGINE: TimeDelta = TimeDelta::minutes(10);
/// An engine that does not answer for so long must not keep the other rules waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at one home, again and again.
#[derive(Debug)]
pub(super) struct Collector {
    locations: Locations,
    records: Option<Records>,
    login: Option<(DateTime<Utc>, Seen)>,
    engine_root: Option<(DateTime<Utc>, Option<PathBuf>)>,
}

/// What a look is about.
pub(super) struct Wanted<'a> {
    pub(super) settings: &'a Settings,
    pub(super) rules: &'a [Rule],
    pub(super) refused: &'a [(RuleId, Error)],
    pub(super) channels: &'a [ChannelName],
    pub(super) state: &'a AlertState,
    pub(super) now: DateTime<Utc>,
}

impl Collector {
    pub(super) fn of(locations: &Locations) -> Self {
        Self { locations: locations.clone(), records: None, login: None, engine_root: None }
    }

    /// What the engine has to tell: sessions whose data is inside, and where its own data is.
    pub(super) async fn ask_engine(&mut self, settings: &Settings, now: DateTime<Utc>) -> Seen {
        let asked = tokio::time::timeout(PATIENCE, self.ask_engine_now(settings, now)).await;
        asked.unwrap_or_else(|_| Err(NoData("the container engine does not answer".to_owned())))
    }

    async fn ask_engine_now(&mut self, settings: &Settings, now: DateTime<Utc>) -> Seen {
        let has_sessions = has_records(&self.locations);
        let is_stale = self.engine_root.as_ref().is_none_or(|(at, _)| (now - *at).abs() > ENGINE);
        if !has_sessions && !is_stale {
            return Ok(Vec::new());
        }
        let engine = ContainerEngine::find(&self.locations, settings).await;
        if is_stale {
            let root = match &engine {
                Ok(engine) if engine.kind == EngineKind::Native => {
                    engine.api().info().await.ok().and_then(|info| info.docker_root_dir)
                }
                _ => None,
            };
            self.engine_root = Some((now, root.map(PathBuf::from)));
        }
        if !has_sessions {
            return Ok(Vec::new());
        }
        let no_data = |error: Error| NoData(format!("sessions cannot be looked at: {}", error.message()));
        let engine = engine.map_err(no_data)?;
        let sessions = Sessions { locations: self.locations.clone(), settings: settings.clone(), engine };
        let listed = sessions.list().await.map_err(no_data)?;
        let orphans = listed.iter().filter(|one| one.state == SessionState::Finished && !one.attached);
        Ok(orphans
            .map(|one| {
                let words =
                    format!("The session {} has ended, and what it wrote is still in its container.", one.id);
                Reading::new(one.id.as_str(), 1.0, words)
            })
            .collect())
    }

    /// Looks at all the rest. Blocking.
    pub(super) fn look(&mut self, wanted: &Wanted<'_>, orphans: &Seen) -> Readings {
        match &mut self.records {
            Some(records) => records.go_on(wanted.now),
            none => *none = Some(Records::read(&Files::of(&self.locations), wanted.now)),
        }
        let backups = Backups::of(&self.locations, wanted.settings).status();
        let mut known: BTreeMap<Quantity, Seen> = BTreeMap::new();
        let mut readings = Readings::default();
        for rule in wanted.rules {
            let seen = match rule.measure {
                Measure::Metric(name, how) => self.measured(rule, name, how, wanted.now),
                Measure::Standing(Quantity::ErrorRate) => self.error_rate(rule, wanted.now),
                Measure::Standing(Quantity::SyncFailing) => self.sync_failing(rule, wanted.now),
                Measure::Standing(quantity) => known
                    .entry(quantity)
                    .or_insert_with(|| match quantity {
                        Quantity::Orphans => orphans.clone(),
                        Quantity::Damage => Ok(self.damage(&backups)),
                        Quantity::DataAtRisk => self.data_at_risk(),
                        Quantity::DiskUsed => {
                            let engine = self.engine_root.as_ref().and_then(|(_, root)| root.as_deref());
                            disks::used(&self.locations, wanted.settings, engine)
                        }
                        Quantity::BackupAge => backups::age(&backups, wanted.now),
                        Quantity::CopyAge => backups::copies_age(&backups, wanted.now),
                        Quantity::DrillFailed => {
                            let records = self.records.as_ref();
                            Ok(records
                                .map_or_else(Vec::new, |known| backups::drills_failed(&known.undrilled)))
                        }
                        Quantity::SheetUnsaved => backups::sheet_unsaved(&backups),
                        Quantity::Held => self.held(wanted.now),
                        Quantity::LoginDays => self.login(wanted.settings, wanted.now),
                        Quantity::RolledBack => rolled_back(&self.locations, wanted.settings),
                        Quantity::Drift => configuration::drift(&self.locations, wanted.settings),
                        Quantity::CommitFailed => configuration::failed(&self.locations, wanted.settings),
                        Quantity::ChannelFailing => Ok(channels(wanted)),
                        Quantity::RuleRefused => Ok(refused(wanted)),
                        // These two look back as far as their rule says.
                        Quantity::ErrorRate | Quantity::SyncFailing => Ok(Vec::new()),
                    })
                    .clone(),
            };
            readings.put(rule.id.clone(), seen);
        }
        readings
    }

    /// The newest values of a window, the oldest first.
    fn window<'a, T>(
        &'a self,
        rule: &Rule,
        now: DateTime<Utc>,
        of: impl Fn(&'a Records) -> Vec<(DateTime<Utc>, T)>,
    ) -> Vec<T> {
        let all = self.records.as_ref().map(of).unwrap_or_default();
        let mut young: Vec<_> = all.into_iter().filter(|(at, _)| now - *at <= rule.window).collect();
        let spare = young.len().saturating_sub(rule.newest);
        young.drain(..spare);
        young.into_iter().map(|(_, one)| one).collect()
    }

    fn error_rate(&self, rule: &Rule, now: DateTime<Utc>) -> Seen {
        let launches = self.window(rule, now, |records| {
            records.launches.iter().filter(|(_, launch)| *launch != Launch::Refused).copied().collect()
        });
        let failed = launches.iter().filter(|launch| **launch == Launch::Failed).count();
        let words = format!("{failed} of the last {} launches failed.", launches.len());
        Ok(vec![Reading::new("", share(failed, launches.len()), words).of(launches.len(), failed)])
    }

    fn sync_failing(&self, rule: &Rule, now: DateTime<Utc>) -> Seen {
        let syncs = self.window(rule, now, |records| {
            records.syncs.iter().map(|(at, session, sync)| (*at, (session.as_str(), *sync))).collect()
        });
        let mut in_a_row: BTreeMap<&str, usize> = BTreeMap::new();
        for (session, sync) in syncs {
            match sync {
                Sync::Done => _ = in_a_row.remove(session),
                Sync::Failed => *in_a_row.entry(session).or_default() += 1,
            }
        }
        Ok(in_a_row
            .into_iter()
            .map(|(session, times)| {
                let words = format!("The session {session} could not sync {times} times in a row.");
                Reading::new(session, counted(times), words).of(times, times)
            })
            .collect())
    }

    fn measured(
        &self,
        rule: &Rule,
        name: crate::observability::MetricName,
        how: Aggregate,
        now: DateTime<Utc>,
    ) -> Seen {
        let values = self.window(rule, now, |records| {
            let of_name = records.values.iter().filter(|(_, other, _)| *other == name);
            of_name.map(|(at, _, value)| (*at, *value)).collect()
        });
        let samples = values.len();
        let quantiles = Quantiles::of(values);
        let value = match (how, &quantiles) {
            (Aggregate::Total, found) => found.as_ref().map_or(0.0, |found| found.sum),
            (Aggregate::P95, Some(found)) => found.p95,
            (Aggregate::Max, Some(found)) => found.max,
            (Aggregate::P95 | Aggregate::Max, None) => {
                return Err(NoData(format!("nothing of {} was measured lately", name.as_str())));
            }
        };
        let unit = if name.unit() == "1" { "" } else { name.unit() };
        let words = match how {
            Aggregate::Total => format!("{} came to {value:.0} {unit}", name.as_str()),
            _ => format!("{} of {} is {value:.1} {unit} ({samples} values)", how.word(), name.as_str()),
        };
        let words = format!("{}.", words.trim_end());
        Ok(vec![Reading::new("", value, words).of(samples, samples)])
    }

    fn damage(&self, backups: &crate::error_handling::Result<crate::backup::BackupStatus>) -> Vec<Reading> {
        let errors = || {
            let mut findings = validate_documents(&self.locations);
            findings.retain(|finding| finding.severity == Severity::Error);
            findings
        };
        let mut found = errors();
        if !found.is_empty() {
            std::thread::sleep(SETTLE);
            found = errors();
        }
        let names: BTreeSet<_> = found
            .iter()
            .filter_map(|finding| Some(finding.file.file_name()?.to_string_lossy().into_owned()))
            .collect();
        let documents = names.into_iter().map(|name| {
            Reading::new(name.clone(), 1.0, format!("Claude Code cannot work with {name} as it is."))
        });
        let copies = self.records.as_ref().map(|known| known.damaged.clone()).unwrap_or_default();
        documents.chain(backups::damage(backups, &copies)).collect()
    }

    fn data_at_risk(&self) -> Seen {
        let looked = self.records.as_ref().and_then(|known| known.looked.as_ref());
        let looked = looked.ok_or_else(|| NoData("all data was not looked at yet".to_owned()))?;
        Ok(looked.reading().into_iter().collect())
    }

    fn held(&self, now: DateTime<Utc>) -> Seen {
        let nowhere = BeforeSync::Files(self.locations.data_dir.join("alerts"));
        let waiting = HeldChanges::of(&self.locations, nowhere).waiting(now);
        let count = waiting.map_err(|error| NoData(error.message().to_owned()))?.len();
        let words = if count == 1 {
            "1 change of a session waits for your word.".to_owned()
        } else {
            format!("{count} changes of sessions wait for your word.")
        };
        Ok(vec![Reading::new("", counted(count), words)])
    }

    fn login(&mut self, settings: &Settings, now: DateTime<Utc>) -> Seen {
        match &self.login {
            Some((at, seen)) if (now - *at).abs() < LOGIN => seen.clone(),
            _ => {
                let seen = super::logins::days_left(&self.locations, settings, now);
                self.login = Some((now, seen.clone()));
                seen
            }
        }
    }
}

/// A version that was taken back by itself, until the user says that they have seen it.
fn rolled_back(locations: &Locations, settings: &Settings) -> Seen {
    let unseen = Deployments::of(locations, settings).unseen_rollback();
    let unseen = unseen.map_err(|error| NoData(error.message().to_owned()))?;
    Ok(unseen
        .into_iter()
        .filter_map(|deployment| {
            let (State::RollingBack { trigger } | State::RolledBack { trigger }) = &deployment.state else {
                return None;
            };
            let version = &deployment.candidate.claude_version;
            let words = format!("Claude Code {version} was taken back: {trigger}.");
            Some(Reading::new(version.as_str(), 1.0, words).remedy("drydock deploy status --seen"))
        })
        .collect())
}

fn channels(wanted: &Wanted<'_>) -> Vec<Reading> {
    let down = wanted
        .channels
        .iter()
        .filter(|name| wanted.state.channels.get(name).is_some_and(super::Health::is_down));
    down.map(|name| {
        Reading::new(
            name.word(),
            1.0,
            format!("Messages do not get through by {name}; other channels stand in."),
        )
        .remedy(format!("drydock alerts test {name}"))
    })
    .collect()
}

fn refused(wanted: &Wanted<'_>) -> Vec<Reading> {
    let refused = wanted.refused.iter();
    refused
        .map(|(id, error)| Reading::new(id.as_str(), 1.0, format!("In the settings, {}.", error.message())))
        .collect()
}

#[allow(clippy::cast_precision_loss)] // counts of a desktop
pub(super) fn counted(count: usize) -> f64 {
    count as f64
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { counted(part) / counted(whole) }
}
