//! Answers in the shapes of the Messages API.

use super::conversation::Conversation;
use serde_json::{Value, json};

/// What the stand-in decided to say.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// Words, perhaps held back after the first of them.
    Text { text: String, held: bool },
    /// A tool call.
    Tool { name: &'static str, input: Value },
    /// No answer but a status.
    Error(u16),
}

impl Answer {
    /// Decides by the conversation and whether tools were offered.
    pub(super) fn to(body: &Value) -> Self {
        let no_messages = Vec::new();
        let messages = body["messages"].as_array().unwrap_or(&no_messages);
        let stands = Conversation::of(messages);
        let tools = body["tools"].as_array().is_some_and(|tools| !tools.is_empty());
        let named = |name: &str| stands.directives.iter().find(|directive| directive.name == name);
        if let Some(error) = named("error") {
            return Self::Error(error.argument.parse().expect("[[error:STATUS]]"));
        }
        let mut steps = stands.directives.iter().filter(|directive| directive.name != "hold");
        if let Some(step) = steps.nth(stands.results).filter(|_| tools) {
            let argument = &step.argument;
            let (name, input) = match step.name.as_str() {
                "write" => {
                    ("Write", json!({ "file_path": argument, "content": "hello from the stand-in\n" }))
                }
                "edit" => {
                    ("Edit", json!({ "file_path": argument, "old_string": "hello", "new_string": "goodbye" }))
                }
                "read" => ("Read", json!({ "file_path": argument })),
                "bash" => ("Bash", json!({ "command": argument, "description": "a command of the test" })),
                "task" => (
                    "Agent",
                    json!({ "description": "a task", "prompt": argument, "subagent_type": "general-purpose" }),
                ),
                other => panic!("a test gave the unknown directive [[{other}]]"),
            };
            return Self::Tool { name, input };
        }
        Self::Text {
            text: format!("You said: {}", stands.prompt.replace('\n', " ")),
            held: tools && named("hold").is_some(),
        }
    }

    /// The content block, and why the answer stops after it.
    pub(super) fn block(&self, number: usize) -> (Value, &'static str) {
        match self {
            Self::Text { text, .. } => (json!({ "type": "text", "text": text }), "end_turn"),
            Self::Tool { name, input } => (
                json!({ "type": "tool_use", "id": format!("toolu_standin{number:017}"), "name": name, "input": input }),
                "tool_use",
            ),
            Self::Error(status) => unreachable!("the status {status} has no content"),
        }
    }

    /// The pieces in which the block streams.
    pub(super) fn deltas(&self) -> Vec<Value> {
        match self {
            Self::Text { text, .. } => {
                text.split_inclusive(' ').map(|word| json!({ "type": "text_delta", "text": word })).collect()
            }
            Self::Tool { input, .. } => {
                let text = input.to_string();
                let half = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                ["", &text[..half], &text[half..]]
                    .map(|part| json!({ "type": "input_json_delta", "partial_json": part }))
                    .to_vec()
            }
            Self::Error(_) => Vec::new(),
        }
    }
}

/// What a message says of itself before its content.
pub(super) fn envelope(number: usize, model: &Value, content: &[Value], stop: Option<&str>) -> Value {
    json!({
        "id": format!("msg_standin{number:017}"), "type": "message", "role": "assistant", "model": model,
        "content": content, "stop_reason": stop, "stop_sequence": null,
        "usage": {
            "input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "output_tokens": if stop.is_some() { 5 } else { 1 },
        },
    })
}

/// The API's shape of an error.
pub(in crate::rig) fn error(status: u16, message: &str, number: usize) -> Value {
    let kind = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    json!({
        "type": "error", "error": { "type": kind, "message": message },
        "request_id": format!("req_standin{number:017}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(prompt: &str) -> Value {
        json!({ "messages": [{ "role": "user", "content": prompt }], "tools": [{ "name": "Write" }] })
    }

    #[test]
    fn a_directive_is_a_tool_call_and_words_are_an_answer() {
        let Answer::Tool { name, input } = Answer::to(&body("do [[write:/a/b c.txt]]")) else {
            panic!("not a tool call")
        };
        assert_eq!((name, &input["file_path"]), ("Write", &json!("/a/b c.txt")));
        let words = Answer::to(&body("hello [[hold]]"));
        assert_eq!(words, Answer::Text { text: "You said: hello [[hold]]".into(), held: true });
        assert_eq!(Answer::to(&body("[[error:529]]")), Answer::Error(529));
        let mut titles = body("[[bash:ls]] [[hold]]");
        titles["tools"] = json!([]);
        assert!(matches!(Answer::to(&titles), Answer::Text { held: false, .. }));
    }

    #[test]
    fn the_pieces_make_the_whole() {
        for answer in [
            Answer::Tool { name: "Write", input: json!({ "file_path": "/ъ/я" }) },
            Answer::Text { text: "some words, also кириллица ".into(), held: false },
        ] {
            let (block, _) = answer.block(1);
            let whole: String = answer
                .deltas()
                .iter()
                .map(|delta| delta["text"].as_str().or(delta["partial_json"].as_str()).unwrap().to_owned())
                .collect();
            match block["type"].as_str() {
                Some("text") => assert_eq!(json!(whole), block["text"]),
                _ => assert_eq!(serde_json::from_str::<Value>(&whole).unwrap(), block["input"]),
            }
        }
    }
}
