//! What is still good in a damaged file, put together with what a backup has: nothing intact is lost.

mod document;
mod records;

pub(super) use document::{overlay, whole_members};
pub(super) use records::{Salvaged, merge_records};
