//! The real engine, with an answer of another in the place of its own where a test wants that.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use tempfile::TempDir;

/// Where the engine of this computer listens.
const ENGINE: &str = "/var/run/docker.sock";

/// As an engine answers whose runtime cannot start a container.
const FAILED: &str =
    "{\"message\":\"failed to create task for container: OCI runtime create failed: no such file\"}";

/// Stands between `drydock` and the engine. Every request is handed on as it is, but for starts of sessions that are
/// to fail.
pub struct FailingEngine {
    folder: TempDir,
    fails: Arc<AtomicUsize>,
}

impl FailingEngine {
    /// Begins, with no start that fails.
    #[must_use]
    pub fn begin() -> Self {
        let folder = TempDir::with_prefix("drydock-engine-").expect("a scratch folder");
        let this = Self { folder, fails: Arc::default() };
        let listener = UnixListener::bind(this.socket()).expect("a socket");
        let fails = this.fails.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let fails = fails.clone();
                thread::spawn(move || drop(hand_on(client, &fails)));
            }
        });
        this
    }

    /// Its address, as `DOCKER_HOST` has it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// So many of the next starts of sessions fail.
    pub fn fail_starts(&self, count: usize) {
        self.fails.store(count, Ordering::SeqCst);
    }

    /// How many are still to fail.
    #[must_use]
    pub fn left(&self) -> usize {
        self.fails.load(Ordering::SeqCst)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }
}

/// One request: its connection is closed after it, so that the next one is seen as well.
fn hand_on(client: UnixStream, fails: &AtomicUsize) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = Vec::new();
    let mut is_upgrade = false;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        is_upgrade |= line.to_ascii_lowercase().starts_with("upgrade:");
        if line == "\r\n" {
            break;
        }
        head.push(line);
    }
    if head.first().is_some_and(|line| is_session_start(line)) && take_one(fails) {
        return refuse(client);
    }
    if !is_upgrade {
        head.retain(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        head.push("Connection: close\r\n".to_owned());
    }
    let mut engine = UnixStream::connect(Path::new(ENGINE))?;
    engine.write_all(format!("{}\r\n", head.concat()).as_bytes())?;
    let (mut there, mut back) = (engine.try_clone()?, client);
    let asked = thread::spawn(move || {
        let copied = copy(&mut reader, &mut there);
        let _ = there.shutdown(Shutdown::Write);
        copied
    });
    copy(&mut engine, &mut back)?;
    back.shutdown(Shutdown::Both)?;
    asked.join().map_err(|_| io::Error::other("the request's thread stopped"))?
}

/// The start of a session's own container, not of a view of its home.
fn is_session_start(line: &str) -> bool {
    let path = line.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    line.starts_with("POST ")
        && path.ends_with("/start")
        && path.contains("/containers/")
        && !path.contains("-view-")
}

fn take_one(fails: &AtomicUsize) -> bool {
    fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn refuse(mut client: UnixStream) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        FAILED.len()
    );
    client.write_all(head.as_bytes())?;
    client.write_all(FAILED.as_bytes())
}

/// As it comes: an answer may take its time.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut chunk = [0; 64 * 1024];
    loop {
        match from.read(&mut chunk)? {
            0 => return Ok(()),
            count => to.write_all(&chunk[..count]).and_then(|()| to.flush())?,
        }
    }
}
