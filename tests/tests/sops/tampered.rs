//! Files that are not what was encrypted: where sops refuses, Drydock does too, and says in which way.

use crate::team::Team;
use drydock_tests::rig::Done;

const PLAIN: &str = "slack:\n  webhook: FAKE-hook\n  channel: FAKE-general\nlist:\n  - one\n  - two\nopen_unencrypted: seen\n";

/// What sops ends with (<https://github.com/getsops/sops/blob/v3.11.0/cmd/sops/codes/codes.go>).
const VALUE: i32 = 25;
const MAC: i32 = 51;
const NO_KEY: i32 = 128;

fn line(text: &str, part: &str) -> String {
    text.lines().find(|line| line.contains(part)).unwrap().to_owned()
}

/// With another letter at the beginning of a base64 field.
fn flipped(text: &str, field: &str) -> String {
    let at = text.find(field).unwrap() + field.len();
    let other = if text[at..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

#[test]
fn what_sops_refuses_drydock_refuses_with_a_code_of_its_own() {
    let team = Team::new();
    for by_drydock in [false, true] {
        team.write("good.yaml", PLAIN);
        if by_drydock {
            team.encrypt_by_drydock("good.yaml").ok();
        } else {
            team.encrypt_by_sops("good.yaml", &[]);
        }
        let good = team.read("good.yaml");
        let (hook, channel, mac) = (line(&good, "webhook:"), line(&good, "channel:"), line(&good, "mac:"));
        let (one, two) = {
            let mut items = good.lines().filter(|line| line.trim().starts_with("- ENC["));
            (items.next().unwrap().to_owned(), items.next().unwrap().to_owned())
        };
        let swapped = |one: &str, two: &str| good.replace(one, "\0").replace(two, one).replace('\0', two);
        let renamed = |from: &str, to: &str| good.replacen(from, to, 1);
        let time = line(&good, "lastmodified:");
        for (what, text, by_sops, code) in [
            ("changed data", renamed(&hook, &flipped(&hook, "data:")), VALUE, "secrets.tampered"),
            ("a changed nonce", renamed(&hook, &flipped(&hook, "iv:")), VALUE, "secrets.tampered"),
            ("a changed tag", renamed(&hook, &flipped(&hook, "tag:")), VALUE, "secrets.tampered"),
            ("a renamed key", renamed("webhook:", "webhouse:"), VALUE, "secrets.tampered"),
            ("a renamed parent", renamed("slack:", "slick:"), VALUE, "secrets.tampered"),
            (
                "values of two keys exchanged",
                swapped(&hook["    webhook: ".len()..], &channel["    channel: ".len()..]),
                VALUE,
                "secrets.tampered",
            ),
            (
                "a plain value in the place of one",
                renamed(&hook, "    webhook: FAKE-by-hand"),
                VALUE,
                "secrets.plain",
            ),
            ("items of a list exchanged", swapped(&one, &two), MAC, "secrets.mac"),
            ("a removed value", renamed(&format!("{hook}\n"), ""), MAC, "secrets.mac"),
            ("a value twice in a list", renamed(&one, &format!("{one}\n{one}")), MAC, "secrets.mac"),
            ("a changed open value", renamed("seen", "unseen"), MAC, "secrets.mac"),
            (
                "an open value more",
                renamed("open_unencrypted:", "more_unencrypted: x\nopen_unencrypted:"),
                MAC,
                "secrets.mac",
            ),
            ("an emptied value", renamed(&hook, "    webhook: \"\""), MAC, "secrets.mac"),
            ("a changed MAC", renamed(&mac, &flipped(&mac, "data:")), MAC, "secrets.mac"),
            ("the MAC of nothing", renamed(&mac, "    mac: \"\""), MAC, "secrets.mac"),
            (
                "another time",
                renamed(&time, "    lastmodified: \"2020-01-01T00:00:00Z\""),
                MAC,
                "secrets.mac",
            ),
            (
                "another rule",
                renamed("unencrypted_suffix: _unencrypted", "encrypted_suffix: _never"),
                MAC,
                "secrets.mac",
            ),
            (
                "values called comments",
                renamed(&one, &one.replace("type:str", "type:comment")),
                MAC,
                "secrets.mac",
            ),
        ] {
            assert_ne!(text, good, "{what}");
            team.write("case.yaml", &text);
            let sops = team.sops(&["decrypt", "case.yaml"]);
            assert_eq!(sops.code, Some(by_sops), "{what}: {}", sops.stderr);
            let refused = team.drydock(&["decrypt", "case.yaml"]).done();
            assert_ne!(refused.code, Some(0), "{what}");
            tells_nothing(&refused.tells(code), what);
            // Nor is it mended by changing it.
            team.drydock(&["set", "case.yaml", "slack.channel"]).input("x").done().tells(code);
            assert_eq!(team.read("case.yaml"), text, "{what}: it was written");
        }
    }
}

#[test]
fn a_key_that_does_not_fit_is_told_from_one_that_is_not_there() {
    let (team, other) = (Team::new(), Team::new());
    other.write("case.yaml", PLAIN);
    other.encrypt_by_drydock("case.yaml").ok();
    let theirs = other.read("case.yaml");
    let stanza = line(&theirs, "YWdl");
    for (what, text, code) in [
        ("a file for somebody else", theirs.clone(), "secrets.for_others"),
        ("our name on their key", theirs.replace(&other.recipient, &team.recipient), "secrets.key"),
        ("a damaged key", theirs.replace(&stanza, &flipped(&stanza, "YWdl")), "secrets.for_others"),
    ] {
        team.write("case.yaml", &text);
        assert_eq!(team.sops(&["decrypt", "case.yaml"]).code, Some(NO_KEY), "{what}");
        let refused = team.drydock(&["decrypt", "case.yaml"]).done().exits(4).tells(code);
        tells_nothing(&refused, what);
    }
    let none = drydock_tests::rig::Home::new();
    team.write("case.yaml", &theirs);
    let refused = drydock_tests::rig::Rig::drydock_at(&none).in_folder(team.folder());
    refused.args(["gitops", "decrypt", "case.yaml"]).done().exits(4).tells("secrets.key");
}

#[test]
fn a_file_that_breaks_off_is_never_opened() {
    let team = Team::new();
    team.write("case.yaml", PLAIN);
    team.encrypt_by_drydock("case.yaml").ok();
    let good = team.read("case.yaml");
    for (part, code) in [
        ("sops:", "secrets.incomplete"),
        ("    age:", "secrets.incomplete"),
        ("-----END AGE", "secrets.incomplete"),
        ("    lastmodified:", "secrets.incomplete"),
        ("    mac:", "secrets.mac"),
    ] {
        let cut = &good[..good.find(part).unwrap()];
        team.write("cut.yaml", cut);
        assert_ne!(team.sops(&["decrypt", "cut.yaml"]).code, Some(0), "before {part}");
        team.drydock(&["decrypt", "cut.yaml"]).done().exits(1).tells(code);
    }
}

fn tells_nothing(done: &Done, what: &str) {
    assert_eq!(done.stdout, "", "{what}");
    for secret in ["FAKE-hook", "FAKE-general", "AGE-SECRET-KEY", "FAKE-by-hand"] {
        assert!(!done.stderr.contains(secret), "{what}: {}", done.stderr);
    }
}
