//! `settings.toml`: reading, checking, changing one key at a time.

use super::keys::{
    AutomaticRecovery, HistoryScope, KEYS, Key, LoginMode, MemoryLimit, PathMode, SyncLimits, size,
};
use crate::error_handling::{Code, Error, Result};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};
use toml_edit::{DocumentMut, Item, Table, Value};

/// Where a setting's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The settings file.
    File,
    /// An environment variable of this name.
    Environment(String),
    /// An option of the command that runs.
    CommandLine,
}

/// The settings in force.
#[derive(Debug, Clone)]
pub struct Settings {
    file: PathBuf,
    values: BTreeMap<&'static str, (String, Source)>,
}

impl Settings {
    /// Reads the file (none is fine) and the environment, and checks every value.
    ///
    /// # Errors
    /// [`Code::SettingsFile`], [`Code::SettingsUnknownKey`] or [`Code::SettingsValue`], with the line.
    pub fn load(file: &Path) -> Result<Self> {
        Self::load_with(file, |name| env::var(name).ok())
    }

    fn load_with(file: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut values: BTreeMap<_, _> =
            KEYS.iter().map(|key| (key.name, (key.default.to_owned(), Source::Default))).collect();
        for (name, value, line) in written(file)? {
            let place = format!("{}, line {line}", file.display());
            let key = key_named(&name).map_err(|error| error.why(&place))?;
            values.insert(key.name, (checked(key, &value).map_err(|error| error.why(&place))?, Source::File));
        }
        for key in KEYS {
            let name = variable_name(key);
            if let Some(value) = variable(&name) {
                let value = checked(key, &value)
                    .map_err(|error| error.why(format!("the environment variable {name}")))?;
                values.insert(key.name, (value, Source::Environment(name)));
            }
        }
        Ok(Self { file: file.to_path_buf(), values })
    }

    /// One setting's value in its written form, and where it comes from.
    ///
    /// # Errors
    /// [`Code::SettingsUnknownKey`], naming the nearest key.
    pub fn get(&self, name: &str) -> Result<(&str, &Source)> {
        let key = key_named(name)?;
        let (value, source) = &self.values[key.name];
        Ok((value, source))
    }

    /// All settings, in the order of the table.
    pub fn all(&self) -> impl Iterator<Item = (&'static Key, &str, &Source)> {
        KEYS.iter().map(|key| {
            let (value, source) = &self.values[key.name];
            (key, value.as_str(), source)
        })
    }

    /// Changes one key in the file, keeping comments and order, and reads the result.
    ///
    /// # Errors
    /// As [`Settings::load`]; the file is then as it was.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let key = key_named(name)?;
        let value = checked(key, value)?;
        let mut document = document(&self.file)?;
        let mut table: &mut Table = document.as_table_mut();
        let mut parts: Vec<_> = key.name.split('.').collect();
        let leaf = parts.pop().unwrap_or(key.name);
        for part in parts {
            let item = table.entry(part).or_insert_with(|| Item::Table(Table::new()));
            table = item.as_table_mut().ok_or_else(|| {
                Error::new(Code::SettingsFile, format!("`{part}` is not a table"))
                    .why(self.file.display())
                    .remedy(format!("write it as a [{part}] section in {}", self.file.display()))
            })?;
        }
        table.insert(leaf, Item::Value(written_value(key, &value)));
        crate::paths::write_private(&self.file, document.to_string().as_bytes())?;
        *self = Self::load(&self.file)?;
        Ok(())
    }

    /// Changes one key for this process alone.
    ///
    /// # Errors
    /// [`Code::SettingsUnknownKey`] or [`Code::SettingsValue`].
    pub fn use_for_now(&mut self, name: &str, value: &str) -> Result<()> {
        let key = key_named(name)?;
        let value = checked(key, value)?;
        self.values.insert(key.name, (value, Source::CommandLine));
        Ok(())
    }

    pub(super) fn text(&self, name: &'static str) -> &str {
        &self.values[name].0
    }

    /// `container.engine`.
    #[must_use]
    pub fn container_engine(&self) -> &str {
        self.text("container.engine")
    }

    /// `container.memory`.
    #[must_use]
    pub fn memory(&self) -> MemoryLimit {
        MemoryLimit::parse(self.text("container.memory")).unwrap_or(MemoryLimit::Auto)
    }

    /// `container.cpus`; `None` is no limit.
    #[must_use]
    pub fn cpus(&self) -> Option<f64> {
        self.text("container.cpus").parse().ok()
    }

    /// `container.pids`.
    #[must_use]
    pub fn pids(&self) -> i64 {
        self.text("container.pids").parse().unwrap_or(4096)
    }

    /// `image.base`.
    #[must_use]
    pub fn image_base(&self) -> &str {
        self.text("image.base")
    }

    /// `image.claude_version`.
    #[must_use]
    pub fn claude_version(&self) -> &str {
        self.text("image.claude_version")
    }

    /// `image.packages`.
    #[must_use]
    pub fn packages(&self) -> Vec<String> {
        self.text("image.packages").split_whitespace().map(str::to_owned).collect()
    }

    /// `login.mode`.
    #[must_use]
    pub fn login_mode(&self) -> LoginMode {
        LoginMode::from_word(self.text("login.mode")).unwrap_or(LoginMode::Ask)
    }

    /// `recovery.automatic`.
    #[must_use]
    pub fn automatic_recovery(&self) -> AutomaticRecovery {
        AutomaticRecovery::from_word(self.text("recovery.automatic")).unwrap_or(AutomaticRecovery::Ask)
    }

    /// `session.history`.
    #[must_use]
    pub fn history(&self) -> HistoryScope {
        HistoryScope::from_word(self.text("session.history")).unwrap_or(HistoryScope::Project)
    }

    /// `session.paths`.
    #[must_use]
    pub fn path_mode(&self) -> PathMode {
        if self.text("session.paths") == "mapped" { PathMode::Mapped } else { PathMode::Same }
    }

    /// `session.localhost`.
    #[must_use]
    pub(crate) fn reaches_localhost(&self) -> bool {
        self.text("session.localhost") == "reach"
    }

    /// `sync.interval_seconds`.
    #[must_use]
    pub fn sync_interval(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.text("sync.interval_seconds").parse().unwrap_or(30))
    }

    /// `sync.exclude`.
    #[must_use]
    pub fn excluded(&self) -> Vec<String> {
        self.text("sync.exclude").split_whitespace().map(str::to_owned).collect()
    }

    /// `sync.max_file_size`, `sync.max_total_size` and `sync.max_files`.
    #[must_use]
    pub fn sync_limits(&self) -> SyncLimits {
        let bytes = |name| size(self.text(name)).unwrap_or(u64::MAX);
        SyncLimits {
            file: bytes("sync.max_file_size"),
            total: bytes("sync.max_total_size"),
            files: self.text("sync.max_files").parse().unwrap_or(u64::MAX),
        }
    }

    /// `sync.lock_timeout_seconds`.
    #[must_use]
    pub fn lock_timeout(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.text("sync.lock_timeout_seconds").parse().unwrap_or(30))
    }

    /// `backup.local.path`, with a leading `~` as the given home.
    #[must_use]
    pub fn backups_dir(&self, home: &Path) -> PathBuf {
        let text = self.text("backup.local.path");
        match text.strip_prefix("~/") {
            Some(rest) => home.join(rest),
            None => home.join(text),
        }
    }

    /// `backup.external.path`, with a leading `~` as the given home; `None` is no external copy.
    #[must_use]
    pub fn external_copy(&self, home: &Path) -> Option<PathBuf> {
        match self.text("backup.external.path") {
            "" => None,
            text => Some(text.strip_prefix("~/").map_or_else(|| home.join(text), |rest| home.join(rest))),
        }
    }

    /// `backup.cloud.remote`, as rclone takes it; `None` is no cloud copy.
    #[must_use]
    pub fn cloud_copy(&self) -> Option<String> {
        super::keys::remote(self.text("backup.cloud.remote"))
    }

    /// `backup.interval_minutes`.
    #[must_use]
    pub fn backup_interval(&self) -> chrono::TimeDelta {
        chrono::TimeDelta::minutes(self.text("backup.interval_minutes").parse().unwrap_or(60))
    }

    /// `backup.retention_days` and `backup.hourly_hours`: days, then hours.
    #[must_use]
    pub fn retention(&self) -> (u32, u32) {
        let number = |name, otherwise| self.text(name).parse().unwrap_or(otherwise);
        (number("backup.retention_days", 30), number("backup.hourly_hours", 48))
    }

    /// `backup.archive_size`, in bytes.
    #[must_use]
    pub fn archive_size(&self) -> u64 {
        size(self.text("backup.archive_size")).unwrap_or(10 << 30)
    }

    /// `backup.quarantine_days`.
    #[must_use]
    pub fn quarantine(&self) -> chrono::TimeDelta {
        chrono::TimeDelta::days(self.text("backup.quarantine_days").parse().unwrap_or(7))
    }
}

/// The environment variable that overrides a key: `image.base` → `DRYDOCK_IMAGE_BASE`.
fn variable_name(key: &Key) -> String {
    format!("DRYDOCK_{}", key.name.replace('.', "_").to_uppercase())
}

fn key_named(name: &str) -> Result<&'static Key> {
    KEYS.iter().find(|key| key.name == name).ok_or_else(|| {
        let error = Error::new(Code::SettingsUnknownKey, format!("there is no setting `{name}`"));
        match nearest(name) {
            Some(key) => error.remedy(format!("did you mean `{key}`? `drydock settings list` shows all")),
            None => error.remedy("drydock settings list"),
        }
    })
}

fn nearest(name: &str) -> Option<&'static str> {
    let (distance, key) = KEYS.iter().map(|key| (edit_distance(name, key.name), key.name)).min()?;
    (distance <= name.len().max(3) / 2).then_some(key)
}

/// Levenshtein's distance by bytes; keys are ASCII and short.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

fn checked(key: &Key, value: &str) -> Result<String> {
    match key.kind.fault(value) {
        None => Ok(value.to_owned()),
        Some(fault) => {
            Err(Error::new(Code::SettingsValue, format!("`{}` cannot be \"{value}\": {fault}", key.name))
                .remedy(format!("drydock settings set {} {}", key.name, shown_default(key))))
        }
    }
}

fn shown_default(key: &Key) -> String {
    if key.default.is_empty() { "''".into() } else { key.default.into() }
}

fn written_value(key: &Key, value: &str) -> Value {
    match (key.kind, value.parse::<i64>()) {
        (super::keys::Kind::Integer(..), Ok(number)) => number.into(),
        _ => value.into(),
    }
}

fn document(file: &Path) -> Result<DocumentMut> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(cause) => return Err(Error::io("read", file, &cause)),
    };
    text.parse().map_err(|cause: toml_edit::TomlError| {
        Error::new(Code::SettingsFile, format!("the settings file {} is not valid TOML", file.display()))
            .why(cause.to_string().trim())
            .remedy(format!("mend that line in {}", file.display()))
    })
}

/// Every `(dotted key, value as text, line)` that stands in the file.
fn written(file: &Path) -> Result<Vec<(String, String, usize)>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(Error::io("read", file, &cause)),
    };
    document(file)?;
    let parsed = toml_edit::Document::parse(text.as_str()).map_err(|cause| {
        Error::new(Code::SettingsFile, format!("the settings file {} is not valid TOML", file.display()))
            .why(cause)
    })?;
    let mut found = Vec::new();
    collect(parsed.as_table(), "", &text, &mut found);
    Ok(found)
}

fn collect(
    table: &dyn toml_edit::TableLike,
    prefix: &str,
    text: &str,
    found: &mut Vec<(String, String, usize)>,
) {
    for (name, item) in table.iter() {
        let dotted = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        if let Some(inner) = item.as_table_like() {
            collect(inner, &dotted, text, found);
            continue;
        }
        let line = item.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        let value = match item.as_value() {
            Some(Value::String(string)) => string.value().clone(),
            Some(value) => value.to_string().trim().to_owned(),
            None => String::new(),
        };
        found.push((dotted, value, line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("settings.toml");
        fs::write(&file, text).unwrap();
        Settings::load_with(&file, |_| None)
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest() {
        let error = load("[image]\nbase = \"x\"\n\n[image2]\nbse = 1\n").unwrap_err();
        assert_eq!(error.code(), Code::SettingsUnknownKey);
        assert!(error.causes()[0].ends_with("line 5"), "{error}");
        let error = load("[container]\nmemry = \"8g\"\n").unwrap_err();
        assert!(error.remedies()[0].contains("container.memory"), "{error:?}");
    }

    #[test]
    fn a_wrong_value_says_what_is_right() {
        let error = load("[login]\nmode = \"magic\"\n").unwrap_err();
        assert_eq!(error.code(), Code::SettingsValue);
        assert!(error.message().contains("own, setup-token, lease"), "{error}");
    }

    #[test]
    fn the_environment_wins_and_is_checked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("settings.toml");
        let value = |name: &str| (name == "DRYDOCK_IMAGE_BASE").then(|| "local:1".to_owned());
        let settings = Settings::load_with(&file, value).unwrap();
        assert_eq!(settings.image_base(), "local:1");
        let wrong = |name: &str| (name == "DRYDOCK_CONTAINER_PIDS").then(|| "many".to_owned());
        assert_eq!(Settings::load_with(&file, wrong).unwrap_err().code(), Code::SettingsValue);
    }

    #[test]
    fn setting_a_key_keeps_comments() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("settings.toml");
        fs::write(&file, "# mine\n[image]\nbase = \"a:1\" # why\n").unwrap();
        let mut settings = Settings::load_with(&file, |_| None).unwrap();
        settings.set("container.pids", "512").unwrap();
        settings.set("backup.local.path", "/elsewhere").unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("# mine") && text.contains("# why") && text.contains("pids = 512"), "{text}");
        assert_eq!(Settings::load_with(&file, |_| None).unwrap().pids(), 512);
    }

    #[test]
    fn broken_toml_is_an_error_with_a_place() {
        let error = load("[image\n").unwrap_err();
        assert_eq!(error.code(), Code::SettingsFile);
        assert!(error.causes()[0].contains("line 1"), "{error}");
    }
}
