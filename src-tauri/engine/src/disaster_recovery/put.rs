//! Putting one file in its place: what is there goes into quarantine first, and no version that another
//! program writes meanwhile is lost.

use super::{
    Recovery,
    record::{Deed, Record},
    salvage::{Salvaged, merge_records, overlay, whole_members},
    stage::{Content, Ready, below, is_records, unproven},
};
use crate::{
    claude_home::{FolderLock, parse_document},
    error_handling::{Code, Error, IoContext, Result},
    paths::create_private_dir,
    validation::{Finding, Fix, Severity, validate_file},
};
use drydock_inside::{Before, Mark, Placed, Staged, digest::mark_of, disk, place};
use std::{
    fs::{self, File, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// So often a file is tried again that another program writes at the same time.
const ATTEMPTS: usize = 8;

/// What became of a file.
#[derive(Debug)]
pub(super) enum Put {
    /// It is in its place.
    Done {
        /// In words, what it is now.
        how: String,
    },
    /// It needed nothing: it is whole, or no backup has more of it.
    Nothing {
        /// Why.
        why: String,
    },
}

/// What stands at a place.
enum There {
    Nothing,
    File(Mark),
    Other,
}

/// Puts a file in its place.
///
/// # Errors
/// When it cannot be; the place then holds what it held.
pub(super) fn put(recovery: &Recovery, ready: &Ready, record: &Record) -> Result<Put> {
    let target = &resolved(&ready.item.file);
    if let Content::Fixed(fix) = ready.content {
        return fixed(target, fix, record);
    }
    let folder = target.parent().unwrap_or(Path::new("/"));
    clear_the_way(folder, record)?;
    create_private_dir(folder)?;
    // While it is held no Claude Code reads the document, changes it and writes it back.
    let _lock = (ready.item.file == recovery.locations.claude_json)
        .then(|| FolderLock::on_state(&ready.item.file))
        .flatten();
    for _ in 0..ATTEMPTS {
        let there = look(target)?;
        let made = match make(ready, target, &there, record)? {
            Made::File(made) => made,
            Made::Link(link) => return put_link(&link, target, &there, record),
            Made::NothingBetter(why) => return Ok(Put::Nothing { why }),
        };
        if made.own == Own::Shared {
            refuse_damaged(recovery, ready, &made.path)?;
        }
        let after = mark_of(&made.path).context("read", &made.path)?;
        match there {
            There::Other => {
                set_aside(target, record)?;
            }
            There::Nothing => {
                record.intend(&Deed { file: target.clone(), before: None, after: Some(after) })?;
                if bring_in(&made, target)? {
                    return Ok(Put::Done { how: made.how });
                }
            }
            There::File(before) if before == after => {
                return Ok(Put::Nothing { why: "it is as the backup has it".to_owned() });
            }
            There::File(before) => {
                let Some(kept) = keep(target, before, record)? else { continue };
                record.intend(&Deed { file: target.clone(), before: Some(kept), after: Some(after) })?;
                let mode = mode_of(target).unwrap_or(made.mode) | 0o600;
                if exchange(&made, target, before, mode, record)? {
                    return Ok(Put::Done { how: made.how });
                }
            }
        }
    }
    Err(Error::new(Code::RecoveryUnproven, format!("{} changes all the time", target.display()))
        .why("another program writes it without a pause")
        .remedy("end Claude Code, then run the command again"))
}

/// The file that a link leads to: users keep their documents elsewhere, and link to them.
fn resolved(file: &Path) -> PathBuf {
    if file.is_symlink() && file.is_file() {
        return fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    }
    file.to_path_buf()
}

/// A file that was made.
struct MadeFile {
    path: PathBuf,
    mode: u32,
    how: String,
    /// Whether it may be moved away.
    own: Own,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    /// It is ours alone, on the volume of the host home.
    Movable,
    /// It is copied.
    Shared,
}

enum Made {
    File(MadeFile),
    Link(PathBuf),
    NothingBetter(String),
}

fn look(target: &Path) -> Result<There> {
    match fs::symlink_metadata(target) {
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(There::Nothing)
        }
        Err(cause) => Err(cause).context("look at", target),
        Ok(data) if data.is_file() => match mark_of(target) {
            Ok(mark) => Ok(There::File(mark)),
            // What cannot be read is set aside as it is.
            Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => Ok(There::Other),
            Err(cause) => Err(cause).context("read", target),
        },
        Ok(_) => Ok(There::Other),
    }
}

/// Makes the file as it should be, from the backup and from what stands there now.
fn make(ready: &Ready, target: &Path, there: &There, record: &Record) -> Result<Made> {
    let damaged = matches!(there, There::File(_)).then_some(target);
    match &ready.content {
        Content::Restored(path) if path.is_symlink() => {
            Ok(Made::Link(fs::read_link(path).context("read", path)?))
        }
        Content::Restored(path) => Ok(Made::File(MadeFile {
            path: path.clone(),
            mode: mode_of(path).unwrap_or(0o600),
            how: "as the snapshot has it".to_owned(),
            own: Own::Movable,
        })),
        // Nothing to put together, and as it is in the snapshot it can be moved.
        Content::Records(bases) if damaged.is_none() && bases.len() == 1 => Ok(Made::File(MadeFile {
            path: bases[0].clone(),
            mode: mode_of(&bases[0]).unwrap_or(0o600),
            how: "as the snapshot has it".to_owned(),
            own: Own::Movable,
        })),
        Content::Records(bases) => {
            let made = record.workshop()?.join("records.jsonl");
            let merged = merge_all(bases, damaged, &made)?;
            if damaged.is_some() && merged.regained + merged.broken + merged.freed == 0 {
                return Ok(Made::NothingBetter("all that a backup has of it is there".to_owned()));
            }
            if bases.is_empty() && merged.newer == 0 {
                return Ok(Made::NothingBetter("nothing of it is whole, and no backup has it".to_owned()));
            }
            let how = match (merged.regained, merged.earlier - merged.regained + merged.newer) {
                (0, whole) => format!("{whole} records, without what is broken: no backup has more of it"),
                (back, 0) => format!("{back} records of the backup"),
                (back, whole) => format!("{whole} records that are whole, and {back} of the backup"),
            };
            let mode = bases.first().and_then(|base| mode_of(base)).unwrap_or(0o600);
            Ok(Made::File(MadeFile { path: made, mode, how, own: Own::Shared }))
        }
        Content::Document(base) => {
            let present = match damaged {
                Some(path) => whole_members(&fs::read(path).context("read", path)?),
                None => serde_json::Map::new(),
            };
            let Some(base) = base else {
                if present.is_empty() {
                    return Ok(Made::NothingBetter(
                        "nothing of it is whole, and no backup has it".to_owned(),
                    ));
                }
                let how = format!("{} entries that are whole", present.len());
                return written(&present, how, record);
            };
            let text = fs::read(base).context("read", base)?;
            let earlier = parse_document(&text).map_err(|fault| unproven(target, fault))?;
            let kept = present.len();
            let document = overlay(earlier.clone(), present);
            if document == earlier {
                // As it was, to the byte.
                let how = "as the backup has it".to_owned();
                let mode = mode_of(base).unwrap_or(0o600);
                return Ok(Made::File(MadeFile { path: base.clone(), mode, how, own: Own::Shared }));
            }
            let how = format!("the backup, and over it {kept} entries that are whole and newer");
            written(&document, how, record)
        }
        Content::Fixed(_) => Ok(Made::NothingBetter("it needs no backup".to_owned())),
    }
}

fn merge_all(bases: &[PathBuf], damaged: Option<&Path>, to: &Path) -> Result<Salvaged> {
    let mut earlier: Option<PathBuf> = None;
    for (number, base) in bases.iter().enumerate().skip(1) {
        let next = to.with_extension(format!("{number}.part"));
        let older = earlier.as_deref().unwrap_or(&bases[0]);
        merge_into(Some(older), Some(base), &next)?;
        earlier = Some(next);
    }
    let earlier = earlier.as_deref().or(bases.first().map(PathBuf::as_path));
    merge_into(earlier, damaged, to)
}

fn merge_into(earlier: Option<&Path>, damaged: Option<&Path>, to: &Path) -> Result<Salvaged> {
    let mut out = BufWriter::new(File::create(to).context("write", to)?);
    merge_records(earlier, damaged, &mut out)
        .and_then(|found| out.flush().map(|()| found))
        .context("put together", to)
}

/// As Claude Code writes its documents.
fn written(
    document: &serde_json::Map<String, serde_json::Value>,
    how: String,
    record: &Record,
) -> Result<Made> {
    let path = record.workshop()?.join("document.json");
    let text = serde_json::to_vec_pretty(document)
        .map_err(|cause| Error::new(Code::Internal, "a document could not be written down").why(cause))?;
    fs::write(&path, text).context("write", &path)?;
    Ok(Made::File(MadeFile { path, mode: 0o600, how, own: Own::Shared }))
}

/// What was put together is whole, as what comes from a snapshot was found to be before.
fn refuse_damaged(recovery: &Recovery, ready: &Ready, made: &Path) -> Result<()> {
    let found = validate_file(&recovery.locations, made, &below(&ready.item));
    let fatal = |finding: &&Finding| finding.severity == Severity::Error && !is_records(&ready.item);
    match found.iter().find(fatal) {
        None => Ok(()),
        Some(finding) => Err(unproven(&ready.item.file, &finding.reason)),
    }
}

/// Keeps what is in a place, in quarantine. `None` when it is not that any more.
fn keep(target: &Path, expected: Mark, record: &Record) -> Result<Option<PathBuf>> {
    let kept = place_in_quarantine(target, record)?;
    fs::copy(target, &kept).context("keep", target)?;
    let open = File::open(&kept).context("read", &kept)?;
    disk::sync(&open).context("flush", &kept)?;
    if mark_of(&kept).context("read", &kept)? != expected {
        fs::remove_file(&kept).context("remove", &kept)?;
        return Ok(None);
    }
    sync_parent(&kept)?;
    Ok(Some(kept))
}

/// A name in quarantine that nothing has yet, which says where it was.
fn place_in_quarantine(target: &Path, record: &Record) -> Result<PathBuf> {
    let folder = record.quarantine();
    create_private_dir(&folder)?;
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (0..)
        .map(|number| folder.join(format!("{number}-{name}")))
        .find(|path| path.symlink_metadata().is_err());
    free.ok_or_else(|| Error::new(Code::Internal, "the quarantine is full"))
}

/// Moves what is no plain file out of the way, as it is.
fn set_aside(target: &Path, record: &Record) -> Result<PathBuf> {
    let aside = place_in_quarantine(target, record)?;
    record.intend(&Deed { file: target.to_path_buf(), before: Some(aside.clone()), after: None })?;
    match disk::rename(target, &aside) {
        Ok(()) => Ok(aside),
        Err(cause) if cause.kind() == io::ErrorKind::CrossesDevices => {
            let mut beside = target.as_os_str().to_owned();
            beside.push(format!(
                ".before-recovery-{}",
                record.folder().file_name().unwrap_or_default().to_string_lossy()
            ));
            let beside = PathBuf::from(beside);
            record.intend(&Deed { file: target.to_path_buf(), before: Some(beside.clone()), after: None })?;
            disk::rename(target, &beside).context("put aside", target)?;
            Ok(beside)
        }
        Err(cause) => Err(cause).context("put aside", target),
    }
}

/// A file, or a link that leads nowhere, where a folder should be goes into quarantine.
fn clear_the_way(folder: &Path, record: &Record) -> Result<()> {
    let mut blocked = None;
    for above in folder.ancestors() {
        match (above.symlink_metadata(), above.is_dir()) {
            (Ok(_), true) => break,
            (Ok(_), false) => blocked = Some(above.to_path_buf()),
            (Err(_), _) => {}
        }
    }
    match blocked {
        Some(file) => set_aside(&file, record).map(drop),
        None => Ok(()),
    }
}

/// Puts a file where nothing is; whether it is there now.
fn bring_in(made: &MadeFile, target: &Path) -> Result<bool> {
    if made.own == Own::Movable {
        match disk::rename_no_replace(&made.path, target) {
            Ok(()) => {
                touch(target)?;
                return Ok(true);
            }
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            // Another volume, or one that cannot do it.
            Err(_) => {}
        }
    }
    let folder = target.parent().unwrap_or(Path::new("/"));
    let mut content = File::open(&made.path).context("read", &made.path)?;
    let staged = Staged::write(folder, made.mode, &mut content).context("write", target)?;
    match place(staged, target, Before::Nothing).context("write", target)? {
        Placed::Done { .. } => touch(target).map(|()| true),
        Placed::Surprise { .. } => Ok(false),
    }
}

/// Exchanges a file with what is there; whether it was what was expected.
fn exchange(made: &MadeFile, target: &Path, before: Mark, mode: u32, record: &Record) -> Result<bool> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    let mut content = File::open(&made.path).context("read", &made.path)?;
    let staged = Staged::write(folder, mode, &mut content).context("write", target)?;
    match place(staged, target, Before::Holds(before)).context("write", target)? {
        Placed::Done { displaced, .. } => {
            // A copy of it is in quarantine.
            if let Some(displaced) = displaced {
                disk::remove_file(&displaced).context("remove", &displaced)?;
            }
            touch(target)?;
            Ok(true)
        }
        Placed::Surprise { kept } => {
            for version in kept {
                let aside = place_in_quarantine(target, record)?;
                fs::copy(&version, &aside).context("keep", &version)?;
                disk::remove_file(&version).context("remove", &version)?;
            }
            Ok(false)
        }
    }
}

fn put_link(link: &Path, target: &Path, there: &There, record: &Record) -> Result<Put> {
    if !matches!(there, There::Nothing) {
        set_aside(target, record)?;
    }
    record.intend(&Deed { file: target.to_path_buf(), before: None, after: None })?;
    std::os::unix::fs::symlink(link, target).context("write", target)?;
    Ok(Put::Done { how: "the link as the snapshot has it".to_owned() })
}

/// What a look found that needs no backup.
fn fixed(target: &Path, fix: Fix, record: &Record) -> Result<Put> {
    let there = fs::metadata(target).context("look at", target)?;
    match fix {
        Fix::SetMode(mode) => {
            // Undo has nothing to do with it: the content stays.
            fs::set_permissions(target, Permissions::from_mode(mode))
                .context("set the permissions of", target)?;
            Ok(Put::Done {
                how: format!(
                    "its permissions are {mode:03o} now, and were {:03o}",
                    there.permissions().mode() & 0o777
                ),
            })
        }
        Fix::DropByteOrderMark => {
            let text = fs::read(target).context("read", target)?;
            let Some(rest) = text.strip_prefix(b"\xef\xbb\xbf") else {
                return Ok(Put::Nothing { why: "it has none any more".to_owned() });
            };
            let before = mark_of(target).context("read", target)?;
            let Some(kept) = keep(target, before, record)? else {
                return Ok(Put::Nothing { why: "it has changed meanwhile".to_owned() });
            };
            let path = record.workshop()?.join("fixed");
            fs::write(&path, rest).context("write", &path)?;
            let after = mark_of(&path).context("read", &path)?;
            record.intend(&Deed { file: target.to_path_buf(), before: Some(kept), after: Some(after) })?;
            let how = "without its byte-order mark".to_owned();
            let made = MadeFile { path, mode: 0o600, how: how.clone(), own: Own::Shared };
            let mode = there.permissions().mode() & 0o777;
            match exchange(&made, target, before, mode, record)? {
                true => Ok(Put::Done { how }),
                false => Ok(Put::Nothing { why: "it has changed meanwhile".to_owned() }),
            }
        }
    }
}

/// Claude Code deletes what was written long ago, and reads its state again only if its time moved on.
fn touch(target: &Path) -> Result<()> {
    File::open(target)
        .and_then(|file| file.set_modified(SystemTime::now()))
        .context("set the time of", target)
}

fn mode_of(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|data| data.permissions().mode() & 0o777)
}

pub(super) fn sync_parent(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    disk::sync_folder(folder).context("flush", folder)
}
