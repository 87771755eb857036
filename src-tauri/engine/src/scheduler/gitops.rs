//! Looking at the repository that configuration comes from: now and then, and at once when something is committed to
//! one on this computer.

use super::Told;
use crate::{
    gitops::{Gitops, Wish, reconcile_config, repository_hint},
    paths::Locations,
    settings::Settings,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// So often is looked whether it is time, or whether somebody committed here.
const TICK: Duration = Duration::from_secs(2);

/// What a next look depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    /// What changes when somebody commits to a repository on this computer.
    hint: Option<String>,
    /// The settings that say what is followed, and how.
    settings: String,
}

/// Looks for ever. The settings are read each time: the user may have changed them.
pub(super) async fn follow(
    locations: Locations,
    looked: Arc<Notify>,
    report: Arc<dyn Fn(Told) + Send + Sync>,
) {
    let mut next: Option<DateTime<Utc>> = None;
    let mut seen = Seen::default();
    let mut failures = 0_u32;
    loop {
        if let Some(settings) = in_use(&locations) {
            let gitops = Gitops::of(&locations, &settings);
            let now = seen_now(&settings, &locations);
            // By the wall clock: after a sleep it is due at once.
            if now != seen || next.is_none_or(|at| Utc::now() >= at) {
                let outcome = tokio::task::spawn_blocking(move || {
                    reconcile_config(&gitops, &Wish::of_loop(), Utc::now())
                });
                let unable = match outcome.await {
                    Ok(Ok(done)) => {
                        let unable = done.unreachable.as_ref().map(|gone| gone.times);
                        if done.is_news() {
                            report(Told::Configuration(Box::new(done)));
                        }
                        failures = 0;
                        unable
                    }
                    // Another sync that takes its time, a full disk: it is tried again soon, whatever the interval is.
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "configuration from git");
                        failures += 1;
                        Some(failures)
                    }
                    Err(cause) => {
                        tracing::warn!(%cause, "a look at the configuration stopped");
                        failures += 1;
                        Some(failures)
                    }
                };
                let pause = pause(&settings, unable);
                // What a commit brought here may be settings: they are not seen as changed by the next look.
                seen =
                    Seen { settings: in_use(&locations).map_or_else(String::new, |now| digest(&now)), ..now };
                next = Some(Utc::now() + pause);
                looked.notify_one();
            }
        }
        tokio::time::sleep(TICK).await;
    }
}

/// The settings, where a repository is to be followed.
fn in_use(locations: &Locations) -> Option<Settings> {
    match Settings::load(&locations.settings_file) {
        Ok(settings) => {
            (settings.gitops_enabled() && settings.gitops_repository().is_some()).then_some(settings)
        }
        Err(error) => {
            tracing::debug!(%error, "configuration from git waits for sound settings");
            None
        }
    }
}

fn seen_now(settings: &Settings, locations: &Locations) -> Seen {
    Seen { hint: repository_hint(settings, &locations.home), settings: digest(settings) }
}

fn digest(settings: &Settings) -> String {
    settings.all().filter(|(key, ..)| key.name.starts_with("gitops.")).map(|(_, value, _)| value).collect()
}

/// How long until the next look: the interval with a fifth more or less, so that not all computers come at once; shorter
/// and then longer after as many failures.
fn pause(settings: &Settings, unable: Option<u32>) -> TimeDelta {
    let chance = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
    spread(base(settings.gitops_interval(), unable), chance)
}

/// The pause without chance: ten seconds after the first failure, then twice as long, at most ten minutes.
fn base(interval: Duration, unable: Option<u32>) -> Duration {
    const FIRST: u64 = 10;
    const LONGEST: u64 = 600;
    match unable {
        None => interval,
        Some(times) => {
            let seconds = FIRST.saturating_mul(1 << times.saturating_sub(1).min(10));
            Duration::from_secs(seconds.min(LONGEST)).min(interval.max(Duration::from_secs(FIRST)))
        }
    }
}

/// A fifth more or less; chance is from 0 to 1.
fn spread(pause: Duration, chance: f64) -> TimeDelta {
    let spread = pause.mul_f64(0.8 + 0.4 * chance);
    TimeDelta::from_std(spread).unwrap_or(TimeDelta::minutes(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_is_away_is_asked_for_soon_and_then_ever_less() {
        let interval = Duration::from_secs(300);
        let seconds: Vec<_> = (1..9).map(|times| base(interval, Some(times)).as_secs()).collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(base(Duration::from_secs(3600), Some(40)).as_secs(), 600);
        assert_eq!(base(interval, None), interval);
    }

    #[test]
    fn computers_do_not_all_come_at_once() {
        let pause = Duration::from_secs(300);
        assert_eq!(spread(pause, 0.0), TimeDelta::seconds(240));
        assert_eq!(spread(pause, 1.0), TimeDelta::seconds(360));
    }
}
