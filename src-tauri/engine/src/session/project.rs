//! The project a session works on: which folders it sees, and which of them it may not change.

use crate::{
    error_handling::{Code, Error, IoContext, Result},
    paths::Locations,
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A folder to work on, at its real path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// What is mounted: the folder, or the repository it is in.
    pub root: PathBuf,
    /// Where Claude Code starts: the folder that was named.
    pub workdir: PathBuf,
    /// Further folders that git needs: the main repository of a worktree.
    pub(super) also: Vec<PathBuf>,
    /// What would run on the host or change how git does: mounted read-only.
    pub(super) read_only: Vec<PathBuf>,
    /// Folders mounted onto themselves, so that they cannot be moved away with what is read-only in them.
    pub(super) pinned: Vec<PathBuf>,
}

impl Project {
    /// Looks at a folder. Links are resolved, as Claude Code does itself.
    ///
    /// # Errors
    /// [`Code::ProjectMissing`], or [`Code::ProjectRefused`] for folders that hold Claude Code's data.
    pub fn find(folder: &Path, locations: &Locations) -> Result<Self> {
        let workdir = fs::canonicalize(folder).map_err(|cause| {
            Error::new(Code::ProjectMissing, format!("the project folder {} is not there", folder.display()))
                .why(cause)
                .remedy("name a folder that exists: drydock run FOLDER")
        })?;
        if !workdir.is_dir() {
            return Err(Error::new(Code::ProjectMissing, format!("{} is not a folder", workdir.display()))
                .remedy("name a folder: drydock run FOLDER"));
        }
        if workdir.to_str().is_none() {
            return Err(Error::new(
                Code::ProjectRefused,
                format!("the name of {} is not text", workdir.display()),
            )
            .why("Claude Code keeps conversations by the folder's name, which must be UTF-8")
            .remedy("rename the folder"));
        }
        refuse(&workdir, locations)?;
        let root = workdir
            .ancestors()
            .find(|dir| dir.join(".git").exists())
            .filter(|dir| refuse(dir, locations).is_ok())
            .unwrap_or(&workdir)
            .to_path_buf();
        let mut project =
            Self { workdir, also: Vec::new(), read_only: Vec::new(), pinned: Vec::new(), root: root.clone() };
        project.guard_git(&root.join(".git"))?;
        Ok(project)
    }

    /// Git runs programs named in its hooks and configuration, also for the user on the host.
    fn guard_git(&mut self, git: &Path) -> Result<()> {
        let Ok(found) = fs::symlink_metadata(git) else { return Ok(()) };
        if found.is_dir() {
            self.guard_git_dir(git)
        } else if found.is_file()
            && let Some((common, own)) = worktree(git)
        {
            self.also.push(common.clone());
            let own_config = own.join("config.worktree");
            if own_config.is_file() {
                self.read_only.push(own_config);
            }
            self.read_only.push(git.to_path_buf());
            self.guard_git_dir(&common)
        } else {
            Ok(())
        }
    }

    fn guard_git_dir(&mut self, dir: &Path) -> Result<()> {
        let config = dir.join("config");
        if !config.is_file() {
            return Ok(());
        }
        self.pinned.push(dir.to_path_buf());
        let hooks = dir.join("hooks");
        if !hooks.exists() {
            // A missing folder could be made inside, with hooks in it.
            fs::create_dir(&hooks).context("make the folder", &hooks)?;
        }
        self.read_only.extend([hooks, config]);
        for name in ["config.worktree", "info/attributes"] {
            let file = dir.join(name);
            if file.is_file() {
                self.read_only.push(file);
            }
        }
        self.guard_modules(&dir.join("modules"), 0)
    }

    /// Submodules have repositories of their own in there, nested by their paths.
    fn guard_modules(&mut self, dir: &Path, depth: usize) -> Result<()> {
        const DEEPEST: usize = 6;
        let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
        for path in entries.flatten().map(|entry| entry.path()) {
            let is_dir = fs::symlink_metadata(&path).is_ok_and(|data| data.is_dir());
            if is_dir && path.join("config").is_file() && path.join("HEAD").is_file() {
                self.guard_git_dir(&path)?;
            } else if is_dir && depth < DEEPEST {
                self.guard_modules(&path, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Every folder that is mounted for its own sake.
    pub(super) fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.root).chain(&self.also)
    }
}

fn refuse(folder: &Path, locations: &Locations) -> Result<()> {
    let refused = |why: &str| {
        Err(Error::new(Code::ProjectRefused, format!("{} cannot be a project", folder.display()))
            .why(why)
            .remedy("choose the folder of one project: drydock run FOLDER"))
    };
    if locations.home.starts_with(folder) {
        return refused("it holds your whole home folder, and a session would get all of it");
    }
    for own in [&locations.claude_dir, &locations.data_dir, &locations.backups_dir] {
        if own.starts_with(folder) || folder.starts_with(own) {
            return refused("Claude Code's or Drydock's own data is in it");
        }
    }
    Ok(())
}

/// The common repository and the own folder of a worktree whose `.git` file this is.
///
/// The file is in the project, where a session can write: it is believed only if the place it names
/// points back at it, which a session cannot arrange outside its project.
fn worktree(git_file: &Path) -> Option<(PathBuf, PathBuf)> {
    let text = fs::read_to_string(git_file).ok()?;
    let named = Path::new(text.strip_prefix("gitdir:")?.trim());
    let own = fs::canonicalize(git_file.parent()?.join(named)).ok()?;
    let back = fs::read_to_string(own.join("gitdir")).ok()?;
    if fs::canonicalize(own.join(back.trim())).ok()? != git_file {
        return None;
    }
    let common = fs::canonicalize(own.join(fs::read_to_string(own.join("commondir")).ok()?.trim())).ok()?;
    (own.starts_with(common.join("worktrees")) && common.join("objects").is_dir()).then_some((common, own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Locations) {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        (home, locations)
    }

    fn repository(dir: &Path) {
        fs::create_dir_all(dir.join("objects")).unwrap();
        fs::write(dir.join("config"), "").unwrap();
        fs::write(dir.join("HEAD"), "").unwrap();
    }

    #[test]
    fn folders_with_claude_codes_data_are_refused() {
        let (_home, locations) = home();
        fs::create_dir_all(locations.claude_dir.join("projects")).unwrap();
        for folder in
            [Path::new("/"), &locations.home, &locations.claude_dir, &locations.claude_dir.join("projects")]
        {
            let error = Project::find(folder, &locations).unwrap_err();
            assert_eq!(error.code(), Code::ProjectRefused, "{}", folder.display());
        }
        let error = Project::find(&locations.home.join("nope"), &locations).unwrap_err();
        assert_eq!(error.code(), Code::ProjectMissing);
    }

    #[test]
    fn a_folder_in_a_repository_brings_the_repository_guarded() {
        let (_home, locations) = home();
        let root = locations.home.join("proj");
        fs::create_dir_all(root.join("sub")).unwrap();
        repository(&root.join(".git"));
        repository(&root.join(".git/modules/lib"));
        let link = locations.home.join("link");
        std::os::unix::fs::symlink(root.join("sub"), &link).unwrap();
        let project = Project::find(&link, &locations).unwrap();
        assert_eq!((&project.root, &project.workdir), (&root, &root.join("sub")));
        for guarded in [".git/hooks", ".git/config", ".git/modules/lib/hooks", ".git/modules/lib/config"] {
            assert!(project.read_only.contains(&root.join(guarded)), "{guarded}");
            assert!(root.join(guarded).exists());
        }
        assert!(project.pinned.contains(&root.join(".git")));
    }

    #[test]
    fn a_home_that_is_a_repository_does_not_become_the_project() {
        let (_home, locations) = home();
        repository(&locations.home.join(".git"));
        let folder = locations.home.join("proj");
        fs::create_dir(&folder).unwrap();
        assert_eq!(Project::find(&folder, &locations).unwrap().root, folder);
    }

    #[test]
    fn a_worktree_brings_its_main_repository_only_if_that_agrees() {
        let (_home, locations) = home();
        let main = locations.home.join("main");
        let tree = locations.home.join("tree");
        let own = main.join(".git/worktrees/tree");
        repository(&main.join(".git"));
        fs::create_dir_all(&own).unwrap();
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join(".git"), format!("gitdir: {}\n", own.display())).unwrap();
        fs::write(own.join("commondir"), "../..\n").unwrap();
        fs::write(own.join("gitdir"), format!("{}\n", tree.join(".git").display())).unwrap();
        let project = Project::find(&tree, &locations).unwrap();
        assert_eq!(project.also, [main.join(".git")]);
        assert!(project.read_only.contains(&main.join(".git/hooks")));
        fs::write(own.join("gitdir"), "/elsewhere/.git\n").unwrap();
        assert!(Project::find(&tree, &locations).unwrap().also.is_empty());
    }
}
