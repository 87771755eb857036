//! How the launches of a deployment stand, counted from their rows.

use super::{With, rows::word};
use crate::deployment::{
    Counts, Deployment, Outcome, Policy, Side, Tally, Why, judge::Facts, tally::Counted,
};
use rusqlite::{Connection, OptionalExtension};

/// So many of stable's newest launches tell its rate of errors.
const NEWEST_OF_STABLE: usize = 50;

/// How the launches of a deployment stand.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::deployment) struct Standing {
    pub(in crate::deployment) candidate: Tally,
    pub(in crate::deployment) stable: Tally,
    pub(in crate::deployment) stable_rate: Option<f64>,
    /// Whether the newest launch went by the variable's weight.
    pub(in crate::deployment) manual: bool,
}

impl Standing {
    /// What the deployment is judged by, where launches try its candidate.
    pub(in crate::deployment) fn facts<'a>(
        &'a self,
        deployment: &Deployment,
        with: With<'a>,
    ) -> Option<Facts<'a>> {
        Some(Facts {
            policy: with.policy,
            stage: deployment.state.stage()?,
            patience: deployment.patience,
            candidate: &self.candidate,
            stable: &self.stable,
            stable_rate: self.stable_rate,
            manual: self.manual,
            now: with.now,
        })
    }
}

pub(super) fn standing(
    connection: &Connection,
    deployment: &Deployment,
    policy: &Policy,
) -> rusqlite::Result<Standing> {
    let id = deployment.id.as_str();
    let of = |side: Side| -> rusqlite::Result<Tally> {
        let mut query = connection.prepare_cached(
            "SELECT outcome, seconds, cold FROM launch
             WHERE deployment = ?1 AND side = ?2 AND outcome IS NOT NULL ORDER BY ended, id",
        )?;
        let rows = query.query_map([id, side.word()], counted)?;
        Ok(Tally::of(&rows.collect::<rusqlite::Result<Vec<_>>>()?, policy.max_seconds))
    };
    let mut query = connection.prepare_cached(
        "SELECT outcome, seconds, cold FROM launch WHERE digest = ?1 AND outcome IS NOT NULL ORDER BY ended DESC",
    )?;
    let mut newest =
        query.query_map([&deployment.stable.digest], counted)?.collect::<rusqlite::Result<Vec<_>>>()?;
    newest.retain(|launch| launch.outcome.counts() != Counts::Not);
    newest.truncate(NEWEST_OF_STABLE);
    let last: Option<String> = connection
        .query_row(
            "SELECT why FROM launch WHERE deployment = ?1 AND why <> 'probe' ORDER BY at DESC, id LIMIT 1",
            [id],
            |row| row.get(0),
        )
        .optional()?;
    Ok(Standing {
        candidate: of(Side::Canary)?,
        stable: of(Side::Stable)?,
        stable_rate: Tally::of(&newest, policy.max_seconds).error_rate(),
        manual: last.as_deref() == Some(Why::ManualWeight.word()),
    })
}

fn counted(row: &rusqlite::Row<'_>) -> rusqlite::Result<Counted> {
    let outcome = word(&row.get::<_, String>(0)?, Outcome::from_word)?;
    let seconds: Option<f64> = row.get(1)?;
    Ok(Counted { outcome, seconds: seconds.filter(|_| !row.get(2).unwrap_or(true)) })
}
