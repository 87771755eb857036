//! Joining a session again, and reading what it printed.

use super::{
    Attached, SessionId, Sessions, TerminalSize,
    launch::{Joining, check_variables},
    record::{Ownership, Record},
};
use crate::{
    container::engine_error,
    error_handling::{Code, Error, Result},
};
use bollard::query_parameters::LogsOptionsBuilder;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

impl Sessions {
    /// Joins a session again: one that runs, or one that was interrupted, which then goes on.
    ///
    /// # Errors
    /// [`Code::SessionState`] when it cannot be joined.
    pub async fn attach(&self, id: &SessionId, joining: Joining) -> Result<Attached> {
        check_variables(&joining.variables)?;
        let record = self.record_of(id).await?;
        let Some(ownership) = Ownership::take(&self.locations, id)? else {
            return Err(Error::new(Code::SessionState, format!("another terminal is attached to {id}"))
                .remedy(format!("leave it there with Ctrl-^ Ctrl-^, then: drydock attach {id}")));
        };
        if !record.terminal {
            return Err(Error::new(Code::SessionState, format!("the session {id} has no terminal"))
                .why("it was started in a pipe or a script")
                .remedy(format!("drydock logs {id}")));
        }
        if !self.is_running(id).await? {
            return self.restart(&record, joining, ownership).await;
        }
        // While nobody was attached nobody renewed its login either.
        if let Err(error) = self.look_once(&record).await {
            tracing::warn!(session = %id, %error, "the session's login could not be looked after");
        }
        let size = joining.size;
        let mut attached = self.join(id, ownership).await?;
        attached.bringing_out = Some(self.keep_bringing_out(&record));
        // Claude Code draws again when its size changes, so it is told another one first, for long
        // enough that it looks.
        const LOOK: std::time::Duration = std::time::Duration::from_millis(200);
        let nudge = TerminalSize { height: size.height.saturating_sub(1).max(1), ..size };
        self.resize(id, nudge).await?;
        tokio::time::sleep(LOOK).await;
        self.resize(id, size).await?;
        Ok(attached)
    }

    /// Goes on with a session that was interrupted: the same home, the same conversation.
    async fn restart(&self, record: &Record, joining: Joining, ownership: Ownership) -> Result<Attached> {
        let Joining { size, variables, keys } = joining;
        // Without them Claude Code might speak to another server, or as somebody else.
        let missing: Vec<_> = record
            .variables
            .iter()
            .filter(|name| !variables.iter().any(|(given, _)| given == *name))
            .collect();
        if !missing.is_empty() {
            let id = &record.id;
            let options: String = missing.iter().map(|name| format!(" --env {name}=VALUE")).collect();
            return Err(Error::new(
                Code::Usage,
                format!("the session {id} was started with variables that it needs again"),
            )
            .why("their values are kept nowhere")
            .remedy(format!("drydock attach {id}{options}")));
        }
        let keys = self.keys_given(&variables, keys).await?;
        let mut volume = self.open_volume(record).await?;
        let brought = self.bring_login_in(record, &mut volume, &variables, keys).await;
        volume.close().await?;
        brought?;
        // The way to log in may have been changed meanwhile.
        let record = &Record { login: self.settings.login_mode().into(), ..record.clone() };
        self.write_down(record).await?;
        let staging = self.stage(record).await?;
        let mut attached = self.join(&record.id, ownership).await?;
        self.start_container(record).await?;
        drop(staging);
        self.resize(&record.id, size).await?;
        attached.bringing_out = Some(self.keep_bringing_out(record));
        Ok(attached)
    }

    /// What a session has printed, as the engine kept it.
    ///
    /// # Errors
    /// When the engine has nothing.
    pub async fn logs(
        &self,
        id: &SessionId,
        follow: Follow,
    ) -> Result<impl Stream<Item = Result<Bytes>> + use<'_>> {
        self.record_of(id).await?;
        let options =
            LogsOptionsBuilder::new().stdout(true).stderr(true).follow(follow == Follow::Yes).build();
        Ok(self.engine.api().logs(&id.container(), Some(options)).map(|line| {
            line.map(bollard::container::LogOutput::into_bytes)
                .map_err(|cause| engine_error("give the session's output", cause))
        }))
    }
}

/// Whether to go on reading what a session prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Until it ends.
    Yes,
    /// Only what is there.
    No,
}
