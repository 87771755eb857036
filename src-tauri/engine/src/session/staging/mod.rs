//! Where the engine finds the project's folders.
//!
//! Usually that is the folders themselves. For root on a native engine it is a view of them in which
//! their owner appears as the session's ordinary user: the session is not root, and can still work on
//! files that are, and what it makes belongs to their owner.

#[cfg(target_os = "linux")]
mod idmap;

use super::{SessionId, project::Project};
use crate::{container::EngineKind, error_handling::Result, image::SessionUser};
use std::path::{Path, PathBuf};

/// Where views are mounted.
const VIEWS: &str = "/run/drydock";

/// The views, which last as long as this. A container keeps its own hold on them once it is started.
#[derive(Debug, Default)]
pub(super) struct Staging {
    /// Each real folder with its view.
    views: Vec<(PathBuf, PathBuf)>,
    folder: Option<PathBuf>,
}

impl Staging {
    /// Makes the views that a session needs. Blocking.
    pub(super) fn prepare(
        id: &SessionId,
        project: &Project,
        kind: EngineKind,
        user: &SessionUser,
    ) -> Result<Self> {
        let root_here = rustix::process::geteuid().is_root() && kind == EngineKind::Native;
        if !cfg!(target_os = "linux") || !root_here {
            return Ok(Self::default());
        }
        #[cfg(target_os = "linux")]
        return Self::views(id, project, user);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (id, project, user);
            Ok(Self::default())
        }
    }

    #[cfg(target_os = "linux")]
    fn views(id: &SessionId, project: &Project, user: &SessionUser) -> Result<Self> {
        use crate::error_handling::{Code, Error, IoContext};
        use std::os::unix::fs::MetadataExt;
        let mut staging = Self::default();
        for (index, folder) in project.folders().enumerate() {
            let data = std::fs::metadata(folder).context("read", folder)?;
            if data.uid() == user.uid {
                continue;
            }
            let base = Path::new(VIEWS).join(id.as_str());
            let view = base.join(index.to_string());
            crate::paths::create_private_dir(&view)?;
            staging.folder = Some(base);
            let (owner, session) = ((data.uid(), data.gid()), (user.uid, user.gid));
            idmap::mount(folder, &view, owner, session).map_err(|cause| {
                Error::new(
                    Code::EngineUnsupported,
                    format!("{} belongs to another user, and sessions never run as root", folder.display()),
                )
                .why(format!("this kernel or file system cannot show it under another owner: {cause}"))
                .remedy(format!("chown -R {}:{} {}", user.uid, user.gid, folder.display()))
                .remedy("or run drydock as the ordinary user who owns it")
            })?;
            staging.views.push((folder.clone(), view));
        }
        Ok(staging)
    }

    /// Where the engine finds `path`.
    pub(super) fn source(&self, path: &Path) -> PathBuf {
        self.views
            .iter()
            .find_map(|(real, view)| {
                path.strip_prefix(real)
                    .ok()
                    .map(|rest| if rest.as_os_str().is_empty() { view.clone() } else { view.join(rest) })
            })
            .unwrap_or_else(|| path.to_path_buf())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            clear(folder);
        }
    }
}

/// Removes the views that a killed process left of a session. Blocking.
pub(super) fn clear_left_views(id: &SessionId) {
    clear(&Path::new(VIEWS).join(id.as_str()));
}

/// Unmounts what is in a folder of views and removes the empty folders. What cannot be unmounted
/// stays: its files are the project's own.
fn clear(folder: &Path) {
    let Ok(views) = std::fs::read_dir(folder) else { return };
    for view in views.flatten().map(|entry| entry.path()) {
        #[cfg(target_os = "linux")]
        if let Err(cause) = rustix::mount::unmount(view.as_path(), rustix::mount::UnmountFlags::DETACH)
            && cause != rustix::io::Errno::INVAL
        {
            tracing::warn!(view = %view.display(), %cause, "a view of a project stays mounted");
            continue;
        }
        // Only an empty folder can go this way: a view that is still there keeps its own.
        let _ = std::fs::remove_dir(&view);
    }
    let _ = std::fs::remove_dir(folder);
}
