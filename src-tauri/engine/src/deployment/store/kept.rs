//! What the database keeps, as values.

use crate::deployment::{Decision, Deployment, Identity, Outcome, Policy, Side, Why};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// A deployment, and how often it was changed.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::deployment) struct Kept {
    pub(in crate::deployment) deployment: Deployment,
    pub(in crate::deployment) version: i64,
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
pub(in crate::deployment) struct NewLaunch<'a> {
    pub(in crate::deployment) id: &'a str,
    pub(in crate::deployment) image: &'a Identity,
    pub(in crate::deployment) decision: &'a Decision,
    pub(in crate::deployment) at: DateTime<Utc>,
}

/// What a launch came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::deployment) struct Ended {
    pub(in crate::deployment) outcome: Outcome,
    /// From the request until it was ready.
    pub(in crate::deployment) seconds: Option<f64>,
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
pub(in crate::deployment) struct Promoted {
    pub(in crate::deployment) identity: Identity,
    /// `image.claude_version` at the time: once it is another one, the user has chosen for themselves.
    pub(in crate::deployment) asked: String,
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
pub(in crate::deployment) struct With<'a> {
    pub(in crate::deployment) policy: &'a Policy,
    /// `image.claude_version` as it is now.
    pub(in crate::deployment) asked: &'a str,
    pub(in crate::deployment) now: DateTime<Utc>,
}
