//! Looking at all Claude data beside what it was at the last backup. What is found is on record, for alerts.

use super::Recovery;
use crate::{
    observability::{Event, EventName, Level, log_event},
    paths::Locations,
    validation::{Damage, Finding, Severity, Validation, validate_claude_config},
};
use chrono::{DateTime, Utc};
use std::path::Path;

impl Recovery {
    /// Looks at all of it, and leaves everything as it is. Blocking.
    #[must_use]
    pub fn look(&self, now: DateTime<Utc>) -> Validation {
        let earlier = self.earlier(now);
        // Without a backup there is less to compare with, and all else is looked at.
        let earlier = earlier.inspect_err(|error| tracing::warn!(%error, "no backup to compare with")).ok();
        validate_claude_config(&self.locations, earlier.flatten().as_ref())
    }

    /// Looks at all of it, and has what was found on record. Blocking.
    #[must_use]
    pub(crate) fn look_on_record(&self, now: DateTime<Utc>) -> Validation {
        let validation = self.look(now);
        log_event(&looked(&self.locations, &validation.findings));
        validation
    }

    /// Looks again where more was recovered than documents, so that what is on record stays true.
    pub(super) fn look_again_after<'a>(&self, mut recovered: impl Iterator<Item = &'a Path>) {
        if recovered.any(|file| !is_document(&self.locations, file)) {
            let _: Validation = self.look_on_record(Utc::now());
        }
    }
}

/// Whether it is one of those that are looked at whenever they change.
fn is_document(locations: &Locations, file: &Path) -> bool {
    *file == locations.claude_json || *file == locations.claude_dir.join("settings.json")
}

/// Whether a finding tells of data that is damaged, gone or at risk: not what can be mended without a loss, nor
/// what a document's own alert tells, nor a login, which has its own as well.
pub(crate) fn is_of_data(locations: &Locations, finding: &Finding) -> bool {
    let told_elsewhere = finding.severity == Severity::Error && is_document(locations, &finding.file);
    finding.severity >= Severity::Warning
        && finding.fix.is_none()
        && finding.damage != Damage::Login
        && !told_elsewhere
}

fn looked(locations: &Locations, findings: &[Finding]) -> Event {
    let of_data: Vec<_> = findings.iter().filter(|finding| is_of_data(locations, finding)).collect();
    let errors = of_data.iter().filter(|finding| finding.severity == Severity::Error).count();
    let event = Event::new(EventName::DataLooked)
        .level(if of_data.is_empty() { Level::Info } else { Level::Warn })
        .with("errors", errors)
        .with("warnings", of_data.len() - errors);
    match of_data.iter().max_by_key(|finding| finding.severity) {
        Some(worst) => event.with("worst", worst.damage.word()),
        None => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nothing_else_tells_is_of_the_data() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let conversation = locations.claude_dir.join("projects/-p/a.jsonl");
        let found = |severity, damage, file: &Path| Finding::new(severity, damage, file, "words");
        let is = |finding: Finding| is_of_data(&locations, &finding);
        assert!(is(found(Severity::Error, Damage::Gone, &conversation)));
        assert!(is(found(Severity::Warning, Damage::BrokenRecord, &conversation)));
        assert!(is(found(Severity::Warning, Damage::DuplicateKey, &locations.claude_json)));
        assert!(!is(found(Severity::Note, Damage::TornEnd, &conversation)));
        assert!(!is(found(Severity::Error, Damage::Syntax, &locations.claude_json)));
        assert!(!is(found(
            Severity::Warning,
            Damage::Login,
            &locations.claude_dir.join(".credentials.json")
        )));
    }
}
