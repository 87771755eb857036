//! Somebody who uses Drydock and sops in one repository, with one key.

use drydock_tests::rig::{Done, Home, Invocation, Rig, SopsDone, sops};
use serde_json::{Map, Number, Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

pub(crate) struct Team {
    pub(crate) home: Home,
    folder: TempDir,
    pub(crate) recipient: String,
    /// The secret key.
    pub(crate) key: String,
}

impl Team {
    pub(crate) fn new() -> Self {
        let home = Home::new();
        let said =
            |arguments: &[&str]| Rig::drydock_at(&home).args(arguments).done().ok().stdout.trim().to_owned();
        let recipient = said(&["gitops", "key", "show-recipient"]);
        let key = said(&["gitops", "key", "export"]);
        Self { home, folder: TempDir::with_prefix("drydock-repository-").unwrap(), recipient, key }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn drydock(&self, arguments: &[&str]) -> Invocation {
        Rig::drydock_at(&self.home).in_folder(self.folder()).arg("gitops").args(arguments)
    }

    pub(crate) fn sops(&self, arguments: &[&str]) -> SopsDone {
        sops(self.folder(), &[("SOPS_AGE_KEY", &self.key)], arguments)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder().join(name)).unwrap()
    }

    /// Encrypts a file in its place by sops.
    pub(crate) fn encrypt_by_sops(&self, name: &str, more: &[&str]) {
        let arguments = ["encrypt", "--in-place", "--age", &self.recipient];
        self.sops(&[&arguments[..], more, &[name]].concat()).ok();
    }

    pub(crate) fn encrypt_by_drydock(&self, name: &str) -> Done {
        self.drydock(&["encrypt", name]).done()
    }

    /// What sops reads in a file.
    pub(crate) fn sops_reads(&self, name: &str) -> Value {
        let done = self.sops(&["decrypt", "--output-type", "json", name]).ok();
        numbers_by_value(serde_json::from_str(&done.stdout).unwrap())
    }

    /// What Drydock reads in it.
    pub(crate) fn drydock_reads(&self, name: &str) -> Value {
        numbers_by_value(self.drydock(&["decrypt", "--json", name]).done().ok().json())
    }
}

/// A number is the same however it is written.
fn numbers_by_value(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(as_float(&number).to_string()),
        Value::Array(items) => items.into_iter().map(numbers_by_value).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| (key, numbers_by_value(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn as_float(number: &Number) -> f64 {
    number.to_string().parse().unwrap()
}
