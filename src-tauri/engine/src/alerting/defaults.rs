//! The rules that Drydock brings along: one table, read by the code, the documentation and the tests.

use super::{Aggregate, Awake, Level, Measure, Page, Quantity, Rule, RuleId, Severity, Side};
use crate::observability::MetricName;
use chrono::TimeDelta;
use std::borrow::Cow;

pub(super) const ERROR_RATE: &str = "error-rate";
pub(super) const ORPHANED: &str = "orphaned";
pub(super) const DAMAGE: &str = "damage";
pub(super) const DISK: &str = "disk";
pub(super) const SYNC_FAILING: &str = "sync-failing";
pub(super) const SYNC_FAILURES: &str = "sync-failures";
pub(super) const BACKUP_OLD: &str = "backup-old";

const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;

/// The rules that Drydock brings along.
#[must_use]
pub fn rules() -> Vec<Rule> {
    use Severity::{High, Low, Medium};
    let standing = Measure::Standing;
    vec![
        Rule {
            window: TimeDelta::hours(24),
            newest: 20,
            samples: 5,
            cases: 2,
            ease: 0.5,
            keep: Awake::minutes(15),
            remedy: Some("drydock errors --since 24h"),
            page: Page::Activity,
            ..rule(ERROR_RATE, standing(Quantity::ErrorRate), &[(0.05, High)], "Sessions fail to launch")
        },
        Rule {
            hold: Awake::minutes(10),
            remedy: Some("drydock list"),
            page: Page::Sessions,
            ..rule(
                ORPHANED,
                standing(Quantity::Orphans),
                &[(0.0, High)],
                "A session's data is not on this computer yet",
            )
        },
        Rule {
            remedy: Some("drydock recover"),
            page: Page::Recovery,
            ..rule(DAMAGE, standing(Quantity::Damage), &[(0.0, High)], "Something is damaged")
        },
        Rule {
            remedy: Some("drydock validate"),
            page: Page::Recovery,
            ..rule(
                "data-at-risk",
                standing(Quantity::DataAtRisk),
                &[(0.0, Medium), (1.0, High)],
                "Something of your Claude data is wrong",
            )
        },
        Rule {
            remedy: Some("drydock deploy status"),
            page: Page::Deployment,
            ..rule(
                "canary-rolled-back",
                standing(Quantity::RolledBack),
                &[(0.0, High)],
                "A new image version was taken back",
            )
        },
        Rule {
            window: TimeDelta::days(7),
            newest: 40,
            samples: 20,
            ease: 0.8,
            keep: Awake::minutes(30),
            remedy: Some("drydock traces --since 24h"),
            page: Page::Activity,
            ..rule(
                "latency",
                Measure::Metric(MetricName::LaunchSeconds, Aggregate::P95),
                &[(10.0, Medium)],
                "Sessions are slow to launch",
            )
        },
        Rule {
            ease: 0.9375,
            hold: Awake::minutes(10),
            remedy: Some("drydock image gc, or free space"),
            page: Page::Home,
            ..rule(DISK, standing(Quantity::DiskUsed), &[(0.80, Medium)], "A disk fills up")
        },
        Rule {
            window: TimeDelta::hours(1),
            remedy: Some("drydock errors --since 1h"),
            page: Page::Sessions,
            ..rule(SYNC_FAILING, standing(Quantity::SyncFailing), &[(2.0, Medium)], "A session cannot sync")
        },
        Rule {
            window: TimeDelta::hours(1),
            keep: Awake::minutes(15),
            remedy: Some("drydock errors --since 1h"),
            page: Page::Sessions,
            ..rule(
                SYNC_FAILURES,
                Measure::Metric(MetricName::SyncFailures, Aggregate::Total),
                &[(4.0, Medium)],
                "Syncs fail again and again",
            )
        },
        Rule {
            remedy: Some("drydock backup drill"),
            page: Page::Backups,
            ..rule(
                "drill-failed",
                standing(Quantity::DrillFailed),
                &[(0.0, Medium)],
                "A backup is not proven",
            )
        },
        Rule {
            side: Side::Below,
            remedy: Some("drydock credentials status"),
            page: Page::Settings,
            ..rule(
                "login-ending",
                standing(Quantity::LoginDays),
                &[(14.0, Medium), (1.0, High)],
                "The login of sessions ends soon",
            )
        },
        Rule {
            remedy: Some("drydock alerts test CHANNEL"),
            page: Page::Settings,
            ..rule(
                "channel-failing",
                standing(Quantity::ChannelFailing),
                &[(0.0, Medium)],
                "Alerts do not get through",
            )
        },
        Rule {
            grace: Awake::minutes(30),
            remedy: Some("drydock backup now"),
            page: Page::Backups,
            ..rule(
                BACKUP_OLD,
                standing(Quantity::BackupAge),
                &[(2.0 * HOUR, Low), (6.0 * HOUR, Medium), (7.0 * DAY, High)],
                "The last backup is old",
            )
        },
        Rule {
            grace: Awake::minutes(30),
            remedy: Some("drydock backup copies"),
            page: Page::Backups,
            ..rule(
                "copy-old",
                standing(Quantity::CopyAge),
                &[(7.0 * DAY, Low), (21.0 * DAY, Medium)],
                "A copy of the backups is old",
            )
        },
        Rule {
            hold: Awake::minutes(60),
            remedy: Some("drydock backup key export --to FILE"),
            page: Page::Backups,
            ..rule(
                "sheet-unsaved",
                standing(Quantity::SheetUnsaved),
                &[(0.0, Low)],
                "The recovery sheet is not saved",
            )
        },
        Rule {
            hold: Awake::minutes(60),
            remedy: Some("drydock held list"),
            page: Page::Held,
            ..rule("held", standing(Quantity::Held), &[(0.0, Low)], "Changes of sessions wait for you")
        },
        Rule {
            hold: Awake::minutes(60),
            remedy: Some("drydock gitops diff"),
            page: Page::Configuration,
            ..rule("drift", standing(Quantity::Drift), &[(0.0, Low)], "Settings are not what git says")
        },
        Rule {
            remedy: Some("drydock gitops status"),
            page: Page::Configuration,
            ..rule(
                "commit-failed",
                standing(Quantity::CommitFailed),
                &[(0.0, Medium)],
                "A commit is not in force here",
            )
        },
        Rule {
            remedy: Some("drydock alerts rules"),
            page: Page::Settings,
            ..rule(
                "rule-refused",
                standing(Quantity::RuleRefused),
                &[(0.0, Low)],
                "A rule of yours cannot be used",
            )
        },
    ]
}

/// One that looks at how something stands, fires at once, and is over at once.
pub(super) fn rule(
    id: &'static str,
    measure: Measure,
    levels: &[(f64, Severity)],
    title: &'static str,
) -> Rule {
    Rule {
        id: RuleId::own(id),
        measure,
        window: TimeDelta::hours(1),
        newest: usize::MAX,
        samples: 0,
        cases: 0,
        side: Side::Above,
        levels: levels
            .iter()
            .map(|(threshold, severity)| Level { threshold: *threshold, severity: *severity })
            .collect(),
        ease: 1.0,
        hold: Awake::default(),
        keep: Awake::default(),
        grace: Awake::default(),
        title: Cow::Borrowed(title),
        remedy: None,
        page: Page::Home,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_rule_has_its_own_name_levels_that_rise_and_a_remedy() {
        let rules = rules();
        let names: BTreeSet<_> = rules.iter().map(|rule| rule.id.clone()).collect();
        assert_eq!(names.len(), rules.len());
        for rule in rules {
            assert!(rule.remedy.is_some() && !rule.levels.is_empty(), "{}", rule.id);
            for pair in rule.levels.windows(2) {
                let further = match rule.side {
                    Side::Above => pair[1].threshold > pair[0].threshold,
                    Side::Below => pair[1].threshold < pair[0].threshold,
                };
                assert!(further && pair[1].severity > pair[0].severity, "{}", rule.id);
            }
        }
    }
}
