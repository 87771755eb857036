//! Whether what came out of a session is what is in it.

use super::{SessionId, Sessions, blocking::blocking, record::Record};
use crate::{
    error_handling::{Code, Error, Result},
    sync::{Base, Collected, HomeVolume, Integrity, Layout, came_out, is_shared, session_name},
};
use std::collections::HashMap;

impl Sessions {
    /// Compares every synced file of a session with the host's: its size and its content, by digests
    /// computed on both sides.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub async fn verify_sync_integrity(&self, id: &SessionId) -> Result<Integrity> {
        let record = self.record_of(id).await?;
        let mut volume = self.open_volume(&record).await?;
        let integrity = self.compare_sides(&record, &mut volume).await;
        volume.close().await?;
        integrity
    }

    /// The session's copy goes only when the host's is the same.
    pub(super) async fn verify_before_removal(&self, record: &Record, volume: &mut HomeVolume) -> Result<()> {
        let integrity = self.compare_sides(record, volume).await?;
        let Some(first) = integrity.differing.first() else { return Ok(()) };
        let mut error =
            Error::new(Code::SyncVerify, "what came out of the session is not what is in it").why(first);
        for name in integrity.differing.iter().skip(1).take(4) {
            error = error.why(name);
        }
        Err(error.remedy("run the command again"))
    }

    async fn compare_sides(&self, record: &Record, volume: &mut HomeVolume) -> Result<Integrity> {
        let layout = Layout::of(&self.locations)?;
        let dir = self.locations.session_dir(record.id.as_str());
        let opened = dir.clone();
        let known = blocking(move || Base::open(&opened)?.files()).await?;
        let wanted: Vec<_> = known
            .iter()
            .filter(|(name, agreed)| is_shared(&layout, name, agreed) && came_out(agreed))
            .map(|(name, _)| name.clone())
            .collect();
        let marks = match volume.inside().await {
            Some(inside) => {
                let there = |name: &String| session_name(&layout, &record.map, name);
                let asked: Vec<_> = wanted.iter().map(|name| (there(name), u64::MAX)).collect();
                let names: HashMap<_, _> = wanted.iter().map(|name| (there(name), name.clone())).collect();
                let marks = inside.marks(&asked).await?;
                marks.into_iter().filter_map(|(name, mark)| Some((names.get(&name)?.clone(), mark))).collect()
            }
            None => Collected::marks_from_archive(volume, &layout, &dir, &record.map, wanted).await?,
        };
        blocking(move || Integrity::compare(&layout, &known, marks)).await
    }
}
