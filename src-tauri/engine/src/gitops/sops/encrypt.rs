//! Encrypting a file that is not yet: keys stay readable, values do not.

use super::{
    cipher::{DataKey, is_encrypted},
    comments::{Comments, Placed, Spot, Within},
    emit::{self, Fill},
    leaf::{Leaf, leaves, place},
    metadata::{self, Metadata, Rewritable},
    opened::{dialect, sealed_mac},
    recipients::{Recipient, Wrapped},
    rules::Rule,
    value::{Dialect, Value},
    yaml::{self, Aliases, Layout, Scalar, Source},
};
use crate::error_handling::{Code, Error, Result};
use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

/// Longer keys have a form of their own in YAML.
const LONGEST_KEY: usize = 500;

/// The text of the encrypted file, which keeps its comments.
///
/// # Errors
/// [`Code::SecretsShape`] when a value is no text, with its line; [`Code::SecretsComments`] when there are comments in a
/// file of JSON; [`Code::SecretsEncrypted`] when it is encrypted already.
pub fn encrypt(source: Source<'_>, rule: &Rule, now: DateTime<Utc>) -> Result<String> {
    let dialect = dialect(source.name);
    let tree = yaml::read(source, Aliases::Refused)?;
    if let Some(entry) = tree.root.get(metadata::KEY) {
        return Err(source
            .error(Code::SecretsEncrypted, entry.line, "it is encrypted already, or uses the key `sops`")
            .remedy(format!("to change a value: drydock gitops set {} KEY", source.name))
            .remedy(format!("to encrypt it for others: drydock gitops encrypt --rewrap {}", source.name)));
    }
    if let (Dialect::Json, Some(comment)) = (dialect, tree.comments.first()) {
        return Err(source
            .error(Code::SecretsComments, comment.line, "a comment stands here, and JSON has none")
            .remedy("remove the comments, or rename the file to .yaml, which takes JSON as it is"));
    }
    let leaves = leaves(&tree.root);
    if leaves.is_empty() {
        return Err(source.error_whole(Code::SecretsShape, "there is no value in it to encrypt"));
    }
    let key = DataKey::random()?;
    let comments = Comments::of(source, &tree);
    let mut encrypting =
        Encrypting { source, rule, key: &key, dialect, leaves: leaves.into_iter(), comments };
    let mut out = Zeroizing::new(String::new());
    match dialect {
        Dialect::Yaml => emit::entries(&tree.root, &mut encrypting, &mut out)?,
        Dialect::Json => emit::members(&tree.root, 1, &mut encrypting, &mut out)?,
    }
    let mut metadata = Metadata {
        wrapped: wrapped(&key, &rule.recipients)?,
        selection: rule.selection.clone(),
        scope: rule.scope,
        last_modified: metadata::modified_at(now),
        mac: String::new(),
        rewritable: Rewritable::Yes,
    };
    // Over what stands there now, as whoever reads it will understand it.
    let whole = match dialect {
        Dialect::Yaml => Zeroizing::new(out.to_string()),
        Dialect::Json => Zeroizing::new(format!("{{\n{}\n}}\n", *out)),
    };
    let encrypted = Source { name: source.name, text: &whole };
    let tree = yaml::read(encrypted, Aliases::Refused)?;
    metadata.mac = sealed_mac(encrypted, &tree.root, &metadata, &key)?;
    Ok(match dialect {
        Dialect::Yaml => out.to_string() + &metadata.written(),
        Dialect::Json => format!("{{\n{},\n\t{}\n}}\n", *out, metadata.written_json()),
    })
}

/// A plain file on its way.
struct Encrypting<'a> {
    source: Source<'a>,
    rule: &'a Rule,
    key: &'a DataKey,
    dialect: Dialect,
    leaves: std::vec::IntoIter<Leaf<'a>>,
    comments: Comments<'a>,
}

impl Fill for Encrypting<'_> {
    fn scalar(&mut self, _: &Scalar, indent: usize) -> Result<Zeroizing<String>> {
        let Some(leaf) = self.leaves.next() else {
            return Err(Error::new(Code::Internal, "a value was not looked at"));
        };
        Ok(match (self.written(&leaf)?, self.dialect) {
            (Written::Sealed(sealed), Dialect::Yaml) => {
                Zeroizing::new(emit::ciphertext(&sealed, Layout::Block))
            }
            (Written::Open(text), Dialect::Yaml) => emit::text(&text, indent),
            (Written::Sealed(sealed), Dialect::Json) => Zeroizing::new(sealed),
            (Written::Open(text), Dialect::Json) => text,
        })
    }

    fn comments(&mut self, spot: Spot) -> Result<Vec<Zeroizing<String>>> {
        self.comments.at(spot).iter().map(|comment| self.comment(comment)).collect()
    }
}

impl Encrypting<'_> {
    fn written(&self, leaf: &Leaf<'_>) -> Result<Written> {
        let (line, name) = (leaf.scalar.line, leaf.name());
        if leaf.keys().iter().any(|key| key.chars().count() > LONGEST_KEY) {
            return Err(self.source.error(Code::SecretsShape, line, "a key is longer than a name can be"));
        }
        let value = Value::of(leaf.scalar, Dialect::Yaml).unwrap_or(Value::Null);
        let Value::Text(text) = &value else {
            return Err(self
                .source
                .error(
                    Code::SecretsShape,
                    line,
                    format!("the value of `{name}` is {}, and no text", value.kind()),
                )
                .remedy("put it in double quotes")
                .remedy("or remove the key, if it has no value"));
        };
        if !self.rule.selection.takes(&leaf.keys()) {
            return Ok(Written::Open(text.clone()));
        }
        if is_encrypted(text) {
            let what = format!("the value of `{name}` is a ciphertext already");
            return Err(self.source.error(Code::SecretsEncrypted, line, what));
        }
        self.key.seal(&value, &leaf.place()).map(Written::Sealed)
    }

    /// A comment's line.
    fn comment(&self, comment: &Placed<'_>) -> Result<Zeroizing<String>> {
        if is_encrypted(comment.text.trim()) {
            let what = "this comment is a ciphertext already";
            return Err(self
                .source
                .error(Code::SecretsEncrypted, comment.line, what)
                .remedy("remove it, or bring the plain file back"));
        }
        if !self.rule.selection.takes(&comment.keys) {
            return Ok(Zeroizing::new(format!("#{}", comment.text)));
        }
        Ok(Zeroizing::new(match comment.within {
            Within::Map => {
                let value = Value::Comment(Zeroizing::new(comment.text.to_owned()));
                format!("#{}", self.key.seal(&value, &place(&comment.keys))?)
            }
            Within::List => {
                // One without a word would be an empty item.
                let text = if comment.text.is_empty() { " " } else { comment.text };
                let value = Value::Comment(Zeroizing::new(text.to_owned()));
                format!("- {}", self.key.seal(&value, &place(&comment.keys))?)
            }
        }))
    }
}

enum Written {
    Sealed(String),
    Open(Zeroizing<String>),
}

fn wrapped(key: &DataKey, recipients: &[Recipient]) -> Result<Vec<Wrapped>> {
    recipients.iter().map(|recipient| Wrapped::new(key, recipient)).collect()
}
