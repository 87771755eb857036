//! Writing YAML as a person would: blocks, and short lists in one line.

use crate::gitops::node::read_yaml;
use serde_json::Value;

/// A document of these keys.
pub(super) fn document(map: &serde_json::Map<String, Value>) -> String {
    let mut text = String::new();
    write(map, 0, &mut text);
    text
}

fn write(map: &serde_json::Map<String, Value>, depth: usize, text: &mut String) {
    for (key, value) in map {
        text.push_str(&"  ".repeat(depth));
        text.push_str(&scalar(key, Where::Key));
        text.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                text.push('\n');
                write(inner, depth + 1, text);
            }
            Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
                let items: Vec<_> = items.iter().map(|item| one(item, Where::List)).collect();
                text.push_str(&format!(" [{}]\n", items.join(", ")));
            }
            // What is nested more deeply is rare, and JSON is YAML.
            Value::Object(_) | Value::Array(_) => text.push_str(&format!(" {value}\n")),
            leaf => text.push_str(&format!(" {}\n", one(leaf, Where::Value))),
        }
    }
}

/// Where a text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Key,
    Value,
    List,
}

fn one(value: &Value, at: Where) -> String {
    match value {
        Value::String(text) => scalar(text, at),
        other => other.to_string(),
    }
}

/// Without quotes where it reads as itself.
fn scalar(text: &str, at: Where) -> String {
    let is_simple = !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " _./:${}@+-".contains(c))
        && !text.starts_with(['-', ' ', '{', '}', '@'])
        && !text.ends_with([' ', ':'])
        && !text.contains(": ");
    let (yaml, as_what) = match at {
        Where::Key => (format!("{text}: 1\n"), serde_json::json!({ text: 1 })),
        Where::Value => (format!("a: {text}\n"), serde_json::json!({ "a": text })),
        Where::List => (format!("a: [{text}]\n"), serde_json::json!({ "a": [text] })),
    };
    let reads = || read_yaml(yaml.as_bytes()).is_ok_and(|node| node.json() == as_what);
    if is_simple && reads() { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn it_reads_well() {
        let json = json!({"fs": {"command": "npx", "args": ["-y", "a b"], "count": 3, "yes": "no", "deep": [{"a": 1}]}});
        assert_eq!(
            document(json.as_object().unwrap()),
            "fs:\n  command: npx\n  args: [\"-y\", a b]\n  count: 3\n  \"yes\": \"no\"\n  deep: [{\"a\":1}]\n"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_what_it_is(
            entries in prop::collection::vec(("[ -~é]{1,8}", "[ -~é\\n]{0,12}"), 0..4),
            items in prop::collection::vec("[ -~é\\n]{0,8}", 0..4),
        ) {
            let mut map: serde_json::Map<String, Value> =
                entries.into_iter().map(|(key, text)| (key, Value::from(text))).collect();
            map.insert("list".into(), Value::from(items.clone()));
            map.insert("deep".into(), json!({"deeper": {"list": items}}));
            let text = document(&map);
            prop_assert_eq!(read_yaml(text.as_bytes()).unwrap().json(), Value::Object(map), "{}", text);
        }
    }
}
