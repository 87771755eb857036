//! Conversations: the backup's records, and between them the intact ones that only the damaged file has.

use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

/// What a merge had to do with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::disaster_recovery) struct Salvaged {
    /// Records of the backup.
    pub(in crate::disaster_recovery) earlier: u64,
    /// Records that only the damaged file has.
    pub(in crate::disaster_recovery) newer: u64,
    /// Lines of the damaged file that are no records.
    pub(in crate::disaster_recovery) broken: u64,
    /// Records of the damaged file that had zero bytes before or behind them.
    pub(in crate::disaster_recovery) freed: u64,
    /// Records of the backup that the damaged file has lost.
    pub(in crate::disaster_recovery) regained: u64,
}

type Key = [u8; 16];

/// Writes the records of `earlier` in their order, and the intact ones of `damaged` that it does not have
/// where they stood between them. A record in both is written once for each time that the fuller one has it.
pub(in crate::disaster_recovery) fn merge_records(
    earlier: Option<&Path>,
    damaged: Option<&Path>,
    to: &mut dyn Write,
) -> io::Result<Salvaged> {
    let mut found = Salvaged::default();
    let mut matched = 0;
    let mut order = Vec::new();
    if let Some(earlier) = earlier {
        each_record(earlier, |line| {
            if let Some(record) = intact(line) {
                order.push(key(record));
            }
            Ok(())
        })?;
    }
    let mut positions: HashMap<Key, Vec<usize>> = HashMap::new();
    for (at, key) in order.iter().enumerate() {
        positions.entry(*key).or_default().push(at);
    }
    let mut between: HashMap<usize, Vec<Vec<u8>>> = HashMap::new();
    // Behind which of the earlier records the damaged file is, and what it has that waits for its next one.
    let mut after: Option<usize> = None;
    let mut waiting: Vec<Vec<u8>> = Vec::new();
    if let Some(damaged) = damaged {
        each_record(damaged, |line| {
            let Some(record) = intact(line) else {
                found.broken += u64::from(!line.trim_ascii().is_empty());
                return Ok(());
            };
            found.freed += u64::from(record.len() != line.trim_ascii().len());
            let Some(known) = positions.get(&key(record)) else {
                found.newer += 1;
                waiting.push(record.to_vec());
                return Ok(());
            };
            if let Some(at) = known.iter().copied().find(|at| after.is_none_or(|after| *at > after)) {
                between.entry(at).or_default().append(&mut waiting);
                matched += 1;
                after = Some(at);
            }
            Ok(())
        })?;
    }
    // What no later record of the backup follows is newer than all of them.
    between.entry(order.len()).or_default().append(&mut waiting);
    let mut at = 0;
    if let Some(earlier) = earlier {
        each_record(earlier, |line| {
            let Some(record) = intact(line) else { return Ok(()) };
            write_all(to, between.remove(&at).unwrap_or_default())?;
            write_all(to, [record.to_vec()])?;
            at += 1;
            Ok(())
        })?;
    }
    write_all(to, between.remove(&at).unwrap_or_default())?;
    found.earlier = order.len() as u64;
    found.regained = found.earlier - matched;
    Ok(found)
}

fn write_all(to: &mut dyn Write, records: impl IntoIterator<Item = Vec<u8>>) -> io::Result<()> {
    for mut record in records {
        record.push(b'\n');
        to.write_all(&record)?;
    }
    Ok(())
}

fn each_record(path: &Path, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        take(line.strip_suffix(b"\n").unwrap_or(&line))?;
        line.clear();
    }
    Ok(())
}

/// The record in a line, if it is whole. A block of zero bytes that a crash left before or behind it is none
/// of it.
fn intact(line: &[u8]) -> Option<&[u8]> {
    let start = line.iter().position(|byte| *byte != 0)?;
    let end = line.iter().rposition(|byte| *byte != 0)? + 1;
    let record = line[start..end].trim_ascii();
    let is_object = record.first() == Some(&b'{') && std::str::from_utf8(record).is_ok();
    (is_object && serde_json::from_slice::<IgnoredAny>(record).is_ok()).then_some(record)
}

fn key(record: &[u8]) -> Key {
    let digest = Sha256::digest(record);
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn merged(earlier: &[u8], damaged: &[u8]) -> (String, Salvaged) {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&a, earlier).unwrap();
        fs::write(&b, damaged).unwrap();
        let mut out = Vec::new();
        let found = merge_records(Some(&a), Some(&b), &mut out).unwrap();
        (String::from_utf8(out).unwrap(), found)
    }

    #[test]
    fn newer_records_behind_the_damage_stay_in_their_place() {
        let earlier = b"{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n";
        let damaged = b"{\"n\":1}\n{\"n\x00\x00\x00\x00\n{\"n\":3}\n{\"n\":4}\n{\"n\":5";
        let (text, found) = merged(earlier, damaged);
        assert_eq!(text, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n");
        assert_eq!(found, Salvaged { earlier: 3, newer: 1, broken: 2, freed: 0, regained: 1 });
    }

    #[test]
    fn what_nothing_places_is_newer() {
        assert_eq!(merged(b"{\"n\":1}\n", b"{\"m\":9}\n").0, "{\"n\":1}\n{\"m\":9}\n");
        assert_eq!(merged(b"{\"n\":1}\n", b"{\"m\":0}\n{\"n\":1}\n").0, "{\"m\":0}\n{\"n\":1}\n");
    }

    #[test]
    fn zero_bytes_around_a_record_are_none_of_it() {
        let (text, found) = merged(b"{\"n\":1}\n", b"{\"n\":1}\n\0\0\0{\"n\":2}\n");
        assert_eq!(text, "{\"n\":1}\n{\"n\":2}\n");
        assert_eq!((found.newer, found.broken), (1, 0));
    }

    proptest! {
        /// The file grew after the backup, then a piece of it was overwritten: all that was in the backup and
        /// all that is intact is there, each once, and in order.
        #[test]
        fn no_record_is_lost(
            backed_up in 0_usize..12, grown in 0_usize..12, from in 0_usize..200, length in 1_usize..60,
        ) {
            let lines: Vec<_> = (0..backed_up + grown).map(|n| format!("{{\"n\":{n},\"t\":\"x\"}}")).collect();
            let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            let mut damaged = text(&lines).into_bytes();
            let end = (from + length).min(damaged.len());
            damaged.iter_mut().take(end).skip(from).for_each(|byte| *byte = 0);
            let survives: Vec<_> = damaged
                .split(|byte| *byte == b'\n')
                .filter_map(|line| intact(line).map(|line| String::from_utf8(line.to_vec()).unwrap()))
                .collect();
            let (merged, _) = merged(text(&lines[..backed_up]).as_bytes(), &damaged);
            let expected: Vec<_> = lines
                .iter()
                .enumerate()
                .filter(|(n, line)| *n < backed_up || survives.contains(line))
                .map(|(_, line)| line.as_str())
                .collect();
            prop_assert_eq!(merged.lines().collect::<Vec<_>>(), expected);
        }
    }
}
