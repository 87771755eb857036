//! The only place where files are changed. Each deed here is a point at which a test can end the
//! process or fail the disk.
//!
//! With the feature `faults`, deeds are counted, and the variable `DRYDOCK_FAULT` says what happens at
//! which: `kill:N` ends the process before deed N, `enospc:N` and `eio:N` fail it (a write has then
//! written half), `count:FILE` writes a line for each deed to a file.

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

/// Makes a file that was not there.
///
/// # Errors
/// When it is there, or cannot be made.
pub fn create(path: &Path, mode: u32) -> io::Result<File> {
    fault("create")?;
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// Writes all of the bytes, in one call where the system takes them at once.
///
/// # Errors
/// When not all could be written; some may have been.
pub fn write(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    if let Err(cause) = fault("write") {
        file.write_all(&bytes[..bytes.len() / 2])?;
        return Err(cause);
    }
    file.write_all(bytes)
}

/// Flushes a file's content to the disk, on macOS past the disk's own cache.
///
/// # Errors
/// When the disk fails.
pub fn sync(file: &File) -> io::Result<()> {
    fault("sync")?;
    tolerant(file.sync_all())
}

/// Stands before a deed that a library does on the disk, such as a database's.
///
/// # Errors
/// When a test wants the deed to fail.
pub fn before(deed: &str) -> io::Result<()> {
    fault(deed)
}

/// Flushes the names in a folder to the disk.
///
/// # Errors
/// When the disk fails.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    fault("sync folder")?;
    tolerant(File::open(path)?.sync_all())
}

/// Some file systems (exFAT, network shares) cannot flush as they are asked to, and say so.
fn tolerant(flushed: io::Result<()>) -> io::Result<()> {
    let unable = |cause: &io::Error| {
        [Errno::NOTTY, Errno::NOTSUP, Errno::INVAL]
            .iter()
            .any(|errno| cause.raw_os_error() == Some(errno.raw_os_error()))
    };
    match flushed {
        Err(cause) if unable(&cause) => Ok(()),
        flushed => flushed,
    }
}

/// Gives a file another name, over whatever has it.
///
/// # Errors
/// When the file system refuses.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fault("rename")?;
    fs::rename(from, to)
}

/// Gives a file a name that nothing has.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when something has it.
pub fn rename_no_replace(from: &Path, to: &Path) -> io::Result<()> {
    fault("rename, replacing nothing")?;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // A file system that has no such call has links, or the look before has to do.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match fs::hard_link(from, to) {
            Ok(()) => fs::remove_file(from),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Err(cause),
            Err(_) if fs::symlink_metadata(to).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(from, to),
        },
        Err(cause) => Err(cause.into()),
    }
}

/// Exchanges two files or folders: at no moment does either name miss.
///
/// Linux: `renameat2` with `RENAME_EXCHANGE`; macOS: `renameatx_np` with `RENAME_SWAP`.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] when one is not there; [`io::ErrorKind::Unsupported`] where the file
/// system cannot.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    fault("exchange")?;
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(|cause| match cause {
        Errno::INVAL | Errno::NOSYS | Errno::NOTSUP => io::ErrorKind::Unsupported.into(),
        cause => cause.into(),
    })
}

/// Cuts a file, or lengthens it with zeros.
///
/// # Errors
/// When the file system refuses.
pub fn set_len(file: &File, len: u64) -> io::Result<()> {
    fault("set length")?;
    file.set_len(len)
}

/// Removes a file.
///
/// # Errors
/// When it is not there or cannot be removed.
pub fn remove_file(path: &Path) -> io::Result<()> {
    fault("remove file")?;
    fs::remove_file(path)
}

/// Makes a folder that only the user can enter, with its parents.
///
/// # Errors
/// When it cannot be made.
pub fn create_folder(path: &Path) -> io::Result<()> {
    fault("create folder")?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(feature = "faults"))]
fn fault(_deed: &str) -> io::Result<()> {
    Ok(())
}

#[cfg(feature = "faults")]
fn fault(deed: &str) -> io::Result<()> {
    use rustix::process::{Signal, getpid, kill_process};
    use std::sync::atomic::{AtomicU64, Ordering};

    static DEEDS: AtomicU64 = AtomicU64::new(0);
    let number = DEEDS.fetch_add(1, Ordering::SeqCst) + 1;
    let Ok(plan) = std::env::var("DRYDOCK_FAULT") else { return Ok(()) };
    let Some((what, at)) = plan.split_once(':') else { return Ok(()) };
    if what == "count" {
        let mut list = OpenOptions::new().create(true).append(true).open(at)?;
        return writeln!(list, "{number} {deed}");
    }
    if at.parse() != Ok(number) {
        return Ok(());
    }
    match what {
        "enospc" => Err(Errno::NOSPC.into()),
        "eio" => Err(Errno::IO.into()),
        _ => {
            kill_process(getpid(), Signal::KILL)?;
            loop {
                std::thread::park();
            }
        }
    }
}
