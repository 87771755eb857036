//! The types that Claude Code needs in its documents, as a table. Unknown keys are welcome.
//!
//! Source: the real program's documents and settings, observed over its versions 1.0 to 2.1, and Anthropic's
//! documentation. A value that is null counts as absent, as it does there.

use super::{Severity, keys::Step};
use serde_json::{Map, Value};

/// Which document it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `.claude.json`.
    State,
    /// `settings.json`.
    Settings,
    /// `settings.local.json`.
    LocalSettings,
    /// `.credentials.json`.
    Credentials,
    /// `plugins/installed_plugins.json`.
    Plugins,
    /// `plugins/known_marketplaces.json`.
    Marketplaces,
    /// Another object.
    AnyObject,
    /// Any JSON.
    Anything,
}

/// What a value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    List,
    ListOfTexts,
    Text,
    /// A text, or what becomes one: a number, true or false.
    Plain,
    Flag,
    Number,
    AboveZero,
    /// An MCP server.
    Server,
}

/// One line of the table: `*` stands for any key, or for all items of a list.
struct Rule {
    path: &'static [&'static str],
    kind: Kind,
    severity: Severity,
}

const fn needed(path: &'static [&'static str], kind: Kind) -> Rule {
    Rule { path, kind, severity: Severity::Error }
}

const fn wanted(path: &'static [&'static str], kind: Kind) -> Rule {
    Rule { path, kind, severity: Severity::Warning }
}

const STATE: &[Rule] = &[
    needed(&["projects"], Kind::Object),
    needed(&["mcpServers"], Kind::Object),
    needed(&["oauthAccount"], Kind::Object),
    wanted(&["mcpServers", "*"], Kind::Server),
    wanted(&["projects", "*"], Kind::Object),
    wanted(&["projects", "*", "mcpServers"], Kind::Object),
    wanted(&["projects", "*", "mcpServers", "*"], Kind::Server),
    wanted(&["projects", "*", "allowedTools"], Kind::ListOfTexts),
    wanted(&["projects", "*", "enabledMcpjsonServers"], Kind::ListOfTexts),
    wanted(&["projects", "*", "disabledMcpjsonServers"], Kind::ListOfTexts),
    wanted(&["projects", "*", "hasTrustDialogAccepted"], Kind::Flag),
    wanted(&["projects", "*", "hasClaudeMdExternalIncludesApproved"], Kind::Flag),
    wanted(&["projects", "*", "hasClaudeMdExternalIncludesWarningShown"], Kind::Flag),
    wanted(&["projects", "*", "hasCompletedProjectOnboarding"], Kind::Flag),
    wanted(&["hasCompletedOnboarding"], Kind::Flag),
    wanted(&["customApiKeyResponses"], Kind::Object),
    wanted(&["numStartups"], Kind::Number),
    wanted(&["userID"], Kind::Text),
];

const SETTINGS: &[Rule] = &[
    needed(&["hooks"], Kind::Object),
    needed(&["permissions"], Kind::Object),
    wanted(&["hooks", "*"], Kind::List),
    wanted(&["hooks", "*", "*"], Kind::Object),
    wanted(&["permissions", "allow"], Kind::ListOfTexts),
    wanted(&["permissions", "deny"], Kind::ListOfTexts),
    wanted(&["permissions", "ask"], Kind::ListOfTexts),
    wanted(&["permissions", "additionalDirectories"], Kind::ListOfTexts),
    wanted(&["permissions", "defaultMode"], Kind::Text),
    wanted(&["env"], Kind::Object),
    wanted(&["env", "*"], Kind::Plain),
    wanted(&["statusLine"], Kind::Object),
    wanted(&["cleanupPeriodDays"], Kind::AboveZero),
    wanted(&["enabledPlugins"], Kind::Object),
    wanted(&["extraKnownMarketplaces"], Kind::Object),
    wanted(&["apiKeyHelper"], Kind::Text),
    wanted(&["model"], Kind::Text),
];

const CREDENTIALS: &[Rule] = &[
    needed(&["claudeAiOauth"], Kind::Object),
    needed(&["claudeAiOauth", "accessToken"], Kind::Text),
    wanted(&["claudeAiOauth", "refreshToken"], Kind::Text),
    wanted(&["claudeAiOauth", "expiresAt"], Kind::Number),
    wanted(&["claudeAiOauth", "scopes"], Kind::ListOfTexts),
    wanted(&["mcpOAuth"], Kind::Object),
    wanted(&["mcpOAuth", "*"], Kind::Object),
];

const PLUGINS: &[Rule] = &[wanted(&["plugins"], Kind::Object)];
const MARKETPLACES: &[Rule] = &[wanted(&["*"], Kind::Object)];

/// A value of another type than Claude Code needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) severity: Severity,
    pub(super) path: Vec<Step>,
    /// What it is and must be, to follow its name.
    pub(super) words: String,
}

impl Shape {
    fn rules(self) -> &'static [Rule] {
        match self {
            Self::State => STATE,
            Self::Settings | Self::LocalSettings => SETTINGS,
            Self::Credentials => CREDENTIALS,
            Self::Plugins => PLUGINS,
            Self::Marketplaces => MARKETPLACES,
            Self::AnyObject | Self::Anything => &[],
        }
    }

    /// How much it matters when the document cannot be read at all.
    pub(super) fn unreadable(self) -> Severity {
        match self {
            Self::State | Self::Settings | Self::Credentials => Severity::Error,
            _ => Severity::Warning,
        }
    }

    /// All that has another type than it must have. No value is told.
    pub(super) fn misfits(self, document: &Map<String, Value>) -> Vec<Misfit> {
        let mut found = Vec::new();
        for rule in self.rules() {
            let mut way = Vec::new();
            visit_object(document, rule.path, &mut way, &mut |path, value| {
                if let Some(words) = rule.kind.misses(value) {
                    found.push(Misfit {
                        severity: rule.severity.min(self.unreadable()),
                        path: path.to_vec(),
                        words,
                    });
                }
            });
        }
        found
    }
}

type Found<'a> = dyn FnMut(&[Step], &Value) + 'a;

fn visit_object(object: &Map<String, Value>, path: &[&str], way: &mut Vec<Step>, found: &mut Found<'_>) {
    let Some((first, rest)) = path.split_first() else { return };
    for (key, value) in object.iter().filter(|(key, _)| *first == "*" || key == first) {
        way.push(Step::Key(key.clone()));
        visit(value, rest, way, found);
        way.pop();
    }
}

fn visit(value: &Value, path: &[&str], way: &mut Vec<Step>, found: &mut Found<'_>) {
    match (path.split_first(), value) {
        (None, Value::Null) => {}
        (None, value) => found(way, value),
        (Some(_), Value::Object(object)) => visit_object(object, path, way, found),
        (Some((first, rest)), Value::Array(items)) if *first == "*" => {
            for (index, item) in items.iter().enumerate() {
                way.push(Step::Index(index));
                visit(item, rest, way, found);
                way.pop();
            }
        }
        // Another rule tells that.
        _ => {}
    }
}

impl Kind {
    /// What is wrong with a value, if anything is.
    fn misses(self, value: &Value) -> Option<String> {
        let fits = match self {
            Self::Object => value.is_object(),
            Self::List => value.is_array(),
            Self::ListOfTexts => {
                let Some(items) = value.as_array() else { return Some(not(value, "a list of texts")) };
                let other = items.iter().position(|item| !item.is_string())?;
                return Some(format!(
                    "has {} as item {}, and must be a list of texts",
                    name(&items[other]),
                    other + 1
                ));
            }
            Self::Text => value.is_string(),
            Self::Plain => !value.is_object() && !value.is_array(),
            Self::Flag => value.is_boolean(),
            Self::Number => value.is_number(),
            Self::AboveZero => {
                return match value.as_f64() {
                    Some(number) if number > 0.0 => None,
                    Some(_) => Some("must be above zero".to_owned()),
                    None => Some(not(value, "a number above zero")),
                };
            }
            Self::Server => return server(value),
        };
        (!fits).then(|| not(value, self.words()))
    }

    fn words(self) -> &'static str {
        match self {
            Self::Object | Self::Server => "an object",
            Self::List => "a list",
            Self::ListOfTexts => "a list of texts",
            Self::Text | Self::Plain => "a text",
            Self::Flag => "true or false",
            Self::Number => "a number",
            Self::AboveZero => "a number above zero",
        }
    }
}

fn server(value: &Value) -> Option<String> {
    let Value::Object(server) = value else { return Some(not(value, "an object")) };
    for (key, kind) in [
        ("command", Kind::Text),
        ("url", Kind::Text),
        ("args", Kind::ListOfTexts),
        ("env", Kind::Object),
        ("headers", Kind::Object),
    ] {
        if let Some(value) = server.get(key).filter(|value| !value.is_null())
            && let Some(words) = kind.misses(value)
        {
            return Some(format!("has a `{key}` that {words}"));
        }
    }
    // Some kinds of server need neither, and there may be more of them.
    let known = server
        .get("type")
        .and_then(Value::as_str)
        .is_none_or(|kind| ["stdio", "http", "sse"].contains(&kind));
    let starts = server.contains_key("command") || server.contains_key("url");
    (known && !starts).then(|| "has neither a `command` nor a `url`".to_owned())
}

fn not(value: &Value, wanted: &str) -> String {
    format!("is {}, and must be {wanted}", name(value))
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{claude_home::parse_document, validation::keys::shown};

    fn told(shape: Shape, text: &str) -> Vec<String> {
        let document = parse_document(text.as_bytes()).unwrap();
        let misfits = shape.misfits(&document);
        misfits.iter().map(|one| format!("{:?} {} {}", one.severity, shown(&one.path), one.words)).collect()
    }

    #[test]
    fn a_wrong_type_is_told_in_words_and_without_its_value() {
        for (shape, text, wanted) in [
            (Shape::State, r#"{"mcpServers":[]}"#, "Error mcpServers is a list, and must be an object"),
            (Shape::State, r#"{"projects":"x"}"#, "Error projects is a text, and must be an object"),
            (Shape::State, r#"{"oauthAccount":1}"#, "Error oauthAccount is a number, and must be an object"),
            (
                Shape::State,
                r#"{"projects":{"/p":{"allowedTools":["a",{}]}}}"#,
                r#"Warning projects."/p".allowedTools has an object as item 2, and must be a list of texts"#,
            ),
            (
                Shape::State,
                r#"{"projects":{"/p":{"hasTrustDialogAccepted":"yes"}}}"#,
                r#"Warning projects."/p".hasTrustDialogAccepted is a text, and must be true or false"#,
            ),
            (
                Shape::State,
                r#"{"mcpServers":{"s":{"args":[]}}}"#,
                "Warning mcpServers.s has neither a `command` nor a `url`",
            ),
            (
                Shape::State,
                r#"{"projects":{"/p":{"mcpServers":{"s":{"command":["npx"]}}}}}"#,
                r#"Warning projects."/p".mcpServers.s has a `command` that is a list, and must be a text"#,
            ),
            (Shape::Settings, r#"{"hooks":[]}"#, "Error hooks is a list, and must be an object"),
            (Shape::LocalSettings, r#"{"hooks":[]}"#, "Warning hooks is a list, and must be an object"),
            (
                Shape::Settings,
                r#"{"hooks":{"Stop":[1]}}"#,
                "Warning hooks.Stop[0] is a number, and must be an object",
            ),
            (Shape::Settings, r#"{"permissions":true}"#, "Error permissions is true, and must be an object"),
            (Shape::Settings, r#"{"env":{"A":["s3cret"]}}"#, "Warning env.A is a list, and must be a text"),
            (Shape::Settings, r#"{"cleanupPeriodDays":0}"#, "Warning cleanupPeriodDays must be above zero"),
            (
                Shape::Credentials,
                r#"{"claudeAiOauth":{"accessToken":7}}"#,
                "Error claudeAiOauth.accessToken is a number, and must be a text",
            ),
            (Shape::Plugins, r#"{"plugins":[]}"#, "Warning plugins is a list, and must be an object"),
            (Shape::Marketplaces, r#"{"m":1}"#, "Warning m is a number, and must be an object"),
        ] {
            assert_eq!(told(shape, text), [wanted], "{text}");
        }
    }

    #[test]
    fn what_is_unknown_or_null_is_welcome() {
        let state = r#"{"future":[1],"oauthAccount":null,"projects":{"/p":{"new":{},"mcpServers":{}}},
            "mcpServers":{"a":{"type":"sdk"},"b":{"url":"http://x"},"c":{"command":"npx","args":["x"],"env":{"A":"b"}}}}"#;
        assert_eq!(told(Shape::State, state), [""; 0]);
        let settings = r#"{"hooks":{"Stop":[{"hooks":[]}]},"env":{"A":"1","B":2},"cleanupPeriodDays":0.5,"permissions":{"allow":["x"]}}"#;
        assert_eq!(told(Shape::Settings, settings), [""; 0]);
    }
}
