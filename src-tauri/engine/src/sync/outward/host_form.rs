//! Files of a session as the host would have written them: names and paths translated back.

use crate::{
    claude_home::Class,
    error_handling::{IoContext, Result},
    sync::{
        Layout,
        base::Agreed,
        inward::is_translated,
        path_map::{Direction, PathMap, normalize_session_history, plugin_ledger},
    },
};
use drydock_inside::{Mark, digest};
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

/// The host's name of a file of the session.
pub(super) fn host_name(layout: &Layout, map: &PathMap, name: String) -> String {
    match layout.below_config(&name) {
        Some(below) if !map.is_identity() => layout.in_config(&map.name(below, Direction::Outward)),
        _ => name,
    }
}

/// The session's name of a file of the host.
pub(crate) fn session_name(layout: &Layout, map: &PathMap, name: &str) -> String {
    match layout.below_config(name) {
        Some(below) => layout.in_config(&map.name(below, Direction::Inward)),
        None => name.to_owned(),
    }
}

/// Replaces what is staged by the host's form of it; `None` where that is the same.
///
/// What went in comes back as the host's own bytes: a file may name, in its own right, folders that
/// are the session's, and only what was added is translated.
pub(super) fn to_host_form(
    map: &PathMap,
    class: Class,
    host: &Path,
    agreed: Option<&Agreed>,
    staged: &Path,
) -> Result<Option<Mark>> {
    if map.is_identity() || !is_translated(class) {
        return Ok(None);
    }
    let out = staged.with_extension("host");
    let mut to = io::BufWriter::new(File::create_new(&out).context("write", &out)?);
    let mut from = File::open(staged).context("read", staged)?;
    if class == Class::PluginRegistry {
        let mut text = Vec::new();
        from.read_to_end(&mut text).context("read", staged)?;
        let there = plugin_ledger(&text, map, Direction::Outward).unwrap_or(text);
        to.write_all(&there).context("write", &out)?;
    } else {
        if let Some((len, translated)) = agreed.and_then(|agreed| Some((agreed.len, agreed.translated?)))
            && digest::prefix_mark(staged, translated.len).context("read", staged)? == translated
            && fs::metadata(host).is_ok_and(|data| data.len() >= len)
        {
            let mut own = File::open(host).context("read", host)?.take(len);
            io::copy(&mut own, &mut to).context("write", &out)?;
            from.seek(SeekFrom::Start(translated.len)).context("read", staged)?;
        }
        normalize_session_history(from, &mut to, map, Direction::Outward).context("translate", staged)?;
    }
    to.flush().context("write", &out)?;
    drop(to);
    fs::rename(&out, staged).context("write", staged)?;
    digest::mark_of(staged).context("read", staged).map(Some)
}
