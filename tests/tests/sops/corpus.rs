//! Every kind of file that sops writes, read by Drydock; every kind that Drydock writes, read by sops.

use crate::team::Team;
use serde_json::Value;

/// What is done with a case.
#[derive(Clone, Copy, PartialEq)]
enum Ways {
    /// Both write it and both read it.
    Both,
    /// sops writes it and Drydock reads it: it has more than text in it.
    Read,
}
use Ways::{Both, Read};

struct Case {
    name: &'static str,
    ways: Ways,
    /// The rule for it, as `.sops.yaml` and the option of sops name it.
    rule: Option<(&'static str, &'static str)>,
    text: &'static str,
}

const fn case(name: &'static str, ways: Ways, text: &'static str) -> Case {
    Case { name, ways, rule: None, text }
}

const fn ruled(name: &'static str, rule: &'static str, of: &'static str, text: &'static str) -> Case {
    Case { name, ways: Both, rule: Some((rule, of)), text }
}

const KEY: &str = "key: |\n  -----BEGIN FAKE KEY-----\n  b3BlbnNzaC1rZXktdjEAAAAA\n  AAAABG5vbmU=\n  -----END FAKE KEY-----\n";
const RULED: &str =
    "user: ann\ntoken: FAKE-1\nnested:\n  token: FAKE-2\n  port_text: \"80\"\ntoken_map:\n  - one\n  - two\n";

const CASES: &[Case] = &[
    case("a flat map", Both, "a: one\nb: two\nc: three\n"),
    case("nested maps", Both, "a:\n  b:\n    c:\n      d: deep\n    e: less\nf: top\n"),
    case("a list of texts", Both, "hosts:\n  - alpha\n  - beta\n  - alpha\n"),
    case(
        "a list of maps",
        Both,
        "users:\n  - name: ann\n    token: FAKE-1\n  - name: bob\n    token: FAKE-2\n",
    ),
    case("lists in lists", Both, "grid:\n  - - a\n    - b\n  - - c\n    - - d\n"),
    case("unicode values", Both, "a: ünïcödé ☃\nb: 日本語\nc: \"\\U0001F512 locked\"\nd: \"e\\u0301\"\n"),
    case("unicode keys", Both, "ключ: value\nü:\n  日本: text\n"),
    case("a literal block", Both, "a: |\n  first\n    indented\n\n  last\nb: x\n"),
    case("a folded block", Both, "a: >\n  some words\n  more words\n\n  a paragraph\n"),
    case(
        "blocks with and without their last breaks",
        Both,
        "a: |-\n  x\n  y\nb: |+\n  x\n\nc: >-\n  x\n  y\n",
    ),
    case("a private key", Both, KEY),
    case("empty texts", Both, "a: \"\"\nb: ''\nc: x\nd:\n  - \"\"\n"),
    case(
        "texts that look like something else",
        Both,
        "a: \"yes\"\nb: \"0123\"\nc: \"null\"\nd: \"1e3\"\ne: \"2001-01-01\"\nf: \"~\"\ng: \"true\"\nh: \"0x1F\"\ni: yes\nj: \"\"\n",
    ),
    case(
        "blanks around and in texts",
        Both,
        "a: \"  x\"\nb: \"x  \"\nc: \" \"\nd: \"\\tx\\t\"\ne: \"x\\n\\n\"\nf: \"\\n x\"\n",
    ),
    case(
        "signs of YAML in texts",
        Both,
        "a: \"x: y\"\nb: \"# no comment\"\nc: \"- no item\"\nd: \"{no: map}\"\ne: \"*no\"\nf: \"&no\"\ng: \"!no\"\nh: \"%no\"\ni: \"a, b]\"\nj: \"'\"\nk: \"\\\"\"\n",
    ),
    case(
        "keys that need quotes",
        Both,
        "\"a b\": x\n\"a:b\": x\n\"a: b\": x\n\"12\": x\n\"#\": x\n\"yes\": x\n\"\": x\n\"-\": x\n",
    ),
    case("signs of old YAML", Both, "a_unencrypted: \"<<\"\n\"=\": y\nb: \"<<\"\n"),
    case("a map under the sign for merging", Read, "\"<<\":\n  a: x\nb: y\n"),
    case(
        "control characters",
        Both,
        "a: \"\\x00\\x01\\x7f\\x1b[31m\"\nb: \"\\r\\n\"\nc: \"\\u0085\\u2028\\ufeff\"\n",
    ),
    case("flow style", Both, "{a: one, b: [two, {c: three}], \"d\": \"four\"}\n"),
    case("a colon in a key and the same path otherwise", Both, "\"a:b\": one\na:\n  b: two\n"),
    case("windows line ends", Both, "a: one\r\nb:\r\n  c: two\r\n"),
    case("a document's start", Both, "---\na: one\n"),
    ruled("encrypted_regex", "encrypted_regex", "^token", RULED),
    ruled("unencrypted_regex", "unencrypted_regex", "^(user|token_map)$", RULED),
    ruled("encrypted_suffix", "encrypted_suffix", "ken", RULED),
    ruled("unencrypted_suffix", "unencrypted_suffix", "_text", RULED),
    case(
        "the usual suffix for what stays open",
        Both,
        "a: x\nb_unencrypted: open\nc_unencrypted:\n  d: open too\n",
    ),
    case("nothing", Read, "a: null\nb: ~\nc:\nd: x\ne: [null, y]\n"),
    case(
        "whole numbers",
        Read,
        "a: 12\nb: -5\nc: 0x1F\nd: 0o17\ne: 017\nf: 0b11\ng: 1_000\nh: 9223372036854775807\ni: -9223372036854775808\nj: 0\n",
    ),
    case("other numbers", Read, "a: 1.5\nb: -0.25\nc: 1e3\nd: 3.0\ne: 1.0e21\nf: .5\ng: 6.02e-23\nh: -0.0\n"),
    case("yes and no", Read, "a: true\nb: false\nc: True\nd: [true, FALSE]\n"),
    case(
        "dates",
        Read,
        "a: 2001-12-14\nb: 2001-12-14t21:59:43.10-05:00\nc: 2001-12-14 21:59:43\nd: 2001-12-14T21:59:43Z\n",
    ),
    case(
        "comments above, beside and below",
        Both,
        "# top\n\n# second\na: x # beside\n# between\nb:\n  # inside\n  c: y\n# end\n",
    ),
    case("comments in lists", Both, "a:\n  # first\n  - x\n  # middle\n  - y # beside\n  # last\nb: z\n"),
    case("anchors and aliases", Read, "a: &one\n  b: x\n  c: 3\nd: *one\ne: &two text\nf: *two\n"),
    case(
        "open values of all kinds",
        Read,
        "x_unencrypted:\n  a: 12\n  b: 1.5\n  c: true\n  d: 2001-12-14\n  e: null\n  f: 3.0\n  g: \"12\"\n  h: [1, two, 0x10]\ny: z\n",
    ),
    case("empty maps and lists", Read, "a: {}\nb: []\nc: x\nd:\n  e: {}\n"),
];

/// The case's rule for both, with more in it.
fn write_rules(team: &Team, case: &Case, more: &str) {
    let rule = case.rule.map(|(rule, of)| format!("    {rule}: {of}\n")).unwrap_or_default();
    team.write(".sops.yaml", &format!("creation_rules:\n  - age: {}\n{rule}{more}", team.recipient));
}

fn by_sops(team: &Team, case: &Case, file: &str) {
    team.write(file, case.text);
    team.sops(&["encrypt", "--in-place", file]).ok();
}

/// The words of comments in a text.
fn comments(text: &str) -> Vec<&str> {
    let mut words: Vec<_> = text.lines().filter_map(|line| Some(line.split_once("# ")?.1)).collect();
    words.sort_unstable();
    words
}

#[test]
fn what_sops_writes_drydock_reads() {
    let team = Team::new();
    for case in CASES {
        write_rules(&team, case, "");
        by_sops(&team, case, "case.yaml");
        let expected = team.sops_reads("case.yaml");
        assert_eq!(team.drydock_reads("case.yaml"), expected, "{}", case.name);

        // As text it says the same to whoever reads YAML, and has its comments.
        let shown = team.drydock(&["decrypt", "case.yaml"]).done().ok().stdout;
        if case.name.contains("comments") {
            assert_eq!(comments(&shown), comments(case.text), "{}: {shown}", case.name);
        }
        team.write("again.yaml", &shown);
        team.sops(&["encrypt", "--in-place", "again.yaml"]).ok();
        assert_eq!(team.sops_reads("again.yaml"), expected, "{}: {shown}", case.name);
    }
    assert!(CASES.len() >= 30);
}

#[test]
fn what_drydock_writes_sops_reads() {
    let team = Team::new();
    let mut tried = 0;
    for case in CASES.iter().filter(|case| case.ways == Both) {
        write_rules(&team, case, "");
        by_sops(&team, case, "expected.yaml");
        team.write("case.yaml", case.text);

        team.encrypt_by_drydock("case.yaml").ok();

        let expected = team.sops_reads("expected.yaml");
        assert_eq!(team.sops_reads("case.yaml"), expected, "{}", case.name);
        assert_eq!(team.drydock_reads("case.yaml"), expected, "{}", case.name);
        // The same keys lead to the same values in the open.
        assert_eq!(open_values(&team, "case.yaml"), open_values(&team, "expected.yaml"), "{}", case.name);
        tried += 1;
    }
    assert!(tried >= 25, "{tried}");
}

/// The lines of a file before its metadata, without ciphertexts.
fn open_values(team: &Team, file: &str) -> Vec<String> {
    let text = team.read(file);
    let lines = text.lines().take_while(|line| *line != "sops:");
    let open = lines.filter(|line| !line.trim().is_empty() && !line.contains("ENC["));
    let mut open: Vec<_> = open
        .map(|line| line.trim().trim_start_matches("- ").replace(['"', '\''], "").replace("!!merge ", ""))
        .collect();
    open.retain(|line| !line.is_empty() && line != "-");
    open.sort_unstable();
    open
}

#[test]
fn both_make_a_mac_over_encrypted_values_alone() {
    let team = Team::new();
    for case in CASES.iter().filter(|case| case.rule.is_some()) {
        write_rules(&team, case, "    mac_only_encrypted: true\n");
        by_sops(&team, case, "case.yaml");
        let expected = team.sops_reads("case.yaml");
        assert_eq!(team.drydock_reads("case.yaml"), expected, "{}", case.name);
        team.write("own.yaml", case.text);
        team.encrypt_by_drydock("own.yaml").ok();
        assert!(team.read("own.yaml").contains("mac_only_encrypted: true"), "{}", case.name);
        assert_eq!(team.sops_reads("own.yaml"), expected, "{}", case.name);
    }
}

#[test]
fn json_goes_both_ways_and_is_changed_by_both() {
    let team = Team::new();
    let text = r#"{"a": "x", "b": {"c": ["y", {"d": ""}], "e": "two\nlines \u00fc \"q\""}, "f_unencrypted": "open", "g": {}}"#;
    team.write("case.json", text);
    team.encrypt_by_drydock("case.json").ok();
    let sealed: Value = serde_json::from_str(&team.read("case.json")).unwrap();
    assert!(sealed["a"].as_str().unwrap().starts_with("ENC[") && sealed["f_unencrypted"] == "open");
    let mut expected: Value = serde_json::from_str(text).unwrap();
    assert_eq!(team.sops_reads("case.json"), expected);
    let set = |name: &str, value: &str| {
        team.drydock(&["set", "case.json", name]).input(value).done().ok();
    };
    set("b.c.0", "z");
    set("b.new", "n");
    set("top", "t");
    expected["b"]["c"][0] = "z".into();
    expected["b"]["new"] = "n".into();
    expected["top"] = "t".into();
    assert_eq!(team.sops_reads("case.json"), expected);

    team.sops(&["set", "case.json", r#"["a"]"#, r#""by sops""#]).ok();
    expected["a"] = "by sops".into();
    assert_eq!(team.drydock_reads("case.json"), expected);
    // A file of sops' own layout, and another recipient.
    team.write("theirs.json", text);
    team.encrypt_by_sops("theirs.json", &[]);
    team.drydock(&["set", "theirs.json", "top"]).input("t").done().ok();
    assert_eq!(team.sops_reads("theirs.json")["top"], "t");
    let recovery = Team::new();
    let rule = format!("creation_rules:\n  - age: {},{}\n", team.recipient, recovery.recipient);
    team.write(".sops.yaml", &rule);
    for name in ["case.json", "theirs.json"] {
        team.drydock(&["encrypt", "--rewrap", name]).done().ok();
        recovery.write(name, &team.read(name));
        assert_eq!(recovery.sops_reads(name)["top"], "t", "{name}");
    }
}

#[test]
fn json_of_sops_is_read() {
    let team = Team::new();
    for text in [
        r#"{"a": "x", "b": {"c": [1, 2.5, true, null, "", "y"]}, "d": {}, "e": []}"#,
        r#"{"n": 12, "big": 9007199254740993, "open_unencrypted": 12, "e_unencrypted": 1e3}"#,
        r#"{"k": "\u00fc \"q\" \\ \/ \n \ud83d\udd12"}"#,
    ] {
        team.write("case.json", text);
        team.encrypt_by_sops("case.json", &[]);
        assert_eq!(team.drydock_reads("case.json"), team.sops_reads("case.json"), "{text}");
        let shown: Value =
            serde_json::from_str(&team.drydock(&["decrypt", "case.json"]).done().ok().stdout).unwrap();
        assert_eq!(shown.as_object().unwrap().len(), team.sops_reads("case.json").as_object().unwrap().len());
    }
}

#[test]
fn a_file_for_several_is_opened_by_each() {
    let (ann, bob) = (Team::new(), Team::new());
    ann.write("case.yaml", "a: x\n");
    let both = format!("{},{}", ann.recipient, bob.recipient);
    ann.sops(&["encrypt", "--in-place", "--age", &both, "case.yaml"]).ok();
    bob.write("case.yaml", &ann.read("case.yaml"));
    assert_eq!(ann.drydock_reads("case.yaml"), bob.drydock_reads("case.yaml"));

    // A key split among groups is more than Drydock has, and it says so.
    ann.write("split.yaml", "a: x\n");
    let groups = format!(
        "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n      - age: [{}]\n      - age: [{}]\n",
        ann.recipient, bob.recipient
    );
    ann.write(".sops.yaml", &groups);
    ann.sops(&["encrypt", "--in-place", "split.yaml"]).ok();
    ann.drydock(&["decrypt", "split.yaml"]).done().exits(1).tells("secrets.unsupported");
}
