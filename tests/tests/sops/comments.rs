//! Comments, both ways: at the top, above keys, in lists, at the ends of lines and of files, and wherever chance puts
//! them. sops binds each to the mapping or list that it takes it to stand in; one that it does not find there it shows as
//! a ciphertext.

use crate::team::Team;
use proptest::{
    collection::vec,
    prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest},
    test_runner::FileFailurePersistence,
};

const PLACES: &[(&str, &str)] = &[
    ("at the top", "# c0\n\n# c1\na: x\n"),
    ("above keys", "a: x\n# c0\nb:\n  # c1\n  c: y\n"),
    ("in lists", "a:\n  # c0\n  - x\n  # c1\n  - k: v\n    # c2\n    l: w\n  # c3\nb: z\n"),
    ("at the ends of lines", "a: x # c0\nb: # c1\n  c: y # c2\n  d:\n    - z # c3\n    - k: v # c4\n"),
    ("at the end of the file", "a:\n  b: x\n# c0\n"),
    ("at the ends of mappings", "a:\n  b:\n    c: x\n    # c0\n  # c1\nd: y\n# c2\n"),
    ("between braces", "a: {b: x, # c0\n  # c1\n  c: y}\nd: z\n"),
    ("at blocks of text", "a: | # c0\n  x\n  # no comment\n# c1\nb: >-\n  y\n# c2\n"),
    ("above an empty mapping and below it", "# c0\na: {}\n# c1\nb:\n  c: []\n  # c2\nd: x\n"),
    ("without a word", "#\n# c0\n#\na: x\nb:\n  #\n  # c1\n  c: y\n"),
];

/// The comments of a text by their numbers, in their order.
fn comments(text: &str) -> Vec<usize> {
    let number = |line: &str| line.split_once("# c")?.1.trim().parse().ok();
    text.lines().filter_map(number).collect()
}

/// What both show of a file that Drydock encrypted.
fn both_keep_them(team: &Team, what: &str, text: &str) {
    let all: Vec<_> = (0..comments(text).len()).collect();
    team.write("case.yaml", text);
    team.encrypt_by_drydock("case.yaml").ok();
    let sealed = team.read("case.yaml");
    assert_eq!(comments(&sealed), [0; 0], "{what}: they are in the open: {sealed}");
    let by_sops = team.sops(&["decrypt", "case.yaml"]).ok();
    // Where sops prints the last one of a list whose last item is a mapping is sops' own.
    let mut shown = comments(&by_sops.stdout);
    shown.sort_unstable();
    assert_eq!(shown, all, "{what}, by sops: {text}\n{}\n{sealed}", by_sops.stdout);
    assert!(!by_sops.stdout.contains("ENC["), "{what}: {}", by_sops.stdout);
    let by_drydock = team.drydock(&["decrypt", "case.yaml"]).done().ok().stdout;
    assert_eq!(comments(&by_drydock), all, "{what}, by Drydock: {text}\n{by_drydock}");
}

#[test]
fn comments_that_drydock_encrypts_are_opened_by_sops_in_their_order() {
    let team = Team::new();
    for (what, text) in PLACES {
        both_keep_them(&team, what, text);
        let shown = comments(&team.sops(&["decrypt", "case.yaml"]).ok().stdout);
        assert!(shown.is_sorted(), "{what}: {shown:?}");
        team.write("expected.yaml", text);
        team.encrypt_by_sops("expected.yaml", &[]);
        assert_eq!(team.drydock_reads("case.yaml"), team.sops_reads("expected.yaml"), "{what}");
        assert_eq!(team.sops_reads("case.yaml"), team.sops_reads("expected.yaml"), "{what}");
    }
}

#[test]
fn comments_that_sops_encrypts_are_opened_by_drydock_and_outlive_a_change() {
    let team = Team::new();
    for (what, text) in PLACES {
        let text = format!("{text}last: value\n");
        team.write("case.yaml", &text);
        team.encrypt_by_sops("case.yaml", &[]);
        let before = comments(&team.sops(&["decrypt", "case.yaml"]).ok().stdout);
        let shown = team.drydock(&["decrypt", "case.yaml"]).done().ok().stdout;
        assert_eq!(comments(&shown), before, "{what}: {shown}");
        let sealed = team.read("case.yaml");
        team.drydock(&["set", "case.yaml", "last"]).input("another").done().ok();
        team.drydock(&["set", "case.yaml", "new"]).input("value").done().ok();
        let after = team.read("case.yaml");
        let is_comment = |line: &&str| line.contains("#ENC[") || line.contains("type:comment");
        for line in sealed.lines().filter(is_comment) {
            assert!(after.lines().any(|other| other == line), "{what}: {line} is gone: {after}");
        }
        assert_eq!(comments(&team.sops(&["decrypt", "case.yaml"]).ok().stdout), before, "{what}: {after}");
        assert_eq!(team.sops_reads("case.yaml")["new"], "value", "{what}");
    }
}

#[test]
fn sops_changes_a_file_with_comments_of_drydocks_and_keeps_them() {
    let team = Team::new();
    for (what, text) in PLACES {
        let text = format!("{text}last: value\n");
        team.write("case.yaml", &text);
        team.encrypt_by_drydock("case.yaml").ok();
        team.sops(&["set", "case.yaml", r#"["last"]"#, r#""FAKE-by-sops""#]).ok();
        let shown = team.drydock(&["decrypt", "case.yaml"]).done().ok().stdout;
        assert_eq!(comments(&shown).len(), comments(&text).len(), "{what}: {shown}");
        assert_eq!(team.drydock_reads("case.yaml")["last"], "FAKE-by-sops", "{what}");
    }
}

/// sops makes an item of it.
#[test]
fn a_comment_without_a_word_in_a_list_is_no_item() {
    let team = Team::new();
    team.write("case.yaml", "a:\n  #\n  - x\n  #\n  - y\n  #\n");
    team.encrypt_by_drydock("case.yaml").ok();
    for read in [team.sops_reads("case.yaml"), team.drydock_reads("case.yaml")] {
        assert_eq!(read, serde_json::json!({"a": ["x", "y"]}));
    }
}

#[test]
fn comments_where_a_rule_leaves_values_open_stay_open() {
    let team = Team::new();
    let rule = format!("creation_rules:\n  - encrypted_regex: ^closed$\n    age: {}\n", team.recipient);
    team.write(".sops.yaml", &rule);
    team.write(
        "case.yaml",
        "# c0\na: x # c1\nclosed:\n  # c2\n  b: y\n  l:\n    # c3\n    - z\nd:\n  # c4\n  - w\n# c5\n",
    );
    team.encrypt_by_drydock("case.yaml").ok();
    assert_eq!(comments(&team.read("case.yaml")), [0, 1, 4, 5], "{}", team.read("case.yaml"));
    assert_eq!(comments(&team.sops(&["decrypt", "case.yaml"]).ok().stdout), [0, 1, 2, 3, 4, 5]);
    assert_eq!(comments(&team.drydock(&["decrypt", "case.yaml"]).done().ok().stdout), [0, 1, 2, 3, 4, 5]);
}

/// What stands in a generated file.
#[derive(Debug, Clone)]
enum Tree {
    Text,
    Map(Vec<Self>),
    List(Vec<Self>),
}

fn trees() -> impl Strategy<Value = Tree> {
    Just(Tree::Text).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![vec(inner.clone(), 1..4).prop_map(Tree::Map), vec(inner, 1..4).prop_map(Tree::List)]
    })
}

/// The lines of a tree below something, which is indented so far.
fn lines(tree: &Tree, indent: usize, first: &str, out: &mut Vec<String>) {
    let parts = match tree {
        Tree::Text => return out.push(format!("{first} \"text\"")),
        Tree::Map(parts) | Tree::List(parts) => parts,
    };
    // Items begin on the line of their dash, as people write them.
    let mut first = if first.ends_with('-') {
        Some(first.to_owned())
    } else {
        out.push(first.to_owned());
        None
    };
    for (at, part) in parts.iter().enumerate() {
        let before = first.take().map_or_else(|| " ".repeat(indent), |dash| dash + " ");
        let sign = if matches!(tree, Tree::List(_)) { "-".to_owned() } else { format!("k{at}:") };
        lines(part, indent + 2, &(before + &sign), out);
    }
}

/// A file with comments by chance: after which line, how far indented, or at its end.
fn commented(trees: &[Tree], chances: &[(usize, usize, bool)]) -> String {
    let mut all = Vec::new();
    for (at, tree) in trees.iter().enumerate() {
        lines(tree, 2, &format!("top{at}:"), &mut all);
    }
    let count = all.len();
    let indent = |line: Option<&String>| line.map_or(0, |line| line.len() - line.trim_start().len());
    let mut text = String::new();
    let mut number = 0;
    for at in 0..=count {
        for (line, which, is_beside) in chances.iter().filter(|chance| chance.0 % (count + 1) == at) {
            if *is_beside && *line % 2 == 0 {
                continue;
            }
            let (before, after) =
                (indent(at.checked_sub(1).and_then(|before| all.get(before))), indent(all.get(at)));
            let spaces = [before, after, 0, before + 2][which % 4];
            text.push_str(&format!("{}# c{number}\n", " ".repeat(spaces)));
            number += 1;
        }
        let Some(line) = all.get(at) else { continue };
        text.push_str(line);
        if chances.iter().any(|chance| chance.2 && chance.0 % (count + 1) == at) {
            text.push_str(&format!(" # c{number}"));
            number += 1;
        }
        text.push('\n');
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        max_shrink_iters: 256,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn comments_anywhere_come_back_from_both(
        trees in vec(trees(), 1..5),
        chances in vec((any::<usize>(), any::<usize>(), any::<bool>()), 1..16),
    ) {
        let team = Team::new();
        both_keep_them(&team, "by chance", &commented(&trees, &chances));
    }
}
