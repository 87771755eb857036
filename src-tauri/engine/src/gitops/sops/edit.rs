//! Changing an encrypted file by what has to change, and nothing else: other ciphertexts, the data key and comments
//! stay as they are to the byte, so that a difference shows what somebody did.

use super::{
    emit,
    leaf::{Leaf, Role, leaves, place},
    metadata::{self, Metadata, Rewritable},
    opened::{Opened, dialect, sealed_mac},
    recipients::{Recipient, Wrapped},
    value::{Dialect, Value},
    yaml::{self, Aliases, Layout, Map, Node, Source},
};
use crate::{
    error_handling::{Code, Error, Result},
    keychain::Sensitive,
};
use chrono::{DateTime, Utc};
use granit_parser::ScalarStyle;
use std::ops::Range;

impl Opened<'_> {
    /// The text with another value at a place such as `slack.webhook`, which is made if only its last key is new.
    ///
    /// # Errors
    /// [`Code::SecretsShape`] when there can be no value at that place.
    pub fn set(&self, name: &str, value: &Sensitive<String>, now: DateTime<Utc>) -> Result<String> {
        let value = Value::text(value.reveal());
        let is_it = |leaf: &Leaf<'_>| leaf.role == Role::Value && leaf.name() == name;
        let text = match leaves(&self.tree.root).iter().find(|leaf| is_it(leaf)) {
            Some(leaf) => self.replaced(leaf, &value)?,
            None => self.added(name, &value)?,
        };
        self.sealed_again(&text, now)
    }

    /// The text as these recipients can open it; none if they are those who can already.
    ///
    /// # Errors
    /// [`Code::SecretsUnsupported`] when more stands in the metadata than Drydock can write again.
    pub fn rewrapped(&self, recipients: &[Recipient]) -> Result<Option<String>> {
        let now: Vec<_> = self.metadata.wrapped.iter().map(|wrapped| wrapped.recipient.as_str()).collect();
        let wanted: Vec<_> = recipients.iter().map(Recipient::as_str).collect();
        let covers = |all: &[&str], some: &[&str]| some.iter().all(|one| all.contains(one));
        if covers(&now, &wanted) && covers(&wanted, &now) {
            return Ok(None);
        }
        if self.metadata.rewritable == Rewritable::No {
            let what = "its part `sops` has more in it than Drydock can write";
            return Err(self
                .source
                .error_whole(Code::SecretsUnsupported, what)
                .remedy(format!("sops updatekeys {}", self.source.name)));
        }
        let wrap = |recipient: &Recipient| {
            let is_it = |wrapped: &&Wrapped| wrapped.recipient == recipient.as_str();
            match self.metadata.wrapped.iter().find(is_it) {
                Some(kept) => Ok(kept.clone()),
                None => Wrapped::new(&self.key, recipient),
            }
        };
        let wrapped = recipients.iter().map(wrap).collect::<Result<Vec<_>>>()?;
        let metadata = Metadata { wrapped, ..self.metadata.clone() };
        let begin =
            self.tree.root.get(metadata::KEY).map_or(self.source.text.len(), |entry| entry.key_range.start);
        let before = self.source.text[..begin].to_owned();
        Ok(Some(match dialect(self.source.name) {
            Dialect::Yaml => before + &metadata.written(),
            Dialect::Json => before + &metadata.written_json() + "\n}\n",
        }))
    }

    fn replaced(&self, leaf: &Leaf<'_>, value: &Value) -> Result<String> {
        let scalar = leaf.scalar;
        if matches!(scalar.style, ScalarStyle::Literal | ScalarStyle::Folded) {
            let what = format!("the value of `{}` is not encrypted and goes over several lines", leaf.name());
            return Err(self
                .source
                .error(Code::SecretsShape, scalar.line, what)
                .remedy("change it in the file with sops itself: sops edit FILE"));
        }
        let written = self.written(value, &leaf.keys(), leaf.layout)?;
        if !scalar.range.is_empty() {
            return Ok(spliced(self.source.text, scalar.range.clone(), &written));
        }
        // Nothing is written at all: the parser then names the place of the colon or dash before it.
        let at = scalar.range.start;
        let sign = self.source.text[at..].starts_with([':', '-']);
        let at = at + usize::from(sign);
        Ok(spliced(self.source.text, at..at, &format!(" {written}")))
    }

    fn added(&self, name: &str, value: &Value) -> Result<String> {
        let refuse = |what: String| {
            let error = self.source.error_whole(Code::SecretsShape, what);
            let plain = format!("drydock gitops decrypt {} shows what is there", self.source.name);
            Err(error.remedy(plain))
        };
        let steps: Vec<&str> = name.split('.').collect();
        if steps.iter().any(|step| step.is_empty() || step.chars().any(char::is_control)) {
            return refuse(format!("`{name}` is no name of a value"));
        }
        let (last, above) = steps.split_last().map_or(("", &[][..]), |(last, above)| (*last, above));
        let mut map = &self.tree.root;
        for step in above {
            map = match map.get(step).map(|entry| &entry.value) {
                Some(Node::Map(map)) => map,
                Some(_) => return refuse(format!("there can be nothing below `{step}`")),
                None => return refuse(format!("there is no `{step}` that `{name}` could be added to")),
            };
        }
        if map.get(last).is_some() || name == metadata::KEY {
            return refuse(format!("`{name}` holds other values"));
        }
        if map.layout == Layout::Flow
            && let Some((at, before, after)) = self.gap_in(map)
        {
            let written = self.written(value, &steps, Layout::Flow)?;
            let member = format!("{before}{}: {written}{after}", emit::quoted(last));
            return Ok(spliced(self.source.text, at..at, &member));
        }
        let Some((column, at)) = self.end_of(map) else {
            return refuse(format!("nothing can be added where `{name}` would stand"));
        };
        let written = self.written(value, &steps, Layout::Block)?;
        let line = format!("{}{}: {written}\n", " ".repeat(column), emit::plain(last));
        let before = &self.source.text[..at];
        let line = if before.is_empty() || before.ends_with('\n') { line } else { format!("\n{line}") };
        Ok(spliced(self.source.text, at..at, &line))
    }

    /// The column of a mapping's keys, and the beginning of the line after its last value.
    fn end_of(&self, map: &Map) -> Option<(usize, usize)> {
        let mut entries = map.entries.iter().filter(|entry| entry.key != metadata::KEY);
        let last = entries.next_back().filter(|_| map.layout == Layout::Block)?;
        let end = end_of_node(&last.value).max(last.key_range.end);
        let text = self.source.text;
        let at = match text.get(..end)?.ends_with('\n') {
            true => end,
            false => text.get(end..)?.find('\n').map_or(text.len(), |more| end + more + 1),
        };
        Some((last.column, at))
    }

    /// Where another member fits within braces, and what has to be before and after it.
    fn gap_in(&self, map: &Map) -> Option<(usize, String, String)> {
        let is_root = std::ptr::eq(map, &self.tree.root);
        let last = map.entries.iter().find(|entry| is_root && entry.key == metadata::KEY);
        let last = last.or(map.entries.last())?;
        let text = self.source.text.get(..last.key_range.start)?;
        let indent = text.rsplit('\n').next().filter(|line| line.trim().is_empty() && text.contains('\n'));
        let between = indent.map_or_else(|| ", ".to_owned(), |indent| format!(",\n{indent}"));
        match &last.value {
            Node::Scalar(scalar) if !scalar.range.is_empty() => {
                Some((scalar.range.end, between, String::new()))
            }
            // Where its braces end is not known.
            _ => Some((last.key_range.start, String::new(), between)),
        }
    }

    fn written(&self, value: &Value, keys: &[&str], layout: Layout) -> Result<String> {
        if self.metadata.selection.takes(keys) {
            return Ok(emit::ciphertext(&self.key.seal(value, &place(keys))?, layout));
        }
        Ok(match layout {
            Layout::Block => emit::plain(&value.to_text()),
            Layout::Flow => emit::quoted(&value.to_text()),
        })
    }

    /// The changed text with its new time and MAC.
    fn sealed_again(&self, text: &str, now: DateTime<Utc>) -> Result<String> {
        let source = Source { name: self.source.name, text };
        let tree = yaml::read(source, Aliases::Refused)?;
        let metadata = Metadata { last_modified: metadata::modified_at(now), ..self.metadata.clone() };
        let sealed = sealed_mac(source, &tree.root, &metadata, &self.key)?;
        let Some((modified, mac)) = metadata::changing(&tree.root) else {
            return Err(Error::new(Code::Internal, "the metadata of a file is gone"));
        };
        let mut changes = [
            (modified.range.clone(), format!("\"{}\"", metadata.last_modified)),
            (mac.range.clone(), if mac.style == ScalarStyle::Plain { sealed } else { emit::quoted(&sealed) }),
        ];
        // From the end, so that the places before stay where they are.
        changes.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        Ok(changes.into_iter().fold(text.to_owned(), |text, (range, new)| spliced(&text, range, &new)))
    }
}

fn end_of_node(node: &Node) -> usize {
    match node {
        Node::Scalar(scalar) => scalar.range.end,
        Node::Map(map) => map.entries.iter().map(|entry| end_of_node(&entry.value)).max().unwrap_or(0),
        Node::List(list) => list.items.iter().map(end_of_node).max().unwrap_or(0),
    }
}

fn spliced(text: &str, range: Range<usize>, new: &str) -> String {
    let (before, after) = (&text[..range.start], &text[range.end..]);
    format!("{before}{new}{after}")
}
