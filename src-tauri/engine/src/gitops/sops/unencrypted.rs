//! What of a file is not encrypted and should be, as far as that can be told without a key.

use super::{
    cipher::is_encrypted,
    leaf::leaves,
    metadata::{self, Metadata},
    opened::dialect,
    selection::Selection,
    value::Value,
    yaml::{self, Aliases, Node, Source},
};
use crate::error_handling::Code;

/// Lines of a file that has to be encrypted: the first, if it is not at all; those of values that somebody wrote into
/// it by hand.
#[must_use]
pub fn unencrypted_lines(source: Source<'_>) -> Vec<usize> {
    let Ok(tree) = yaml::read(source, Aliases::Refused) else { return vec![1] };
    let Some(Node::Map(map)) = tree.root.get(metadata::KEY).map(|entry| &entry.value) else {
        return vec![1];
    };
    let selection = match Metadata::read(&tree.root, source) {
        Ok(metadata) => metadata.selection,
        // sops encrypted it, for others or in a way that is not read here. Its rule may be known all the same.
        Err(error) if error.code() == Code::SecretsUnsupported => match Selection::read(map, source) {
            Ok(selection) => selection,
            Err(_) => return Vec::new(),
        },
        Err(_) => return vec![1],
    };
    let is_open = |scalar: &yaml::Scalar| {
        let is_null = matches!(Value::of(scalar, dialect(source.name)), Ok(Value::Null));
        !scalar.text.is_empty() && !is_null && !is_encrypted(&scalar.text)
    };
    let leaves = leaves(&tree.root).into_iter();
    let open = leaves.filter(|leaf| selection.takes(&leaf.keys()) && is_open(leaf.scalar));
    open.map(|leaf| leaf.scalar.line).collect()
}
