//! The values of a document in their order, each with the way to it.

use super::{
    cipher, metadata,
    yaml::{Layout, Map, Node, Scalar},
};
use std::fmt;

/// One step on the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step<'t> {
    Key(&'t str),
    Item(usize),
}

/// A value of the document.
#[derive(Clone)]
pub(super) struct Leaf<'t> {
    pub(super) steps: Vec<Step<'t>>,
    pub(super) scalar: &'t Scalar,
    /// How the mapping or list is written that it stands in.
    pub(super) layout: Layout,
    /// How far lines below it are indented, where it is the value of a key in a block.
    pub(super) indent: Option<usize>,
    pub(super) role: Role,
}

/// What a scalar is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Value,
    /// sops writes an encrypted comment in a list as an item of it. That it calls itself one is not proven; but one that
    /// was a value is missing in the MAC.
    Comment,
}

impl<'t> Leaf<'t> {
    /// The keys on the way; items of lists have none.
    pub(super) fn keys(&self) -> Vec<&'t str> {
        keys(&self.steps)
    }

    /// What binds a ciphertext to its place.
    pub(super) fn place(&self) -> String {
        place(&self.keys())
    }

    /// For people, and for `${secret:…}`: `slack.webhook`, `hosts.0`.
    pub(super) fn name(&self) -> String {
        name(&self.steps)
    }
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Item(at) => write!(f, "{at}"),
        }
    }
}

fn keys<'t>(steps: &[Step<'t>]) -> Vec<&'t str> {
    let key = |step: &Step<'t>| match step {
        Step::Key(key) => Some(*key),
        Step::Item(_) => None,
    };
    steps.iter().filter_map(key).collect()
}

pub(super) fn place(keys: &[&str]) -> String {
    keys.join(":") + ":"
}

fn name(steps: &[Step<'_>]) -> String {
    steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}

/// All values but those of the metadata.
pub(super) fn leaves(root: &Map) -> Vec<Leaf<'_>> {
    let mut found = Vec::new();
    of_map(root, Top::Yes, &mut Vec::new(), &mut found);
    found
}

/// Where ciphertexts of comments can belong: each mapping and list.
pub(super) fn containers(root: &Map) -> Vec<String> {
    fn visit<'t>(node: &'t Node, keys: &mut Vec<&'t str>, found: &mut Vec<String>) {
        match node {
            Node::Scalar(_) => {}
            Node::List(list) => {
                found.push(place(keys));
                list.items.iter().for_each(|item| visit(item, keys, found));
            }
            Node::Map(map) => {
                found.push(place(keys));
                for entry in &map.entries {
                    keys.push(&entry.key);
                    visit(&entry.value, keys, found);
                    keys.pop();
                }
            }
        }
    }
    let mut found = vec![place(&[])];
    for entry in root.entries.iter().filter(|entry| entry.key != metadata::KEY) {
        visit(&entry.value, &mut vec![&entry.key], &mut found);
    }
    found.dedup();
    found
}

#[derive(Clone, Copy, PartialEq)]
enum Top {
    Yes,
    No,
}

fn of_map<'t>(map: &'t Map, top: Top, steps: &mut Vec<Step<'t>>, found: &mut Vec<Leaf<'t>>) {
    const STEP: usize = 4;
    for entry in &map.entries {
        if top == Top::Yes && entry.key == metadata::KEY {
            continue;
        }
        steps.push(Step::Key(&entry.key));
        let indent = (map.layout == Layout::Block).then_some(entry.column + STEP);
        of_node(&entry.value, map.layout, indent, steps, found);
        steps.pop();
    }
}

fn of_node<'t>(
    node: &'t Node,
    layout: Layout,
    indent: Option<usize>,
    steps: &mut Vec<Step<'t>>,
    found: &mut Vec<Leaf<'t>>,
) {
    match node {
        Node::Scalar(scalar) => {
            found.push(Leaf { steps: steps.clone(), scalar, layout, indent, role: Role::Value });
        }
        Node::Map(map) => of_map(map, Top::No, steps, found),
        Node::List(list) => {
            let mut at = 0;
            for item in &list.items {
                if let Node::Scalar(scalar) = item
                    && cipher::is_comment(&scalar.text)
                {
                    let steps = steps.clone();
                    found.push(Leaf {
                        steps,
                        scalar,
                        layout: list.layout,
                        indent: None,
                        role: Role::Comment,
                    });
                    continue;
                }
                steps.push(Step::Item(at));
                of_node(item, list.layout, None, steps, found);
                steps.pop();
                at += 1;
            }
        }
    }
}
