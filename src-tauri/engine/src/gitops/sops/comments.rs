//! Where each comment of a plain file is written in the encrypted one.
//!
//! A comment's ciphertext is bound to the mapping or list that sops takes it to stand in, and sops goes by how go-yaml
//! attaches comments to keys and values (`stores/yaml/store.go` of sops). So comments are written only where that leaves
//! no choice: above a key; below the last value of a mapping, where that is no mapping or list itself; and in lists as
//! items, as sops has them. They stay in their order, and beside the same key; one at the end of a line moves above it.

use super::yaml::{Entry, Layout, List, Map, Node, Source, Tree};
use std::collections::BTreeMap;

/// A place for comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    /// Where the key or item begins.
    pub(super) at: usize,
    /// How many mappings and lists are around it: an item and its first key begin at the same letter.
    pub(super) depth: usize,
    pub(super) side: Side,
}

/// On which side of a key or an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Above,
    /// It is the last one.
    Below,
}

/// A comment that has its place.
#[derive(Debug, Clone)]
pub(super) struct Placed<'t> {
    /// The keys on the way to the mapping or list that it stands in.
    pub(super) keys: Vec<&'t str>,
    pub(super) within: Within,
    /// Without the `#`.
    pub(super) text: &'t str,
    pub(super) line: usize,
}

/// In what a comment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    Map,
    List,
}

/// All comments of a file by their places.
#[derive(Debug, Default)]
pub(super) struct Comments<'t>(BTreeMap<Spot, Vec<Placed<'t>>>);

impl<'t> Comments<'t> {
    pub(super) fn of(source: Source<'t>, tree: &'t Tree) -> Self {
        let mut anchors = Anchors { text: source.text, keys: Vec::new(), found: Vec::new() };
        anchors.of_map(&tree.root, 0, None);
        let anchors = anchors.found;
        let mut placed = Self::default();
        let mut above: Option<Standing> = None;
        for comment in &tree.comments {
            let mut standing = Standing::of(source.text, comment.range.start, &anchors);
            if let (Some(above), Some(column)) = (above, &mut standing.alone)
                && above.next == standing.next
            {
                // What follows one that is indented less is no part of what that left.
                *column = above.alone.map_or(*column, |least| least.min(*column));
            }
            above = standing.alone.map(|_| standing).or(above);
            let Some((anchor, side)) = standing.anchor(&anchors) else { continue };
            let text = source.text.get(comment.range.clone()).unwrap_or_default();
            let text = text.strip_prefix('#').unwrap_or(text).trim_end();
            let spot = Spot { at: anchor.at, depth: anchor.depth, side };
            let (keys, within) = (anchor.keys.clone(), anchor.within);
            placed.0.entry(spot).or_default().push(Placed { keys, within, text, line: comment.line });
        }
        placed
    }

    /// Those of a place, in their order.
    pub(super) fn at(&self, spot: Spot) -> &[Placed<'t>] {
        self.0.get(&spot).map_or(&[], Vec::as_slice)
    }
}

/// A key, or an item of a list.
struct Anchor<'t> {
    at: usize,
    /// Where its value ends, if that is a scalar.
    end: usize,
    depth: usize,
    /// How far it is indented; nothing where it stands within braces.
    column: Option<usize>,
    /// The way to what it stands in.
    keys: Vec<&'t str>,
    within: Within,
    /// Above which of all comments of it go: for what an item begins with, the item. sops shows no two comments there.
    above: usize,
}

/// All of a document, in their order.
struct Anchors<'t> {
    text: &'t str,
    keys: Vec<&'t str>,
    found: Vec<Anchor<'t>>,
}

impl<'t> Anchors<'t> {
    /// The mapping is the value of the key or item `outer`.
    fn of_map(&mut self, map: &'t Map, depth: usize, outer: Option<usize>) {
        for (at, entry) in map.entries.iter().enumerate() {
            let Entry { key, key_range, column, value, .. } = entry;
            let column = (map.layout == Layout::Block).then_some(*column);
            let this = self.push(key_range.start, value, depth, column, Within::Map);
            self.begins(this, outer.filter(|_| at == 0));
            self.keys.push(key);
            self.below(value, depth, this);
            self.keys.pop();
        }
    }

    fn of_list(&mut self, list: &'t List, depth: usize, outer: usize) {
        for (at, item) in list.items.iter().enumerate() {
            let start = item.start();
            // The dash before it.
            let dash = self.text.get(..start).and_then(|before| before.rfind('-'));
            let column = dash.map(|dash| column(self.text, dash));
            let column = column.filter(|_| list.layout == Layout::Block);
            let this = self.push(start, item, depth, column, Within::List);
            self.begins(this, Some(outer).filter(|_| at == 0));
            self.below(item, depth, this);
        }
    }

    fn below(&mut self, node: &'t Node, depth: usize, this: usize) {
        match node {
            Node::Scalar(_) => {}
            Node::Map(map) => self.of_map(map, depth + 1, Some(this)),
            Node::List(list) => self.of_list(list, depth + 1, this),
        }
    }

    /// Where a key or item is the first that stands in an item of a list.
    fn begins(&mut self, this: usize, outer: Option<usize>) {
        if let Some(outer) = outer.filter(|outer| self.found[*outer].within == Within::List) {
            self.found[this].above = self.found[outer].above;
        }
    }

    fn push(
        &mut self,
        at: usize,
        value: &Node,
        depth: usize,
        column: Option<usize>,
        within: Within,
    ) -> usize {
        let above = self.found.len();
        let end = match value {
            Node::Scalar(scalar) => scalar.range.end,
            Node::Map(_) | Node::List(_) => at,
        };
        self.found.push(Anchor { at, end, depth, column, keys: self.keys.clone(), within, above });
        above
    }
}

fn column(text: &str, at: usize) -> usize {
    at - text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// Where a comment stands.
#[derive(Clone, Copy)]
struct Standing {
    at: usize,
    /// Which key or item is the next one.
    next: usize,
    /// How far it is indented, where it has a line of its own.
    alone: Option<usize>,
}

impl Standing {
    fn of(text: &str, at: usize, anchors: &[Anchor<'_>]) -> Self {
        let next = anchors.partition_point(|anchor| anchor.at < at);
        let column = column(text, at);
        let before = text[at - column..at].chars();
        let is_alone = before.into_iter().all(|letter| letter.is_whitespace() || letter == '-');
        Self { at, next, alone: is_alone.then_some(column) }
    }

    /// The key or item that it goes to.
    fn anchor<'a, 't>(self, anchors: &'a [Anchor<'t>]) -> Option<(&'a Anchor<'t>, Side)> {
        let before = self.next.checked_sub(1).map(|last| &anchors[last]);
        let above = |anchor: &Anchor<'_>| anchors.get(anchor.above).map(|anchor| (anchor, Side::Above));
        let column = match (self.alone, before) {
            (None, Some(before)) => return above(before),
            (_, Some(before)) if self.at < before.end => return above(before),
            (column, _) => column.unwrap_or_default(),
        };
        let next = anchors.get(self.next);
        let Some(before) = before else { return next.and_then(above) };
        // What ends between the two: the comment is the last in one of these if it is indented so far.
        let outer = next.map_or(0, |next| next.depth + 1);
        let least = next.map_or(Some(0), |next| next.column.map(|column| column + 1)).unwrap_or(usize::MAX);
        let last_of = |depth: usize| {
            let until = &anchors[..anchors.partition_point(|anchor| anchor.at <= before.at)];
            until.iter().rfind(|anchor| anchor.depth == depth)
        };
        let fits = |depth: &usize| {
            last_of(*depth).and_then(|last| last.column).is_some_and(|own| own <= column && own >= least)
        };
        match ((outer..=before.depth).rev().find(fits), next) {
            (Some(0), _) | (None, None) => last_of(0).map(|last| (last, Side::Below)),
            (None, Some(next)) => above(next),
            (Some(depth), _) => {
                // Below a mapping or list in a mapping it would be taken for a part of that.
                let is_last = |last: &&Anchor<'_>| last.depth == before.depth || last.within == Within::List;
                (depth..=before.depth).filter_map(last_of).find(is_last).map(|last| (last, Side::Below))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::sops::yaml::{self, Aliases};

    /// Each comment with what it is written at.
    fn placed(text: &str) -> Vec<String> {
        let source = Source { name: "a.yaml", text };
        let tree = yaml::read(source, Aliases::Refused).unwrap();
        let comments = Comments::of(source, &tree);
        let mut all: Vec<_> =
            comments.0.iter().flat_map(|(spot, all)| all.iter().map(move |one| (spot, one))).collect();
        all.sort_by_key(|(_, one)| one.line);
        let word = |at: usize| text[at..].split([':', '\n', ',', '}', ' ']).next().unwrap();
        let shown = |(spot, one): (&Spot, &Placed<'_>)| {
            let side = if spot.side == Side::Above { "above" } else { "below" };
            format!("{} {side} {} in {}", one.text.trim(), word(spot.at), one.keys.join("."))
        };
        all.into_iter().map(shown).collect()
    }

    #[test]
    fn a_comment_stays_with_what_it_stands_at() {
        for (text, at) in [
            ("# 1\na: x\n", "1 above a in "),
            ("a: x # 1\nb: y\n", "1 above a in "),
            ("a: x\n# 1\nb: y\n", "1 above b in "),
            ("a: x\n# 1\n", "1 below a in "),
            ("a: # 1\n  b: x\n", "1 above a in "),
            ("a:\n  # 1\n  b: x\n", "1 above b in a"),
            ("a:\n  b: x\n  # 1\nc: y\n", "1 below b in a"),
            ("a:\n  b: x\n# 1\nc: y\n", "1 above c in "),
            ("a:\n  b: x\n  # 1\n", "1 below b in a"),
            ("a:\n  b: x\n# 1\n", "1 below a in "),
            ("a:\n  b:\n    c: x\n  # 1\nd: y\n", "1 below c in a.b"),
            ("a:\n  # 1\n  - x\n", "1 above x in a"),
            ("a:\n  - x # 1\n  - y\n", "1 above x in a"),
            ("a:\n  - x\n  # 1\nb: y\n", "1 below x in a"),
            ("a:\n- x\n# 1\nb: y\n", "1 above b in "),
            ("a:\n  - k: x # 1\n", "1 above k in a"),
            ("a:\n  - # 1\n    k: x\n", "1 above k in a"),
            ("a:\n  - - x # 1\n    - y\n", "1 above - in a"),
            ("a:\n  - - x\n    # 1\n    - y\n", "1 above y in a"),
            ("a:\n  - k: x\n    # 1\n    l: y\n", "1 above l in a"),
            ("a: {b: x, # 1\n  c: y}\n", "1 above b in a"),
            ("a: | # 1\n  x\n", "1 above a in "),
            ("a:\n  # 1\n  x\nb: y\n", "1 above a in "),
        ] {
            assert_eq!(placed(text), [at], "{text}");
        }
        let text = "a:\n  b: x\n# 1\n  # 2\n";
        assert_eq!(placed(text), ["1 below a in ", "2 below a in "], "they stay in their order");
    }
}
