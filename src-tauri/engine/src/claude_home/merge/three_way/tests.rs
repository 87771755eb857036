use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value as Json};

fn merge(base: &str, host: &str, session: &str, table: KeyTable) -> Merged {
    merge_documents(base.as_bytes(), host.as_bytes(), session.as_bytes(), table).unwrap()
}

fn pointers(changes: &[KeyChange]) -> Vec<&str> {
    changes.iter().map(|change| change.pointer.as_str()).collect()
}

fn text(merged: &Merged) -> String {
    String::from_utf8(merged.text.clone().unwrap()).unwrap()
}

#[test]
fn a_preference_is_taken_and_the_rest_keeps_its_bytes() {
    let host = "{\n  \"numStartups\": 4,\n  \"odd\": 1e5,\n  \"theme\": \"dark\",\n  \"x\": \"\\u00e9\"\n}\n";
    let base = r#"{"theme":"dark"}"#;
    let merged = merge(base, host, r#"{"theme":"light","numStartups":9}"#, KeyTable::State);
    assert_eq!(text(&merged), host.replace("dark", "light"));
    assert!(merged.held.is_empty() && merged.conflicts.is_empty());
}

#[test]
fn servers_wait_one_by_one_and_so_does_a_removal() {
    let base = r#"{"mcpServers":{"a":{"command":"a"},"b":{"command":"b"}}}"#;
    let session = r#"{"mcpServers":{"a":{"command":"evil"},"c":{"command":"c"}}}"#;
    let merged = merge(base, base, session, KeyTable::State);
    assert_eq!(merged.text, None);
    assert_eq!(pointers(&merged.held), ["/mcpServers/a", "/mcpServers/c", "/mcpServers/b"]);
    let first = merge("{}", "{}", r#"{"mcpServers":{"c":{"command":"c"}}}"#, KeyTable::State);
    assert_eq!(pointers(&first.held), ["/mcpServers/c"]);
}

#[test]
fn absent_is_default_and_not_deleted() {
    let both = r#"{"theme":"light","projects":{"/p":{"allowedTools":["Bash"]}}}"#;
    let merged = merge(both, both, r#"{"projects":{"/p":{}}}"#, KeyTable::State);
    assert!(merged.text.is_none() && merged.held.is_empty() && merged.conflicts.is_empty(), "{merged:?}");
}

#[test]
fn what_changed_on_both_sides_is_a_conflict() {
    let merged = merge(r#"{"model":"a"}"#, r#"{"model":"b"}"#, r#"{"model":"c"}"#, KeyTable::Settings);
    assert_eq!((merged.text, pointers(&merged.conflicts)), (None, vec!["/model"]));
}

#[test]
fn hooks_and_permissions_wait_key_by_key() {
    let host = r#"{"permissions":{"allow":["Bash(ls)"]},"hooks":{"Stop":[1]}}"#;
    let session = r#"{"permissions":{"allow":["Bash(ls)","Bash"],"deny":["x"]},"hooks":{"Stop":[1],"Start":[2]},"new":1}"#;
    let merged = merge(host, host, session, KeyTable::Settings);
    assert_eq!(merged.text, None);
    assert_eq!(pointers(&merged.held), ["/permissions/allow", "/permissions/deny", "/hooks/Start", "/new"]);
    let applied = apply_changes(host.as_bytes(), &merged.held).unwrap();
    assert!(applied.refused.is_empty());
    let now: Json = serde_json::from_slice(&applied.text).unwrap();
    assert_eq!(now, serde_json::from_str::<Json>(session).unwrap());
}

#[test]
fn a_change_is_set_only_over_what_it_was_made_against() {
    let change = |host: Option<&str>, session: Option<&str>| KeyChange {
        pointer: "/a~1b/c".into(),
        base: None,
        host: host.map(str::to_owned),
        session: session.map(str::to_owned),
    };
    let apply = |text: &str, change: KeyChange| {
        let applied = apply_changes(text.as_bytes(), &[change]).unwrap();
        (String::from_utf8(applied.text).unwrap(), applied.refused.len())
    };
    assert_eq!(
        apply(r#"{"a/b": {"c": 1}}"#, change(Some("1"), Some("2"))),
        (r#"{"a/b": {"c": 2}}"#.into(), 0)
    );
    assert_eq!(apply(r#"{"a/b": {"c": 3}}"#, change(Some("1"), Some("2"))).1, 1);
    assert_eq!(
        apply(r#"{"a/b": {"c": 2}}"#, change(Some("1"), Some("2"))),
        (r#"{"a/b": {"c": 2}}"#.into(), 0)
    );
    assert_eq!(apply(r#"{"a/b": {"c": 2}}"#, change(Some("2"), None)), (r#"{"a/b": {}}"#.into(), 0));
}

/// Numbers as people and programs spell them.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i32>().prop_map(|number| number.to_string()),
        proptest::sample::select(vec!["1e5", "1E+5", "1.0", "-0", "0.10", "123456789012345678901234567890"])
            .prop_map(str::to_owned),
    ]
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number().prop_map(|text| serde_json::from_str(&text).unwrap()),
        "[a-z\"\\\\\u{e9}\n{}\\[\\],:]{0,6}".prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            object_of(inner).prop_map(Json::Object),
        ]
    })
}

fn object_of(inner: impl Strategy<Value = Json>) -> impl Strategy<Value = Map<String, Json>> {
    let key = prop_oneof![
        proptest::sample::select(vec!["theme", "mcpServers", "projects", "hooks", "model", "a", "b", "/p"])
            .prop_map(str::to_owned),
        "[a-z/~\"]{0,3}",
    ];
    proptest::collection::btree_map(key, inner, 0..5).prop_map(|map| map.into_iter().collect())
}

fn document() -> impl Strategy<Value = String> {
    (object_of(json()), any::<bool>()).prop_map(|(map, pretty)| match pretty {
        true => serde_json::to_string_pretty(&map).unwrap() + "\n",
        false => Json::Object(map).to_string(),
    })
}

fn table() -> impl Strategy<Value = KeyTable> {
    proptest::sample::select(vec![KeyTable::State, KeyTable::Settings, KeyTable::Inward])
}

fn parsed(text: &[u8]) -> Json {
    serde_json::from_slice(text).unwrap()
}

/// Every key of the one is in the other, at any depth of objects.
fn keeps_keys(before: &Json, after: &Json) -> bool {
    let (Json::Object(before), Json::Object(after)) = (before, after) else { return true };
    before
        .iter()
        .all(|(key, value)| after.get(key).is_some_and(|now| !now.is_object() || keeps_keys(value, now)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_session_that_changed_nothing_changes_nothing(base in document(), host in document(), table in table()) {
        let merged = merge(&base, &host, &base, table);
        prop_assert!(merged.text.is_none() && merged.held.is_empty() && merged.conflicts.is_empty());
    }

    #[test]
    fn merging_again_changes_nothing(base in document(), host in document(), session in document(), table in table()) {
        let merged = merge(&base, &host, &session, table);
        let now = merged.text.unwrap_or(host.into_bytes());
        let again = merge_documents(base.as_bytes(), &now, session.as_bytes(), table).unwrap();
        prop_assert_eq!(again.text, None);
        prop_assert_eq!(again.held.len(), merged.held.len());
    }

    #[test]
    fn no_key_of_the_host_disappears(base in document(), host in document(), session in document()) {
        for table in [KeyTable::State, KeyTable::Settings] {
            if let Some(text) = merge(&base, &host, &session, table).text {
                prop_assert!(keeps_keys(&parsed(host.as_bytes()), &parsed(&text)));
            }
        }
    }

    #[test]
    fn what_is_not_taken_keeps_its_text(base in document(), host in document(), session in document(), table in table()) {
        let merged = merge(&base, &host, &session, table);
        let Some(text) = &merged.text else { return Ok(()) };
        let (before, after) = (Document::read(host.as_bytes()).unwrap().root(), Document::read(text).unwrap().root());
        for entry in before.entries() {
            let touched = merged.taken.iter().any(|change| change.path()[0] == entry.key);
            if !touched {
                prop_assert_eq!(before.of(&entry).text(), after.get(&entry.key).unwrap().text());
            }
        }
    }

    #[test]
    fn both_orders_agree_where_nothing_conflicts(base in document(), one in document(), other in document()) {
        let forth = merge(&base, &one, &other, KeyTable::Inward);
        let back = merge(&base, &other, &one, KeyTable::Inward);
        // A key that one side left out stays where the other has it, so only additions and changes commute.
        let whole = |from: &str| keeps_keys(&parsed(base.as_bytes()), &parsed(from.as_bytes()));
        if forth.conflicts.is_empty() && back.conflicts.is_empty() && whole(&one) && whole(&other) {
            let result = |merged: Merged, otherwise: &str| {
                parsed(&merged.text.unwrap_or_else(|| otherwise.as_bytes().to_vec()))
            };
            prop_assert_eq!(result(forth, &one), result(back, &other));
        }
    }

    #[test]
    fn what_is_taken_is_what_the_session_has(base in document(), session in document()) {
        let merged = merge(&base, &base, &session, KeyTable::Inward);
        prop_assert!(merged.conflicts.is_empty());
        let now = merged.text.unwrap_or_else(|| base.clone().into_bytes());
        let (now, wanted) = (Document::read(&now).unwrap().root(), Document::read(session.as_bytes()).unwrap().root());
        for entry in wanted.entries() {
            let there = now.get(&entry.key);
            prop_assert!(there.is_some(), "{} is missing", entry.key);
        }
    }

    #[test]
    fn any_bytes_are_merged_or_refused(base in any::<Vec<u8>>(), session in "[{}\\[\\]\",:0-9a-e\\\\ \n]{0,40}") {
        let _ = merge_documents(&base, b"{}", session.as_bytes(), KeyTable::State);
        let _ = merge_documents(b"{}", session.as_bytes(), &base, KeyTable::Settings);
        let _ = merge_documents(b"{}", b"{}", session.as_bytes(), KeyTable::Inward);
    }
}
