//! What a request's conversation says, and whether the real API would take it.

use serde_json::Value;

/// A directive of the test in the user's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) argument: String,
}

/// Where a conversation stands.
#[derive(Debug)]
pub(super) struct Conversation {
    /// The last thing that the user said, without reminders.
    pub(super) prompt: String,
    /// The directives in it.
    pub(super) directives: Vec<Directive>,
    /// How many tools have answered since.
    pub(super) results: usize,
}

impl Conversation {
    pub(super) fn of(messages: &[Value]) -> Self {
        let mut results = 0;
        for message in messages.iter().rev().filter(|message| message["role"] == "user") {
            let answers = blocks(message, "tool_result").count();
            results += answers;
            let prompt = without_reminders(&text(message));
            if answers == 0 && !prompt.is_empty() {
                return Self { directives: directives(&prompt), prompt, results };
            }
        }
        Self { prompt: String::new(), directives: Vec::new(), results }
    }
}

/// What the real API answers with 400 to: turns out of order, tool calls without their results.
pub(super) fn fault(body: &Value) -> Option<String> {
    let Some(messages) = body["messages"].as_array().filter(|messages| !messages.is_empty()) else {
        return Some("messages: at least one message is required".into());
    };
    for field in ["model", "max_tokens"] {
        if body[field].is_null() {
            return Some(format!("{field}: Field required"));
        }
    }
    let merged = merged(messages);
    if merged[0].role != "user" {
        return Some("messages: first message must use the \"user\" role".into());
    }
    for (index, message) in merged.iter().enumerate() {
        let before = index.checked_sub(1).map(|at| &merged[at]);
        let after = merged.get(index + 1);
        for id in &message.results {
            if !before.is_some_and(|before| before.calls.contains(id)) {
                return Some(format!(
                    "messages.{index}.content: unexpected `tool_use_id` found in `tool_result` blocks: {id}"
                ));
            }
        }
        for id in &message.calls {
            if !after.is_some_and(|after| after.results.contains(id)) {
                return Some(format!(
                    "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {id}"
                ));
            }
        }
    }
    None
}

/// What was said, by whom, in order.
pub(super) fn said(messages: &[Value]) -> Vec<(String, String)> {
    messages
        .iter()
        .map(|message| {
            let role = message["role"].as_str().unwrap_or_default().to_owned();
            (role, without_reminders(&text(message)))
        })
        .filter(|(_, said)| !said.is_empty())
        .collect()
}

struct Merged<'a> {
    role: &'a str,
    calls: Vec<&'a str>,
    results: Vec<&'a str>,
}

/// Messages of the same role in a row count as one.
fn merged(messages: &[Value]) -> Vec<Merged<'_>> {
    let mut merged: Vec<Merged<'_>> = Vec::new();
    for message in messages {
        let role = message["role"].as_str().unwrap_or_default();
        if merged.last().is_none_or(|last| last.role != role) {
            merged.push(Merged { role, calls: Vec::new(), results: Vec::new() });
        }
        let Some(last) = merged.last_mut() else { continue };
        last.calls.extend(blocks(message, "tool_use").filter_map(|block| block["id"].as_str()));
        last.results.extend(blocks(message, "tool_result").filter_map(|block| block["tool_use_id"].as_str()));
    }
    merged
}

fn blocks<'a>(message: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    message["content"].as_array().into_iter().flatten().filter(move |block| block["type"] == kind)
}

fn text(message: &Value) -> String {
    if let Some(text) = message["content"].as_str() {
        return text.to_owned();
    }
    let parts: Vec<_> = blocks(message, "text").filter_map(|block| block["text"].as_str()).collect();
    parts.join("\n")
}

fn without_reminders(text: &str) -> String {
    const OPEN: &str = "<system-reminder>";
    const CLOSE: &str = "</system-reminder>";
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        kept.push_str(&rest[..at]);
        rest = rest[at..].find(CLOSE).map_or("", |end| &rest[at + end + CLOSE.len()..]);
    }
    kept.push_str(rest);
    kept.trim().to_owned()
}

fn directives(text: &str) -> Vec<Directive> {
    text.split("[[")
        .skip(1)
        .filter_map(|part| part.split_once("]]"))
        .map(|(inside, _)| {
            let (name, argument) = inside.split_once(':').unwrap_or((inside, ""));
            Directive { name: name.to_owned(), argument: argument.to_owned() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_words_count_and_the_results_after_them() {
        let messages = [
            json!({"role": "user", "content": "first [[write:/a]]"}),
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Write", "input": {}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]}),
            json!({"role": "assistant", "content": "done"}),
            json!({"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>[[bash:no]]</system-reminder>"},
                {"type": "text", "text": "second [[bash:echo a:b]] [[hold]]"},
            ]}),
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t2", "name": "Bash", "input": {}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t2", "content": "ok"}]}),
        ];
        let stands = Conversation::of(&messages);
        assert_eq!((stands.results, stands.directives.len()), (1, 2));
        assert_eq!(stands.directives[0], Directive { name: "bash".into(), argument: "echo a:b".into() });
        assert_eq!(fault(&json!({"model": "m", "max_tokens": 1, "messages": messages})), None);
    }

    #[test]
    fn what_the_real_api_refuses_is_refused() {
        let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "X", "input": {}}]});
        let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1"}]});
        let hi = json!({"role": "user", "content": "hi"});
        let of = |messages: Value| fault(&json!({"model": "m", "max_tokens": 1, "messages": messages}));
        assert!(of(json!([hi, call])).unwrap().contains("without `tool_result`"));
        assert!(of(json!([hi, call, hi])).unwrap().contains("without `tool_result`"));
        assert!(of(json!([hi, result])).unwrap().contains("unexpected `tool_use_id`"));
        assert!(of(json!([call, result])).unwrap().contains("first message"));
        assert!(of(json!([])).is_some());
        assert!(fault(&json!({"messages": [hi]})).is_some());
        assert_eq!(of(json!([hi, call, result])), None);
    }
}
