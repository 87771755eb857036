//! Deployments in the state database. Each transition is one transaction: the new state, its history, and all that
//! follows from it, if nobody changed the deployment since it was read.

mod kept;
mod rows;
mod standing;

pub use kept::{Denied, Launched, Transition};
pub(super) use kept::{Ended, Kept, NewLaunch, Promoted, With};
pub(super) use standing::Standing;

use super::{
    Deployment, DeploymentId, Identity, Outcome, Policy, Side, State, Why,
    judge::judge,
    machine::{Effect, Event, Step},
};
use crate::{
    error_handling::Result,
    paths::Locations,
    state::{StateDb, point},
};
use chrono::{DateTime, Utc};
use rows::{by_id, instant, json, newest, one, parsed, time, transitions, word};
use rusqlite::{OptionalExtension, Transaction, params};
use standing::standing;

/// What is kept of deployments.
#[derive(Debug)]
pub(in crate::deployment) struct Store {
    db: StateDb,
}

impl Store {
    pub(in crate::deployment) fn open(locations: &Locations) -> Result<Self> {
        StateDb::open(locations).map(|db| Self { db })
    }

    /// Where nothing was ever tried out there may be no database.
    pub(in crate::deployment) fn open_if_there(locations: &Locations) -> Result<Option<Self>> {
        Ok(StateDb::open_if_there(locations)?.map(|db| Self { db }))
    }

    /// The deployment that is under way.
    pub(in crate::deployment) fn active(&self) -> Result<Option<Kept>> {
        self.db.read(|connection| one(connection, "active = 1"))
    }

    /// The newest deployment.
    pub(in crate::deployment) fn newest(&self) -> Result<Option<Kept>> {
        self.db.read(newest)
    }

    /// Begins a deployment in the place of one that is under way.
    pub(in crate::deployment) fn begin(&mut self, deployment: &Deployment, with: With<'_>) -> Result<()> {
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
    pub(in crate::deployment) fn happen(
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
    pub(in crate::deployment) fn look(&mut self, with: With<'_>) -> Result<Option<Deployment>> {
        self.db.change(|transaction| consequence(transaction, with))
    }

    /// Notes a launch before it begins.
    pub(in crate::deployment) fn launch(&mut self, launch: &NewLaunch<'_>) -> Result<()> {
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
    pub(in crate::deployment) fn ready(&mut self, id: &str, seconds: f64) -> Result<()> {
        self.db.change(|transaction| {
            let query = "UPDATE launch SET seconds = ?2 WHERE id = ?1 AND seconds IS NULL";
            transaction.execute(query, params![id, seconds]).map(drop)
        })
    }

    /// Notes what a launch came to, once, and draws the consequence in the same transaction.
    pub(in crate::deployment) fn end(
        &mut self,
        id: &str,
        ended: Ended,
        with: With<'_>,
    ) -> Result<Option<Deployment>> {
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
    pub(in crate::deployment) fn conversations(
        &mut self,
        ids: &[String],
        launch: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.db.change(|transaction| {
            let mut put = transaction.prepare(
                "INSERT OR REPLACE INTO conversation (id, digest, at) SELECT ?1, digest, ?3 FROM launch WHERE id = ?2",
            )?;
            ids.iter().try_for_each(|id| put.execute(params![id, launch, time(now)]).map(drop))
        })
    }

    /// The digest of the image that a conversation was last had on.
    pub(in crate::deployment) fn conversation(&self, id: &str) -> Result<Option<String>> {
        self.db.read(|connection| {
            let query = "SELECT digest FROM conversation WHERE id = ?1";
            connection.query_row(query, [id], |row| row.get(0)).optional()
        })
    }

    /// What is stable by the newest promotion, and those before it, the newest first.
    pub(in crate::deployment) fn promoted(&self) -> Result<Vec<Promoted>> {
        self.db.read(|connection| {
            let mut query = connection.prepare("SELECT identity, asked FROM stable ORDER BY seq DESC")?;
            let rows = query.query_map([], |row| {
                Ok(Promoted { identity: parsed(&row.get::<_, String>(0)?)?, asked: row.get(1)? })
            })?;
            rows.collect()
        })
    }

    /// What is not tried again by itself.
    pub(in crate::deployment) fn denied(&self) -> Result<Vec<Denied>> {
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
    pub(in crate::deployment) fn forgive(&mut self, digest: &str) -> Result<()> {
        self.db.change(|transaction| {
            transaction.execute("DELETE FROM denied WHERE digest = ?1", [digest]).map(drop)
        })
    }

    /// Transitions, the newest first.
    pub(in crate::deployment) fn history(&self, most: u32) -> Result<Vec<Transition>> {
        self.db.read(|connection| transitions(connection, "1 ORDER BY seq DESC LIMIT ?1", most))
    }

    /// Transitions that nobody was told of yet, the oldest first.
    pub(in crate::deployment) fn untold(&self) -> Result<Vec<Transition>> {
        self.db.read(|connection| transitions(connection, "told = 0 ORDER BY seq LIMIT ?1", u32::MAX))
    }

    pub(in crate::deployment) fn told(&mut self, seq: i64) -> Result<()> {
        self.db.change(|transaction| {
            transaction.execute("UPDATE transition SET told = 1 WHERE seq = ?1", [seq]).map(drop)
        })
    }

    /// The newest deployment if it was taken back and the user has not said that they have seen it.
    pub(in crate::deployment) fn unseen(&self) -> Result<Option<Deployment>> {
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
    pub(in crate::deployment) fn see(&mut self) -> Result<()> {
        self.db.change(|transaction| {
            transaction.execute("UPDATE deployment SET seen = 1 WHERE active = 0", []).map(drop)
        })
    }

    /// Launches of a deployment, the newest first; of all without one.
    pub(in crate::deployment) fn launches(&self, deployment: Option<&DeploymentId>) -> Result<Vec<Launched>> {
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
    pub(in crate::deployment) fn standing(
        &self,
        deployment: &Deployment,
        policy: &Policy,
    ) -> Result<Standing> {
        self.db.read(|connection| standing(connection, deployment, policy))
    }
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
        State::RollingBack { trigger } | State::RolledBack { trigger } => trigger.to_string(),
        _ => String::new(),
    }
}
