//! Merging Claude Code's JSON documents key by key, on their text.
//!
//! A document is never written anew: a merge sets or removes single keys in the text as it stands, so
//! that what nobody changed keeps its bytes, order and numbers' spelling.

mod keys;
mod text;
mod three_way;

pub(crate) use keys::{KeyPolicy, KeyTable};
pub(crate) use text::string_spans;
pub use three_way::KeyChange;
pub(crate) use three_way::{apply_changes, merge_documents};
