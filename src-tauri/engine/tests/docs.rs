//! The reference pages are made from the engine's own tables, and are checked to be current.
//!
//! `DRYDOCK_WRITE_DOCS=1 cargo test -p drydock-engine --test docs` writes them anew.

use drydock_engine::{
    alerting::{Measure, Quantity, Side, default_rules},
    claude_home::{CLASSES, Class, Inward, Outward},
    error_handling::Code,
    observability::{EventName, Kind, MetricName},
    settings::{KEYS, RULE_FIELDS},
};
use std::{env, fmt::Write, fs, path::Path};

fn check(page: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    if env::var_os("DRYDOCK_WRITE_DOCS").is_some() {
        assert!(fs::write(&file, text).is_ok(), "docs/{page} cannot be written");
    }
    let current = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        current == text,
        "docs/{page} is not what the tables say; write it anew: \
         DRYDOCK_WRITE_DOCS=1 cargo test -p drydock-engine --test docs"
    );
}

#[test]
fn errors() {
    let mut text = "# Error codes\n\nEvery error has a code that never changes. With `--json` it stands in `error.code`.\n\n\
                    | code | exit | meaning |\n| --- | --- | --- |\n"
        .to_owned();
    for code in Code::ALL {
        writeln!(text, "| `{code}` | {} | {} |", code.outcome().exit_code(), code.meaning()).unwrap();
    }
    text.push_str(
        "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 not possible here, 4 needs you. `drydock run` hands Claude Code's own through.\n",
    );
    check("errors.md", &text);
}

#[test]
fn settings() {
    let mut text = "# Settings\n\n`drydock settings list` shows them with their values; `drydock settings set NAME VALUE` changes one.\n\
                    A variable `DRYDOCK_<NAME>` wins over the file: `DRYDOCK_IMAGE_BASE` over `image.base`.\n\n\
                    | setting | default | what it is |\n| --- | --- | --- |\n"
        .to_owned();
    for key in KEYS {
        let default = if key.default.is_empty() { "(empty)" } else { key.default };
        writeln!(text, "| `{}` | `{default}` | {} |", key.name, key.about).unwrap();
    }
    text.push_str(
        "\n## Rules for alerts\n\n`alerts.rules.NAME.FIELD` changes a rule that Drydock brings along, or makes one of your own; \
         see [alerts.md](alerts.md).\n\n| field | default of a rule of your own | what it is |\n| --- | --- | --- |\n",
    );
    for field in RULE_FIELDS {
        let default = if field.default.is_empty() { "(none)" } else { field.default };
        writeln!(text, "| `{}` | `{default}` | {} |", field.name, field.about).unwrap();
    }
    check("settings.md", &text);
}

#[test]
fn alert_rules() {
    let mut text = "# Rules for alerts\n\nThe rules that Drydock brings along. What is said when, and how to change them, is in [alerts.md](alerts.md).\n\n\
                    | rule | what is said | looks at | fires | lasts | over at | after sleep | what to do |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for rule in default_rules() {
        let side = match rule.side {
            Side::Above => "above",
            Side::Below => "below",
        };
        let figure = |value: f64| match rule.measure {
            Measure::Standing(Quantity::BackupAge | Quantity::CopyAge) if value >= 172_800.0 => {
                format!("{} d", value / 86_400.0)
            }
            Measure::Standing(Quantity::BackupAge | Quantity::CopyAge) => format!("{} h", value / 3600.0),
            Measure::Standing(Quantity::ErrorRate | Quantity::DiskUsed) => format!("{} %", value * 100.0),
            _ => value.to_string(),
        };
        let levels: Vec<_> = rule
            .levels
            .iter()
            .map(|level| format!("{side} {}: **{}**", figure(level.threshold), level.severity))
            .collect();
        let minutes = |time: chrono::TimeDelta| match time.num_minutes() {
            0 => "–".to_owned(),
            minutes => format!("{minutes} min"),
        };
        let over = figure(rule.levels[0].threshold * rule.ease);
        let over = match minutes(rule.keep.time()).as_str() {
            "–" => over,
            keep => format!("{over} for {keep}"),
        };
        writeln!(
            text,
            "| `{}` | {} | `{}` | {} | {} | {over} | {} | {} |",
            rule.id,
            rule.title,
            rule.measure,
            levels.join("<br>"),
            minutes(rule.hold.time()),
            minutes(rule.grace.time()),
            rule.remedy.map_or_else(String::new, |remedy| format!("`{remedy}`")),
        )
        .unwrap();
    }
    text.push_str("\n## What a rule can look at\n\nBeside every [metric](events.md), of which the total, the p95 or the greatest value counts:\n\n| name | what it is |\n| --- | --- |\n");
    for quantity in Quantity::ALL {
        writeln!(text, "| `{}` | {} |", quantity.word(), quantity.meaning()).unwrap();
    }
    check("alert-rules.md", &text);
}

#[test]
fn events_and_metrics() {
    let mut text = "# Events and metrics\n\nWhat the files hold and how their lines look is in [observability.md](observability.md). These names never change; new ones are only added.\n\n\
                    | event | meaning |\n| --- | --- |\n"
        .to_owned();
    for name in EventName::ALL {
        writeln!(text, "| `{name}` | {} |", name.meaning()).unwrap();
    }
    text.push_str("\n| metric | unit | kind | meaning |\n| --- | --- | --- | --- |\n");
    for name in MetricName::ALL {
        let kind = match name.kind() {
            Kind::Counter => "counter",
            Kind::Sample => "sample",
        };
        writeln!(text, "| `{}` | {} | {kind} | {} |", name.as_str(), name.unit(), name.meaning()).unwrap();
    }
    text.push_str("\nUnits are those of UCUM: `s` seconds, `By` bytes, `1` things.\n");
    check("events.md", &text);
}

#[test]
fn claude_home() {
    let mut text = "# Claude Code's files\n\nWhat each file below `~/.claude` is, and what sync does with it. The first line that matches counts; a trailing\n\
                    `/` is a folder with all in it, `*` any text within a name, `**/` any folder. `.claude.json` stands for `~/.claude.json`, which is\n\
                    beside the folder: a session gets the host's preferences and servers and its own project's entry. What waits is shown by\n\
                    `drydock held list`; deletions never travel.\n\n\
                    | name | what it is | goes in | comes out |\n| --- | --- | --- | --- |\n"
        .to_owned();
    let mut row = |pattern: &str, class: Class| {
        let inward = match class.inward() {
            Inward::Always => "always",
            Inward::WithConversation => "with the session's conversations",
            Inward::Adapted => "in a form made for the session",
            Inward::Never => "never",
        };
        let outward = match class.outward() {
            Outward::Append => "what was added; as a fork where both sides grew",
            Outward::AddLines => "lines that the host does not have",
            Outward::ThreeWay => "if the host's did not change, else it waits for you",
            Outward::Merge => "key by key; servers, hooks and permissions wait for you",
            Outward::Hold => "waits for you",
            Outward::Never => "never",
        };
        let what = match class {
            Class::State => "preferences, servers, projects",
            Class::Settings => "settings",
            Class::Authored => "what you wrote",
            Class::PluginRegistry => "registry of plugins",
            Class::PluginFiles => "files of plugins",
            Class::PluginSource => "where plugins come from",
            Class::Transcript => "conversation",
            Class::ConversationFile => "belongs to a conversation",
            Class::PromptHistory => "typed prompts",
            Class::Notes => "notes and plans",
            Class::Credentials => "login",
            Class::Runtime => "of one machine at one time",
            Class::Unknown => "unknown",
        };
        writeln!(text, "| `{pattern}` | {what} | {inward} | {outward} |").unwrap();
    };
    for entry in CLASSES {
        row(entry.pattern, entry.class);
    }
    row("anything else", Class::Unknown);
    check("claude-home.md", &text);
}
