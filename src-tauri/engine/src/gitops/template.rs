//! The three things that a text of the repository may leave open: `${secret:path}`, `${home}`, `${host}`. There
//! is no logic. Anything else in `${…}` is Claude Code's own to fill in; `$${home}` stands for `${home}` itself.

use super::value::Secrecy;
use crate::keychain::Sensitive;
use std::collections::BTreeSet;

/// What stands in the place of the open things.
pub(super) struct Filling<'a> {
    pub(super) home: &'a str,
    pub(super) host: &'a str,
    /// The secret of a name, if it is there.
    pub(super) secret: &'a dyn Fn(&str) -> Option<Sensitive<String>>,
}

/// A text with what stood open.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filled {
    Text(String, Secrecy),
    /// Secrets of these names are not there.
    Missing(BTreeSet<String>),
}

enum Part<'t> {
    Text(&'t str),
    Home,
    Host,
    Secret(&'t str),
}

/// The parts of a text.
fn parts(text: &str) -> Result<Vec<Part<'_>>, String> {
    const SECRET: &str = "${secret:";
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        parts.push(Part::Text(before));
        let (part, used) = if from.starts_with("$${") {
            (Part::Text("${"), "$${".len())
        } else if from.starts_with("${home}") {
            (Part::Home, "${home}".len())
        } else if from.starts_with("${host}") {
            (Part::Host, "${host}".len())
        } else if let Some(inner) = from.strip_prefix(SECRET) {
            let end = inner.find('}').ok_or("`${secret:` is not closed with `}`")?;
            let name = &inner[..end];
            if !is_secret_name(name) {
                return Err(format!("`{name}` names no secret: it is written like ${{secret:mcp/github}}"));
            }
            (Part::Secret(name), SECRET.len() + end + 1)
        } else {
            (Part::Text("$"), 1)
        };
        parts.push(part);
        rest = &from[used..];
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// `FILE/KEY`: the secret of this key in `secrets/FILE.enc.yaml`.
fn is_secret_name(name: &str) -> bool {
    let good = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    name.split('/').count() > 1 && name.split('/').all(good)
}

/// The names of the secrets that a text asks for.
///
/// # Errors
/// What is wrong with the text.
pub(super) fn secrets_of(text: &str) -> Result<BTreeSet<String>, String> {
    Ok(parts(text)?
        .into_iter()
        .filter_map(|part| match part {
            Part::Secret(name) => Some(name.to_owned()),
            _ => None,
        })
        .collect())
}

/// Fills in what stands open.
///
/// # Errors
/// What is wrong with the text.
pub(super) fn fill(text: &str, with: &Filling<'_>) -> Result<Filled, String> {
    let (mut filled, mut missing, mut secrecy) = (String::new(), BTreeSet::new(), Secrecy::Open);
    for part in parts(text)? {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Home => filled.push_str(with.home),
            Part::Host => filled.push_str(with.host),
            Part::Secret(name) => match (with.secret)(name) {
                Some(secret) => {
                    secrecy = Secrecy::Secret;
                    filled.push_str(secret.reveal());
                }
                None => _ = missing.insert(name.to_owned()),
            },
        }
    }
    Ok(if missing.is_empty() { Filled::Text(filled, secrecy) } else { Filled::Missing(missing) })
}

/// A text so that filling it in gives it back, with `${home}` for the home.
pub(super) fn unfilled(text: &str, home: &str) -> String {
    let is_name = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let mut out = String::new();
    for (at, c) in text.char_indices() {
        let (before, from) = (&text[..at], &text[at..]);
        let is_open = ["${home}", "${host}", "${secret:"].iter().any(|open| from.starts_with(open));
        if from.starts_with("${") && (is_open || before.ends_with('$')) {
            out.push('$');
        }
        out.push(c);
    }
    if home.len() < 2 {
        return out;
    }
    let (mut named, mut rest) = (String::new(), out.as_str());
    while let Some(at) = rest.find(home) {
        let (before, after) = (&rest[..at], &rest[at + home.len()..]);
        named.push_str(before);
        let is_home = !before.ends_with(is_name) && !before.ends_with('$') && !after.starts_with(is_name);
        named.push_str(if is_home { "${home}" } else { home });
        rest = after;
    }
    named + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(text: &str) -> Result<Filled, String> {
        let secret = |name: &str| (name == "mcp/key").then(|| Sensitive::new("FAKE-key".to_owned()));
        fill(text, &Filling { home: "/home/me", host: "desk", secret: &secret })
    }

    fn open(text: &str) -> Result<Filled, String> {
        Ok(Filled::Text(text.to_owned(), Secrecy::Open))
    }

    #[test]
    fn only_the_three_are_filled_in() {
        assert_eq!(filled("${home}/x on ${host}, ${HOME} $x $"), open("/home/me/x on desk, ${HOME} $x $"));
        assert_eq!(filled("$${home} $${x"), open("${home} ${x"));
        let secret = Ok(Filled::Text("Bearer FAKE-key".into(), Secrecy::Secret));
        assert_eq!(filled("Bearer ${secret:mcp/key}"), secret);
        let missing = Filled::Missing(BTreeSet::from(["mcp/other".to_owned()]));
        assert_eq!(filled("${secret:mcp/other}"), Ok(missing));
        for wrong in ["${secret:x", "${secret:../x}", "${secret:x}", "${secret:a/}"] {
            assert!(filled(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_into_git_comes_back_as_it_was(text in "([ -~]|/home/me|\\$\\{home\\}|\\$\\{secret:|\\$\\$\\{){0,8}") {
            prop_assert_eq!(filled(&unfilled(&text, "/home/me")), open(&text));
        }
    }
}
