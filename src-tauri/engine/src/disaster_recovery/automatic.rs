//! What happens by itself: whether damage is mended without asking, and that this never goes round in circles.

use super::{Act, Looked, Recovery, Report, Scope, Source, Wish, disaster_recovery};
use crate::{
    error_handling::{Code, Error, Result},
    paths::{Locations, write_record},
    progress::ProgressSink,
    settings::AutomaticRecovery,
    validation::{Damage, Finding, Severity, validate_documents},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::{fs, path::PathBuf, time::Instant};

/// The same damage is mended by itself so often at most.
const SAME: TimeDelta = TimeDelta::minutes(10);
/// Of any kind, so many in an hour.
const HOURLY: usize = 3;

/// What is done about damage that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Nothing.
    Nothing,
    /// The user is asked.
    Ask,
    /// It is recovered.
    Recover,
}

/// What is done about findings. A `.claude.json` that cannot be read is recovered unless that is off: without it
/// Claude Code is as if new, and would write that down.
#[must_use]
pub fn decide(automatic: AutomaticRecovery, locations: &Locations, findings: &[Finding]) -> Decision {
    let mut errors = findings.iter().filter(|finding| finding.severity == Severity::Error).peekable();
    if errors.peek().is_none() {
        return Decision::Nothing;
    }
    let is_unreadable_state = |finding: &Finding| {
        use Damage::*;
        finding.file == locations.claude_json
            && matches!(finding.damage, Empty | ZeroBytes | Encoding | Syntax | ConflictMarkers)
    };
    match automatic {
        AutomaticRecovery::Off => Decision::Ask,
        AutomaticRecovery::On => Decision::Recover,
        AutomaticRecovery::Ask if errors.all(is_unreadable_state) => Decision::Recover,
        AutomaticRecovery::Ask => Decision::Ask,
    }
}

/// The recoveries that were begun by themselves lately.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    made: Vec<Attempt>,
    /// Since when none is begun by itself any more, since one failed.
    stopped: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Attempt {
    at: DateTime<Utc>,
    cause: String,
}

impl Attempts {
    fn file(locations: &Locations) -> PathBuf {
        locations.data_dir.join("recovery/automatic.json")
    }

    /// What is remembered; what cannot be read stops nothing.
    #[must_use]
    pub fn read(locations: &Locations) -> Self {
        let text = fs::read(Self::file(locations)).ok();
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    fn write(&self, locations: &Locations) -> Result<()> {
        write_record(&Self::file(locations), self)
    }

    /// Whether another may be begun by itself, and if not, why.
    ///
    /// # Errors
    /// [`Code::RecoveryStopped`].
    pub fn may_begin(&self, cause: &str, now: DateTime<Utc>) -> Result<()> {
        let stop = |why: String| {
            Err(Error::new(
                Code::RecoveryStopped,
                "your Claude data is damaged, and nothing is done by itself",
            )
            .why(why)
            .remedy("drydock recover"))
        };
        if let Some(since) = self.stopped {
            return stop(format!("a recovery failed at {}", since.format("%H:%M UTC")));
        }
        // A clock that was set back must not stop it for ever.
        let lately = |within: TimeDelta| self.made.iter().filter(move |one| (now - one.at).abs() < within);
        if lately(SAME).any(|one| one.cause == cause) {
            return stop("the same damage was mended less than ten minutes ago".to_owned());
        }
        if lately(TimeDelta::hours(1)).count() >= HOURLY {
            return stop(format!("{HOURLY} recoveries in an hour are too many"));
        }
        Ok(())
    }
}

impl Recovery {
    /// Recovers what Claude Code cannot work with, unless that went wrong before or was done too often.
    /// `None` when nothing is damaged any more, or no backup has it. Blocking.
    ///
    /// # Errors
    /// [`Code::RecoveryStopped`], and as [`super::disaster_recovery`].
    pub fn recover_by_itself(&self, findings: &[Finding], progress: &ProgressSink) -> Result<Option<Report>> {
        let (started, now) = (Instant::now(), Utc::now());
        let mut attempts = Attempts::read(&self.locations);
        let cause = cause(findings);
        attempts.may_begin(&cause, now)?;
        let wish = Wish { scope: Scope::Unusable, source: Source::NewestGood };
        let plan = match self.plan(&wish, now, progress) {
            Err(error) if error.code() == Code::RecoveryNoBackup => return Ok(None),
            plan => plan?,
        };
        // Where no backup has it, something is lost for good: that is the user's to say.
        if plan.is_empty() || plan.items.iter().any(|item| item.act == Act::KeepWhatIsWhole) {
            return Ok(None);
        }
        attempts.made.retain(|one| now - one.at < TimeDelta::days(1));
        attempts.made.push(Attempt { at: now, cause });
        // Before it is begun: one that ends the process counts as well.
        attempts.write(&self.locations)?;
        let looked = Looked { seconds: started.elapsed().as_secs_f64() };
        let done = disaster_recovery(self, &plan, looked, progress);
        if done.is_err() {
            attempts.stopped = Some(now);
            attempts.write(&self.locations)?;
        }
        done.map(Some)
    }

    /// Recovers what keeps Claude Code and sessions from working, as far as that needs no word of the user:
    /// before a launch, and after work that failed by it. `None` when nothing was done. Blocking.
    ///
    /// # Errors
    /// As [`Recovery::recover_by_itself`].
    pub fn recover_if_allowed(&self, progress: &ProgressSink) -> Result<Option<Report>> {
        let mut findings = validate_documents(&self.locations);
        findings.retain(|finding| finding.severity == Severity::Error);
        match decide(self.settings.automatic_recovery(), &self.locations, &findings) {
            Decision::Recover => self.recover_by_itself(&findings, progress),
            Decision::Ask | Decision::Nothing => Ok(None),
        }
    }

    /// Lets recoveries be begun by themselves again: somebody has looked.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn allow_again(&self) -> Result<()> {
        match Attempts::read(&self.locations) {
            attempts if attempts == Attempts::default() => Ok(()),
            _ => Attempts::default().write(&self.locations),
        }
    }
}

/// Which damage it is, so that the same is known again.
fn cause(findings: &[Finding]) -> String {
    let mut parts: Vec<_> =
        findings.iter().map(|finding| format!("{}: {:?}", finding.file.display(), finding.damage)).collect();
    parts.sort();
    parts.dedup();
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn finding(file: &Path, damage: Damage, severity: Severity) -> Finding {
        Finding::new(severity, damage, file, "words")
    }

    #[test]
    fn only_an_unreadable_state_is_recovered_without_asking() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let state = finding(&locations.claude_json, Damage::Syntax, Severity::Error);
        let settings = finding(&locations.claude_dir.join("settings.json"), Damage::Syntax, Severity::Error);
        let note = finding(&locations.claude_json, Damage::DuplicateKey, Severity::Warning);
        let decided = |automatic, findings: &[Finding]| decide(automatic, &locations, findings);
        use AutomaticRecovery::*;
        assert_eq!(decided(On, std::slice::from_ref(&note)), Decision::Nothing);
        assert_eq!(decided(Ask, &[state.clone(), note]), Decision::Recover);
        assert_eq!(decided(Ask, &[state.clone(), settings.clone()]), Decision::Ask);
        assert_eq!(decided(On, &[settings]), Decision::Recover);
        assert_eq!(decided(Off, &[state]), Decision::Ask);
    }

    #[test]
    fn it_never_goes_round_in_circles() {
        let now = Utc::now();
        let attempt = |minutes: i64, cause: &str| Attempt {
            at: now - TimeDelta::minutes(minutes),
            cause: cause.to_owned(),
        };
        let mut attempts = Attempts { made: vec![attempt(5, "a")], stopped: None };
        assert!(attempts.may_begin("a", now).is_err() && attempts.may_begin("b", now).is_ok());
        attempts.made = vec![attempt(11, "a")];
        assert!(attempts.may_begin("a", now).is_ok());
        attempts.made = vec![attempt(50, "a"), attempt(30, "b"), attempt(20, "c")];
        assert!(attempts.may_begin("d", now).unwrap_err().causes()[0].contains("too many"));
        assert!(attempts.may_begin("d", now + TimeDelta::minutes(11)).is_ok());
        attempts.stopped = Some(now);
        assert!(attempts.may_begin("d", now + TimeDelta::days(3)).is_err());
    }
}
