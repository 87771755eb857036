//! `drydock.yaml`: what the repository says of itself.

use super::{
    node::{Entry, Fault, Kind, Node},
    place::{Below, Place},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happens to what somebody changed here that git says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum DriftPolicy {
    /// It is told, and stays.
    Report,
    /// What git says comes back.
    Revert,
    /// It becomes a commit.
    Adopt,
}

impl DriftPolicy {
    /// The words of the setting, in the order of the variants.
    pub const WORDS: &'static [&'static str] = &["report", "revert", "adopt"];

    /// The policy of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Report, Self::Revert, Self::Adopt]
            .into_iter()
            .zip(Self::WORDS)
            .find_map(|(policy, name)| (*name == word).then_some(policy))
    }

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Revert => "revert",
            Self::Adopt => "adopt",
        }
    }
}

/// Whether a repository may take back everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Emptying {
    Allowed,
    /// A repository that is empty by a slip takes nothing away.
    #[default]
    Refused,
}

/// What `drydock.yaml` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) emptying: Emptying,
    /// Of all that no policy is for.
    pub(super) drift: Option<DriftPolicy>,
    pub(super) policies: Vec<(Below, DriftPolicy)>,
    /// Git has no say in these, even if it says something.
    pub(super) ignore: Vec<Below>,
}

impl Root {
    pub(super) fn read(node: &Node, faults: &mut Vec<Fault>) -> Self {
        let mut root = Self::default();
        match node.get("version") {
            Some(version) if version.value.json() == 1 => {}
            Some(version) => faults.push(Fault::new(version.line, "this Drydock knows only `version: 1`")),
            None => faults.push(Fault::new(1, "`version: 1` is missing")),
        }
        for entry in node.entries() {
            let read = match entry.key.as_str() {
                "version" => Ok(()),
                "allow_empty" => match entry.value.kind {
                    Kind::Leaf(Value::Bool(allowed)) => {
                        root.emptying = if allowed { Emptying::Allowed } else { Emptying::Refused };
                        Ok(())
                    }
                    _ => Err(Fault::new(entry.line, "`allow_empty` is true or false")),
                },
                "drift" => policy(&entry.value).map(|policy| root.drift = Some(policy)),
                "policies" => root.read_policies(entry),
                "ignore" => root.read_ignored(entry),
                other => Err(Fault::new(
                    entry.line,
                    format!(
                        "there is no key `{other}`; there are version, allow_empty, drift, policies, ignore"
                    ),
                )),
            };
            faults.extend(read.err());
        }
        root
    }

    fn read_policies(&mut self, entry: &Entry) -> Result<(), Fault> {
        if !entry.value.is_object() {
            return Err(Fault::new(entry.line, "`policies` has places as its keys"));
        }
        for one in entry.value.entries() {
            let below = below(&one.key, one.line)?;
            self.policies.push((below, policy(&one.value)?));
        }
        Ok(())
    }

    fn read_ignored(&mut self, entry: &Entry) -> Result<(), Fault> {
        let Kind::List(items) = &entry.value.kind else {
            return Err(Fault::new(entry.line, "`ignore` is a list of places"));
        };
        for item in items {
            let text = item.text().ok_or_else(|| Fault::new(item.line, "a place is a text"))?;
            self.ignore.push(below(text, item.line)?);
        }
        Ok(())
    }

    /// What happens to drift at a place; the longest place that covers it counts.
    pub(super) fn policy(&self, place: &Place, otherwise: DriftPolicy) -> DriftPolicy {
        let covering = self.policies.iter().filter(|(below, _)| below.covers(place));
        let nearest = covering.max_by_key(|(below, _)| below.weight()).map(|(_, policy)| *policy);
        nearest.or(self.drift).unwrap_or(otherwise)
    }

    pub(super) fn ignores(&self, place: &Place) -> bool {
        self.ignore.iter().any(|below| below.covers(place))
    }
}

fn policy(node: &Node) -> Result<DriftPolicy, Fault> {
    node.text().and_then(DriftPolicy::from_word).ok_or_else(|| {
        Fault::new(node.line, format!("a policy is one of: {}", DriftPolicy::WORDS.join(", ")))
    })
}

fn below(text: &str, line: usize) -> Result<Below, Fault> {
    text.parse().map_err(|wrong: super::place::NoPlace| Fault::new(line, format!("`{text}`: {wrong}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::node::read_yaml;

    fn read(text: &str) -> (Root, Vec<Fault>) {
        let mut faults = Vec::new();
        let root = Root::read(&read_yaml(text.as_bytes()).unwrap(), &mut faults);
        (root, faults)
    }

    #[test]
    fn the_nearest_policy_counts() {
        let (root, faults) = read(
            "version: 1\ndrift: revert\npolicies:\n  claude/settings.json#/env: report\n  \
             claude/settings.json#/env/A: adopt\nignore: [claude/skills/]\n",
        );
        assert_eq!(faults, []);
        let policy = |text: &str| root.policy(&text.parse().unwrap(), DriftPolicy::Report);
        assert_eq!(policy("claude/settings.json#/env/A"), DriftPolicy::Adopt);
        assert_eq!(policy("claude/settings.json#/env/B"), DriftPolicy::Report);
        assert_eq!(policy("claude/settings.json#/model"), DriftPolicy::Revert);
        assert!(root.ignores(&"claude/skills/x/SKILL.md".parse().unwrap()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let (_, faults) = read("version: 2\nallow_empty: maybe\ndrift: undo\nignore:\n  - x\nother: 1\n");
        assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [1, 2, 3, 5, 6]);
        assert!(read("drift: report\n").1[0].what.contains("version"));
    }
}
