//! A line of the events, metrics or errors: what was told, with what every line has.

use super::{SCHEMA, line_log::LONGEST, redact::may_hold_secret, redact::redacted};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use std::{fmt::Write, sync::LazyLock};

/// Asked once: to ask is a call of the system, and each line has it.
static PID: LazyLock<u32> = LazyLock::new(std::process::id);

/// In which operation something was told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within<'a> {
    pub(super) trace: &'a str,
    pub(super) span: &'a str,
    pub(super) session: Option<&'a str>,
}

/// The line, without a line feed; nothing where what was told is no JSON object. Secrets and the home are not in it.
pub(super) fn line(payload: &str, within: Option<Within<'_>>, home: &str) -> Option<String> {
    // What is told is nearly always short words and numbers: it stands as it is, which costs a tenth of reading it.
    if payload.len() <= LONGEST / 2 && !may_hold_secret(payload, home) {
        return Some(framed(payload.strip_prefix('{')?.strip_suffix('}')?, within, home));
    }
    let Ok(mut told) = serde_json::from_str::<Value>(payload) else { return None };
    clean(&mut told, home);
    let Value::Object(told) = told else { return None };
    Some(fitting(told, within, home))
}

/// The fields of `told`, framed by those that every line has.
fn framed(told: &str, within: Option<Within<'_>>, home: &str) -> String {
    let mut line = String::with_capacity(told.len() + 320);
    let (at, id) = (stamp(Utc::now()), uuid::Uuid::now_v7());
    // Writing to a text cannot fail.
    let _ = write!(line, r#"{{"v":{SCHEMA},"ts":"{at}","id":"{id}""#);
    if !told.is_empty() {
        line.push(',');
        line.push_str(told);
    }
    let _ = write!(line, r#","service":"drydock","version":"{}","pid":{}"#, crate::VERSION, *PID);
    if let Some(within) = within {
        let _ = write!(line, r#","trace_id":"{}","span_id":"{}""#, within.trace, within.span);
        if let Some(session) = within.session.filter(|_| !told.contains(r#""session":"#)) {
            let _ = write!(line, r#","session":{}"#, Value::from(redacted(session, home)));
        }
    }
    line.push('}');
    line
}

/// The line, cut to the longest that there is.
fn fitting(mut told: Map<String, Value>, within: Option<Within<'_>>, home: &str) -> String {
    let inner = |told: &Map<String, Value>| {
        let text = Value::Object(told.clone()).to_string();
        text[1..text.len() - 1].to_owned()
    };
    let line = framed(&inner(&told), within, home);
    if line.len() <= LONGEST {
        return line;
    }
    told.remove("attrs");
    told.remove("backtrace");
    told.insert("truncated".into(), true.into());
    framed(&inner(&told), within, home)
}

fn clean(value: &mut Value, home: &str) {
    match value {
        Value::String(text) => *text = redacted(text, home),
        Value::Array(values) => values.iter_mut().for_each(|value| clean(value, home)),
        Value::Object(fields) => fields.values_mut().for_each(|value| clean(value, home)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const WITHIN: Within<'_> = Within { trace: "t", span: "s", session: Some("proj-ab12") };

    fn read(payload: &str) -> Value {
        serde_json::from_str(&line(payload, Some(WITHIN), "/home/me").unwrap()).unwrap()
    }

    #[test]
    fn every_line_has_its_frame_and_its_own_session_first() {
        let own = read(r#"{"event":"x","session":"other-1","attrs":{}}"#);
        assert_eq!(
            (&own["session"], &own["service"], &own["v"]),
            (&"other-1".into(), &"drydock".into(), &1.into())
        );
        let inherited = read(r#"{"event":"x"}"#);
        assert_eq!((&inherited["session"], &inherited["trace_id"]), (&"proj-ab12".into(), &"t".into()));
        assert_eq!(read("{}")["pid"], std::process::id());
        assert_eq!(line("[1]", None, "/home/me"), None);
    }

    proptest! {
        /// The short way and the long one come to the same, whatever is told.
        #[test]
        fn what_is_told_stands_in_the_line(
            word in "[ -~é\\n]{0,30}", number in any::<i64>(),
            secret in prop_oneof![Just(""), Just("sk-ant-api03-FAKEfakeFAKE0123456789"), Just("/home/me/x"), Just("token=abcdef")],
        ) {
            let told = json!({ "event": "x", "attrs": { "word": format!("{word}{secret}"), "number": number } });
            let found = read(&told.to_string());
            let expected = redacted(&format!("{word}{secret}"), "/home/me");
            prop_assert_eq!(found["attrs"]["word"].as_str(), Some(expected.as_str()));
            prop_assert_eq!(&found["attrs"]["number"], &json!(number));
        }
    }
}
