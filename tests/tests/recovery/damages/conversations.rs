//! Damage to conversations and to what was typed: files of records, which only grow.

use super::{
    super::person::BEGUN_SINCE,
    Kind, PLACES,
    bytes::{and, garbage_block, tenths, zero_block, zero_tail},
};
use drydock_tests::rig::{ELSEWHERE, HISTORY, NOTED, SIDECARS, WORKED, record};
use std::fs;

type Strike = fn(&[u8]) -> Vec<u8>;

const CONTENTS: &[(&str, Strike)] = &[
    ("cut between two records", |whole| {
        let cut = tenths(whole, 5);
        let end = cut.iter().rposition(|byte| *byte == b'\n').unwrap();
        cut[..=end].to_vec()
    }),
    ("cut in the middle of a record", |whole| {
        let cut = tenths(whole, 5);
        let end = cut.iter().rposition(|byte| *byte == b'\n').unwrap();
        cut[..end - 7].to_vec()
    }),
    ("emptied", |_| Vec::new()),
    ("zero bytes alone", |whole| vec![0; whole.len()]),
    ("with a block of zero bytes", zero_block),
    ("with zero bytes for its second half", zero_tail),
    ("with zero bytes between two records", |whole| {
        let at = line(whole, 7);
        [&whole[..at], &[0; 64], &whole[at..]].concat()
    }),
    ("with zero bytes behind it", |whole| and(whole, &[0; 512])),
    ("with garbage in it", garbage_block),
    ("with two records in one line", |whole| {
        let at = line(whole, 9);
        [&whole[..at - 1], &whole[at..]].concat()
    }),
    ("by two writers at once", |whole| interleaved(whole, 11)),
    ("without its first half", |whole| whole[whole.len() / 2..].to_vec()),
    ("another program's text", |_| b"Sign in to the network\n".to_vec()),
];

/// Where a line begins.
fn line(whole: &[u8], number: usize) -> usize {
    let ends = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).nth(number - 1).unwrap()
}

/// A record in the middle of the one before it.
fn interleaved(whole: &[u8], number: usize) -> Vec<u8> {
    let (first, second, end) = (line(whole, number), line(whole, number + 1), line(whole, number + 2));
    let middle = usize::midpoint(first, second);
    [&whole[..middle], &whole[second..end], &whole[middle..second], &whole[end..]].concat()
}

pub(crate) fn of_conversations() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for (what, strike) in CONTENTS {
        for (name, whose) in [(WORKED, "a conversation"), (HISTORY, "the prompts")] {
            kinds.push(Kind::new(format!("{whose}, {what}"), name, move |person| {
                fs::write(person.file(name), strike(person.now(name))).unwrap();
            }));
        }
    }
    for (what, strike) in PLACES {
        // One that is gone is counted by its project.
        let named = if *what == "deleted" { ".claude/projects/-home-ann-api-server-v2" } else { ELSEWHERE };
        kinds.push(Kind::new(format!("a conversation, {what}"), named, |person| {
            strike(&person.file(ELSEWHERE));
        }));
        kinds
            .push(Kind::new(format!("the prompts, {what}"), HISTORY, |person| strike(&person.file(HISTORY))));
    }
    kinds.extend(others());
    kinds
}

fn others() -> [Kind; 6] {
    let shop = ".claude/projects/-home-ann-shop";
    [
        Kind::new("a conversation, two writers at once in what no backup has", WORKED, |person| {
            fs::write(person.file(WORKED), interleaved(person.now(WORKED), 203)).unwrap();
        }),
        Kind::new("a conversation that no backup has, with a block of zero bytes", BEGUN_SINCE, |person| {
            fs::write(person.file(BEGUN_SINCE), zero_block(person.now(BEGUN_SINCE))).unwrap();
        }),
        Kind::new("a conversation, restored from the snapshot but cut, and gone on with", NOTED, |person| {
            let begin = tenths(person.now(NOTED), 4);
            fs::write(person.file(NOTED), and(&begin, record(NOTED, "gone on").as_bytes())).unwrap();
        }),
        Kind::new("a sub-agent's conversation, emptied", SIDECARS[0], |person| {
            fs::write(person.file(SIDECARS[0]), "").unwrap();
        }),
        Kind::new("a conversation, deleted with what is beside it", shop, |person| {
            fs::remove_file(person.file(WORKED)).unwrap();
            fs::remove_dir_all(person.file(WORKED.strip_suffix(".jsonl").unwrap())).unwrap();
        }),
        Kind::new("two conversations and the prompts at once", WORKED, |person| {
            fs::write(person.file(WORKED), zero_tail(person.now(WORKED))).unwrap();
            fs::write(person.file(ELSEWHERE), garbage_block(person.now(ELSEWHERE))).unwrap();
            fs::write(person.file(HISTORY), tenths(person.now(HISTORY), 3)).unwrap();
        }),
    ]
}
