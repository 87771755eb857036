//! `drydock settings`.

use crate::{Context, arguments::SettingsCommand, render};
use drydock_engine::{error_handling::Result, settings::Source};
use serde::Serialize;
use std::process::ExitCode;

#[derive(Serialize)]
struct Row<'a> {
    key: &'a str,
    value: &'a str,
    source: &'a Source,
    about: &'a str,
}

pub(super) fn settings(context: &mut Context, wanted: SettingsCommand) -> Result<ExitCode> {
    match wanted {
        SettingsCommand::Get { key } => {
            let (value, _) = context.drydock.settings.get(&key)?;
            render::answer(context.format, &value, || format!("{value}\n"));
        }
        SettingsCommand::Set { key, value } => {
            context.drydock.settings.set(&key, &value)?;
            let (value, source) = context.drydock.settings.get(&key)?;
            render::answer(context.format, &value, || match source {
                Source::Environment(name) => {
                    format!("saved, but {name} is set and wins: {key} = {value}\n")
                }
                Source::Default | Source::File | Source::CommandLine => format!("{key} = {value}\n"),
            });
        }
        SettingsCommand::List => {
            let rows: Vec<_> = context
                .drydock
                .settings
                .all()
                .map(|(key, value, source)| Row { key: key.name, value, source, about: key.about })
                .collect();
            render::answer(context.format, &rows, || {
                let table = rows.iter().map(|row| {
                    vec![row.key.to_owned(), shown(row.value), note(row.source), row.about.to_owned()]
                });
                render::table(&["SETTING", "VALUE", "", "WHAT IT IS"], table)
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(value: &str) -> String {
    if value.is_empty() { "\"\"".into() } else { value.into() }
}

fn note(source: &Source) -> String {
    match source {
        Source::Default | Source::CommandLine => String::new(),
        Source::File => "set".into(),
        Source::Environment(name) => format!("by {name}"),
    }
}
