//! Three documents in one input, parted by zero bytes: what went in, the host's, the session's.
#![no_main]

use drydock_engine::fuzzing;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Every key of the one is in the other, at any depth of objects.
fn keeps_keys(before: &Value, after: &Value) -> bool {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return true };
    before.iter().all(|(key, value)| after.get(key).is_some_and(|now| !now.is_object() || keeps_keys(value, now)))
}

fuzz_target!(|input: &[u8]| {
    let parts: Vec<_> = input.splitn(3, |byte| *byte == 0).collect();
    let &[base, host, session] = parts.as_slice() else { return };
    for table in fuzzing::TABLES {
        if let Some(unchanged) = fuzzing::merge(base, host, base, *table) {
            assert_eq!(unchanged.text, None, "a session that changed nothing changes nothing");
        }
        let Some(merged) = fuzzing::merge(base, host, session, *table) else { continue };
        let Some(text) = merged.text else { continue };
        let (before, after) = (serde_json::from_slice(host), serde_json::from_slice(&text));
        let (before, after): (Value, Value) = (before.expect("it was merged"), after.expect("a merge is a document"));
        if *table != fuzzing::INWARD {
            assert!(keeps_keys(&before, &after), "a key of the host's is gone");
        }
        let again = fuzzing::merge(base, &text, session, *table).expect("a merge can be merged");
        assert_eq!(again.text, None, "merging again changes something");
    }
});
