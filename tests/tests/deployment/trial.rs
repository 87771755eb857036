//! A person who tries out a version.

use drydock_tests::rig::{Done, Invocation, MISBEHAVE, Project, Registry, Rig};
use serde_json::Value;
use std::fs;

/// A person with a project, and a registry of their own.
pub(crate) struct Trial {
    pub(crate) rig: Rig,
    pub(crate) project: Project,
    registry: Registry,
}

impl Trial {
    /// Stages of so many launches, which no clock holds up.
    pub(crate) fn new(stages: &str, launches: &str) -> Self {
        let rig = Rig::new();
        let project = rig.project("proj");
        let trial = Self { rig, project, registry: Registry::start() };
        for (name, value) in [
            ("deployment.stages", stages),
            ("deployment.min_launches", launches),
            ("deployment.min_minutes", "0"),
            ("deployment.probes", "off"),
        ] {
            trial.set(name, value);
        }
        trial
    }

    pub(crate) fn set(&self, name: &str, value: &str) {
        self.rig.drydock().args(["settings", "set", name, value]).done().ok();
    }

    /// `drydock`, which finds the registry.
    pub(crate) fn drydock(&self, words: &[&str]) -> Invocation {
        self.rig.drydock().variable("NPM_CONFIG_REGISTRY", self.registry.address()).args(words)
    }

    /// `drydock deploy canary VERSION`.
    pub(crate) fn begin(&self, version: &str) -> Done {
        self.drydock(&["deploy", "canary", version]).done()
    }

    /// `drydock run`, whose Claude Code answers one prompt.
    pub(crate) fn ask(&self, words: &[&str]) -> Done {
        self.asking(words).done()
    }

    pub(crate) fn asking(&self, words: &[&str]) -> Invocation {
        self.rig.run(self.project.path()).args(words).claude(["-p", "hello"])
    }

    /// From now on the version that is tried out misbehaves in this project, if it is one of the registry's.
    pub(crate) fn misbehave(&self, how: &str) {
        fs::write(self.project.path().join(MISBEHAVE), how).unwrap();
    }

    pub(crate) fn status(&self) -> Value {
        self.drydock(&["deploy", "status", "--json"]).done().ok().json()
    }

    pub(crate) fn state(&self) -> String {
        self.status()["deployment"]["state"].as_str().unwrap_or("none").to_owned()
    }

    /// Why it was taken back.
    pub(crate) fn trigger(&self) -> Value {
        let status = self.status();
        assert_eq!(status["deployment"]["state"], "rolled-back", "{status}");
        status["deployment"]["trigger"]["trigger"].clone()
    }

    /// The launches so far, the newest first: version, why, outcome.
    pub(crate) fn launches(&self) -> Vec<(String, String, String)> {
        let listed = self.drydock(&["deploy", "history", "--launches", "--json"]).done().ok().json();
        let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let row = |one: &Value| (word(&one["side"]), word(&one["why"]), word(&one["outcome"]));
        listed.as_array().unwrap().iter().map(row).collect()
    }

    /// The states that deployments went through, the oldest first.
    pub(crate) fn states(&self) -> Vec<String> {
        let history = self.drydock(&["deploy", "history", "--json"]).done().ok().json();
        let states = history.as_array().unwrap().iter().rev();
        states.map(|one| one["after"].as_str().unwrap().to_owned()).collect()
    }

    /// The names of the events of deployments, the oldest first.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = fs::read_to_string(self.rig.home.path().join(".claude-docker-events.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let names = lines.map(|line| line["event"].as_str().unwrap().to_owned());
        names.filter(|name| name.starts_with("deployment.")).collect()
    }
}
