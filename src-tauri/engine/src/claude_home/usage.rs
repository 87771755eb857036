//! What conversations used of Claude: tokens by model, as Claude Code writes them down with each answer.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashSet},
    io::{BufRead, Read},
};

/// Tokens of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// Read for the first time.
    pub(crate) input: u64,
    /// Written.
    pub(crate) output: u64,
    /// Read again from the cache.
    pub(crate) cache_read: u64,
    /// Put into the cache.
    pub(crate) cache_write: u64,
}

/// Tokens by model, each answer counted once.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    pub(crate) models: BTreeMap<String, Tokens>,
    seen: HashSet<(String, String)>,
}

/// What is read of a record.
#[derive(Deserialize)]
struct Record {
    timestamp: DateTime<Utc>,
    message: Message,
    #[serde(rename = "requestId", default)]
    request: String,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    model: String,
    usage: Counts,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    #[serde(default)]
    cache_read_input_tokens: u64,
    #[serde(default)]
    cache_creation_input_tokens: u64,
}

/// What stands for a model whose name is none.
const OTHER: &str = "other";

impl Usage {
    /// Adds the answers of a conversation that came since a time. Claude Code writes a record for each block of an
    /// answer, each with the figures of the whole: they count once, the last as they stand.
    ///
    /// A line that is no answer, or cannot be read, counts nothing.
    pub(crate) fn add(&mut self, transcript: impl Read, since: DateTime<Utc>) {
        // The last record of an answer has its final figures.
        let mut answers: BTreeMap<(String, String), Record> = BTreeMap::new();
        let mut reader = std::io::BufReader::new(transcript);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            if let Ok(record) = serde_json::from_slice::<Record>(&line)
                && record.timestamp >= since
            {
                answers.insert((record.message.id.clone(), record.request.clone()), record);
            }
            line.clear();
        }
        for (answer, record) in answers {
            if !self.seen.insert(answer) {
                continue;
            }
            let counts = record.message.usage;
            let tokens = self.models.entry(model(&record.message.model)).or_default();
            tokens.input += counts.input_tokens;
            tokens.output += counts.output_tokens;
            tokens.cache_read += counts.cache_read_input_tokens;
            tokens.cache_write += counts.cache_creation_input_tokens;
        }
    }
}

fn model(name: &str) -> String {
    if is_model_name(name) { name.to_owned() } else { OTHER.to_owned() }
}

/// Whether a text is the name of a model of Claude: `claude-opus-4-5-20251101`. A session could write anything for
/// one, and these names stand beside figures that may be sent: short words and numbers are all that they have.
pub(crate) fn is_model_name(name: &str) -> bool {
    const MOST_PARTS: usize = 5;
    const LONGEST_PART: usize = 8;
    let Some(parts) = name.strip_prefix("claude-") else { return false };
    let is_part = |part: &str| {
        let letters = part.bytes().all(|byte| byte.is_ascii_lowercase());
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        (1..=LONGEST_PART).contains(&part.len()) && (letters || digits)
    };
    parts.split('-').count() <= MOST_PARTS && parts.split('-').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(id: &str, at: &str, model: &str, output: u64) -> String {
        json!({
            "type": "assistant", "timestamp": at, "requestId": "req_1",
            "message": {"id": id, "model": model, "usage": {
                "input_tokens": 10, "output_tokens": output, "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 7,
            }},
        })
        .to_string()
    }

    #[test]
    fn an_answer_counts_once_and_only_since_the_session_began() {
        const BEFORE: &str = "2026-11-01T09:59:59.000Z";
        const WITHIN: &str = "2026-11-01T10:00:01.000Z";
        let text = [
            answer("old", BEFORE, "claude-opus-5-5", 50),
            json!({"type": "user", "timestamp": WITHIN, "message": {"role": "user", "content": "hi"}})
                .to_string(),
            answer("one", WITHIN, "claude-opus-5-5", 1),
            answer("one", WITHIN, "claude-opus-5-5", 20),
            answer("two", WITHIN, "claude-haiku-5", 5),
            answer("bad", WITHIN, "claude-what-was-said-in-that-project", 3),
            "{\"torn".to_owned(),
        ]
        .join("\n");
        let since = "2026-11-01T10:00:00Z".parse().unwrap();
        let mut usage = Usage::default();
        usage.add(text.as_bytes(), since);
        // A fork of the conversation has the same answers.
        usage.add(text.as_bytes(), since);

        let tokens = |output| Tokens { input: 10, output, cache_read: 100, cache_write: 7 };
        let found: Vec<_> = usage.models.iter().map(|(name, tokens)| (name.as_str(), *tokens)).collect();
        assert_eq!(
            found,
            [("claude-haiku-5", tokens(5)), ("claude-opus-5-5", tokens(20)), ("other", tokens(3))]
        );
    }
}
