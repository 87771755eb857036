//! An id-mapped bind mount: the same files, shown under another owner.
//!
//! Source: `mount_setattr(2)`, Linux 5.12 and later.

use crate::program::without_keys;
use rustix::{
    fs::CWD,
    mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree},
};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::fd::{AsRawFd, BorrowedFd},
    path::Path,
    process::{Child, Stdio},
};

/// Shows `source` at `target`, with what belongs to `owner` (user, group) as if it belonged to
/// `shown`. Everything else appears as nobody's.
pub(super) fn mount(source: &Path, target: &Path, owner: (u32, u32), shown: (u32, u32)) -> io::Result<()> {
    let names = UserNamespace::new(owner, shown)?;
    let tree = open_tree(
        CWD,
        source,
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE,
    )?;
    map_ids(std::os::fd::AsFd::as_fd(&tree), &names.file)?;
    move_mount(&tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(())
}

/// `struct mount_attr` of `linux/mount.h`.
#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

#[allow(unsafe_code)]
fn map_ids(tree: BorrowedFd<'_>, names: &File) -> io::Result<()> {
    const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
    let attributes = MountAttr {
        attr_set: MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        // A file descriptor is never negative here: it comes from an open `File`.
        userns_fd: u64::from(names.as_raw_fd().unsigned_abs()),
    };
    // SAFETY: the kernel reads `size_of::<MountAttr>()` bytes from the pointer and keeps none of it;
    // `attributes` has exactly that layout (`repr(C)`, four u64) and outlives the call. The path is a
    // NUL-terminated empty string, valid with AT_EMPTY_PATH. Both descriptors are borrowed from open
    // files, so they stay open during the call. No memory is written.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<MountAttr>(),
        )
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A user namespace that carries the mapping. The process in it only keeps it alive until the mount
/// has taken it.
struct UserNamespace {
    file: File,
    keeper: Child,
}

impl UserNamespace {
    fn new(owner: (u32, u32), shown: (u32, u32)) -> io::Result<Self> {
        // A byte on its output says that the process has entered its namespace.
        let mut keeper = without_keys("unshare")
            .args(["--user", "--", "sh", "-c", "echo; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut ready = [0];
        let entered = keeper.stdout.as_mut().map(|out| out.read_exact(&mut ready));
        let opened = match entered {
            Some(Ok(())) => Self::map(keeper.id(), owner, shown),
            Some(Err(cause)) => Err(cause),
            None => Err(io::Error::other("unshare has no output")),
        };
        match opened {
            Ok(file) => Ok(Self { file, keeper }),
            Err(cause) => {
                let _ = keeper.kill();
                let _ = keeper.wait();
                Err(cause)
            }
        }
    }

    fn map(process: u32, owner: (u32, u32), shown: (u32, u32)) -> io::Result<File> {
        fs::write(format!("/proc/{process}/uid_map"), format!("{} {} 1\n", owner.0, shown.0))?;
        fs::write(format!("/proc/{process}/gid_map"), format!("{} {} 1\n", owner.1, shown.1))?;
        File::open(format!("/proc/{process}/ns/user"))
    }
}

impl Drop for UserNamespace {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
