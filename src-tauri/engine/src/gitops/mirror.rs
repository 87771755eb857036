//! A bare copy of the user's repository. Configuration is read from a commit's tree in it, never from a work tree:
//! no filter, attribute or hook of a repository ever runs.

use super::{
    commit::{About, Commit},
    git::{Away, Git, Remote},
    git_tree::committed,
    tree::Tree,
};
use crate::{
    error_handling::{Code, Error, Result},
    paths::create_private_dir,
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

/// What was fetched last.
const INCOMING: &str = "refs/drydock/incoming";
/// What is in force: so it is never cleared away.
const APPLIED: &str = "refs/drydock/applied";
/// At first only so much of the history comes.
const DEPTH: &str = "--depth=50";

/// Whether a commit goes on from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Descent {
    /// It is the same, or comes after it.
    After,
    /// Its history is another.
    Other,
}

/// How a fetch came out.
#[derive(Debug)]
pub(super) enum Fetched {
    /// The branch is here, as [`Mirror::incoming`].
    Done,
    /// The repository cannot be reached now.
    Unreachable(String),
    /// The repository is there and has no such branch.
    NoBranch,
}

/// The copy.
#[derive(Debug, Clone)]
pub(super) struct Mirror {
    pub(super) git: Git,
    pub(super) remote: Remote,
    pub(super) branch: String,
}

impl Mirror {
    /// Opens the copy in a folder, and begins it the first time.
    ///
    /// # Errors
    /// [`Code::GitNone`], or when it cannot be made.
    pub(super) fn open(
        folder: &Path,
        home: &Path,
        remote: Remote,
        branch: &str,
        lock: Option<Arc<File>>,
    ) -> Result<Self> {
        if !folder.join("HEAD").is_file() {
            create_private_dir(folder)?;
            let git = Git::find(folder, home)?;
            // No template: none of its hooks and settings are for this.
            git.output(&["init", "--quiet", "--bare", "--template=", "."], None)?;
        }
        remove_left_locks(folder);
        Ok(Self { git: Git::find(folder, home)?.holding(lock), remote, branch: branch.to_owned() })
    }

    pub(super) fn branch(&self) -> &str {
        &self.branch
    }

    /// Fetches the branch, into a name that nothing else reads.
    ///
    /// # Errors
    /// When git cannot be run, or the copy is damaged.
    pub(super) fn fetch(&self) -> Result<Fetched> {
        self.fetch_with(DEPTH)
    }

    fn fetch_with(&self, depth: &str) -> Result<Fetched> {
        let address = self.remote.address();
        let refspec = format!("+refs/heads/{}:{INCOMING}", self.branch);
        let arguments: Vec<std::ffi::OsString> = vec![
            "fetch".into(),
            "--quiet".into(),
            "--no-tags".into(),
            "--no-recurse-submodules".into(),
            "--no-write-fetch-head".into(),
            depth.into(),
            "--".into(),
            address,
            refspec.into(),
        ];
        match self.git.away(&arguments)? {
            Away::Not(why) if why.contains("couldn't find remote ref") => Ok(Fetched::NoBranch),
            Away::Not(why) => Ok(Fetched::Unreachable(why)),
            Away::Done => match self.incoming()? {
                Some(_) => Ok(Fetched::Done),
                None => Ok(Fetched::NoBranch),
            },
        }
    }

    /// What was fetched last.
    ///
    /// # Errors
    /// When git cannot be run.
    pub(super) fn incoming(&self) -> Result<Option<Commit>> {
        let answer =
            self.git.run(&["rev-parse", "--verify", "--quiet", &format!("{INCOMING}^{{commit}}")], None)?;
        Ok(Commit::parse(String::from_utf8_lossy(&answer.out).trim()))
    }

    /// Keeps the commit that is in force from being cleared away.
    ///
    /// # Errors
    /// When git refuses.
    pub(super) fn keep(&self, commit: &Commit) -> Result<()> {
        self.git.output(&["update-ref", APPLIED, commit.as_str()], None).map(drop)
    }

    /// Whether a commit goes on from another; where too little of the history is here to tell, the rest is fetched.
    ///
    /// # Errors
    /// When that cannot be had.
    pub(super) fn descent(&self, from: &Commit, to: &Commit) -> Result<Descent> {
        if from == to || self.is_ancestor(from, to)? {
            return Ok(Descent::After);
        }
        if self.git.line(&["rev-parse", "--is-shallow-repository"], None)? == "true" {
            if let Fetched::Unreachable(why) = self.fetch_with("--unshallow")? {
                return Err(Error::new(
                    Code::GitopsUnreachable,
                    "the history of the configuration could not be fetched",
                )
                .why(why)
                .remedy("nothing: it is tried again"));
            }
            if self.is_ancestor(from, to)? {
                return Ok(Descent::After);
            }
        }
        Ok(Descent::Other)
    }

    fn is_ancestor(&self, from: &Commit, to: &Commit) -> Result<bool> {
        let answer = self.git.run(&["merge-base", "--is-ancestor", from.as_str(), to.as_str()], None)?;
        Ok(answer.status.success())
    }

    /// Whether the commit is signed by somebody whom the user's git trusts; else why not.
    ///
    /// # Errors
    /// When git cannot be run.
    pub(super) fn verify_signature(&self, commit: &Commit) -> Result<std::result::Result<(), String>> {
        let answer = self.git.run(&["verify-commit", commit.as_str()], None)?;
        if answer.status.success() {
            return Ok(Ok(()));
        }
        let why = if answer.errors.is_empty() { "it has no signature".to_owned() } else { answer.errors };
        Ok(Err(why))
    }

    /// What a commit says of itself.
    ///
    /// # Errors
    /// When git cannot tell.
    pub(super) fn about(&self, commit: &Commit) -> Result<About> {
        let out = self.git.output(&["log", "-1", "--format=%an <%ae>%n%s", commit.as_str()], None)?;
        let text = String::from_utf8_lossy(&out).into_owned();
        let mut lines = text.lines().map(|line| line.chars().filter(|c| !c.is_control()).collect::<String>());
        let mut next = || lines.next().unwrap_or_default();
        Ok(About { author: next(), subject: next() })
    }

    /// A commit by what a person typed.
    ///
    /// # Errors
    /// [`Code::GitopsPlace`] when there is no such commit here.
    pub(super) fn named(&self, text: &str) -> Result<Commit> {
        let unknown = || {
            Error::new(
                Code::GitopsPlace,
                format!("there is no commit {text} in the configuration's history here"),
            )
            .remedy("drydock gitops status")
        };
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(unknown());
        }
        let answer =
            self.git.run(&["rev-parse", "--verify", "--quiet", &format!("{text}^{{commit}}")], None)?;
        Commit::parse(String::from_utf8_lossy(&answer.out).trim()).ok_or_else(unknown)
    }

    /// The files of a commit that configuration is made of.
    ///
    /// # Errors
    /// [`Code::GitopsInvalid`] for a commit with anything in it that has no business there.
    pub(super) fn tree(&self, commit: &Commit) -> Result<Tree> {
        committed(&self.git, commit)
    }
}

/// A git that was killed leaves its locks, and no other would ever take them. Nobody but the caller works on this
/// copy: a git that outlived its Drydock holds the configuration's lock.
fn remove_left_locks(folder: &Path) {
    let locks =
        walkdir::WalkDir::new(folder).into_iter().filter_entry(|entry| entry.file_name() != "objects");
    for entry in locks.flatten().filter(|entry| entry.file_name().to_string_lossy().ends_with(".lock")) {
        if let Err(cause) = fs::remove_file(entry.path()) {
            tracing::warn!(%cause, "a lock of an ended git stays");
        }
    }
}

/// What of a repository on this computer changes when somebody commits to the branch there: cheap to look at,
/// and nothing but a hint.
pub(super) fn hint(remote: &Remote, branch: &str) -> Option<String> {
    let Remote::Here(folder) = remote else { return None };
    let inside: PathBuf = if folder.join(".git").is_dir() { folder.join(".git") } else { folder.clone() };
    let loose = fs::read_to_string(inside.join("refs/heads").join(branch)).unwrap_or_default();
    let packed = fs::metadata(inside.join("packed-refs")).and_then(|data| data.modified()).ok();
    Some(format!("{} {packed:?}", loose.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::rig::Repository;

    #[test]
    fn a_commit_is_read_whole_and_nothing_of_it_runs() {
        let repository = Repository::new();
        repository.write("drydock.yaml", "version: 1\n");
        repository.write("desired/claude/CLAUDE.md", "memory\n");
        repository.write(".gitattributes", "* filter=evil\n");
        repository.write("README.md", "mine\n");
        let commit = repository.commit("one");
        let mirror = repository.mirror();
        assert!(matches!(mirror.fetch().unwrap(), Fetched::Done));
        assert_eq!(mirror.incoming().unwrap(), Some(commit.clone()));
        let tree = mirror.tree(&commit).unwrap();
        assert_eq!(tree.0.keys().collect::<Vec<_>>(), ["desired/claude/CLAUDE.md", "drydock.yaml"]);
        assert_eq!(tree.0["desired/claude/CLAUDE.md"].bytes, b"memory\n");
        assert_eq!(mirror.about(&commit).unwrap().subject, "one");
        assert!(mirror.verify_signature(&commit).unwrap().is_err());
    }

    #[test]
    fn a_link_refuses_the_whole_commit() {
        let repository = Repository::new();
        repository.write("drydock.yaml", "version: 1\n");
        std::os::unix::fs::symlink("/etc/passwd", repository.work().join("desired")).unwrap();
        let commit = repository.commit("a link");
        let mirror = repository.mirror();
        mirror.fetch().unwrap();
        let error = mirror.tree(&commit).unwrap_err();
        assert_eq!(error.code(), Code::GitopsInvalid);
        assert!(error.causes()[0].contains("link"), "{error}");
    }

    #[test]
    fn rewritten_history_is_told_from_new_commits_however_many_there_were() {
        let repository = Repository::new();
        repository.write("drydock.yaml", "version: 1\n");
        let first = repository.commit("first");
        let mirror = repository.mirror();
        mirror.fetch().unwrap();
        for number in 0..60 {
            repository.write("README.md", &format!("{number}\n"));
            repository.commit("more");
        }
        mirror.fetch().unwrap();
        let last = mirror.incoming().unwrap().unwrap();
        assert_eq!(mirror.descent(&first, &last).unwrap(), Descent::After);
        repository.git(&["checkout", "--quiet", "--orphan", "other"]);
        repository.git(&["commit", "--quiet", "-m", "another story"]);
        repository.git(&["push", "--quiet", "--force", "origin", "other:main"]);
        mirror.fetch().unwrap();
        let other = mirror.incoming().unwrap().unwrap();
        assert_eq!(mirror.descent(&last, &other).unwrap(), Descent::Other);
    }

    #[test]
    fn a_lock_that_a_killed_git_left_is_in_nobodys_way() {
        let repository = Repository::new();
        repository.write("drydock.yaml", "version: 1\n");
        repository.commit("one");
        repository.mirror().fetch().unwrap();
        for name in ["shallow.lock", "refs/drydock/incoming.lock", "packed-refs.lock"] {
            fs::write(repository.mirror_folder().join(name), "").unwrap();
        }
        repository.write("README.md", "new\n");
        let commit = repository.commit("two");
        assert!(matches!(repository.mirror().fetch().unwrap(), Fetched::Done));
        assert_eq!(repository.mirror().incoming().unwrap(), Some(commit));
    }

    #[test]
    fn a_repository_that_is_not_there_is_no_error() {
        let repository = Repository::new();
        repository.write("drydock.yaml", "version: 1\n");
        let commit = repository.commit("one");
        let mirror = repository.mirror();
        mirror.fetch().unwrap();
        std::fs::rename(repository.bare(), repository.bare().with_extension("away")).unwrap();
        assert!(matches!(mirror.fetch().unwrap(), Fetched::Unreachable(_)));
        assert_eq!(mirror.incoming().unwrap(), Some(commit));
    }
}
