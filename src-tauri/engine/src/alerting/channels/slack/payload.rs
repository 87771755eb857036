//! A message as Slack's Block Kit has it.
//!
//! Sources of the limits: Slack's reference of Block Kit (header 150 characters, section 3000, 50 blocks) and
//! slackapi/bolt-js issue 2509 (`msg_blocks_too_long` for blocks of some 13,000 characters together).

use super::super::wording::{Said, cut, severity};
use crate::alerting::{Message, Occasion};
use serde_json::{Value, json};

const HEADER: usize = 150;
const SECTION: usize = 3000;

/// The body of the request.
pub(super) fn payload(message: &Message, home: &str) -> Value {
    let said = Said::of(message, home);
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": escaped(&said.title, HEADER), "emoji": false } }),
        section(&escaped(&said.text, SECTION)),
    ];
    if let Some(remedy) = &said.remedy {
        // A backtick would end the command in its middle.
        blocks.push(section(&format!("To mend it: `{}`", escaped(&remedy.replace('`', "'"), 1000))));
    }
    blocks.push(
        json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": context(message, &said) }] }),
    );
    blocks.push(section(&format!("<drydock://{}|Open Drydock>", message.page.word())));
    let fallback = format!("{}: {}", said.title, cut(&said.text, 300));
    json!({ "text": escaped(&fallback, 1000), "blocks": blocks })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}

fn context(message: &Message, said: &Said) -> String {
    let mut parts = vec![severity(message).to_owned()];
    if message.occasion != Occasion::Test {
        // Slack shows it in the reader's own time. Source: its "Formatting text", date formatting.
        let (unix, utc) = (message.since.timestamp(), message.since.format("%Y-%m-%d %H:%M UTC"));
        parts.push(format!("since <!date^{unix}^{{date_short_pretty}} {{time}}|{utc}>"));
    }
    if !said.again.is_empty() {
        parts.push(said.again.clone());
    }
    parts.join(" · ")
}

/// Text in which Slack finds none of its own signs, of at most so many characters when it is written so.
///
/// Source: Slack's "Formatting text": `&`, `<` and `>` are to be escaped, and nothing else.
fn escaped(text: &str, limit: usize) -> String {
    let mut shown = text.chars().count();
    loop {
        let escaped = cut(text, shown).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let over = escaped.chars().count().saturating_sub(limit);
        if over == 0 {
            return escaped;
        }
        // A sign becomes five at most.
        shown = shown.saturating_sub(over.div_ceil(5).max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::channels::samples;
    use proptest::prelude::{any, proptest};

    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) if name == "text" => found.push(text.clone()),
                        value => texts(value, found),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
            _ => {}
        }
    }

    #[test]
    fn it_says_what_is_the_matter_what_to_do_and_where() {
        let mut message = samples::firing();
        message.held_back = 7;
        let body = payload(&message, "/home/ann");
        assert_eq!(body["blocks"][0]["text"]["text"], "Claude Code cannot read its settings");
        assert_eq!(body["blocks"][2]["text"]["text"], "To mend it: `drydock recover`");
        let context = body["blocks"][3]["elements"][0]["text"].as_str().unwrap();
        assert!(context.starts_with("High · since <!date^1795701720^"), "{context}");
        assert!(context.ends_with("7 times more since the last message"), "{context}");
        assert_eq!(body["blocks"][4]["text"]["text"], "<drydock://recovery|Open Drydock>");
        assert!(body["text"].as_str().unwrap().contains("cannot read its settings: The file ends"));
    }

    #[test]
    fn nobody_is_called_by_what_stands_in_a_text() {
        let mut message = samples::firing();
        message.title = "<!channel> & <@U123>".into();
        let body = payload(&message, "/x");
        assert_eq!(body["blocks"][0]["text"]["text"], "&lt;!channel&gt; &amp; &lt;@U123&gt;");
    }

    proptest! {
        #[test]
        fn it_is_within_slacks_limits(title in any::<String>(), text in "[&<>a ]{0,5000}", remedy in "[`<&>é]{0,900}") {
            let message = Message { title, text, remedy: Some(remedy), ..samples::firing() };
            let body = payload(&message, "/home/ann");
            let mut all = Vec::new();
            texts(&body, &mut all);
            assert!(body["blocks"].as_array().unwrap().len() <= 50);
            let header = body["blocks"][0]["text"]["text"].as_str().unwrap();
            assert!(header.chars().count() <= HEADER);
            assert!(all.iter().all(|text| text.chars().count() <= SECTION));
            assert!(all.iter().map(|text| text.chars().count()).sum::<usize>() <= 10_000);
        }
    }
}
