//! The terminal between a person and a session: raw keys, size, signals.

use bytes::Bytes;
use crossterm::terminal as tty;
use drydock_engine::{
    error_handling::{Code, Error, Result},
    session::{Attached, Output, Sessions, TerminalSize},
};
use futures_util::StreamExt;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::{
    io::{self, IsTerminal, Read, Write},
    sync::OnceLock,
    thread,
};
use tokio::{
    io::AsyncWriteExt,
    signal::unix::{Signal, SignalKind, signal},
    sync::{Mutex, MutexGuard, mpsc},
};

/// Whether a person is on both ends.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The terminal's size; the classic one where it does not say.
pub(crate) fn size() -> TerminalSize {
    match tty::size() {
        Ok((width, height)) if width > 0 && height > 0 => TerminalSize { width, height },
        _ => TerminalSize { width: 80, height: 24 },
    }
}

/// Asks for a line that is not shown, and takes Ctrl-C for giving up. The terminal is afterwards as it was.
///
/// # Errors
/// [`io::ErrorKind::Interrupted`] when the user gave up.
pub(crate) fn unseen(question: &str) -> io::Result<String> {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const CTRL_U: u8 = 21;
    // First: what is typed at once must not be shown either.
    let _hidden = Hidden::begin()?;
    eprint!("{question}");
    let _ = io::stderr().flush();
    let mut line = Vec::new();
    let mut input = io::stdin().lock();
    loop {
        let mut byte = [0];
        let end = input.read(&mut byte)? == 0;
        match byte[0] {
            b'\r' | b'\n' => break,
            CTRL_C => return Err(io::Error::new(io::ErrorKind::Interrupted, "it was given up")),
            CTRL_D => break,
            _ if end => break,
            8 | 127 => drop(line.pop()),
            CTRL_U => line.clear(),
            byte => line.push(byte),
        }
    }
    String::from_utf8(line).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text"))
}

/// A terminal that shows nothing of what is typed and hands on each key, while this lives.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(rustix::stdio::stdin())?;
        let mut hidden = before.clone();
        // Without signals from keys: one would end this process with the terminal as it is now.
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &self.0);
        eprintln!();
    }
}

/// Puts right what a program that was cut off may have left: cursor, paste and mouse modes, the
/// alternate screen, the keyboard protocol.
pub(crate) fn reset() {
    let mut out = io::stdout();
    let _ = out.write_all(
        b"\x1b[?1049l\x1b[?25h\x1b[?2004l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[<u\x1b[>4;0m\x1b[0m\r\n",
    );
    let _ = out.flush();
}

/// Ends bracketed paste, which Claude Code of last year leaves on at its own normal end.
pub(crate) fn unbracket() {
    let mut out = io::stdout();
    let _ = out.write_all(b"\x1b[?2004l").and_then(|()| out.flush());
}

/// What joins the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversation {
    /// A terminal: every key goes in, also Ctrl-C.
    Terminal,
    /// Pipes: signals are passed on.
    Pipe,
}

/// Why a conversation was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// The session's output ended.
    OutputEnded,
    /// This process was asked to go while the session runs.
    Deserted,
}

/// Keys reach programs as they are typed, while this lives.
struct RawMode;

impl RawMode {
    fn enter() -> Result<Self> {
        tty::enable_raw_mode()
            .map(|()| Self)
            .map_err(|cause| Error::new(Code::Internal, "the terminal cannot be used").why(cause))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = tty::disable_raw_mode();
    }
}

/// How a conversation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conversed {
    /// Why it was left.
    pub(crate) left: Left,
    /// Whether the session got any input.
    pub(crate) was_fed: bool,
}

/// Carries input, output, size and signals until the session's output ends.
pub(crate) async fn converse(
    sessions: &Sessions,
    attached: &mut Attached,
    kind: Conversation,
) -> Result<Conversed> {
    let _raw = if kind == Conversation::Terminal { Some(RawMode::enter()?) } else { None };
    let mut resized = listen(SignalKind::window_change())?;
    let mut interrupted = listen(SignalKind::interrupt())?;
    let mut terminated = listen(SignalKind::terminate())?;
    let mut keys = keyboard().await;
    let (mut input_open, mut was_fed) = (true, false);
    // The size may have changed between the launch and this moment.
    if kind == Conversation::Terminal {
        sessions.resize(&attached.id, size()).await?;
    }
    loop {
        tokio::select! {
            output = attached.output.next() => match output {
                // A reader that is gone, such as `head`, does not end the session.
                Some(output) => print(&output),
                None => return Ok(Conversed { left: Left::OutputEnded, was_fed }),
            },
            chunk = keys.recv(), if input_open => match chunk {
                Some(chunk) => {
                    was_fed = true;
                    let sent = attached.input.write_all(&chunk).await;
                    input_open = sent.and(attached.input.flush().await).is_ok();
                }
                None => {
                    input_open = false;
                    // End of input: a piped program waits for it. A terminal's is its closing.
                    if kind == Conversation::Pipe {
                        let _ = attached.input.shutdown().await;
                    }
                }
            },
            _ = resized.recv(), if kind == Conversation::Terminal => sessions.resize(&attached.id, size()).await?,
            _ = interrupted.recv() => sessions.signal(&attached.id, "INT").await?,
            _ = terminated.recv() => match kind {
                Conversation::Terminal => return Ok(Conversed { left: Left::Deserted, was_fed }),
                Conversation::Pipe => sessions.signal(&attached.id, "TERM").await?,
            },
        }
    }
}

fn listen(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|cause| Error::new(Code::Internal, "signals cannot be received").why(cause))
}

fn print(output: &Output) {
    let (written, bytes) = match output {
        Output::Out(bytes) => (io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()), bytes),
        Output::Err(bytes) => (io::stderr().write_all(bytes), bytes),
    };
    if let Err(cause) = written {
        tracing::debug!(%cause, lost = bytes.len(), "output has no reader");
    }
}

/// Standard input on a thread of its own: a read of a terminal cannot be given up. A second conversation goes on with
/// the same thread, so that no key is lost to the first.
async fn keyboard() -> MutexGuard<'static, mpsc::Receiver<Bytes>> {
    static KEYS: OnceLock<Mutex<mpsc::Receiver<Bytes>>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let (sender, receiver) = mpsc::channel(16);
        thread::spawn(move || {
            let mut input = io::stdin();
            let mut buffer = vec![0; 16 << 10];
            loop {
                match input.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(count) => {
                        if sender.blocking_send(Bytes::copy_from_slice(&buffer[..count])).is_err() {
                            return;
                        }
                    }
                    Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
        });
        Mutex::new(receiver)
    })
    .lock()
    .await
}
