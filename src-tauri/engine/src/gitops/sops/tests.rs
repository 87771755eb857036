//! What a file of secrets does, without the program `sops`; beside it, that is tried in `tests/tests/sops`.

use super::{MacScope, Opened, Recipient, Rule, Rules, Selection, Source, encrypt, open};
use crate::{
    error_handling::{Code, Error, Result},
    gitops::identity::Identity,
    keychain::Sensitive,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use regex::Regex;
use std::collections::BTreeMap;

const PLAIN: &str = "\
slack:
    webhook: hooks.slack.example
    key: |
        first line
        second line
hosts: [alpha, beta]
empty: \"\"
note_unencrypted: this stays
";

fn source(text: &str) -> Source<'_> {
    Source { name: "secrets/team.enc.yaml", text }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn later() -> DateTime<Utc> {
    now() + TimeDelta::hours(1)
}

fn rule(recipients: &[&Identity]) -> Rule {
    let recipients = recipients.iter().map(|identity| identity.recipient()).collect();
    Rule { recipients, selection: Selection::default(), scope: MacScope::All }
}

fn encrypted(text: &str, identity: &Identity) -> String {
    encrypt(source(text), &rule(&[identity]), now()).unwrap()
}

fn secrets_of(text: &str, identity: &Identity) -> BTreeMap<String, String> {
    let opened = open(source(text), identity).unwrap();
    let secrets = opened.secrets().unwrap();
    secrets.into_iter().map(|(name, value)| (name, value.reveal().clone())).collect()
}

fn set(text: &str, identity: &Identity, name: &str, value: &str) -> Result<String> {
    open(source(text), identity)?.set(name, &Sensitive::new(value.into()), later())
}

fn refused(text: &str, identity: &Identity) -> Error {
    match open(source(text), identity) {
        Ok(_) => panic!("it opened: {text}"),
        Err(error) => error,
    }
}

/// The ciphertext of a value, by a part of its line.
fn line_of<'t>(text: &'t str, part: &str) -> &'t str {
    text.lines().find(|line| line.contains(part)).unwrap()
}

#[test]
fn a_file_comes_back_as_it_was_and_its_keys_stay_readable() {
    let identity = Identity::generate();
    let text = encrypted(PLAIN, &identity);
    for secret in ["hooks.slack.example", "first line", "alpha"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    for readable in
        ["slack:\n    webhook: ENC[", "note_unencrypted: this stays\n", "empty: \"\"\n", "version: 3.11.0\n"]
    {
        assert!(text.contains(readable), "{readable}: {text}");
    }
    let secrets = secrets_of(&text, &identity);
    assert_eq!(secrets["slack.webhook"], "hooks.slack.example");
    assert_eq!(secrets["slack.key"], "first line\nsecond line\n");
    assert_eq!(secrets["hosts.1"], "beta");
    assert_eq!(secrets["empty"], "");
    assert_eq!(secrets["note_unencrypted"], "this stays");
    let opened = open(source(&text), &identity).unwrap();
    let plain = opened.text();
    assert!(plain.contains("    key: |\n        first line\n        second line\n"), "{}", *plain);
    assert!(!plain.contains("sops"), "{}", *plain);
    let values = |text: &str| text.lines().take_while(|line| *line != "sops:").count();
    assert_eq!(values(&encrypted(&plain, &identity)), values(&text));
}

/// Written by sops 3.11.0 for a key that was made for this file and opens nothing else.
const OF_SOPS: &str = include_str!("sops_3_11.yaml");
const ITS_KEY: &str = "AGE-SECRET-KEY-1P4FZ7FM8PCTEURNRKJCJJQN5A9GHJWKMXFM0HN4K0MADDWY2KYMQD43LS5";

#[test]
fn a_file_of_sops_opens_with_every_kind_of_value_and_its_comments() {
    let identity = Identity::read(ITS_KEY).unwrap();
    let opened = open(source(OF_SOPS), &identity).unwrap();
    let json = r#"{"text":"ünïcödé ☃","block":"one\n  two\n","empty":"","nothing":null,"whole":-12,"hex":255,"float":1.5,
"large":1000000000000000000000,"yes":true,"no":false,"day":"2001-12-14T00:00:00Z","moment":"2001-12-14T21:59:43.1-05:00",
"list":["a",{"b":"c","d:e":"f"},[]],"open_unencrypted":{"number":15,"text":"seen"}}"#;
    assert_eq!(*opened.json(), json.replace(",\n", ","));
    let secrets = opened.secrets().unwrap();
    assert_eq!(secrets["list.0"].reveal(), "a");
    assert_eq!(secrets["list.1.d:e"].reveal(), "f");
    assert_eq!(secrets["whole"].reveal(), "-12");
    let text = opened.text();
    for line in [
        "# FAKE note\n",
        "    # FAKE note in a list\n",
        "day: 2001-12-14T00:00:00Z\n",
        "large: 1000000000000000000000.0\n",
    ] {
        assert!(text.contains(line), "{line}: {}", *text);
    }
    let changed = set(OF_SOPS, &identity, "list.0", "b").unwrap();
    assert_eq!(secrets_of(&changed, &identity)["list.0"], "b");
    let kept = |line: &&str| !changed.lines().any(|other| other == *line);
    assert_eq!(OF_SOPS.lines().filter(kept).count(), 3, "{changed}");
}

#[test]
fn one_changed_value_leaves_every_other_line_as_it_is() {
    let identity = Identity::generate();
    let before = encrypted(PLAIN, &identity);
    let after = set(&before, &identity, "slack.webhook", "another").unwrap();
    let (mut changed, lines) = (Vec::new(), before.lines().zip(after.lines()));
    lines
        .filter(|(one, other)| one != other)
        .for_each(|(line, _)| changed.push(line.trim().split(':').next().unwrap()));
    assert_eq!(changed, ["webhook", "lastmodified", "mac"]);
    assert_eq!(before.lines().count(), after.lines().count());
    assert_eq!(secrets_of(&after, &identity)["slack.webhook"], "another");
}

#[test]
fn a_value_is_added_where_its_parent_is() {
    let identity = Identity::generate();
    let before = encrypted(PLAIN, &identity);
    let after = set(&before, &identity, "slack.channel", "general").unwrap();
    let after = set(&after, &identity, "top", "level").unwrap();
    let after = set(&after, &identity, "hosts.0", "gamma").unwrap();
    let after = set(&after, &identity, "empty", "no more").unwrap();
    let after = set(&after, &identity, "note_unencrypted", "true").unwrap();
    let found = secrets_of(&after, &identity);
    for (name, value) in [
        ("slack.channel", "general"),
        ("top", "level"),
        ("hosts.0", "gamma"),
        ("empty", "no more"),
        ("note_unencrypted", "true"),
    ] {
        assert_eq!(found[name], value, "{after}");
    }
    assert!(line_of(&after, "channel").starts_with("    channel: ENC["), "{after}");
    assert!(after.find("top:").unwrap() < after.find("sops:").unwrap(), "{after}");
    for wrong in ["slack", "slack.webhook.x", "new.key", "", "a..b", "sops", "hosts.9", "sops.mac"] {
        let error = set(&before, &identity, wrong, "x").unwrap_err();
        assert_eq!(error.code(), Code::SecretsShape, "{wrong}: {error}");
    }
}

#[test]
fn a_key_without_a_value_stays_so_and_can_be_given_one() {
    let identity = Identity::generate();
    let text = encrypted(PLAIN, &identity).replace("empty:", "nothing:\nempty:");
    let opened = open(source(&text), &identity).unwrap();
    assert!(opened.text().contains("\nnothing:\nempty:"), "{}", *opened.text());
    let after = set(&text, &identity, "nothing", "something").unwrap();
    assert_eq!(secrets_of(&after, &identity)["nothing"], "something");
}

#[test]
fn comments_of_others_stay_when_a_value_changes() {
    let identity = Identity::generate();
    let text = encrypted(PLAIN, &identity).replace("empty:", "# a note\nempty:");
    let after = set(&text, &identity, "slack.channel", "general").unwrap();
    assert!(after.contains("# a note\nempty:"), "{after}");
    assert!(open(source(&after), &identity).unwrap().text().contains("# a note\nempty:"));
}

#[test]
fn what_a_file_of_secrets_cannot_have_is_refused_with_its_line() {
    let identity = Identity::generate();
    for (text, code, line) in [
        ("a: x\nb: 12\n", Code::SecretsShape, 2),
        ("a: x\n\nb: true\n", Code::SecretsShape, 3),
        ("a:\n  - x\n  - 2001-12-14\n", Code::SecretsShape, 3),
        ("a: x\nb:\n", Code::SecretsShape, 2),
        ("a: x\na: y\n", Code::SecretsShape, 2),
        ("a: x\nb: 1.5\n", Code::SecretsShape, 2),
        ("a: x # ENC[AES256_GCM,data:x,iv:x,tag:x,type:comment]\n", Code::SecretsEncrypted, 1),
        ("a: &x y\nb: *x\n", Code::SecretsUnsupported, 2),
        ("a: x\n---\nb: y\n", Code::SecretsUnsupported, 2),
        ("a: x\nb: !mine y\n", Code::SecretsUnsupported, 2),
        ("a: x\nb: \"open\n", Code::SecretsSyntax, 2),
        ("a: x\n b: y\n", Code::SecretsSyntax, 2),
        ("- a\n- b\n", Code::SecretsShape, 1),
        ("a: x\n? [b]\n: y\n", Code::SecretsShape, 2),
    ] {
        let error = encrypt(source(text), &rule(&[&identity]), now()).unwrap_err();
        assert_eq!(error.code(), code, "{text}: {error}");
        assert!(error.message().contains(&format!("line {line}:")), "{text}: {error}");
    }
    let twice = encrypt(source(&encrypted(PLAIN, &identity)), &rule(&[&identity]), now()).unwrap_err();
    assert_eq!(twice.code(), Code::SecretsEncrypted);
    for nothing in ["", "\n", "{}\n", "a: {}\n"] {
        let error = encrypt(source(nothing), &rule(&[&identity]), now()).unwrap_err();
        assert_eq!(error.code(), Code::SecretsShape, "{nothing:?}: {error}");
    }
}

#[test]
fn errors_quote_no_value() {
    let identity = Identity::generate();
    for text in [
        "a: hunter2\n b: hunter2\n",
        "a: *hunter2\n",
        "a: \"hunter2\n",
        "a: !hunter2 x\n",
        "a: [hunter2\n",
        "a: |hunter2\n",
        "%hunter2\na: b\n",
        "a: x\nb: hunter2: hunter2\n",
        "sops: hunter2\na: hunter2\n",
    ] {
        let both =
            [encrypt(source(text), &rule(&[&identity]), now()).err(), open(source(text), &identity).err()];
        for error in both.into_iter().flatten() {
            let all = format!("{error:?} {error} {:?}", error.remedies());
            assert!(!all.contains("hunter2"), "{text}: {all}");
        }
    }
}

#[test]
fn each_way_of_being_wrong_has_its_own_code() {
    let (identity, other) = (Identity::generate(), Identity::generate());
    let good = encrypted(PLAIN, &identity);
    let webhook = line_of(&good, "webhook:").to_owned();
    let after = |from: &str, to: &str| {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        changed
    };
    let sealed = webhook.trim().strip_prefix("webhook: ENC[AES256_GCM,data:").unwrap().to_owned();
    let flipped = if sealed.starts_with('A') { "B" } else { "A" };
    let mac = line_of(&good, "mac:").to_owned();
    let foreign = encrypted(PLAIN, &other).replace(other.recipient().as_str(), identity.recipient().as_str());
    for (what, text, code) in [
        ("a changed value", after(&sealed, &(flipped.to_owned() + &sealed[1..])), Code::SecretsTampered),
        ("a renamed key", after("webhook:", "webhouse:"), Code::SecretsTampered),
        ("a plain value", after(&webhook, "    webhook: by hand"), Code::SecretsPlain),
        ("a number", after(&webhook, "    webhook: 12"), Code::SecretsPlain),
        ("a removed value", after(&(webhook.clone() + "\n"), ""), Code::SecretsMac),
        (
            "an added plain value",
            after("note_unencrypted:", "x_unencrypted: y\nnote_unencrypted:"),
            Code::SecretsMac,
        ),
        ("a changed plain value", after("this stays", "this goes"), Code::SecretsMac),
        ("a changed MAC", after(&mac, &mac.replace("data:", "data:A")), Code::SecretsMac),
        ("no MAC", after(&format!("{mac}\n"), ""), Code::SecretsMac),
        ("another time", after("lastmodified: \"2024", "lastmodified: \"2023"), Code::SecretsMac),
        ("the key of another under our name", foreign, Code::SecretsKey),
        (
            "nobody named",
            after(line_of(&good, "recipient:"), "        - recipient:"),
            Code::SecretsIncomplete,
        ),
        (
            "the end cut off in the key",
            good[..good.find("-----END").unwrap() - 40].to_owned(),
            Code::SecretsIncomplete,
        ),
        (
            "the end cut off before it",
            good[..good.find("sops:").unwrap()].to_owned(),
            Code::SecretsIncomplete,
        ),
        ("a plain file", PLAIN.to_owned(), Code::SecretsPlain),
        ("another rule", after("unencrypted_suffix: _unencrypted", "encrypted_suffix: x"), Code::SecretsMac),
    ] {
        let error = refused(&text, &identity);
        assert_eq!(error.code(), code, "{what}: {error}");
        assert!(!error.remedies().is_empty(), "{what}");
    }
    let error = refused(&good, &other);
    assert_eq!(error.code(), Code::SecretsForOthers);
    assert!(error.causes()[0].contains(identity.recipient().as_str()), "{error}");
}

#[test]
fn cut_anywhere_a_file_never_opens_with_less_in_it() {
    let identity = Identity::generate();
    let good = encrypted(PLAIN, &identity);
    let whole = secrets_of(&good, &identity);
    for at in (0..good.len()).filter(|at| good.is_char_boundary(*at)) {
        if let Ok(opened) = open(source(&good[..at]), &identity) {
            assert_eq!(opened.secrets().unwrap().len(), whole.len(), "cut at {at}");
        }
    }
}

#[test]
fn a_recovery_recipient_opens_the_file_and_rewrapping_changes_no_value() {
    let (own, recovery) = (Identity::generate(), Identity::generate());
    let before = encrypted(PLAIN, &own);
    let opened = open(source(&before), &own).unwrap();
    assert!(opened.rewrapped(&[own.recipient()]).unwrap().is_none());
    let both = opened.rewrapped(&[own.recipient(), recovery.recipient()]).unwrap().unwrap();
    assert_eq!(secrets_of(&both, &recovery), secrets_of(&before, &own));
    let values = |text: &str| text[..text.find("sops:").unwrap()].to_owned();
    assert_eq!(values(&both), values(&before));
    assert_eq!(line_of(&both, "mac:"), line_of(&before, "mac:"));
    let without = open(source(&both), &own).unwrap().rewrapped(&[own.recipient()]).unwrap().unwrap();
    assert_eq!(without, before);
    assert_eq!(refused(&without, &recovery).code(), Code::SecretsForOthers);
}

#[test]
fn rewrapping_never_drops_what_only_sops_can_write() {
    let (own, recovery) = (Identity::generate(), Identity::generate());
    let good = encrypted(PLAIN, &own);
    let more = good
        .replace("    lastmodified", "    pgp:\n        - fp: FAKE\n          enc: FAKE\n    lastmodified");
    for text in [more, format!("{good}tail: {{}}\n")] {
        let opened = open(source(&text), &own).unwrap();
        let error = opened.rewrapped(&[own.recipient(), recovery.recipient()]).unwrap_err();
        assert_eq!(error.code(), Code::SecretsUnsupported);
        let changed = set(&text, &own, "slack.webhook", "x").unwrap();
        assert_eq!(changed.contains("fp: FAKE"), text.contains("fp: FAKE"));
    }
}

#[test]
fn the_rules_say_for_whom_and_what() {
    let (own, recovery) = (Identity::generate(), Identity::generate());
    let text = format!(
        "keys:\n  - &own {own}\n  - &recovery {recovery}\ncreation_rules:\n  - path_regex: ^secrets/cloud\\.yaml$\n    kms: arn\n  \
         - path_regex: ^secrets/.*\\.yaml$\n    encrypted_regex: ^(token|key)$\n    mac_only_encrypted: true\n    age: \
         [*own, *recovery]\n  - age: \"{own},{recovery}\"\n",
        own = own.recipient(),
        recovery = recovery.recipient()
    );
    let rules = Rules::read(Source { name: ".sops.yaml", text: &text }).unwrap();
    let rule = rules.rule_for("secrets/mail.yaml").unwrap().unwrap();
    assert_eq!(rule.recipients, [own.recipient(), recovery.recipient()]);
    assert!(matches!(rule.selection, Selection::EncryptedRegex(_)) && rule.scope == MacScope::Encrypted);
    let rest = rules.rule_for("elsewhere/mail.yaml").unwrap().unwrap();
    assert_eq!(rest.recipients.len(), 2);
    assert!(matches!(rest.selection, Selection::UnencryptedSuffix(_)));
    assert_eq!(rules.rule_for("secrets/cloud.yaml").unwrap_err().code(), Code::SecretsUnsupported);
    assert!(rules.wants_encrypted("secrets/mail.yaml") && !rules.wants_encrypted("README.md"));
    for all in ["path_regex: .*", "path_regex: \\.yaml$", "age: []"] {
        let text = format!("creation_rules:\n  - {all}\n");
        let rules = Rules::read(Source { name: ".sops.yaml", text: &text }).unwrap();
        assert!(!rules.wants_encrypted("desired/mcp.yaml"), "{all}");
    }

    let encrypted = encrypt(source("token: a\nnote: b\n"), &rule, now()).unwrap();
    assert!(
        encrypted.contains("note: b\n") && encrypted.contains("mac_only_encrypted: true\n"),
        "{encrypted}"
    );
    let noted = encrypted.replace("note: b", "note: c");
    assert_eq!(secrets_of(&noted, &recovery)["note"], "c");
}

#[test]
fn rules_that_cannot_be_used_are_said_with_their_line() {
    for (text, code, line) in [
        ("creation_rules: x\n", Code::SecretsRules, 1),
        ("creation_rules:\n  - path_regex: \"(\"\n", Code::SecretsRules, 2),
        ("creation_rules:\n  - age: age1nobody\n", Code::SecretsRules, 2),
        ("creation_rules:\n  - age: AGE-SECRET-KEY-1FAKE\n", Code::SecretsRules, 2),
        ("creation_rules:\n  - encrypted_regex: a\n    encrypted_suffix: b\n", Code::SecretsRules, 2),
        ("creation_rules:\n  - encrypted_comment_regex: a\n", Code::SecretsUnsupported, 2),
        ("creation_rules:\n  - key_groups:\n    - age: []\n    - age: []\n", Code::SecretsUnsupported, 2),
        ("creation_rules:\n  - [\n", Code::SecretsSyntax, 2),
    ] {
        let source = Source { name: ".sops.yaml", text };
        let error = Rules::read(source).and_then(|rules| rules.rule_for("x")).unwrap_err();
        assert_eq!(error.code(), code, "{text}: {error}");
        assert!(error.message().starts_with(&format!(".sops.yaml, line {line}:")), "{text}: {error}");
        assert!(!error.to_string().contains("FAKE"), "{error}");
    }
    let (own, recovery) = (Identity::generate(), Identity::generate());
    for all in [vec![own.recipient()], vec![own.recipient(), recovery.recipient()]] {
        let text = Rules::first(&all);
        let rules = Rules::read(Source { name: ".sops.yaml", text: &text }).unwrap();
        assert_eq!(rules.rule_for("secrets/mail.enc.yaml").unwrap().unwrap().recipients, all);
        assert!(rules.wants_encrypted("secrets/mail.enc.yaml") && !rules.wants_encrypted("desired/mcp.yaml"));
    }
    let none = Rules::read(Source { name: ".sops.yaml", text: "stores: {}\n" }).unwrap();
    assert!(none.rule_for("x").unwrap().is_none());
}

#[test]
fn comments_are_encrypted_with_what_they_stand_in_and_come_back_in_their_order() {
    let identity = Identity::generate();
    let plain = "# top\na: x # beside\n# before b\nb:\n  # inside\n  c: y\n  # last\nlist:\n  # item\n  - z\n#\n# end\n";
    let text = encrypted(plain, &identity);
    for secret in ["top", "beside", "before", "inside", "last\n", "item", "end\n"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let back = "# top\n# beside\na: x\n# before b\nb:\n    # inside\n    c: \"y\"\n    # last\nlist:\n    # item\n    - z\n#\n# end\n";
    assert_eq!(*open(source(&text), &identity).unwrap().text(), back);
    let after = set(&text, &identity, "b.d", "new").unwrap();
    let lines: Vec<_> =
        text.lines().filter(|line| line.contains("#ENC") || line.contains("type:comment")).collect();
    assert_eq!(lines.len(), 7, "{text}");
    assert!(lines.iter().all(|line| after.lines().any(|other| other == *line)), "{after}");
    assert_eq!(secrets_of(&after, &identity)["list.0"], "z");

    // What a rule leaves open has its comments in the open as well.
    let rule =
        Rule { selection: Selection::EncryptedRegex(Regex::new("^b$").unwrap()), ..rule(&[&identity]) };
    let text = encrypt(source(plain), &rule, now()).unwrap();
    assert!(text.contains("# beside\na: x\n# before b\n") && !text.contains("inside"), "{text}");
    assert!(text.contains("    # item\n    - z\n"), "{text}");
    assert_eq!(*open(source(&text), &identity).unwrap().text(), back);
}

#[test]
fn json_is_encrypted_changed_and_rewrapped_as_json() {
    let (identity, recovery) = (Identity::generate(), Identity::generate());
    fn named(text: &str) -> Source<'_> {
        Source { name: "secrets/x.json", text }
    }
    let plain = r#"{"a": "x", "b": {"c": "two\nlines", "l": ["y", {"d": ""}]}, "open_unencrypted": "seen"}"#;
    let text = encrypt(named(plain), &rule(&[&identity]), now()).unwrap();
    let read = |text: &str, identity: &Identity| -> serde_json::Value {
        let _: serde_json::Value = serde_json::from_str(text).unwrap();
        serde_json::from_str(&open(named(text), identity).unwrap().json()).unwrap()
    };
    let expected = |text: &str| -> serde_json::Value { serde_json::from_str(text).unwrap() };
    assert_eq!(read(&text, &identity), expected(plain));
    assert!(!text.contains("lines") && text.contains("seen"), "{text}");

    let set = |text: &str, name: &str, value: &str| {
        open(named(text), &identity).unwrap().set(name, &Sensitive::new(value.into()), later()).unwrap()
    };
    let mut changed = set(&text, "b.l.0", "z");
    assert_eq!(text.lines().filter(|line| !changed.contains(*line)).count(), 3, "{changed}");
    for (name, value) in [("top", "\"q\""), ("b.e", "f"), ("open_unencrypted", "open")] {
        changed = set(&changed, name, value);
    }
    let now = expected(
        r#"{"a": "x", "b": {"c": "two\nlines", "e": "f", "l": ["z", {"d": ""}]}, "open_unencrypted": "open", "top": "\"q\""}"#,
    );
    assert_eq!(read(&changed, &identity), now);
    let both = open(named(&changed), &identity).unwrap();
    let both = both.rewrapped(&[identity.recipient(), recovery.recipient()]).unwrap().unwrap();
    assert_eq!(read(&both, &recovery), now);
    assert_eq!(line_of(&both, "\"mac\""), line_of(&changed, "\"mac\""));

    let error = encrypt(named("{\"a\": \"x\" # no\n}"), &rule(&[&identity]), later()).unwrap_err();
    assert_eq!(error.code(), Code::SecretsComments);
}

#[test]
fn nothing_shows_a_value_by_accident() {
    let identity = Identity::generate();
    let text = encrypted("a: hunter2\n", &identity);
    let opened: Opened<'_> = open(source(&text), &identity).unwrap();
    let secret = identity.export();
    let shown = format!("{opened:?} {:?} {:?} {:?}", opened.secrets().unwrap(), identity, secret);
    assert!(!shown.contains("hunter2") && !shown.contains("AGE-SECRET"), "{shown}");
}

#[test]
fn a_recipient_is_one_that_age_knows() {
    let identity = Identity::generate();
    let text = format!(" {}\n", identity.recipient());
    assert_eq!(Recipient::read(&text).unwrap(), identity.recipient());
    for wrong in ["", "age1", "ssh-ed25519 AAAA", "age1yubikey1qfake"] {
        assert_eq!(Recipient::read(wrong).unwrap_err().code(), Code::SecretsRules);
    }
    let secret = identity.export();
    let error = Recipient::read(secret.reveal()).unwrap_err();
    assert!(!format!("{error:?}").contains(secret.reveal()));
}

/// Any text that YAML can hold.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "\\PC{0,20}",
        "([ a-z#:\t-]{0,12}\n){1,4}[ a-z]{0,6}",
        Just("- a".to_owned()),
        Just("no".to_owned()),
        Just("0123".to_owned()),
        Just("\u{feff}x\u{85}\u{2028}".to_owned()),
        Just("a\r\nb".to_owned()),
        Just("ENC[AES256_GCM,not one]".to_owned()),
    ]
}

fn quoted(text: &str) -> String {
    super::emit::quoted(text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_text_under_every_key_comes_back(
        map in proptest::collection::btree_map("[ -~\u{e0}-\u{ff}]{1,12}", (texts(), texts()), 1..6),
        changed in texts(),
    ) {
        let identity = Identity::generate();
        let open_regex = Regex::new("^open$").unwrap();
        let mut plain = String::new();
        for (key, (one, other)) in map.iter().filter(|(key, _)| *key != "sops") {
            plain.push_str(&format!("{}:\n  closed: {}\n  open: {}\n", quoted(key), quoted(one), quoted(other)));
        }
        prop_assume!(!plain.is_empty());
        let rule = Rule { selection: Selection::UnencryptedRegex(open_regex), ..rule(&[&identity]) };
        let text = encrypt(source(&plain), &rule, now()).unwrap();
        let check = |text: &str, first: Option<&str>| -> std::result::Result<(), TestCaseError> {
            let opened = open(source(text), &identity).unwrap();
            let json: serde_json::Value = serde_json::from_str(&opened.json()).unwrap();
            // What is shown as a plain file says the same.
            let again = encrypt(source(&opened.text()), &rule, now()).unwrap();
            let again = open(source(&again), &identity).unwrap();
            prop_assert_eq!(&*again.json(), &*opened.json());
            for (at, (key, (one, other))) in map.iter().filter(|(key, _)| *key != "sops").enumerate() {
                // What matches the rule as a key of its own is open, as a whole.
                let one = first.filter(|_| at == 0).unwrap_or(one);
                prop_assert_eq!(&json[key]["closed"], one);
                prop_assert_eq!(&json[key]["open"], other);
            }
            Ok(())
        };
        check(&text, None)?;
        let first = map.keys().find(|key| *key != "sops").unwrap();
        if !first.contains('.') {
            let name = format!("{first}.closed");
            check(&set(&text, &identity, &name, &changed).unwrap(), Some(&changed))?;
        }
    }
}
