//! Bringing what changed on the host into a running session.

use super::{SessionId, Sessions, blocking::blocking, observed::observe_in, record::Record};
use crate::{
    claude_home::{KeyTable, merge_documents},
    error_handling::{Code, Error, IoContext, Result},
    observability::{Operation, traced},
    sync::{
        Agreed, AgreedDocument, Base, Excluded, Incoming, IncomingContent, Inside, InwardPlan, Layout,
        Localhost, News, Purpose, Put, acquire_sync_lock,
    },
};
use drydock_inside::{Mark, Sign, digest, scan::Kind};
use serde::Serialize;
use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    time::Instant,
};

/// What a sync in did.
#[derive(Debug, Default, Serialize)]
pub struct InReport {
    /// Files that the session got, by name.
    pub brought: Vec<String>,
    /// Files that changed in the session as well, and stay there as they are.
    pub differs: Vec<String>,
}

impl Sessions {
    /// Brings what changed on the host since the last sync into a running session's home. A reader
    /// inside sees each file old or new, never short and never missing.
    ///
    /// # Errors
    /// [`Code::SessionState`] when the session does not run; when a side cannot be read or written.
    pub async fn sync_claude_config_in(&self, id: &SessionId) -> Result<InReport> {
        let began = Instant::now();
        traced(Operation::SyncIn, Some(id.as_str()), async {
            let brought = self.sync_in_now(id).await;
            observe_in(id, &brought, began.elapsed());
            brought
        })
        .await
    }

    async fn sync_in_now(&self, id: &SessionId) -> Result<InReport> {
        let record = self.record_of(id).await?;
        if !self.is_running(id).await? {
            return Err(Error::new(Code::SessionState, format!("the session {id} is not running"))
                .why("a session gets what is new here when it starts")
                .remedy("drydock run"));
        }
        let lock =
            acquire_sync_lock(&self.locations.sync_lock, "sync in", self.settings.lock_timeout()).await?;
        let mut volume = self.open_volume(&record).await?;
        let brought = match volume.inside().await {
            Some(inside) => self.bring_changes_in(&record, inside).await,
            None => Err(Error::new(Code::EngineUnsupported, "a running session cannot be written to here")
                .why("the program that does it beside the session's home cannot be started")
                .remedy("drydock doctor")),
        };
        volume.close().await?;
        drop(lock);
        brought
    }

    async fn bring_changes_in(&self, record: &Record, inside: &mut Inside) -> Result<InReport> {
        let (locations, settings) = (self.locations.clone(), self.settings.clone());
        let (project, map) = (record.project.root.clone(), record.map.clone());
        let dir = self.locations.session_dir(record.id.as_str());
        let opened = dir.clone();
        let incoming = blocking(move || {
            let excluded = Excluded::new(&settings.excluded());
            let purpose = Purpose {
                project: &project,
                history: settings.history(),
                api_key: None,
                excluded: &excluded,
                map: &map,
                localhost: Localhost::of(&settings),
            };
            InwardPlan::make(&locations, &purpose)?.changes_since(&Base::open(&opened)?)
        })
        .await?;
        let layout = Layout::of(&self.locations)?;
        let mut signs = HashMap::new();
        inside
            .scan(&[layout.config(), layout.state()], &[], self.settings.sync_limits().files, |entry| {
                if entry.kind == Kind::File {
                    signs.insert(entry.name, entry.sign);
                }
            })
            .await?;
        inside.recover().await?;
        let (mut report, mut news) = (InReport::default(), News::default());
        for one in incoming {
            let brought = match &one.content {
                IncomingContent::Document { .. } => {
                    self.bring_document(inside, &dir, &one, &mut news).await?
                }
                IncomingContent::File(_) => bring_file(inside, &one, signs.get(&one.name), &mut news).await?,
            };
            match brought {
                Brought::Yes => report.brought.push(one.name),
                Brought::Differs => report.differs.push(one.name),
                Brought::Same => {}
            }
        }
        blocking(move || Base::open(&dir)?.record(&news)).await?;
        Ok(report)
    }

    /// Merges the user's own changes into the session's document, key by key.
    async fn bring_document(
        &self,
        inside: &mut Inside,
        dir: &std::path::Path,
        one: &Incoming,
        news: &mut News,
    ) -> Result<Brought> {
        const ROUNDS: usize = 8;
        const LARGEST: u64 = 64 << 20;
        let IncomingContent::Document { text, host } = &one.content else { return Ok(Brought::Same) };
        let (opened, name) = (dir.to_path_buf(), one.name.clone());
        let Some(agreed) = blocking(move || Base::open(&opened)?.document(&name)).await? else {
            return Ok(Brought::Same);
        };
        for _ in 0..ROUNDS {
            let mut now = Vec::new();
            if inside.read(&one.name, 0, LARGEST, &mut now).await?.is_none() {
                return Ok(Brought::Differs);
            }
            let Ok(merged) = merge_documents(&agreed.session, &now, text, KeyTable::Inward) else {
                return Ok(Brought::Differs);
            };
            let both = AgreedDocument { host: host.clone(), session: text.clone() };
            let Some(fresh) = merged.text else {
                news.documents.push((one.name.clone(), both));
                return Ok(if merged.conflicts.is_empty() { Brought::Same } else { Brought::Differs });
            };
            let before = digest::read(&mut &now[..]).context("read", one.name.as_ref())?;
            if let Put::Done { .. } = inside.put(&one.name, 0o600, Some(before), &mut &fresh[..]).await? {
                news.documents.push((one.name.clone(), both));
                return Ok(if merged.conflicts.is_empty() { Brought::Yes } else { Brought::Differs });
            }
            // Claude Code in the session wrote at the same moment: its version is merged with.
        }
        Ok(Brought::Differs)
    }
}

enum Brought {
    Yes,
    Same,
    Differs,
}

async fn bring_file(
    inside: &mut Inside,
    one: &Incoming,
    there: Option<&Sign>,
    news: &mut News,
) -> Result<Brought> {
    let IncomingContent::File(path) = &one.content else { return Ok(Brought::Same) };
    let mut file = File::open(path).context("read", path)?;
    let host = Sign::of(&file.metadata().context("read", path)?);
    let agreed = one.agreed.clone().unwrap_or_default();
    let put = if one.grows && one.agreed.is_some() && host.len > agreed.len && there.is_some() {
        let window = digest::window_of(&mut file, agreed.len).context("read", path)?;
        file.seek(SeekFrom::Start(agreed.len)).context("read", path)?;
        let mut tail = file.take(host.len - agreed.len);
        inside.append(&one.name, window, &mut tail).await?
    } else {
        let before = match (there, agreed.digest) {
            (None, _) => None,
            (Some(_), Some(sha256)) => Some(Mark { len: agreed.len, sha256 }),
            (Some(_), None) => return Ok(Brought::Differs),
        };
        // As long as it is now: what a writer appends meanwhile goes in another time.
        inside.put(&one.name, one.mode, before, &mut file.take(host.len)).await?
    };
    let Put::Done { sign: session, sent } = put else { return Ok(Brought::Differs) };
    let digest = (!one.grows).then_some(sent.sha256);
    let agreed =
        Agreed { len: host.len, digest, host: Some(host), session: Some(session), ..Agreed::default() };
    news.files.push((one.name.clone(), agreed));
    Ok(Brought::Yes)
}
