//! Collecting from the engine's archive of a session's home: everything is read, and what both sides
//! agreed on is passed over.

use super::{
    Collected, Content, Found, Lines, Moment, Names, Source,
    host_form::{host_name, to_host_form},
    stage,
};
use crate::{
    claude_home::{Class, Outward},
    container::{ArchiveLimits, Refused},
    error_handling::{Code, Error, IoContext, Result},
    sync::{Excluded, HomeVolume, Layout, PathMap, REPLICA, base::Agreed},
};
use drydock_inside::Mark;
use std::{
    collections::{HashMap, HashSet},
    fs,
    io::Read,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

struct Reading {
    collected: Collected,
    layout: Layout,
    base: HashMap<String, Agreed>,
    excluded: Excluded,
    map: PathMap,
    moment: Moment,
    names: Names,
    seen: usize,
}

impl Collected {
    /// Reads the session's Claude Code data and stages in `scratch` what differs from the base.
    pub(crate) async fn from_archive(
        volume: &mut HomeVolume,
        source: &Source<'_>,
        scratch: &Path,
    ) -> Result<Self> {
        let reading = Arc::new(Mutex::new(Reading {
            collected: Self::empty(scratch)?,
            layout: source.layout.clone(),
            base: source.base.clone(),
            excluded: source.excluded.clone(),
            map: source.map.clone(),
            moment: source.moment,
            names: Names::default(),
            seen: 0,
        }));
        let (config, state) = (source.layout.config(), source.layout.state());
        let state_outside = source.layout.below_config(state).is_none();
        let mut refused = Vec::new();
        for top in std::iter::once(config).chain(state_outside.then_some(state)) {
            // The archive's names begin with the last part of what was asked for.
            let above = top.rsplit_once('/').map_or(String::new(), |(above, _)| format!("{above}/"));
            let visit = move |reading: &mut Arc<Mutex<Reading>>,
                              path: &Path,
                              reader: &mut dyn Read,
                              _size: u64| {
                let Some(name) = path.to_str() else { return Ok(()) };
                reading.lock().unwrap_or_else(PoisonError::into_inner).take(format!("{above}{name}"), reader)
            };
            if let Some((_, more)) = volume.read(top, source.limits, Arc::clone(&reading), visit).await? {
                refused.extend(more);
            }
        }
        let replica = volume.read_small(REPLICA).await?;
        let reading = Arc::into_inner(reading)
            .and_then(|reading| reading.into_inner().ok())
            .ok_or_else(|| Error::new(Code::Internal, "reading the session's files did not end"))?;
        let mut collected = reading.collected;
        collected.refused.extend(refused);
        collected.known = source.base.len();
        collected.gone = source.base.len().saturating_sub(reading.seen);
        collected.replica = replica.map(|text| String::from_utf8_lossy(&text).trim().to_owned());
        Ok(collected)
    }
}

impl Collected {
    /// The marks of these files of a session.
    pub(crate) async fn marks_from_archive(
        volume: &mut HomeVolume,
        layout: &Layout,
        scratch: &Path,
        map: &PathMap,
        wanted: Vec<String>,
    ) -> Result<Vec<(String, Mark)>> {
        let source = Source {
            layout,
            base: &HashMap::new(),
            limits: ArchiveLimits { file: u64::MAX, total: u64::MAX, entries: u64::MAX },
            excluded: &Excluded::default(),
            map,
            moment: Moment::Finished,
            whole: &[],
        };
        let collected = Self::from_archive(volume, &source, scratch).await?;
        let wanted: HashSet<_> = wanted.into_iter().collect();
        let marks = collected.files.iter().filter_map(|found| match &found.content {
            Content::Whole { mark, .. } if wanted.contains(&found.name) => {
                Some((found.name.clone(), found.translated.unwrap_or(*mark)))
            }
            _ => None,
        });
        Ok(marks.collect())
    }
}

impl Reading {
    fn take(&mut self, name: String, reader: &mut dyn Read) -> Result<()> {
        let name = host_name(&self.layout, &self.map, name);
        let Some(class) = self.layout.class(&name) else { return Ok(()) };
        let agreed = self.base.get(&name);
        self.seen += usize::from(agreed.is_some());
        let below = self.layout.below_config(&name);
        if class.outward() == Outward::Never || below.is_some_and(|below| self.excluded.has(below)) {
            return Ok(());
        }
        if let Err(reason) = self.names.admit(&name) {
            self.collected.refused.push(Refused { name: name.escape_debug().to_string(), reason });
            return Ok(());
        }
        let staged = self.collected.next_place();
        let grows = matches!(class.outward(), Outward::Append | Outward::AddLines);
        let lines = if grows && self.moment == Moment::Running { Lines::Whole } else { Lines::All };
        let mark = stage(reader, &staged, lines)?;
        let same = agreed.is_some_and(|agreed| agreed.is_session_form(&mark));
        if same || (mark.len == 0 && grows) {
            return fs::remove_file(&staged).context("remove", &staged);
        }
        if class == Class::Unknown {
            self.collected.unknown.push(name.clone());
        }
        let host_form = to_host_form(&self.map, class, &self.layout.path(&name), agreed, &staged)?;
        let translated = host_form.map(|_| mark);
        let content = Content::Whole { staged, mark: host_form.unwrap_or(mark) };
        self.collected.files.push(Found { name, content, sign: None, mode: 0o600, translated });
        Ok(())
    }
}
