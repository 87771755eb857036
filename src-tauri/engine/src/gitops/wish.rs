//! What is wanted of a look at the repository.

use super::{audit::Actor, place::Below};

/// What is wanted of a look.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Who wants it.
    pub actor: Actor,
    /// Which commit is to be in force.
    pub target: Target,
    /// Whether what speaks against a commit is passed over: a rewritten history, a failure before.
    pub force: Force,
    /// Where git's value comes back over what somebody changed here, whatever the policies say.
    pub revert: Vec<Below>,
}

/// Which commit is to be in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The newest of the branch.
    Newest,
    /// This one, as it was typed; and nothing newer until the user says so.
    Commit(String),
}

/// Whether what speaks against a commit is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl Wish {
    /// What the loop wants.
    #[must_use]
    pub fn of_loop() -> Self {
        Self { actor: Actor::Loop, target: Target::Newest, force: Force::No, revert: Vec::new() }
    }

    /// What a user wants who says no more.
    #[must_use]
    pub fn of_user() -> Self {
        Self { actor: Actor::User, ..Self::of_loop() }
    }
}
