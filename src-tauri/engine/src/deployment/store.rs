//! Deployments in the state database. Each transition is one transaction: the new state, its history, and all that
//! follows from it, if nobody changed the deployment since it was read.

use super::{
    Decision, Deployment, DeploymentId, Identity, Outcome, Policy, Side, Tally, Why,
    judge::{Facts, judge},
    machine::{Effect, Event, Step},
    tally::Counted,
};
use crate::{
    error_handling::Result,
    paths::Locations,
    state::{StateDb, point},
};
use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, OptionalExtension, Transaction, params, types::Type};
use serde::{Serialize, de::DeserializeOwned};

/// So many of stable's newest launches tell its rate of errors.
const NEWEST_OF_STABLE: usize = 50;

/// What is kept of deployments.
#[derive(Debug)]
pub(super) struct Store {
    db: StateDb,
}

/// A deployment, and how often it was changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub(super) deployment: Deployment,
    pub(super) version: i64,
}

/// A transition that was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transition {
    /// Its number: later ones have greater ones.
    pub seq: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// The state before; empty for the first.
    pub before: String,
    /// The state after.
    pub after: String,
    /// The deployment as it was then.
    pub deployment: Deployment,
}

/// A launch that begins.
#[derive(Debug, Clone)]
pub(super) struct NewLaunch<'a> {
    pub(super) id: &'a str,
    pub(super) image: &'a Identity,
    pub(super) decision: &'a Decision,
    pub(super) at: DateTime<Utc>,
}

/// What a launch came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    /// From the request until it was ready.
    pub(super) seconds: Option<f64>,
}

/// A launch on record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Launched {
    /// The session.
    pub id: String,
    /// Its version.
    pub side: Side,
    /// The digest of its image.
    pub digest: String,
    /// The Claude Code in it.
    pub claude_version: String,
    /// Its place between 0 and 1.
    pub u: Option<f64>,
    /// The weight that it was held against.
    pub weight: f64,
    /// Why it was on that version.
    pub why: Why,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether it was the first of its image on this computer.
    pub cold: bool,
    /// From the request until it was ready.
    pub seconds: Option<f64>,
    /// What it came to, once that is known.
    pub outcome: Option<Outcome>,
}

/// What is stable by a promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Promoted {
    pub(super) identity: Identity,
    /// `image.claude_version` at the time: once it is another one, the user has chosen for themselves.
    pub(super) asked: String,
}

/// A version that is not tried again by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denied {
    /// The version.
    pub identity: Identity,
    /// Since when.
    pub at: DateTime<Utc>,
    /// Why.
    pub why: String,
}

/// What transitions are made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct With<'a> {
    pub(super) policy: &'a Policy,
    /// `image.claude_version` as it is now.
    pub(super) asked: &'a str,
    pub(super) now: DateTime<Utc>,
}

impl Store {
    pub(super) fn open(locations: &Locations) -> Result<Self> {
        StateDb::open(locations).map(|db| Self { db })
    }

    /// Where nothing was ever tried out there may be no database.
    pub(super) fn open_if_there(locations: &Locations) -> Result<Option<Self>> {
        Ok(StateDb::open_if_there(locations)?.map(|db| Self { db }))
    }

    /// The deployment that is under way.
    pub(super) fn active(&self) -> Result<Option<Kept>> {
        self.db.read(|connection| one(connection, "active = 1"))
    }

    /// The newest deployment.
    pub(super) fn newest(&self) -> Result<Option<Kept>> {
        self.db.read(newest)
    }

    /// Begins a deployment in the place of one that is under way.
    pub(super) fn begin(&mut self, deployment: &Deployment, with: With<'_>) -> Result<()> {
        self.db.change(|transaction| {
            if let Some(older) = one(transaction, "active = 1")?
                && let Some(step) = older.deployment.step(&Event::Supersede, with.policy, with.now)
            {
                make(transaction, &older, &step, with)?;
            }
            point("begin a deployment")?;
            transaction.execute(
                "INSERT INTO deployment (id, version, active, began, body) VALUES (?1, 1, 1, ?2, ?3)",
                params![deployment.id.as_str(), time(deployment.began), json(deployment)?],
            )?;
            point("its history")?;
            note(transaction, deployment, 1, "", with.now)
        })
    }

    /// Lets an event happen to a deployment, if it is still the version that `version` names, and any if it names none.
    /// `None` where it means nothing any more.
    pub(super) fn happen(
        &mut self,
        id: &DeploymentId,
        version: Option<i64>,
        event: &Event,
        with: With<'_>,
    ) -> Result<Option<Deployment>> {
        self.db.change(|transaction| {
            let Some(kept) = by_id(transaction, id)? else { return Ok(None) };
            if version.is_some_and(|version| version != kept.version) {
                return Ok(None);
            }
            let Some(step) = kept.deployment.step(event, with.policy, with.now) else { return Ok(None) };
            make(transaction, &kept, &step, with)?;
            Ok(Some(step.deployment))
        })
    }

    /// Looks at the launches of what is under way, and draws the consequence.
    pub(super) fn look(&mut self, with: With<'_>) -> Result<Option<Deployment>> {
        self.db.change(|transaction| consequence(transaction, with))
    }

    /// Notes a launch before it begins.
    pub(super) fn launch(&mut self, launch: &NewLaunch<'_>) -> Result<()> {
        let NewLaunch { id, image, decision, at } = launch;
        self.db.change(|transaction| {
            // One that got ready has everything of the image in the engine's caches.
            let known: i64 = transaction.query_row(
                "SELECT count(*) FROM launch WHERE digest = ?1 AND seconds IS NOT NULL",
                [&image.digest],
                |row| row.get(0),
            )?;
            transaction.execute(
                "INSERT INTO launch (id, deployment, digest, claude_version, side, u, weight, why, at, cold)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    id,
                    decision.deployment.as_ref().map(DeploymentId::as_str),
                    image.digest,
                    image.claude_version,
                    decision.side.word(),
                    decision.u,
                    decision.weight.number(),
                    decision.why.word(),
                    time(*at),
                    known == 0,
                ],
            )?;
            Ok(())
        })
    }

    /// Notes how long a launch took until it was ready, once.
    pub(super) fn ready(&mut self, id: &str, seconds: f64) -> Result<()> {
        self.db.change(|transaction| {
            let query = "UPDATE launch SET seconds = ?2 WHERE id = ?1 AND seconds IS NULL";
            transaction.execute(query, params![id, seconds]).map(drop)
        })
    }

    /// Notes what a launch came to, once, and draws the consequence in the same transaction.
    pub(super) fn end(&mut self, id: &str, ended: Ended, with: With<'_>) -> Result<Option<Deployment>> {
        self.db.change(|transaction| {
            let changed = transaction.execute(
                "UPDATE launch SET outcome = ?2, ended = ?3, seconds = coalesce(?4, seconds)
                 WHERE id = ?1 AND outcome IS NULL",
                params![id, ended.outcome.word(), time(with.now), ended.seconds],
            )?;
            point("the consequence")?;
            if changed == 0 { Ok(None) } else { consequence(transaction, with) }
        })
    }

    /// Notes on which image conversations were had.
    pub(super) fn conversations(&mut self, ids: &[String], launch: &str, now: DateTime<Utc>) -> Result<()> {
        self.db.change(|transaction| {
            let mut put = transaction.prepare(
                "INSERT OR REPLACE INTO conversation (id, digest, at) SELECT ?1, digest, ?3 FROM launch WHERE id = ?2",
            )?;
            ids.iter().try_for_each(|id| put.execute(params![id, launch, time(now)]).map(drop))
        })
    }

    /// The digest of the image that a conversation was last had on.
    pub(super) fn conversation(&self, id: &str) -> Result<Option<String>> {
        self.db.read(|connection| {
            let query = "SELECT digest FROM conversation WHERE id = ?1";
            connection.query_row(query, [id], |row| row.get(0)).optional()
        })
    }

    /// What is stable by the newest promotion, and those before it, the newest first.
    pub(super) fn promoted(&self) -> Result<Vec<Promoted>> {
        self.db.read(|connection| {
            let mut query = connection.prepare("SELECT identity, asked FROM stable ORDER BY seq DESC")?;
            let rows = query.query_map([], |row| {
                Ok(Promoted { identity: parsed(&row.get::<_, String>(0)?)?, asked: row.get(1)? })
            })?;
            rows.collect()
        })
    }

    /// What is not tried again by itself.
    pub(super) fn denied(&self) -> Result<Vec<Denied>> {
        self.db.read(|connection| {
            let mut query = connection.prepare("SELECT identity, at, why FROM denied ORDER BY at")?;
            let rows = query.query_map([], |row| {
                let identity = parsed(&row.get::<_, String>(0)?)?;
                Ok(Denied { identity, at: instant(row, 1)?, why: row.get(2)? })
            })?;
            rows.collect()
        })
    }

    /// Lets a version be tried again.
    pub(super) fn forgive(&mut self, digest: &str) -> Result<()> {
        self.db.change(|transaction| {
            transaction.execute("DELETE FROM denied WHERE digest = ?1", [digest]).map(drop)
        })
    }

    /// Transitions, the newest first.
    pub(super) fn history(&self, most: u32) -> Result<Vec<Transition>> {
        self.db.read(|connection| transitions(connection, "1 ORDER BY seq DESC LIMIT ?1", most))
    }

    /// Transitions that nobody was told of yet, the oldest first.
    pub(super) fn untold(&self) -> Result<Vec<Transition>> {
        self.db.read(|connection| transitions(connection, "told = 0 ORDER BY seq LIMIT ?1", u32::MAX))
    }

    pub(super) fn told(&mut self, seq: i64) -> Result<()> {
        self.db.change(|transaction| {
            transaction.execute("UPDATE transition SET told = 1 WHERE seq = ?1", [seq]).map(drop)
        })
    }

    /// The newest deployment if it was taken back and the user has not said that they have seen it.
    pub(super) fn unseen(&self) -> Result<Option<Deployment>> {
        self.db.read(|connection| {
            let kept = newest(connection)?;
            let seen: Option<i64> = connection
                .query_row("SELECT seen FROM deployment ORDER BY began DESC, id DESC LIMIT 1", [], |row| {
                    row.get(0)
                })
                .optional()?;
            Ok(kept.filter(|_| seen == Some(0)).map(|kept| kept.deployment))
        })
    }

    /// The user has seen how the newest deployment ended.
    pub(super) fn see(&mut self) -> Result<()> {
        self.db.change(|transaction| {
            transaction.execute("UPDATE deployment SET seen = 1 WHERE active = 0", []).map(drop)
        })
    }

    /// Launches of a deployment, the newest first; of all without one.
    pub(super) fn launches(&self, deployment: Option<&DeploymentId>) -> Result<Vec<Launched>> {
        self.db.read(|connection| {
            let mut query = connection.prepare(
                "SELECT id, side, digest, claude_version, u, weight, why, at, cold, seconds, outcome FROM launch
                 WHERE ?1 IS NULL OR deployment = ?1 ORDER BY at DESC, id",
            )?;
            let rows = query.query_map([deployment.map(DeploymentId::as_str)], |row| {
                let outcome: Option<String> = row.get(10)?;
                Ok(Launched {
                    id: row.get(0)?,
                    side: word(&row.get::<_, String>(1)?, Side::from_word)?,
                    digest: row.get(2)?,
                    claude_version: row.get(3)?,
                    u: row.get(4)?,
                    weight: row.get(5)?,
                    why: word(&row.get::<_, String>(6)?, Why::from_word)?,
                    at: instant(row, 7)?,
                    cold: row.get(8)?,
                    seconds: row.get(9)?,
                    outcome: outcome.map(|text| word(&text, Outcome::from_word)).transpose()?,
                })
            })?;
            rows.collect()
        })
    }

    /// How the deployment's launches stand.
    pub(super) fn standing(&self, deployment: &Deployment, policy: &Policy) -> Result<Standing> {
        self.db.read(|connection| standing(connection, deployment, policy))
    }
}

/// How the launches of a deployment stand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Standing {
    pub(super) candidate: Tally,
    pub(super) stable: Tally,
    pub(super) stable_rate: Option<f64>,
    /// Whether the newest launch went by the variable's weight.
    pub(super) manual: bool,
}

impl Standing {
    /// What the deployment is judged by, where launches try its candidate.
    pub(super) fn facts<'a>(&'a self, deployment: &Deployment, with: With<'a>) -> Option<Facts<'a>> {
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

fn standing(connection: &Connection, deployment: &Deployment, policy: &Policy) -> rusqlite::Result<Standing> {
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
    newest.retain(|launch| launch.outcome.counts() != super::Counts::Not);
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

/// What follows from the launches so far, in the transaction that they were read in.
fn consequence(transaction: &Transaction<'_>, with: With<'_>) -> rusqlite::Result<Option<Deployment>> {
    let Some(kept) = one(transaction, "active = 1")? else { return Ok(None) };
    let standing = standing(transaction, &kept.deployment, with.policy)?;
    let Some(facts) = standing.facts(&kept.deployment, with) else { return Ok(None) };
    let event = Event::Judged { verdict: judge(&facts), launches: standing.candidate.launches };
    let Some(step) = kept.deployment.step(&event, with.policy, with.now) else { return Ok(None) };
    make(transaction, &kept, &step, with)?;
    Ok(Some(step.deployment))
}

/// Writes a transition down, with all that follows from it.
fn make(transaction: &Transaction<'_>, from: &Kept, step: &Step, with: With<'_>) -> rusqlite::Result<()> {
    let Step { deployment, effects } = step;
    point("the state")?;
    let changed = transaction.execute(
        "UPDATE deployment SET version = version + 1, active = ?3, body = ?4, seen = 0 WHERE id = ?1 AND version = ?2",
        params![deployment.id.as_str(), from.version, deployment.state.is_active(), json(deployment)?],
    )?;
    if changed != 1 {
        // Nobody can come between a read and a write of one transaction.
        return Err(rusqlite::Error::StatementChangedRows(changed));
    }
    point("the history")?;
    note(transaction, deployment, from.version + 1, from.deployment.state.word(), with.now)?;
    for effect in effects {
        point("an effect")?;
        match (effect, &deployment.candidate.built) {
            (Effect::Deny, Some(identity)) => {
                transaction.execute(
                    "INSERT OR REPLACE INTO denied (digest, identity, at, why) VALUES (?1, ?2, ?3, ?4)",
                    params![identity.digest, json(identity)?, time(with.now), why(deployment)],
                )?;
            }
            (Effect::MakeStable, Some(identity)) => put_stable(transaction, identity, with)?,
            (Effect::Restore, _) => put_stable(transaction, &deployment.stable, with)?,
            // What was never built can be neither tried again nor used.
            (Effect::Deny | Effect::MakeStable, None) => {}
        }
    }
    Ok(())
}

fn put_stable(transaction: &Transaction<'_>, identity: &Identity, with: With<'_>) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT INTO stable (digest, identity, asked, since) VALUES (?1, ?2, ?3, ?4)",
            params![identity.digest, json(identity)?, with.asked, time(with.now)],
        )
        .map(drop)
}

fn note(
    transaction: &Transaction<'_>,
    deployment: &Deployment,
    version: i64,
    before: &str,
    now: DateTime<Utc>,
) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT INTO transition (deployment, version, at, before, after, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![deployment.id.as_str(), version, time(now), before, deployment.state.word(), json(deployment)?],
        )
        .map(drop)
}

/// Why a deployment stands where it stands, in words.
fn why(deployment: &Deployment) -> String {
    match &deployment.state {
        super::State::RollingBack { trigger } | super::State::RolledBack { trigger } => trigger.to_string(),
        _ => String::new(),
    }
}

fn one(connection: &Connection, wanted: &str) -> rusqlite::Result<Option<Kept>> {
    connection.query_row(&format!("SELECT body, version FROM deployment WHERE {wanted}"), [], kept).optional()
}

fn newest(connection: &Connection) -> rusqlite::Result<Option<Kept>> {
    one(connection, "1 ORDER BY active DESC, began DESC, id DESC LIMIT 1")
}

fn by_id(connection: &Connection, id: &DeploymentId) -> rusqlite::Result<Option<Kept>> {
    connection.query_row("SELECT body, version FROM deployment WHERE id = ?1", [id.as_str()], kept).optional()
}

fn kept(row: &rusqlite::Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept { deployment: parsed(&row.get::<_, String>(0)?)?, version: row.get(1)? })
}

fn transitions(connection: &Connection, wanted: &str, most: u32) -> rusqlite::Result<Vec<Transition>> {
    let mut query =
        connection.prepare(&format!("SELECT seq, at, before, after, body FROM transition WHERE {wanted}"))?;
    let rows = query.query_map([most], |row| {
        Ok(Transition {
            seq: row.get(0)?,
            at: instant(row, 1)?,
            before: row.get(2)?,
            after: row.get(3)?,
            deployment: parsed(&row.get::<_, String>(4)?)?,
        })
    })?;
    rows.collect()
}

/// A time as text that sorts as times do.
fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn instant(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    let text: String = row.get(column)?;
    DateTime::parse_from_rfc3339(&text)
        .map(DateTime::from)
        .map_err(|cause| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(cause)))
}

fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|cause| rusqlite::Error::ToSqlConversionFailure(Box::new(cause)))
}

fn parsed<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|cause| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(cause)))
}

fn word<T>(text: &str, known: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
    known(text).ok_or_else(|| {
        let cause = format!("`{text}` is no word of this Drydock's");
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, cause.into())
    })
}
