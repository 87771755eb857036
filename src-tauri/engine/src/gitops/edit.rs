//! Changing one value in a file of the repository, so that all else in it stays as somebody wrote it, comments too.

use super::node::{Entry, Node, read_json, read_yaml};
use serde_json::Value;

/// The text with another value at these keys; null takes it away, as everywhere in these files.
///
/// # Errors
/// Why that is for a person to do.
pub(super) fn with_value(file: &str, text: &str, keys: &[String], value: &Value) -> Result<String, String> {
    let read = |text: &str| {
        let read = if is_json(file) { read_json(text.as_bytes()) } else { read_yaml(text.as_bytes()) };
        read.map_err(|fault| format!("{file}, line {}: {}", fault.line, fault.what))
    };
    let before = read(text)?;
    let not_there = || format!("{file} does not have it in its usual place");
    let mut at: Option<&Entry> = None;
    for key in keys {
        let node = at.map_or(&before, |entry| &entry.value);
        at = Some(node.get(key).ok_or_else(not_there)?);
    }
    let entry = at.ok_or_else(not_there)?;
    let written = value.to_string();
    let mut span = entry.value.span.clone();
    if span.is_empty() {
        // Nothing is written there: it belongs behind the key.
        let colon = text.get(entry.at..).and_then(|rest| rest.find(':')).ok_or_else(not_there)?;
        span = entry.at + colon + 1..entry.at + colon + 1;
    }
    let (Some(head), Some(tail)) = (text.get(..span.start), text.get(span.end..)) else {
        return Err(format!("{file} cannot be changed in that place"));
    };
    // Behind a colon there must be room, and a block's last line feed stays.
    let room = if head.ends_with(':') && !is_json(file) { " " } else { "" };
    let feed = if text[span].ends_with('\n') { "\n" } else { "" };
    let changed = format!("{head}{room}{written}{feed}{tail}");
    let after = read(&changed).map_err(|_| format!("{file} cannot be changed in that place"))?;
    // What a person wrote may be laid out in ways that this does not know: then nothing is changed.
    if after.json() == expected(&before, keys, value) {
        Ok(changed)
    } else {
        Err(format!("{file} cannot be changed in that place"))
    }
}

fn is_json(file: &str) -> bool {
    file.ends_with(".json")
}

fn expected(before: &Node, keys: &[String], value: &Value) -> Value {
    let mut json = before.json();
    let mut at = &mut json;
    for key in keys {
        match at.as_object_mut().and_then(|map| map.get_mut(key)) {
            Some(inner) => at = inner,
            None => return json,
        }
    }
    *at = value.clone();
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn changed(file: &str, text: &str, keys: &[&str], value: &Value) -> String {
        let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
        with_value(file, text, &keys, value).unwrap_or_else(|why| panic!("{keys:?}: {why}"))
    }

    #[test]
    fn one_value_changes_and_comments_stay() {
        let text = "# mine\na: # first\n  command: npx # why\n  args:\n    - -y\n    - fs\n# then\nb:\n  command: x\n";
        assert_eq!(
            changed("m.yaml", text, &["a", "command"], &json!("node")),
            text.replace("command: npx", "command: \"node\"")
        );
        assert_eq!(
            changed("m.yaml", text, &["a", "args"], &json!(["z"])),
            text.replace("    - -y\n    - fs", "    [\"z\"]")
        );
        assert_eq!(
            changed("m.yaml", text, &["a"], &json!({"command": "y"})),
            "# mine\na: # first\n  {\"command\":\"y\"}\n# then\nb:\n  command: x\n"
        );
        assert_eq!(changed("m.yaml", text, &["b"], &Value::Null).lines().last(), Some("  null"));
        assert_eq!(
            changed("m.yaml", "t: |\n  long\n  text\nu: 1\n", &["t"], &json!("s")),
            "t: \"s\"\nu: 1\n"
        );
        assert_eq!(changed("m.yaml", "t:\nu: 1\n", &["t"], &json!(3)), "t: 3\nu: 1\n");
        assert_eq!(
            changed("s.json", "{\n  \"a\": 1e5,\n  \"b\": {}\n}", &["b"], &json!([1])),
            "{\n  \"a\": 1e5,\n  \"b\": [1]\n}"
        );
    }

    #[test]
    fn what_is_not_there_is_for_a_person() {
        assert!(with_value("m.yaml", "a: 1\n", &["b".to_owned()], &json!(1)).is_err());
    }
}
