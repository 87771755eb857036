//! Maps made by chance. Many go into one file: a process for each would take long.

use crate::team::Team;
use proptest::{
    collection::{btree_map, vec},
    prelude::{Just, ProptestConfig, Strategy, prop_oneof, proptest},
    test_runner::FileFailurePersistence,
};
use serde_json::{Value, json};

/// A text of any kind that YAML can hold.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[ -~]{0,30}",
        2 => "\\PC{0,12}",
        2 => "([ a-z#:\\-]{0,10}\n){1,3}[ a-z]{0,5}",
        1 => "[-+.0-9eExob_~]{1,8}",
        1 => "[\\x00-\\x1f\\x7f\u{85}\u{2028}\u{feff}a]{1,5}",
        1 => Just("yes".to_owned()),
    ]
}

/// Texts in maps in lists.
fn trees() -> impl Strategy<Value = Value> {
    let leaf = texts().prop_map(Value::String);
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(Value::Array),
            btree_map("[ -~]{1,10}", inner, 1..4).prop_map(|map| json!(map)),
        ]
    })
}

/// As JSON, which is YAML too.
fn written(maps: &[Value]) -> (Value, String) {
    let whole: serde_json::Map<String, Value> =
        maps.iter().enumerate().map(|(at, map)| (format!("map {at}"), map.clone())).collect();
    let whole = Value::Object(whole);
    // What is above the usual characters is written out, since YAML does not hold all of it as it is.
    let json = whole.to_string();
    let text = json.chars().map(|letter| match u32::from(letter) {
        0x7f..=0xff | 0x2028..=0x2029 | 0xfeff | 0xfff0..=0xffff => format!("\\u{:04x}", u32::from(letter)),
        _ => letter.to_string(),
    });
    let text = text.collect::<String>();
    (whole, text + "\n")
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 6,
        max_shrink_iters: 64,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn maps_of_texts_go_both_ways(maps in vec(trees(), 40)) {
        let team = Team::new();
        let (expected, text) = written(&maps);
        team.write("sops.yaml", &text);
        team.encrypt_by_sops("sops.yaml", &[]);
        assert_eq!(team.drydock_reads("sops.yaml"), expected);

        team.write("drydock.yaml", &text);
        team.encrypt_by_drydock("drydock.yaml").ok();
        assert_eq!(team.sops_reads("drydock.yaml"), expected);

        // What Drydock shows as text says the same to sops.
        team.write("shown.yaml", &team.drydock(&["decrypt", "drydock.yaml"]).done().ok().stdout);
        team.encrypt_by_sops("shown.yaml", &[]);
        assert_eq!(team.sops_reads("shown.yaml"), expected);
    }
}
