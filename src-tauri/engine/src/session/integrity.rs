//! Whether what came out of a session is what is in it.

use super::{SessionId, Sessions, launch::blocking, record::Record};
use crate::{
    error_handling::{Code, Error, Result},
    sync::{Base, Collected, HomeVolume, Integrity, Layout, came_out, is_shared},
};

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
                let wanted: Vec<_> = wanted.into_iter().map(|name| (name, u64::MAX)).collect();
                inside.marks(&wanted).await?
            }
            None => Collected::marks_from_archive(volume, &layout, &dir, wanted).await?,
        };
        blocking(move || Integrity::compare(&layout, &known, marks)).await
    }
}
