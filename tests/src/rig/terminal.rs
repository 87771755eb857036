//! A terminal with a person before it: they see a screen and press keys.

use super::{Done, drydock::session_in, until};
use pty_process::{
    Size,
    blocking::{Command as PtyCommand, Pty, open},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, kill_process},
    termios::{LocalModes, tcgetattr},
};
use std::{
    io::{Read, Write},
    num::NonZeroU16,
    process::{Child, Command, ExitStatus},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(60);

/// A program in a terminal of its own. Dropping it closes the terminal and kills the program.
pub struct Terminal {
    child: Child,
    pty: Option<Arc<Pty>>,
    shown: Arc<Shown>,
    reader: Option<JoinHandle<()>>,
}

struct Shown {
    screen: Mutex<vt100::Parser>,
    all: Mutex<Vec<u8>>,
    /// Nothing more is written: what is there is read, and that is all.
    draining: AtomicBool,
    closed: AtomicBool,
}

impl Terminal {
    pub(super) fn start(command: Command, columns: u16, rows: u16) -> Self {
        let (pty, pts) = open().expect("a terminal");
        pty.resize(Size::new(rows, columns)).expect("its size");
        let child = PtyCommand::from(command).spawn(pts).expect("the program can be run");
        let pty = Arc::new(pty);
        let shown = Arc::new(Shown {
            screen: Mutex::new(vt100::Parser::new(size(rows), size(columns), 0)),
            all: Mutex::default(),
            draining: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        let reader = {
            let (pty, shown) = (Arc::clone(&pty), Arc::clone(&shown));
            thread::spawn(move || read(&pty, &shown))
        };
        Self { child, pty: Some(pty), shown, reader: Some(reader) }
    }

    /// What the screen shows now.
    #[must_use]
    pub fn screen(&self) -> String {
        self.shown.screen.lock().unwrap_or_else(PoisonError::into_inner).screen().contents()
    }

    /// Everything that was ever written to the terminal, control sequences included.
    #[must_use]
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.shown.all.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits until the screen shows `text`.
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(&format!("the screen shows {text:?}"), |screen| screen.contains(text));
    }

    /// Waits until the screen is as wanted.
    pub fn wait_until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.screen()) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < LIMIT,
                "{what}: not so; the program's end: {ended:?}; the screen:\n{}",
                self.screen()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until drydock has named its session.
    pub fn session(&mut self) -> String {
        until("drydock names its session", LIMIT, || session_in(&self.written()))
    }

    /// Fails unless the terminal is as a shell wants it: lines are edited and echoed, the cursor shows, and
    /// neither mouse nor paste nor the alternate screen is still taken.
    pub fn assert_is_as_before(&self) {
        let pty = self.pty.as_deref().expect("an open terminal");
        let modes = tcgetattr(pty).expect("the terminal's modes").local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO), "raw mode is left on: {modes:?}");
        let parser = self.shown.screen.lock().unwrap_or_else(PoisonError::into_inner);
        let screen = parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen is left on");
        assert!(!screen.hide_cursor(), "the cursor is left hidden");
        assert!(!screen.bracketed_paste(), "paste mode is left on");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is left taken");
    }

    /// The longest line of dashes on the screen: Claude Code draws them from edge to edge.
    #[must_use]
    pub fn widest_rule(&self) -> usize {
        let rule = |line: &str| line.chars().filter(|c| *c == '─').count();
        self.screen().lines().map(rule).max().unwrap_or_default()
    }

    /// Presses keys.
    pub fn press(&self, keys: &str) {
        let mut pty: &Pty = self.pty.as_deref().expect("an open terminal");
        pty.write_all(keys.as_bytes()).and_then(|()| pty.flush()).expect("keys can be pressed");
    }

    /// Types a line, sees it stand there, and presses Enter. Claude Code takes what comes in one piece
    /// for pasted text, so that Enter must come on its own.
    pub fn type_line(&mut self, line: &str) {
        self.press(line);
        self.wait_for(line);
        self.press("\r");
    }

    /// Chooses from a list, as a person does who reads first and looks after every key: Claude Code does
    /// not heed keys that come as soon as it asks.
    pub fn choose(&mut self, choice: &str) {
        self.wait_for(choice);
        let begun = Instant::now();
        loop {
            self.wait_until_still();
            let screen = self.screen();
            if !screen.contains(choice) {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{choice:?} cannot be chosen:\n{screen}");
            let chosen = screen.lines().any(|line| line.contains('❯') && line.contains(choice));
            self.press(if chosen { "\r" } else { "\x1b[B" });
        }
    }

    /// Waits until the screen has not changed for a moment.
    pub fn wait_until_still(&mut self) {
        const MOMENT: Duration = Duration::from_millis(600);
        let begun = Instant::now();
        let (mut seen, mut since) = (self.screen(), Instant::now());
        while since.elapsed() < MOMENT {
            assert!(begun.elapsed() < LIMIT, "the screen does not come to rest:\n{seen}");
            thread::sleep(Duration::from_millis(20));
            let now = self.screen();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
    }

    /// Makes the terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let pty = self.pty.as_deref().expect("an open terminal");
        pty.resize(Size::new(rows, columns)).expect("another size");
        let mut screen = self.shown.screen.lock().unwrap_or_else(PoisonError::into_inner);
        screen.set_size(size(rows), size(columns));
    }

    /// Closes the terminal, as its window's close button does, and waits until the program has gone.
    pub fn close(mut self) {
        self.shut();
        until("the program ends with its terminal", LIMIT, || self.child.try_wait().unwrap());
    }

    /// Ends the program as nothing can keep it from ending.
    pub fn kill(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::KILL).expect("the program runs");
        self.child.wait().unwrap();
        self.shut();
    }

    /// Waits for the program's end, and looks whether it left the terminal as it was.
    pub fn done(mut self) -> Done {
        let status = self.end();
        self.assert_is_as_before();
        self.told(status)
    }

    /// Waits for the program's end, however it leaves the terminal.
    pub fn ended(mut self) -> Done {
        let status = self.end();
        self.told(status)
    }

    fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.drain();
                return status;
            }
            assert!(begun.elapsed() < LIMIT, "the program goes on; the screen:\n{}", self.screen());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn told(&mut self, status: ExitStatus) -> Done {
        self.shut();
        Done::new(status, self.written(), String::new())
    }

    /// Reads what the program wrote last.
    fn drain(&mut self) {
        self.shown.draining.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }

    fn shut(&mut self) {
        self.shown.closed.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        // The last hold on it: the kernel now tells the programs in it.
        self.pty = None;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.shut();
    }
}

fn size(of: u16) -> NonZeroU16 {
    NonZeroU16::new(of).expect("a size above 0")
}

fn read(mut pty: &Pty, shown: &Shown) {
    let mut buffer = [0; 8192];
    while !shown.closed.load(Ordering::Relaxed) {
        let patience = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        match poll(&mut [PollFd::new(&pty, PollFlags::IN)], Some(&patience)) {
            Ok(0) if shown.draining.load(Ordering::Relaxed) => return,
            Ok(0) => continue,
            Ok(_) => {}
            Err(_) => return,
        }
        // The end of a terminal is an error on Linux.
        let Ok(count @ 1..) = pty.read(&mut buffer) else { return };
        let bytes = &buffer[..count];
        shown.all.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        shown.screen.lock().unwrap_or_else(PoisonError::into_inner).process(bytes);
        if let Some(answer) = asked(bytes) {
            let _ = pty.write_all(answer);
        }
    }
}

/// What a terminal answers when a program asks which kind it is. Without it programs wait.
fn asked(bytes: &[u8]) -> Option<&'static [u8]> {
    bytes.windows(3).any(|part| part == b"\x1b[c").then_some(b"\x1b[?62;22c")
}
