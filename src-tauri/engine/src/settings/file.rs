//! `settings.toml`: reading, checking, changing one key at a time.

use super::{
    Kind,
    keys::{KEYS, Key},
    rules::{self, RULE_FIELDS, WrittenField, WrittenRule},
};
use crate::{
    error_handling::{Code, Error, Result},
    observability::redacted,
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};
use toml_edit::{DocumentMut, Item, Table, Value};

/// Where a setting's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "SettingSource"))]
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
    pub(super) rules: BTreeMap<String, WrittenRule>,
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
        let mut rules: BTreeMap<String, WrittenRule> = BTreeMap::new();
        for (name, value, line) in written(file)? {
            let place = format!("{}, line {line}", file.display());
            if name.starts_with(rules::PREFIX) {
                let (rule, field) = rule_field(&name).map_err(|error| error.why(&place))?;
                let value = checked(field, &value, &name).map_err(|error| error.why(&place))?;
                rules.entry(rule.to_owned()).or_default().insert(field.name, WrittenField { value, place });
                continue;
            }
            let key = key_named(&name).map_err(|error| error.why(&place))?;
            values.insert(
                key.name,
                (checked(key, &value, key.name).map_err(|error| error.why(&place))?, Source::File),
            );
        }
        for key in KEYS {
            let name = variable_name(key);
            if let Some(value) = variable(&name) {
                let value = checked(key, &value, key.name)
                    .map_err(|error| error.why(format!("the environment variable {name}")))?;
                values.insert(key.name, (value, Source::Environment(name)));
            }
        }
        Ok(Self { file: file.to_path_buf(), values, rules })
    }

    /// One setting's value in its written form, and where it comes from.
    ///
    /// # Errors
    /// [`Code::SettingsUnknownKey`], naming the nearest key.
    pub fn get(&self, name: &str) -> Result<(&str, &Source)> {
        if name.starts_with(rules::PREFIX) {
            let (rule, field) = rule_field(name)?;
            let written = self.rules.get(rule).and_then(|fields| fields.get(field.name));
            return Ok(
                written.map_or((field.default, &Source::Default), |written| (&written.value, &Source::File))
            );
        }
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
        let key = named(name)?;
        let value = checked(key, value, name)?;
        let mut document = document(&self.file)?;
        put(&mut document, &self.file, name, written_value(key, &value))?;
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
        let value = checked(key, value, key.name)?;
        self.values.insert(key.name, (value, Source::CommandLine));
        Ok(())
    }

    pub(super) fn text(&self, name: &'static str) -> &str {
        &self.values[name].0
    }
}

/// Whether a setting can have this value.
///
/// # Errors
/// [`Code::SettingsUnknownKey`] or [`Code::SettingsValue`].
pub(crate) fn check_setting(name: &str, value: &str) -> Result<()> {
    checked(named(name)?, value, name).map(drop)
}

/// What stands in the text of a settings file, by its dotted name.
///
/// # Errors
/// [`Code::SettingsFile`].
pub(crate) fn settings_in(file: &Path, text: &str) -> Result<BTreeMap<String, String>> {
    let found = written_in(file, text)?;
    Ok(found.into_iter().map(|(name, value, _)| (name, value)).collect())
}

/// The text of a settings file with these settings; without those that are `None`. Comments and order stay.
///
/// # Errors
/// As [`check_setting`] and [`settings_in`].
pub(crate) fn settings_with(file: &Path, text: &str, changes: &[(String, Option<String>)]) -> Result<String> {
    let mut document = parsed(file, text)?;
    for (name, value) in changes {
        match value {
            Some(value) => {
                let key = named(name)?;
                let value = checked(key, value, name)?;
                put(&mut document, file, name, written_value(key, &value))?;
            }
            None => take(&mut document, name),
        }
    }
    Ok(document.to_string())
}

fn named(name: &str) -> Result<&'static Key> {
    if name.starts_with(rules::PREFIX) { rule_field(name).map(|(_, key)| key) } else { key_named(name) }
}

/// Sets one key of a document.
fn put(document: &mut DocumentMut, file: &Path, name: &str, value: Value) -> Result<()> {
    let mut table: &mut Table = document.as_table_mut();
    let mut parts: Vec<_> = name.split('.').collect();
    let leaf = parts.pop().unwrap_or(name);
    for part in parts {
        let item = table.entry(part).or_insert_with(|| Item::Table(Table::new()));
        table = item.as_table_mut().ok_or_else(|| {
            Error::new(Code::SettingsFile, format!("`{part}` is not a table"))
                .why(file.display())
                .remedy(format!("write it as a [{part}] section in {}", file.display()))
        })?;
    }
    table.insert(leaf, Item::Value(value));
    Ok(())
}

/// Removes one key of a document; one that is not there is no fault.
fn take(document: &mut DocumentMut, name: &str) {
    let mut parts: Vec<_> = name.split('.').collect();
    let Some(leaf) = parts.pop() else { return };
    let mut table: &mut dyn toml_edit::TableLike = document.as_table_mut();
    for part in parts {
        match table.get_mut(part).and_then(Item::as_table_like_mut) {
            Some(inner) => table = inner,
            None => return,
        }
    }
    table.remove(leaf);
}

/// The rule and the field that a name is about.
fn rule_field(name: &str) -> Result<(&str, &'static Key)> {
    let refused = |what: String| Error::new(Code::SettingsUnknownKey, what);
    let (rule, field) = rules::parts(name).ok_or_else(|| {
        refused(format!("`{name}` is no field of a rule"))
            .why("a rule's name is of small letters, digits and hyphens")
            .remedy(format!("drydock settings set {}my-rule.above 5", rules::PREFIX))
    })?;
    RULE_FIELDS.iter().find(|known| known.name == field).map(|key| (rule, key)).ok_or_else(|| {
        let error = refused(format!("a rule has no field `{field}`"));
        let names = || RULE_FIELDS.iter().map(|known| known.name);
        match nearest_of(field, names()) {
            Some(near) => error.remedy(format!("did you mean `{}{rule}.{near}`?", rules::PREFIX)),
            None => error.remedy(format!("its fields are: {}", names().collect::<Vec<_>>().join(", "))),
        }
    })
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
    nearest_of(name, KEYS.iter().map(|key| key.name))
}

/// The word that is nearest to another, if any is near.
fn nearest_of(name: &str, words: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let (distance, word) = words.map(|word| (edit_distance(name, word), word)).min()?;
    (distance <= name.len().max(3) / 2).then_some(word)
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

fn checked(key: &Key, value: &str, name: &str) -> Result<String> {
    let Some(fault) = key.kind.fault(value) else { return Ok(value.to_owned()) };
    // A secret can stand where it does not belong: a key's other half, a token in an address.
    let shown = redacted(value, "");
    let error = Error::new(Code::SettingsValue, format!("`{name}` cannot be \"{shown}\": {fault}"));
    Err(match nearest_of(value, key.kind.words().into_iter()) {
        Some(near) if !value.is_empty() => error.remedy(format!("drydock settings set {name} {near}")),
        _ => error.remedy(format!("drydock settings set {name} {}", shown_default(key))),
    })
}

fn shown_default(key: &Key) -> String {
    if key.default.is_empty() { "''".into() } else { key.default.into() }
}

fn written_value(key: &Key, value: &str) -> Value {
    match (key.kind, value.parse::<i64>()) {
        (Kind::Integer(..) | Kind::Number, Ok(number)) => number.into(),
        (Kind::Number, Err(_)) => value.parse::<f64>().map_or_else(|_| value.into(), Into::into),
        _ => value.into(),
    }
}

fn document(file: &Path) -> Result<DocumentMut> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(cause) => return Err(Error::io("read", file, &cause)),
    };
    parsed(file, &text)
}

fn parsed(file: &Path, text: &str) -> Result<DocumentMut> {
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
    written_in(file, &text)
}

fn written_in(file: &Path, text: &str) -> Result<Vec<(String, String, usize)>> {
    parsed(file, text)?;
    let parsed = toml_edit::Document::parse(text).map_err(|cause| {
        Error::new(Code::SettingsFile, format!("the settings file {} is not valid TOML", file.display()))
            .why(cause)
    })?;
    let mut found = Vec::new();
    collect(parsed.as_table(), "", text, &mut found);
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
    fn a_wrong_rule_is_refused_with_its_place_and_the_nearest_word() {
        let error = load("[alerts.rules.mine]\nmetric = \"sync.failures\"\nabov = 3\n").unwrap_err();
        assert_eq!(error.code(), Code::SettingsUnknownKey);
        assert!(error.causes()[0].ends_with("line 3"), "{error:?}");
        assert!(error.remedies()[0].contains("alerts.rules.mine.above"), "{error:?}");
        let error = load("[alerts.rules.mine]\nmetric = \"sync.failure\"\n").unwrap_err();
        assert!(error.remedies()[0].ends_with("metric sync.failures"), "{error:?}");
        assert!(error.causes()[0].ends_with("line 2"), "{error:?}");
        for wrong in ["mine.for = \"soon\"", "mine.above = true", "Mine.above = 1", "above = 1"] {
            assert!(load(&format!("[alerts.rules]\n{wrong}\n")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_field_of_a_rule_is_set_and_read_like_any_other() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("settings.toml");
        let mut settings = Settings::load_with(&file, |_| None).unwrap();
        settings.set("alerts.rules.disk.above", "0.9").unwrap();
        settings.set("alerts.rules.disk.for", "5m").unwrap();
        assert_eq!(settings.get("alerts.rules.disk.above").unwrap(), ("0.9", &Source::File));
        assert_eq!(settings.get("alerts.rules.disk.keep").unwrap(), ("0m", &Source::Default));
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("[alerts.rules.disk]") && text.contains("above = 0.9"), "{text}");
        assert!(settings.set("alerts.rules.disk.severity", "hihg").is_err());
    }

    #[test]
    fn broken_toml_is_an_error_with_a_place() {
        let error = load("[image\n").unwrap_err();
        assert_eq!(error.code(), Code::SettingsFile);
        assert!(error.causes()[0].contains("line 1"), "{error}");
    }
}
