//! What stands in the database's rows, read and written.

use super::{Kept, Transition};
use crate::deployment::DeploymentId;
use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, OptionalExtension, types::Type};
use serde::{Serialize, de::DeserializeOwned};

pub(super) fn one(connection: &Connection, wanted: &str) -> rusqlite::Result<Option<Kept>> {
    connection.query_row(&format!("SELECT body, version FROM deployment WHERE {wanted}"), [], kept).optional()
}

pub(super) fn newest(connection: &Connection) -> rusqlite::Result<Option<Kept>> {
    one(connection, "1 ORDER BY active DESC, began DESC, id DESC LIMIT 1")
}

pub(super) fn by_id(connection: &Connection, id: &DeploymentId) -> rusqlite::Result<Option<Kept>> {
    connection.query_row("SELECT body, version FROM deployment WHERE id = ?1", [id.as_str()], kept).optional()
}

pub(super) fn kept(row: &rusqlite::Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept { deployment: parsed(&row.get::<_, String>(0)?)?, version: row.get(1)? })
}

pub(super) fn transitions(
    connection: &Connection,
    wanted: &str,
    most: u32,
) -> rusqlite::Result<Vec<Transition>> {
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
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

pub(super) fn instant(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    let text: String = row.get(column)?;
    DateTime::parse_from_rfc3339(&text)
        .map(DateTime::from)
        .map_err(|cause| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(cause)))
}

pub(super) fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|cause| rusqlite::Error::ToSqlConversionFailure(Box::new(cause)))
}

pub(super) fn parsed<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|cause| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(cause)))
}

pub(super) fn word<T>(text: &str, known: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
    known(text).ok_or_else(|| {
        let cause = format!("`{text}` is no word of this Drydock's");
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, cause.into())
    })
}
