//! Proving what was brought here: it reads back as what it should be, and all that worked before still does.

use super::{
    commit::Commit,
    place::Place,
    runtime::Runtime,
    value::{Salt, Value},
};
use crate::{
    alerting::rules_in_force,
    error_handling::{Code, Error, Result},
    paths::Locations,
    settings::Settings,
    validation::{Finding, Severity, validate_documents},
};
use std::collections::{BTreeMap, BTreeSet};

/// How things stood before.
pub(super) struct Verify<'a> {
    locations: &'a Locations,
    /// What was wrong already is not the commit's fault.
    findings: BTreeSet<String>,
    refused: BTreeSet<String>,
}

fn findings(locations: &Locations) -> Vec<Finding> {
    let mut found = validate_documents(locations);
    found.retain(|finding| finding.severity >= Severity::Warning);
    found
}

fn named(finding: &Finding) -> String {
    format!("{}: {}", finding.file.display(), finding.reason)
}

fn refused(settings: &Settings) -> BTreeMap<String, Error> {
    let refused = rules_in_force(settings).refused;
    refused.into_iter().map(|(rule, error)| (rule.as_str().to_owned(), error)).collect()
}

impl<'a> Verify<'a> {
    pub(super) fn before(locations: &'a Locations, settings: &Settings) -> Self {
        Self {
            locations,
            findings: findings(locations).iter().map(named).collect(),
            refused: refused(settings).into_keys().collect(),
        }
    }
}

/// Proves the changes.
///
/// # Errors
/// [`Code::GitopsUnproven`] with what is wrong.
pub(super) fn proven(
    verify: &Verify<'_>,
    changes: &BTreeMap<Place, Option<Value>>,
    salt: &Salt,
    commit: &Commit,
) -> Result<()> {
    let unproven = |why: String| {
        Err(Error::new(Code::GitopsUnproven, format!("what commit {commit} brought did not pass its check"))
            .why(why)
            .remedy("mend it in the repository, and commit; it was taken back here"))
    };
    let runtime = match Runtime::read(verify.locations, changes.keys()) {
        Ok(runtime) => runtime,
        Err(error) => return unproven(error.to_string()),
    };
    for (place, value) in changes {
        let print = |value: &Value| value.print(salt);
        if runtime.value(place).as_ref().map(print) != value.as_ref().map(print) {
            return unproven(format!(
                "{place} cannot stand where it is to be: what is around it here is no object"
            ));
        }
    }
    if let Some(finding) =
        findings(verify.locations).iter().find(|one| !verify.findings.contains(&named(one)))
    {
        return unproven(named(finding));
    }
    let settings = match Settings::load(&verify.locations.settings_file) {
        Ok(settings) => settings,
        Err(error) => return unproven(error.to_string()),
    };
    match refused(&settings).into_iter().find(|(rule, _)| !verify.refused.contains(rule)) {
        Some((rule, error)) => unproven(format!("the rule {rule} cannot be used: {error}")),
        None => Ok(()),
    }
}
