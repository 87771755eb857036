//! The end of a session: what it wrote comes out, then its parts go.

use super::{
    Attached, SessionId, SessionState, Sessions,
    blocking::blocking,
    list::Mark,
    observed::observe_end,
    record::{Ownership, Record},
    stop::refuse_data_left,
    usage::tell_usage,
};
use crate::{
    deployment::{Deployment, Ending, Outcome, Side},
    error_handling::{Code, Error, Result},
    image::entry,
    keychain::{Notice, Offered},
    sync::{HomeVolume, Layout, Moment, OutReport, Vanished, Waiting},
};
use bollard::query_parameters::LogsOptionsBuilder;
use chrono::Utc;
use futures_util::StreamExt;
use serde::Serialize;

/// How a session was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finished {
    /// Its data is on the host, and nothing of it is in the engine.
    Done,
    /// It was killed from outside. Its data is on the host, and it can be gone on with.
    Interrupted,
}

/// A session whose data came out.
#[derive(Debug, Serialize)]
pub struct FinishedSession {
    /// The session.
    pub id: SessionId,
    /// How it was left.
    pub state: Finished,
    /// Claude Code's exit code, if a container was there to tell.
    pub exit_code: Option<i64>,
    /// Whether it was ended for want of memory.
    pub out_of_memory: bool,
    /// What came out.
    pub out: OutReport,
    /// What the user should know of its login.
    pub login: Option<Notice>,
    /// What it says of the image that it ran on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
}

/// What a session says of its image.
#[derive(Debug, Serialize)]
pub struct Trial {
    /// Which version it was on.
    pub side: Side,
    /// What it came to.
    pub outcome: Outcome,
    /// The deployment, if this changed it.
    pub changed: Option<Deployment>,
}

impl FinishedSession {
    fn done(id: SessionId, exit: Option<Exit>, out: OutReport) -> Self {
        Self {
            id,
            state: Finished::Done,
            exit_code: exit.as_ref().map(|exit| exit.code),
            out_of_memory: exit.is_some_and(|exit| exit.out_of_memory),
            out,
            login: None,
            trial: None,
        }
    }
}

impl Sessions {
    /// Finishes a session that this process is attached to and that has exited.
    ///
    /// # Errors
    /// When its data cannot come out: container and volume then stay as they are.
    pub async fn finish(&self, attached: Attached) -> Result<FinishedSession> {
        let Attached { id, ownership, output, input, bringing_out, .. } = attached;
        drop((output, input));
        let open = match bringing_out {
            Some(bringing_out) => bringing_out.end().await,
            None => None,
        };
        let record = self.record_of(&id).await?;
        self.finish_owned(&record, &ownership, open, Vanished::Stop).await
    }

    /// Leaves a session that goes on without this process.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn leave(&self, attached: Attached) -> Result<()> {
        let Attached { bringing_out, output, input, .. } = attached;
        drop((output, input));
        match bringing_out {
            Some(bringing_out) => match bringing_out.end().await {
                Some(open) => open.close().await,
                None => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Brings out the data of every session that has ended and that no living process looks after.
    /// One that fails is reported and left as it is; the others go on.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn finish_ended(&self) -> Result<Vec<Result<FinishedSession>>> {
        let mut finished = Vec::new();
        for listed in self.list().await? {
            let ended = matches!(listed.state, SessionState::Finished | SessionState::Abandoned);
            if !ended {
                continue;
            }
            let Some(ownership) = Ownership::take(&self.locations, &listed.id)? else { continue };
            let record = self.record_of(&listed.id).await?;
            if listed.state == SessionState::Abandoned {
                // It never started: inside are only copies of what the host has.
                self.deployments().ended(record.id.as_str(), Outcome::UserCancel).await;
                self.clear_away(&record.id).await?;
                continue;
            }
            finished.push(self.finish_owned(&record, &ownership, None, Vanished::Stop).await);
        }
        Ok(finished)
    }

    /// Finishes one session that has ended; `None` when a living process looks after it.
    ///
    /// # Errors
    /// When its data cannot come out: container and volume then stay as they are.
    pub async fn finish_one(&self, id: &SessionId, vanished: Vanished) -> Result<Option<FinishedSession>> {
        let Some(ownership) = Ownership::take(&self.locations, id)? else { return Ok(None) };
        let record = self.record_of(id).await?;
        self.finish_owned(&record, &ownership, None, vanished).await.map(Some)
    }

    pub(super) async fn finish_owned(
        &self,
        record: &Record,
        _ownership: &Ownership,
        open: Option<HomeVolume>,
        vanished: Vanished,
    ) -> Result<FinishedSession> {
        let exit = self.exit_of(&record.id).await?;
        if self.is_marked_done(&record.id) {
            // Its data came out, and whoever was removing it did not get to the end.
            self.clear_away(&record.id).await?;
            return Ok(FinishedSession::done(record.id.clone(), exit, OutReport::default()));
        }
        if !self.has_volume(&record.id).await? {
            self.deployments().ended(record.id.as_str(), Outcome::of_failed_end(Code::SessionLost)).await;
            self.clear_away(&record.id).await?;
            return Err(Error::new(
                Code::SessionLost,
                format!("the home of the session {} is gone from the engine", record.id),
            )
            .why("it was removed there before its data had come out; what it wrote since the last sync out is lost")
            .remedy("conversations up to then: claude --resume"));
        }
        if let Some(exit) = &exit
            && exit.may_be_refusal()
            && let Some(error) = self.refusal(record).await?
        {
            self.deployments().ended(record.id.as_str(), Outcome::of_failed_launch(error.code())).await;
            self.clear_away(&record.id).await?;
            return Err(error);
        }
        let brought = self.bring_out_last(record, open, vanished).await;
        if let Err(error) = &brought {
            self.deployments().ended(record.id.as_str(), Outcome::of_failed_end(error.code())).await;
        }
        let LastOut { out, offered, state } = brought.map_err(|error| {
            error.remedy(format!(
                "the data is safe in the session; when that is mended: drydock sync out {}",
                record.id
            ))
        })?;
        refuse_data_left(&record.id, &out)?;
        let login = self.take_login_back(record, offered).await?;
        self.tell_usage(record, state).await;
        let trial = self.trial(record, exit.as_ref()).await;
        let interrupted =
            exit.as_ref().is_some_and(Exit::is_interruption) && !record.stop_asked && record.terminal;
        let mut finished =
            FinishedSession { login, trial, ..FinishedSession::done(record.id.clone(), exit, out) };
        if interrupted {
            finished.state = Finished::Interrupted;
        }
        observe_end(record, &finished);
        if interrupted {
            self.mark(&record.id, Mark::Out).await?;
        } else {
            self.mark(&record.id, Mark::Done).await?;
            self.clear_away(&record.id).await?;
        }
        Ok(finished)
    }

    /// What a session that came to its end says of its image, told to the deployment that chose it.
    async fn trial(&self, record: &Record, exit: Option<&Exit>) -> Option<Trial> {
        let decision = record.chosen.as_ref()?;
        let said = match exit {
            Some(exit) if exit.code != 0 => self.last_words(&record.id).await,
            _ => String::new(),
        };
        let outcome = Outcome::of_end(Ending {
            exit_code: exit.map(|exit| exit.code),
            out_of_memory: exit.is_some_and(|exit| exit.out_of_memory),
            asked: record.stop_asked,
            lasted: exit.and_then(|exit| exit.lasted),
            said: &said,
        });
        let changed = self.deployments().ended(record.id.as_str(), outcome).await;
        Some(Trial { side: decision.side, outcome, changed })
    }

    /// The last lines that a session printed, to tell whose fault its end is. They are kept nowhere.
    async fn last_words(&self, id: &SessionId) -> String {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("20").build();
        let mut lines = self.engine.api().logs(&id.container(), Some(options));
        let mut said = String::new();
        while let Some(Ok(line)) = lines.next().await {
            said.push_str(&String::from_utf8_lossy(&line.into_bytes()));
        }
        said
    }

    /// Removes a session's parts and then its record, in this order: what is on record can be found.
    pub(super) async fn clear_away(&self, id: &SessionId) -> Result<()> {
        self.remove_parts(id).await?;
        let (locations, id) = (self.locations.clone(), id.clone());
        blocking(move || Record::forget(&locations, &id)).await
    }

    /// The last sync out of a session, through a home that may be open already. What came out is
    /// compared with what is inside, since the session's copy is about to go.
    pub(super) async fn bring_out_last(
        &self,
        record: &Record,
        open: Option<HomeVolume>,
        vanished: Vanished,
    ) -> Result<LastOut> {
        let mut volume = match open {
            Some(open) => open,
            None => self.open_volume(record).await?,
        };
        let out = self.bring_out(record, &mut volume, Moment::Finished, vanished).await;
        let verified = match &out {
            Ok(_) => self.verify_before_removal(record, &mut volume).await,
            Err(_) => Ok(()),
        };
        let offered = self.offered(record, &mut volume).await;
        let state = self.claude_state(&mut volume).await;
        volume.close().await?;
        let mut out = out?;
        verified?;
        // What was put on hold while it ran has been said nowhere yet.
        let (held, id) = (self.held(), record.id.clone());
        let waiting = blocking(move || held.waiting(Utc::now())).await?;
        out.held = waiting.iter().filter(|held| held.session == id.as_str()).map(Waiting::of).collect();
        Ok(LastOut { out, offered: offered?, state })
    }

    /// The session's `.claude.json`, for the figures in it.
    async fn claude_state(&self, volume: &mut HomeVolume) -> Option<Vec<u8>> {
        let layout = Layout::of(&self.locations).ok()?;
        let read = volume.read_small(layout.state()).await;
        read.inspect_err(|error| tracing::warn!(%error, "what a session cost cannot be told")).ok()?
    }

    /// Figures are worth no failure: the data is out.
    pub(super) async fn tell_usage(&self, record: &Record, state: Option<Vec<u8>>) {
        let (locations, told) = (self.locations.clone(), record.clone());
        let done = blocking(move || tell_usage(&locations, &told, state.as_deref())).await;
        if let Err(error) = done {
            tracing::warn!(session = %record.id, %error, "what a session used cannot be told");
        }
    }

    /// Why Claude Code never started: the session's first program says so, or did not run at all.
    async fn refusal(&self, record: &Record) -> Result<Option<Error>> {
        let mut volume = self.open_volume(record).await?;
        let said = volume.read_small(".drydock/refused").await;
        let started = volume.read_small(".drydock/started").await;
        volume.close().await?;
        let broken = |why: &str| {
            Error::new(Code::ImageBroken, "the session image does not start")
                .why(why)
                .remedy("drydock image build --fresh")
                .remedy("drydock doctor")
        };
        Ok(match (said?, started?) {
            (Some(text), _) => {
                let text = String::from_utf8_lossy(&text).trim().to_owned();
                Some(if text.contains("no claude program") {
                    broken(&text)
                } else {
                    Error::new(Code::SyncVerify, "what arrived in the session is not what was sent")
                        .why(text)
                        .remedy("run the command again")
                        .remedy("drydock doctor")
                })
            }
            (None, None) => Some(broken("its first program could not be run")),
            (None, Some(_)) => None,
        })
    }
}

/// What the last sync out of a session found.
pub(super) struct LastOut {
    pub(super) out: OutReport,
    pub(super) offered: Offered,
    /// Its `.claude.json`.
    pub(super) state: Option<Vec<u8>>,
}

/// How a container ended.
pub(super) struct Exit {
    pub(super) code: i64,
    pub(super) out_of_memory: bool,
    /// From its start to its end.
    pub(super) lasted: Option<std::time::Duration>,
}

impl Exit {
    /// The session's own refusals, and a shell's codes for programs that cannot be run.
    fn may_be_refusal(&self) -> bool {
        matches!(self.code, entry::EXIT_VERIFY | entry::EXIT_BROKEN | 126 | 127)
    }

    /// Killed by a signal from outside, or by an engine or machine that went down (255).
    fn is_interruption(&self) -> bool {
        self.out_of_memory || matches!(self.code, 129 | 137 | 143 | 255)
    }
}
