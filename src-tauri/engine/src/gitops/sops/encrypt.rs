//! Encrypting a file that is not yet: keys stay readable, values do not.

use super::{
    cipher::DataKey,
    emit,
    leaf::{Leaf, leaves},
    metadata::{self, Metadata, Rewritable},
    opened::{dialect, sealed_mac},
    recipients::{Recipient, Wrapped},
    rules::Rule,
    value::{Dialect, Value},
    yaml::{self, Aliases, Layout, Source},
};
use crate::error_handling::{Code, Error, Result};
use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

/// Longer keys have a form of their own in YAML.
const LONGEST_KEY: usize = 500;

/// The text of the encrypted file.
///
/// # Errors
/// [`Code::SecretsShape`] when a value is no text, with its line; [`Code::SecretsComments`] when there are comments;
/// [`Code::SecretsEncrypted`] when it is encrypted already.
pub fn encrypt(source: Source<'_>, rule: &Rule, now: DateTime<Utc>) -> Result<String> {
    if dialect(source.name) == Dialect::Json {
        return Err(source
            .error_whole(Code::SecretsUnsupported, "only YAML is encrypted; JSON is read")
            .remedy("rename it to .yaml, which takes JSON as it is, or use sops itself"));
    }
    let tree = yaml::read(source, Aliases::Refused)?;
    if let Some(entry) = tree.root.get(metadata::KEY) {
        return Err(source
            .error(Code::SecretsEncrypted, entry.line, "it is encrypted already, or uses the key `sops`")
            .remedy(format!("to change a value: drydock gitops set {} KEY", source.name))
            .remedy(format!("to encrypt it for others: drydock gitops encrypt --rewrap {}", source.name)));
    }
    if let Some(comment) = tree.comments.first() {
        return Err(source
            .error(Code::SecretsComments, comment.line, "a comment stands here, and would be lost")
            .remedy("remove the comments; the names of keys stay readable and can say the same")
            .remedy(format!("or keep them by sops itself: sops encrypt --in-place {}", source.name)));
    }
    let leaves = leaves(&tree.root);
    if leaves.is_empty() {
        return Err(source.error_whole(Code::SecretsShape, "there is no value in it to encrypt"));
    }
    let key = DataKey::random()?;
    let mut written = leaves.iter().map(|leaf| written(source, leaf, rule, &key));
    let mut out = Zeroizing::new(String::new());
    emit::entries(&tree.root.entries, 0, &mut out, &mut |_, indent| match written.next() {
        Some(Ok(Written::Sealed(sealed))) => Ok(Zeroizing::new(emit::ciphertext(&sealed, Layout::Block))),
        Some(Ok(Written::Open(text))) => Ok(emit::text(&text, indent)),
        Some(Err(error)) => Err(error),
        None => Err(Error::new(Code::Internal, "a value was not looked at")),
    })?;
    let mut metadata = Metadata {
        wrapped: wrapped(&key, &rule.recipients)?,
        selection: rule.selection.clone(),
        scope: rule.scope,
        last_modified: metadata::modified_at(now),
        mac: String::new(),
        rewritable: Rewritable::Yes,
    };
    // Over what stands there now, as whoever reads it will understand it.
    let encrypted = Source { name: source.name, text: &out };
    let tree = yaml::read(encrypted, Aliases::Refused)?;
    metadata.mac = sealed_mac(encrypted, &tree.root, &metadata, &key)?;
    Ok(out.to_string() + &metadata.written())
}

enum Written {
    Sealed(String),
    Open(Zeroizing<String>),
}

fn written(source: Source<'_>, leaf: &Leaf<'_>, rule: &Rule, key: &DataKey) -> Result<Written> {
    let (line, name) = (leaf.scalar.line, leaf.name());
    if leaf.keys().iter().any(|key| key.chars().count() > LONGEST_KEY) {
        return Err(source.error(Code::SecretsShape, line, "a key is longer than a name can be"));
    }
    let value = Value::of(leaf.scalar, Dialect::Yaml).unwrap_or(Value::Null);
    let Value::Text(text) = &value else {
        return Err(source
            .error(
                Code::SecretsShape,
                line,
                format!("the value of `{name}` is {}, and no text", value.kind()),
            )
            .remedy("put it in double quotes")
            .remedy("or remove the key, if it has no value"));
    };
    if !rule.selection.takes(&leaf.keys()) {
        return Ok(Written::Open(text.clone()));
    }
    if super::cipher::is_encrypted(text) {
        let what = format!("the value of `{name}` is a ciphertext already");
        return Err(source.error(Code::SecretsEncrypted, line, what));
    }
    key.seal(&value, &leaf.place()).map(Written::Sealed)
}

fn wrapped(key: &DataKey, recipients: &[Recipient]) -> Result<Vec<Wrapped>> {
    recipients.iter().map(|recipient| Wrapped::new(key, recipient)).collect()
}
