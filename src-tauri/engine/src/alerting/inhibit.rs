//! What is the consequence of what: while the cause fires, nothing is said of the consequence.

use super::{AlertState, Incident, defaults};

/// Cause and consequence, by the names of their rules.
pub(super) const CONSEQUENCES: &[(&str, &str)] = &[
    (defaults::DAMAGE, defaults::SYNC_FAILING),
    (defaults::DAMAGE, defaults::SYNC_FAILURES),
    (defaults::DAMAGE, defaults::ERROR_RATE),
    (defaults::SYNC_FAILING, defaults::SYNC_FAILURES),
    (defaults::DISK, defaults::BACKUP_OLD),
];

impl AlertState {
    pub(super) fn is_inhibited(&self, incident: &Incident) -> bool {
        let causes = CONSEQUENCES.iter().filter(|(_, effect)| *effect == incident.rule.as_str());
        causes.into_iter().any(|(cause, _)| self.firing().any(|other| other.rule.as_str() == *cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_its_own_consequence_and_all_are_rules() {
        let is_rule = |name: &str| defaults::rules().iter().any(|rule| rule.id.as_str() == name);
        for (cause, effect) in CONSEQUENCES {
            assert!(is_rule(cause) && is_rule(effect) && cause != effect, "{cause} {effect}");
            assert!(!CONSEQUENCES.contains(&(effect, cause)), "{cause} {effect}: both would be mute");
        }
    }
}
