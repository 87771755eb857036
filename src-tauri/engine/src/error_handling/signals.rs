//! Signals that ask a process to go: it clears up what is half-made, and goes.

use super::{Code, Error, Result, cleanup_on_error};
use crate::observability::{Event, EventName, Level, log_event};
use std::{
    io::{self, IsTerminal},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long clearing up may take. Who asked expects an end.
const LIMIT: Duration = Duration::from_secs(5);

/// A signal that asks a process to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// Its terminal was closed.
    Hangup,
    /// Ctrl-C.
    Interrupt,
    /// `kill`, a shutdown.
    Terminate,
}

impl StopSignal {
    /// The exit code that shells give such an end: 128 and the signal's number.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Hangup => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Hangup => "hangup",
            Self::Interrupt => "interrupt",
            Self::Terminate => "terminate",
        }
    }
}

/// How many parts of this process answer signals themselves.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// While it lives, [`StopSignals::asked`] hears of no signal: who has it answers them, such as a terminal that hands
/// them on to the session in it.
#[derive(Debug)]
pub struct OwnSignals(());

impl OwnSignals {
    /// Takes them.
    #[must_use]
    pub fn take() -> Self {
        TAKEN.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for OwnSignals {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The signals that ask this process to go. From its making on they no longer end it by themselves.
#[derive(Debug)]
pub struct StopSignals {
    hangup: Option<Signal>,
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Begins to listen, on a runtime.
    ///
    /// # Errors
    /// [`Code::Internal`] when the system refuses.
    pub fn listen() -> Result<Self> {
        let listen = |kind| {
            signal(kind).map_err(|cause| Error::new(Code::Internal, "signals cannot be received").why(cause))
        };
        // Without a terminal its closing is nothing to this process: `nohup` has it ignored, and it stays so.
        let has_terminal = io::stderr().is_terminal();
        Ok(Self {
            hangup: if has_terminal { Some(listen(SignalKind::hangup())?) } else { None },
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits until this process is asked to go, while nobody has [`OwnSignals`].
    pub async fn asked(&mut self) -> StopSignal {
        loop {
            let asked = self.next().await;
            if TAKEN.load(Ordering::SeqCst) == 0 {
                return asked;
            }
            if asked == StopSignal::Hangup {
                // Nothing can be shown any more, and what runs in a container goes on without this process.
                std::process::exit(i32::from(asked.exit_code()));
            }
        }
    }

    async fn next(&mut self) -> StopSignal {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = hangup => StopSignal::Hangup,
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.terminate.recv() => StopSignal::Terminate,
        }
    }

    /// Clears up what is half-made, for five seconds at most. A second signal ends the process at once.
    pub async fn clear_up(&mut self, asked: StopSignal) {
        let event = Event::new(EventName::Stopped).level(Level::Warn).with("signal", asked.word());
        log_event(&event);
        tokio::select! {
            () = cleanup_on_error() => {}
            () = tokio::time::sleep(LIMIT) => {}
            again = self.next() => std::process::exit(i32::from(again.exit_code())),
        }
    }
}
