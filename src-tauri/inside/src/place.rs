//! Putting a file in its place so that no version that anybody wrote is lost: the new one is exchanged
//! with what is there, and what came out is looked at before it is let go.

use crate::{
    Mark, Sign,
    digest::{self, mark_of},
    disk,
};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// So often is a place exchanged with before another program is told to be too busy there.
const ROUNDS: usize = 64;

/// A file beside its place, written and flushed. It is removed again if it is not placed.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    mark: Mark,
    /// Its signs when it was written.
    sign: Sign,
    /// Whether it is this value's to remove.
    own: bool,
}

impl Staged {
    /// Writes a file into the folder of its place, under a name that Drydock knows as its own.
    ///
    /// # Errors
    /// When it cannot be written; nothing of it is then left.
    pub fn write(folder: &Path, mode: u32, content: &mut dyn Read) -> io::Result<Self> {
        let path = folder.join(format!(".drydock-{}.tmp", random_name()?));
        let mut file = disk::create(&path, mode)?;
        // From here on the file is removed when anything fails.
        let (mark, sign) = (digest::read(&mut io::empty())?, Sign::of(&file.metadata()?));
        let mut staged = Self { path, mark, sign, own: true };
        let mut copy = Copy { from: content, to: &mut file };
        staged.mark = digest::read(&mut copy)?;
        disk::sync(&file)?;
        staged.sign = Sign::of(&file.metadata()?);
        Ok(staged)
    }

    /// Takes over a file that an ended process had staged.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn adopt(path: &Path) -> io::Result<Self> {
        let mark = mark_of(path)?;
        let sign = Sign::of(&fs::symlink_metadata(path)?);
        Ok(Self { path: path.to_path_buf(), mark, sign, own: true })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// Its signs in its place. What another program has written there since then is not taken for
    /// ours: the inode, or the length and time of the last write, are then others.
    fn sign_at(&self, target: &Path) -> io::Result<Sign> {
        let there = Sign::of(&fs::symlink_metadata(target)?);
        Ok(Sign { len: self.sign.len, mtime_ns: self.sign.mtime_ns, inode: self.sign.inode, ..there })
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.own {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes what it reads, on the way to its digest.
struct Copy<'a> {
    from: &'a mut dyn Read,
    to: &'a mut File,
}

impl Read for Copy<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        if count > 0 {
            disk::write(self.to, &buffer[..count])?;
        }
        Ok(count)
    }
}

fn random_name() -> io::Result<String> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_le_bytes(bytes)))
}

/// What a place has to hold for a file to be put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// A file with this content.
    Holds(Mark),
}

/// What became of a placing.
#[derive(Debug)]
pub enum Placed {
    /// The file is in its place.
    Done {
        /// What was there before, under the staged file's name; the caller's to keep or remove.
        displaced: Option<PathBuf>,
        /// The placed file's signs, as it was when it got there.
        sign: Sign,
    },
    /// Another program was quicker: its newest version is in the place, and ours is gone.
    Surprise {
        /// Versions of its own that it replaced meanwhile; the caller's to keep or remove.
        kept: Vec<PathBuf>,
    },
}

/// Puts a staged file in its place, if that holds what it should.
///
/// A look before the deed could not see a program that writes between the two. So the deed comes
/// first: the two are exchanged, and what came out is compared with what was expected. Anything else
/// is put back; and what comes out then has to be ours again, else it is a newer version of the other
/// program's, which goes back in turn.
///
/// # Errors
/// When the file system refuses, or something else than a file is in the place.
pub fn place(mut staged: Staged, target: &Path, before: Before) -> io::Result<Placed> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    let Before::Holds(expected) = before else {
        return match disk::rename_no_replace(&staged.path, target) {
            Ok(()) => {
                staged.own = false;
                let sign = staged.sign_at(target)?;
                disk::sync_folder(folder)?;
                Ok(Placed::Done { displaced: None, sign })
            }
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                Ok(Placed::Surprise { kept: Vec::new() })
            }
            Err(cause) => Err(cause),
        };
    };
    match fs::symlink_metadata(target) {
        Ok(data) if data.is_file() => {}
        Ok(_) => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "something else than a file is there"));
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            return Ok(Placed::Surprise { kept: Vec::new() });
        }
        Err(cause) => return Err(cause),
    }
    match disk::exchange(&staged.path, target) {
        Ok(()) => {}
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            return Ok(Placed::Surprise { kept: Vec::new() });
        }
        Err(cause) if cause.kind() == io::ErrorKind::Unsupported => {
            return place_by_link(staged, target, expected);
        }
        Err(cause) => return Err(cause),
    }
    // Under the staged name is now what somebody else wrote.
    staged.own = false;
    let mut out = mark_of(&staged.path)?;
    if out == expected {
        let sign = staged.sign_at(target)?;
        disk::sync_folder(folder)?;
        return Ok(Placed::Done { displaced: Some(staged.path.clone()), sign });
    }
    let mut put = staged.mark;
    for _ in 0..ROUNDS {
        let returned = out;
        disk::exchange(&staged.path, target)?;
        out = mark_of(&staged.path)?;
        if out == put {
            disk::sync_folder(folder)?;
            if out == staged.mark {
                disk::remove_file(&staged.path)?;
                return Ok(Placed::Surprise { kept: Vec::new() });
            }
            return Ok(Placed::Surprise { kept: vec![staged.path.clone()] });
        }
        put = returned;
    }
    Err(io::Error::other(format!(
        "another program writes to it without a pause; one of its versions is in {}",
        staged.path.display()
    )))
}

/// Finishes or undoes a placing whose process was killed, by what the files hold: a staged file with
/// the new content was not exchanged; one with the old was; any other is another program's version
/// that came out, which goes back unless that program has written again since. Gives back versions
/// that it replaced itself; the caller's to keep or remove.
///
/// # Errors
/// When a file cannot be read or moved.
pub fn recover(staged: &Path, target: &Path, before: Option<Mark>, after: Mark) -> io::Result<Vec<PathBuf>> {
    let Some(out) = mark_if_there(staged)? else { return Ok(Vec::new()) };
    if out == after || Some(out) == before {
        return disk::remove_file(staged).map(|()| Vec::new());
    }
    if mark_if_there(target)? != Some(after) {
        return Ok(vec![staged.to_path_buf()]);
    }
    match place(Staged::adopt(staged)?, target, Before::Holds(after))? {
        Placed::Done { displaced, .. } => {
            displaced.map_or(Ok(()), |ours| disk::remove_file(&ours)).map(|()| Vec::new())
        }
        Placed::Surprise { kept } => Ok(kept),
    }
}

fn mark_if_there(path: &Path) -> io::Result<Option<Mark>> {
    match mark_of(path) {
        Ok(mark) => Ok(Some(mark)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// For file systems that cannot exchange: the old version gets a second name, is looked at, and the
/// new one takes its place. A program that writes in the moment between is not noticed.
fn place_by_link(mut staged: Staged, target: &Path, expected: Mark) -> io::Result<Placed> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    let spare = folder.join(format!(".drydock-{}.tmp", random_name()?));
    if fs::hard_link(target, &spare).is_err() {
        fs::copy(target, &spare)?;
    }
    if mark_of(&spare)? != expected {
        disk::remove_file(&spare)?;
        return Ok(Placed::Surprise { kept: Vec::new() });
    }
    disk::rename(&staged.path, target)?;
    staged.own = false;
    let sign = staged.sign_at(target)?;
    disk::sync_folder(folder)?;
    Ok(Placed::Done { displaced: Some(spare), sign })
}

#[cfg(test)]
mod tests;
