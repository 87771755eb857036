//! Ending a session, and removing one: not before its data is on the host.

use super::{
    FinishedSession, SessionId, Sessions,
    finish::LastOut,
    record::{Ownership, Record},
};
use crate::{
    container::{Refusal, engine_error},
    error_handling::{Code, Error, Result},
    sync::{OutReport, Vanished},
};
use bollard::query_parameters::StopContainerOptionsBuilder;

impl Sessions {
    /// Asks a session to end, and brings its data out.
    ///
    /// # Errors
    /// When the engine refuses, or the data cannot come out.
    pub async fn stop(&self, id: &SessionId) -> Result<Option<FinishedSession>> {
        let mut record = self.record_of(id).await?;
        record.stop_asked = true;
        self.write_down(&record).await?;
        if self.is_running(id).await? {
            let options = StopContainerOptionsBuilder::new().t(10).build();
            self.engine
                .api()
                .stop_container(&id.container(), Some(options))
                .await
                .map_err(|cause| engine_error("stop the session", cause))?;
        }
        // A process that is attached to it finishes it itself.
        let Some(ownership) = Ownership::take(&self.locations, id)? else { return Ok(None) };
        if Record::load(&self.locations, id)?.is_none() {
            return Ok(None);
        }
        self.finish_owned(&record, &ownership, None, Vanished::Stop).await.map(Some)
    }

    /// Removes a session that does not run. Its data is brought out first, unless `data` says that it
    /// is to be thrown away.
    ///
    /// # Errors
    /// [`Code::SessionState`] while it runs; [`Code::DataInside`] when its data cannot come out.
    pub async fn remove(&self, id: &SessionId, data: DataInside) -> Result<Option<OutReport>> {
        let record = self.record_of(id).await?;
        if self.is_running(id).await? {
            return Err(Error::new(Code::SessionState, format!("the session {id} is running"))
                .remedy(format!("drydock stop {id}")));
        }
        let Some(_ownership) = Ownership::take(&self.locations, id)? else {
            return Err(Error::new(
                Code::SessionState,
                format!("another drydock looks after the session {id}"),
            )
            .remedy("wait for it to finish"));
        };
        let out = match data {
            DataInside::BringOut => Some(self.bring_out_all(&record).await.map_err(|cause| {
                let mut error = Error::new(
                    Code::DataInside,
                    format!("the session {id} holds data that could not come out"),
                );
                for why in std::iter::once(cause.message()).chain(cause.causes().iter().map(String::as_str)) {
                    error = error.why(why);
                }
                for remedy in cause.remedies() {
                    error = error.remedy(remedy);
                }
                error.remedy(format!("or throw it away: drydock rm {id} --discard"))
            })?),
            DataInside::Discard => {
                // The login is not the session's to throw away: it may hold the only good refresh token.
                self.rescue_login(&record).await;
                None
            }
        };
        self.clear_away(id).await?;
        Ok(out)
    }

    async fn rescue_login(&self, record: &Record) {
        let rescued = async {
            let mut volume = self.open_volume(record).await?;
            let offered = self.offered(record, &mut volume).await;
            volume.close().await?;
            self.take_login_back(record, offered?).await
        };
        if let Err(error) = rescued.await {
            tracing::warn!(session = %record.id, %error, "the login of a session that is thrown away is lost");
        }
    }

    async fn bring_out_all(&self, record: &Record) -> Result<OutReport> {
        let LastOut { out, offered, state } = self.bring_out_last(record, None, Vanished::Stop).await?;
        self.tell_usage(record, state).await;
        refuse_data_left(&record.id, &out)?;
        self.take_login_back(record, offered).await?;
        Ok(out)
    }
}

/// A session is not removed with data in it that was refused: only the user can say that it may go.
pub(super) fn refuse_data_left(id: &SessionId, out: &OutReport) -> Result<()> {
    let left: Vec<_> = out.refused.iter().filter(|refused| refused.reason.leaves_data()).collect();
    let Some(first) = left.first() else { return Ok(()) };
    let mut error = Error::new(
        Code::SyncRefused,
        format!("{} of the session's files were refused and are still inside", left.len()),
    );
    for refused in left.iter().take(5) {
        error = error.why(format!("{}: {}", refused.name, refused.reason));
    }
    if matches!(first.reason, Refusal::TooLarge | Refusal::TooMuch | Refusal::TooMany) {
        error = error.remedy("raise the limit: drydock settings set sync.max_file_size 16g");
    }
    Err(error.remedy(format!("or throw them away: drydock rm {id} --discard")))
}

/// What happens to a session's data when it is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataInside {
    /// It is brought onto the host first.
    BringOut,
    /// The user said to throw it away.
    Discard,
}
