//! The rules in force: those that Drydock brings along, as the user changed them, and the user's own.

use super::{Aggregate, Awake, Level, Measure, Page, Quantity, Rule, RuleId, Severity, Side, defaults};
use crate::{
    error_handling::{Code, Error, Result},
    observability::{Kind, MetricName},
    settings::{Settings, WrittenRule, stretch},
};
use chrono::TimeDelta;
use std::borrow::Cow;

/// The rules in force, and what in the settings is no rule.
#[derive(Debug, Clone)]
pub struct RulesInForce {
    /// The rules.
    pub rules: Vec<Rule>,
    /// What cannot be used, each with its place.
    pub refused: Vec<(RuleId, Error)>,
}

/// The rules in force. One that cannot be used leaves the others as they are.
#[must_use]
pub fn rules_in_force(settings: &Settings) -> RulesInForce {
    let written = settings.alert_rules();
    let mut refused = Vec::new();
    let mut rules = Vec::new();
    for rule in defaults::rules() {
        let Some(fields) = written.get(rule.id.as_str()) else {
            rules.push(rule);
            continue;
        };
        match changed(rule.clone(), fields) {
            Ok(changed) => rules.extend(changed),
            Err(error) => {
                refused.push((rule.id.clone(), error));
                rules.push(rule);
            }
        }
    }
    for (name, fields) in written {
        if rules.iter().any(|rule| rule.id.as_str() == name)
            || defaults::rules().iter().any(|rule| rule.id.as_str() == name)
        {
            continue;
        }
        match own(name, fields) {
            Ok(rule) => rules.extend(rule),
            Err(error) => refused.push((RuleId::of(name), error)),
        }
    }
    RulesInForce { rules, refused }
}

/// The fields of a rule as values. What cannot be one was refused when the settings were read.
struct Fields<'a> {
    name: &'a str,
    written: &'a WrittenRule,
}

impl<'a> Fields<'a> {
    fn text(&self, field: &str) -> Option<&'a str> {
        self.written.get(field).map(|written| written.value.as_str()).filter(|text| !text.is_empty())
    }

    fn number(&self, field: &str) -> Option<f64> {
        self.text(field)?.parse().ok()
    }

    fn count(&self, field: &str) -> Option<usize> {
        self.text(field)?.parse().ok()
    }

    fn time(&self, field: &str) -> Option<TimeDelta> {
        stretch(self.text(field)?)
    }

    fn severity(&self) -> Option<Severity> {
        let word = self.text("severity")?;
        [Severity::Low, Severity::Medium, Severity::High].into_iter().find(|one| one.word() == word)
    }

    fn is_off(&self) -> bool {
        self.text("state") == Some("off")
    }

    fn refused(&self, what: &str, field: &str) -> Error {
        let place = self.written.get(field).or_else(|| self.written.values().next());
        let error = Error::new(Code::SettingsValue, format!("the rule `{}` {what}", self.name));
        match place {
            Some(written) => error.why(&written.place),
            None => error,
        }
    }
}

/// One that Drydock brings along, as the user wants it.
fn changed(mut rule: Rule, written: &WrittenRule) -> Result<Option<Rule>> {
    let name = rule.id.as_str().to_owned();
    let fields = Fields { name: &name, written };
    if fields.is_off() {
        return Ok(None);
    }
    for field in ["metric", "value"] {
        if written.contains_key(field) {
            let error = fields.refused("is Drydock's own: what it looks at cannot be changed", field);
            return Err(error.remedy("give a rule of your own another name"));
        }
    }
    let (right, wrong) = match rule.side {
        Side::Above => ("above", "below"),
        Side::Below => ("below", "above"),
    };
    if written.contains_key(wrong) {
        let error = fields.refused(&format!("fires {right} its threshold, not {wrong}"), wrong);
        return Err(error.remedy(format!("drydock settings set alerts.rules.{name}.{right} NUMBER")));
    }
    if let Some(threshold) = fields.number(right) {
        // What matters more keeps its distance to the mildest.
        let first = rule.levels.first().map_or(0.0, |level| level.threshold);
        for level in &mut rule.levels {
            level.threshold = if first == 0.0 { threshold } else { level.threshold * threshold / first };
        }
    }
    if let Some(severity) = fields.severity() {
        rule.levels.retain(|level| level.severity > severity || level.severity == rule_severity(&rule.id));
        if let Some(first) = rule.levels.first_mut() {
            first.severity = severity;
        }
    }
    rule.samples = fields.count("samples").unwrap_or(rule.samples);
    rule.window = fields.time("window").unwrap_or(rule.window);
    rule.hold = fields.time("for").map_or(rule.hold, Awake::of);
    rule.keep = fields.time("keep").map_or(rule.keep, Awake::of);
    rule.grace = fields.time("grace").map_or(rule.grace, Awake::of);
    if let Some(text) = fields.text("text") {
        rule.title = Cow::Owned(text.to_owned());
    }
    Ok(Some(rule))
}

/// The mildest severity that a rule of Drydock's has by itself.
fn rule_severity(id: &RuleId) -> Severity {
    defaults::rules().iter().find(|rule| rule.id == *id).map_or(Severity::Low, Rule::severity)
}

/// One of the user's own.
fn own(name: &str, written: &WrittenRule) -> Result<Option<Rule>> {
    let fields = Fields { name, written };
    if fields.is_off() {
        return Ok(None);
    }
    let Some(metric) = fields.text("metric") else {
        let near = defaults::rules().into_iter().map(|rule| rule.id.to_string());
        let error = fields.refused("does not say what it looks at", "metric");
        return Err(error
            .remedy(format!("drydock settings set alerts.rules.{name}.metric METRIC"))
            .remedy(format!("Drydock's own rules are: {}", near.collect::<Vec<_>>().join(", "))));
    };
    let measure = measure(&fields, metric)?;
    let (side, threshold) = match (fields.number("above"), fields.number("below")) {
        (Some(threshold), None) => (Side::Above, threshold),
        (None, Some(threshold)) => (Side::Below, threshold),
        (Some(_), Some(_)) => {
            return Err(fields.refused("fires above and below at once", "below"));
        }
        (None, None) => {
            let error = fields.refused("does not say where it fires", "metric");
            return Err(error.remedy(format!("drydock settings set alerts.rules.{name}.above NUMBER")));
        }
    };
    let severity = fields.severity().unwrap_or(Severity::Medium);
    let title = fields.text("text").map_or_else(|| format!("Your rule {name}"), str::to_owned);
    Ok(Some(Rule {
        id: RuleId::of(name),
        levels: vec![Level { threshold, severity }],
        side,
        samples: fields.count("samples").unwrap_or(0),
        window: fields.time("window").unwrap_or(TimeDelta::hours(1)),
        hold: fields.time("for").map_or_else(Awake::default, Awake::of),
        keep: fields.time("keep").map_or_else(Awake::default, Awake::of),
        grace: fields.time("grace").map_or_else(Awake::default, Awake::of),
        title: Cow::Owned(title),
        remedy: Some("drydock metrics"),
        page: Page::Activity,
        ..defaults::rule("", measure, &[], "")
    }))
}

fn measure(fields: &Fields<'_>, metric: &str) -> Result<Measure> {
    if let Some(quantity) = Quantity::ALL.iter().find(|one| one.word() == metric) {
        if fields.written.contains_key("value") {
            return Err(
                fields.refused(&format!("looks at `{metric}`, of which there is one value only"), "value")
            );
        }
        return Ok(Measure::Standing(*quantity));
    }
    let Some(name) = MetricName::ALL.iter().find(|one| one.as_str() == metric) else {
        return Err(fields.refused(&format!("looks at `{metric}`, which there is not"), "metric"));
    };
    let how = fields.text("value").and_then(Aggregate::from_word);
    let usual = if name.kind() == Kind::Sample { Aggregate::P95 } else { Aggregate::Total };
    Ok(Measure::Metric(*name, how.unwrap_or(usual)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn of(text: &str) -> RulesInForce {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("settings.toml");
        fs::write(&file, text).unwrap();
        rules_in_force(&Settings::load(&file).unwrap())
    }

    #[test]
    fn a_threshold_moves_all_levels_and_a_rule_can_be_switched_off() {
        let found = of("[alerts.rules.backup-old]\nabove = 3600\n[alerts.rules.held]\nstate = \"off\"\n\
                        [alerts.rules.disk]\nseverity = \"high\"\nfor = \"1m\"\n");
        assert!(found.refused.is_empty(), "{:?}", found.refused);
        let rule = |name: &str| found.rules.iter().find(|rule| rule.id.as_str() == name);
        let thresholds: Vec<_> =
            rule("backup-old").unwrap().levels.iter().map(|level| level.threshold).collect();
        assert_eq!(thresholds, [3600.0, 10_800.0, 302_400.0]);
        assert!(rule("held").is_none());
        let disk = rule("disk").unwrap();
        assert_eq!((disk.severity(), disk.hold), (Severity::High, Awake::minutes(1)));
    }

    #[test]
    fn a_rule_of_the_users_own_looks_at_what_it_names() {
        let found =
            of("[alerts.rules.slow-syncs]\nmetric = \"sync.duration\"\nabove = 20\nwindow = \"1d\"\n\
                        samples = 5\ntext = \"Syncs are slow\"\n");
        let rule = found.rules.last().unwrap();
        assert_eq!(rule.measure, Measure::Metric(MetricName::SyncSeconds, Aggregate::P95));
        assert_eq!((rule.samples, rule.window, rule.severity()), (5, TimeDelta::days(1), Severity::Medium));
        assert_eq!(rule.title, "Syncs are slow");
    }

    #[test]
    fn what_is_no_rule_is_refused_with_its_place_and_leaves_the_others() {
        for (text, words) in [
            ("[alerts.rules.mine]\nabove = 2\n", "does not say what it looks at"),
            ("[alerts.rules.mine]\nmetric = \"errors\"\n", "does not say where it fires"),
            ("[alerts.rules.mine]\nmetric = \"errors\"\nabove = 1\nbelow = 3\n", "above and below"),
            ("[alerts.rules.mine]\nmetric = \"disk.used\"\nabove = 1\nvalue = \"max\"\n", "one value only"),
            ("[alerts.rules.disk]\nmetric = \"errors\"\n", "cannot be changed"),
            ("[alerts.rules.disk]\nbelow = 1\n", "not below"),
        ] {
            let found = of(text);
            let [(_, error)] = &found.refused[..] else { panic!("{text}: {:?}", found.refused) };
            assert!(error.message().contains(words), "{error:?}");
            assert!(error.causes()[0].contains("settings.toml, line "), "{error:?}");
            assert_eq!(found.rules.len(), defaults::rules().len());
        }
    }
}
