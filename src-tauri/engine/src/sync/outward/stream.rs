//! Collecting through the program beside a session's home: it tells what is there, and only what
//! changed is read; of a file that grew only its end.

use super::{
    Collected, Content, Found, Lines, Moment, Names, Source,
    host_form::{host_name, to_host_form},
    stage,
};
use crate::{
    claude_home::{Class, Outward, skipped_folders},
    container::{Refusal, Refused},
    error_handling::{IoContext, Result},
    sync::Inside,
};
use drydock_inside::{
    Mark, Sign, digest,
    scan::{Entry, Kind},
};
use std::{
    collections::HashSet,
    fs::{self, File},
    path::Path,
};

impl Collected {
    /// Stages in `scratch` what differs from the base.
    pub(crate) async fn from_stream(
        inside: &mut Inside,
        source: &Source<'_>,
        scratch: &Path,
    ) -> Result<Self> {
        let mut collected = Self::empty(scratch)?;
        collected.replica = inside.replica.clone();
        let mut entries = Vec::new();
        let (config, state) = (source.layout.config(), source.layout.state());
        let tops: Vec<_> = match source.layout.below_config(state) {
            Some(_) => vec![config],
            None => vec![config, state],
        };
        let skipped: Vec<_> = skipped_folders().collect();
        let all_told =
            !inside.scan(&tops, &skipped, source.limits.entries, |entry| entries.push(entry)).await?;
        if !all_told {
            let name = format!("more than {} files", source.limits.entries);
            collected.refused.push(Refused { name, reason: Refusal::TooMany });
        }
        let mut names = Names::default();
        let (mut seen, mut total) = (HashSet::new(), 0_u64);
        for mut entry in entries {
            let there = entry.name.clone();
            entry.name = host_name(source.layout, source.map, entry.name);
            let Some(class) = source.layout.class(&entry.name) else { continue };
            if source.base.contains_key(&entry.name) {
                seen.insert(entry.name.clone());
            }
            let below = source.layout.below_config(&entry.name);
            if class.outward() == Outward::Never || below.is_some_and(|below| source.excluded.has(below)) {
                continue;
            }
            let admitted = match entry.kind {
                Kind::File => names.admit(&entry.name),
                Kind::Nameless => Err(Refusal::Name),
                Kind::Link | Kind::Other => Err(Refusal::Kind),
            };
            let fits = admitted.and_then(|()| {
                if entry.sign.len > source.limits.file {
                    Err(Refusal::TooLarge)
                } else if total.saturating_add(entry.sign.len) > source.limits.total {
                    Err(Refusal::TooMuch)
                } else {
                    Ok(())
                }
            });
            if let Err(reason) = fits {
                collected.refused.push(Refused { name: entry.name.escape_debug().to_string(), reason });
                continue;
            }
            let agreed = source.base.get(&entry.name);
            let wanted = source.whole.contains(&entry.name);
            if !wanted && agreed.is_some_and(|agreed| agreed.is_unchanged_in_session(&entry.sign)) {
                continue;
            }
            total += entry.sign.len;
            if class == Class::Unknown {
                collected.unknown.push(entry.name.clone());
            }
            collected.take(inside, source, class, entry, &there).await?;
        }
        collected.known = source.base.len();
        let gone = source.base.keys().filter(|name| is_told(source, name) && !seen.contains(*name)).count();
        // What was not told of is not gone.
        collected.gone = if all_told { gone } else { 0 };
        Ok(collected)
    }

    async fn take(
        &mut self,
        inside: &mut Inside,
        source: &Source<'_>,
        class: Class,
        entry: Entry,
        there: &str,
    ) -> Result<()> {
        let grows = matches!(class.outward(), Outward::Append | Outward::AddLines);
        let lines = if grows && source.moment == Moment::Running { Lines::Whole } else { Lines::All };
        if class.outward() == Outward::Append
            && source.map.is_identity()
            && !source.whole.contains(&entry.name)
            && let Some(found) = self.take_tail(inside, source, &entry, lines).await?
        {
            self.files.extend(found);
            return Ok(());
        }
        let read = self.next_place();
        let Some((mark, sign)) = fetch(inside, there, &entry, 0, &read, lines).await? else { return Ok(()) };
        let sign = (mark.len == sign.len).then_some(sign);
        let agreed = source.base.get(&entry.name);
        let same = agreed.is_some_and(|agreed| agreed.is_session_form(&mark));
        if same || (mark.len == 0 && grows) {
            if let Some(sign) = sign.filter(|_| same) {
                self.looked_at.push((entry.name, sign));
            }
            return fs::remove_file(&read).context("remove", &read);
        }
        let mode = entry.sign.mode & 0o777;
        let host_form = to_host_form(source.map, class, &source.layout.path(&entry.name), agreed, &read)?;
        let translated = host_form.map(|_| mark);
        let mark = host_form.unwrap_or(mark);
        self.files.push(Found {
            name: entry.name,
            content: Content::Whole { staged: read, mark },
            sign,
            mode,
            translated,
        });
        Ok(())
    }

    /// What was added to a conversation since both sides agreed on its beginning. `None` when that
    /// cannot be told without reading all of it; `Some(None)` when there is nothing whole yet.
    async fn take_tail(
        &mut self,
        inside: &mut Inside,
        source: &Source<'_>,
        entry: &Entry,
        lines: Lines,
    ) -> Result<Option<Option<Found>>> {
        let Some(agreed) = source.base.get(&entry.name) else { return Ok(None) };
        let host = source.layout.path(&entry.name);
        let at = agreed.len;
        let fits = at > 0
            && entry.sign.len > at
            && agreed.fork.is_none()
            && agreed.settled.is_none()
            && fs::symlink_metadata(&host).is_ok_and(|data| data.is_file() && data.len() == at);
        if !fits {
            return Ok(None);
        }
        let ours = digest::window(&host, at).context("read", &host)?;
        if inside.window(&entry.name, at).await? != Some(ours) {
            return Ok(None);
        }
        let staged = self.next_place();
        let Some((mark, sign)) = fetch(inside, &entry.name, entry, at, &staged, lines).await? else {
            return Ok(Some(None));
        };
        if mark.len == 0 {
            return fs::remove_file(&staged).context("remove", &staged).map(|()| Some(None));
        }
        let sign = (at + mark.len == sign.len).then_some(sign);
        let content = Content::Tail { staged, at, len: mark.len };
        Ok(Some(Some(Found {
            name: entry.name.clone(),
            content,
            sign,
            mode: entry.sign.mode & 0o777,
            translated: None,
        })))
    }
}

/// Files that a scan tells of: the others are neither looked at nor missed.
fn is_told(source: &Source<'_>, name: &str) -> bool {
    let outward = source.layout.class(name).map(Class::outward);
    outward.is_some_and(|outward| outward != Outward::Never)
}

/// Reads a file from a byte on into `to`. `None` when it is gone by now.
async fn fetch(
    inside: &mut Inside,
    there: &str,
    entry: &Entry,
    from: u64,
    to: &Path,
    lines: Lines,
) -> Result<Option<(Mark, Sign)>> {
    // Room for what is written while it is read; what comes after waits for the next sync.
    const MEANWHILE: u64 = 1 << 30;
    let raw = to.with_extension("raw");
    let mut file = File::create_new(&raw).context("write", &raw)?;
    let sign = inside.read(there, from, entry.sign.len.saturating_add(MEANWHILE), &mut file).await?;
    drop(file);
    let mark = match sign {
        Some(_) => Some(stage(&mut File::open(&raw).context("read", &raw)?, to, lines)?),
        None => None,
    };
    fs::remove_file(&raw).context("remove", &raw)?;
    Ok(mark.zip(sign))
}
