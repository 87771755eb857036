//! A terminal, or a pipe, joined to a session.

use super::{SessionId, Sessions, bring_out::BringingOut, record::Ownership};
use crate::{
    container::{engine_error, is_not_found},
    error_handling::{Code, Error, Result},
    sync::ServerNote,
};
use bollard::{
    container::{AttachContainerResults, LogOutput},
    models::ContainerStateStatusEnum,
    query_parameters::{
        AttachContainerOptionsBuilder, InspectContainerOptions, KillContainerOptionsBuilder,
        ResizeContainerTTYOptionsBuilder,
    },
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::{pin::Pin, time::Duration};
use tokio::io::AsyncWrite;

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Lines.
    pub height: u16,
}

/// What comes out of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Standard output, or the terminal.
    Out(Bytes),
    /// Standard error.
    Err(Bytes),
}

/// The session's side of a conversation, while this process looks after it.
pub struct Attached {
    /// The session.
    pub id: SessionId,
    /// What it prints.
    pub output: Pin<Box<dyn Stream<Item = Output> + Send>>,
    /// What it reads. Closing it ends a piped session's input.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// What the user should know of the session's MCP servers.
    pub notes: Vec<ServerNote>,
    /// The Claude Code that it tries out, where its image is a candidate.
    pub canary: Option<String>,
    /// Why the candidate did not start, where stable stands in for it.
    pub fell_back: Option<Error>,
    pub(super) ownership: Ownership,
    pub(super) bringing_out: Option<BringingOut>,
}

impl std::fmt::Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attached").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How a session stands once its output has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It runs on; only this terminal left it.
    Detached,
    /// It is over, with this exit code.
    Exited(i64),
}

impl Sessions {
    pub(super) async fn join(&self, id: &SessionId, ownership: Ownership) -> Result<Attached> {
        let options = AttachContainerOptionsBuilder::new()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .detach_keys(super::configuration::DETACH_KEYS)
            .build();
        let AttachContainerResults { output, input } = self
            .engine
            .api()
            .attach_container(&id.container(), Some(options))
            .await
            .map_err(|cause| engine_error("join the session", cause))?;
        let output = output.filter_map(|chunk| async {
            match chunk {
                Ok(LogOutput::StdErr { message }) => Some(Output::Err(message)),
                Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => {
                    Some(Output::Out(message))
                }
                Ok(LogOutput::StdIn { .. }) => None,
                Err(cause) => {
                    // The end of the stream follows, and how the session stands is asked for then.
                    tracing::debug!(%cause, "the session's output broke off");
                    None
                }
            }
        });
        Ok(Attached {
            id: id.clone(),
            output: Box::pin(output),
            input,
            notes: Vec::new(),
            canary: None,
            fell_back: None,
            ownership,
            bringing_out: None,
        })
    }

    /// Tells a session the size of its terminal.
    ///
    /// # Errors
    /// When the engine refuses; a session that has just ended is no error.
    pub async fn resize(&self, id: &SessionId, size: TerminalSize) -> Result<()> {
        let options = ResizeContainerTTYOptionsBuilder::new()
            .w(i32::from(size.width))
            .h(i32::from(size.height))
            .build();
        match self.engine.api().resize_container_tty(&id.container(), options).await {
            Ok(()) => Ok(()),
            Err(cause) => {
                if self.exit_code(id).await?.is_some() {
                    return Ok(());
                }
                Err(engine_error("resize the session's terminal", cause))
            }
        }
    }

    /// Sends a signal to Claude Code: `INT`, `TERM`.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn signal(&self, id: &SessionId, signal: &str) -> Result<()> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        self.engine
            .api()
            .kill_container(&id.container(), Some(options))
            .await
            .map_err(|cause| engine_error("signal the session", cause))
    }

    /// How a session stands after its output ended. An engine that shuts down closes the output a
    /// little before the exit is known.
    ///
    /// # Errors
    /// When the engine does not answer: the session and its data are then still there.
    pub async fn ended(&self, id: &SessionId) -> Result<Ended> {
        const PATIENCE: Duration = Duration::from_secs(3);
        const BETWEEN: Duration = Duration::from_millis(20);
        let start = tokio::time::Instant::now();
        loop {
            let code = self.exit_code(id).await;
            let patient = start.elapsed() < PATIENCE;
            match code {
                Ok(Some(code)) => return Ok(Ended::Exited(code)),
                Ok(None) if !patient => return Ok(Ended::Detached),
                Err(cause) if !patient => {
                    return Err(Error::new(
                        Code::EngineFailed,
                        "the container engine went away while the session ran",
                    )
                    .why(cause.causes().join("; "))
                    .remedy(format!("start the engine again, then go on: drydock attach {id}")));
                }
                // Neither is final: an engine may stumble over a container that is just ending.
                Ok(None) | Err(_) => tokio::time::sleep(BETWEEN).await,
            }
        }
    }

    /// The exit code, once there is one. A container that somebody removed was killed before.
    pub(super) async fn exit_code(&self, id: &SessionId) -> Result<Option<i64>> {
        const KILLED: i64 = 137;
        let found =
            self.engine.api().inspect_container(&id.container(), None::<InspectContainerOptions>).await;
        let state = match found {
            Ok(found) => found.state.unwrap_or_default(),
            Err(cause) if is_not_found(&cause) => return Ok(Some(KILLED)),
            Err(cause) => return Err(engine_error("look at the session", cause)),
        };
        let over = state.running != Some(true) && state.status != Some(ContainerStateStatusEnum::CREATED);
        Ok(if over { state.exit_code } else { None })
    }
}
