//! A bare copy of the user's repository. Configuration is read from a commit's tree in it, never from a work tree:
//! no filter, attribute or hook of a repository ever runs.

use super::{
    git::{Away, Git, Remote},
    tree::{Blob, Listed, Tree, is_read, refuse_odd},
    value::Runs,
};
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    paths::create_private_dir,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The name of a commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(transparent)]
pub struct Commit(String);

impl Commit {
    /// One as git writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        ((text.len() == 40 || text.len() == 64) && is_hex).then(|| Self(text.to_owned()))
    }

    /// All of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is shown.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..10).unwrap_or(&self.0)
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// What a commit says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct About {
    /// Its author, as `Name <address>`.
    pub author: String,
    /// Its first line.
    pub subject: String,
}

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
    git: Git,
    remote: Remote,
    branch: String,
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
        let out = self.git.output(&["ls-tree", "-r", "-z", "-l", "--full-tree", commit.as_str()], None)?;
        let listed = listed(&out);
        read(&self.git, listed, &format!("commit {commit}"))
    }

    /// Writes these files over those of a commit, as a commit after it. Nothing is checked out.
    ///
    /// # Errors
    /// When git refuses.
    pub(super) fn commit_over(
        &self,
        parent: &Commit,
        files: &BTreeMap<String, Option<Blob>>,
        message: &str,
        signed: Signed,
    ) -> Result<Commit> {
        let scratch = tempfile::tempdir().context("make a folder for", Path::new("git's index"))?;
        let git = self.git.clone().with("GIT_INDEX_FILE", scratch.path().join("index"));
        git.output(&["read-tree", parent.as_str()], None)?;
        let mut entries = Vec::new();
        for (name, blob) in files {
            match blob {
                Some(blob) => {
                    let object = git.line(&["hash-object", "-w", "--stdin"], Some(&blob.bytes))?;
                    let mode = if blob.runs == Runs::Yes { "100755" } else { "100644" };
                    entries.extend_from_slice(format!("{mode} {object}\t{name}\0").as_bytes());
                }
                None => entries.extend_from_slice(
                    format!("0 {}\t{name}\0", "0".repeat(parent.as_str().len())).as_bytes(),
                ),
            }
        }
        git.output(&["update-index", "-z", "--index-info"], Some(&entries))?;
        let tree = git.line(&["write-tree"], None)?;
        let mut arguments = self.identity()?;
        arguments.extend(["commit-tree", "-p", parent.as_str(), &tree].map(str::to_owned));
        if signed == Signed::Yes {
            arguments.push("-S".to_owned());
        }
        let made = git.line(&arguments, Some(message.as_bytes()))?;
        Commit::parse(&made)
            .ok_or_else(|| Error::new(Code::GitopsRepository, "git did not name the commit it made"))
    }

    /// Who commits: the user, where they have told git who they are.
    fn identity(&self) -> Result<Vec<String>> {
        let known = self.git.run(&["config", "--get", "user.email"], None)?;
        if known.status.success() {
            return Ok(Vec::new());
        }
        Ok(["-c", "user.name=Drydock", "-c", "user.email=drydock@localhost"].map(str::to_owned).to_vec())
    }

    /// Sends a commit to the repository's branch, if that is still at `lease`; else to a branch of its own.
    ///
    /// # Errors
    /// [`Code::GitopsUnreachable`] when neither can be.
    pub(super) fn push(&self, commit: &Commit, lease: &Commit, otherwise: &str) -> Result<Pushed> {
        let push = |branch: &str, lease: Option<&Commit>| {
            let mut arguments: Vec<std::ffi::OsString> =
                vec!["push".into(), "--quiet".into(), "--no-verify".into()];
            if let Some(lease) = lease {
                arguments.push(format!("--force-with-lease=refs/heads/{branch}:{}", lease.as_str()).into());
            }
            arguments.push("--".into());
            arguments.push(self.remote.address());
            arguments.push(format!("{}:refs/heads/{branch}", commit.as_str()).into());
            self.git.away(&arguments)
        };
        let why = match push(&self.branch, Some(lease))? {
            Away::Done => return Ok(Pushed::ToBranch),
            Away::Not(why) => why,
        };
        match push(otherwise, None)? {
            Away::Done => Ok(Pushed::Beside { branch: otherwise.to_owned(), why }),
            Away::Not(again) => Err(Error::new(Code::GitopsUnreachable, "the repository took no commit")
                .why(why)
                .why(again)
                .remedy("look whether you may write to it: git push")),
        }
    }
}

/// Whether a commit of ours is signed, by the user's own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    Yes,
    No,
}

/// Where a commit went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "pushed")]
pub enum Pushed {
    /// To the branch that is followed.
    ToBranch,
    /// To another branch, to be merged by a person.
    Beside {
        /// Its name.
        branch: String,
        /// Why the branch that is followed did not take it.
        why: String,
    },
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

/// The files that are staged for the next commit in a repository on this computer.
///
/// # Errors
/// As [`Mirror::tree`].
pub(super) fn staged(folder: &Path, home: &Path) -> Result<Tree> {
    let git = Git::find(folder, home)?.keeping(super::git::Keeps::HooksRepository);
    let out = git.output(&["ls-files", "--stage", "-z", "--full-name", ":/"], None)?;
    let mut found = Vec::new();
    for entry in out.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else { continue };
        let head = String::from_utf8_lossy(&entry[..tab]).into_owned();
        let mut words = head.split_whitespace();
        let (mode, object) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        found.push(Listed {
            mode: mode.to_owned(),
            object: object.to_owned(),
            size: None,
            name: entry[tab + 1..].to_vec(),
        });
    }
    read(&git, found, "what is staged")
}

/// The lines of `git ls-tree -z -l`.
fn listed(out: &[u8]) -> Vec<Listed> {
    let mut found = Vec::new();
    for entry in out.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else { continue };
        let head = String::from_utf8_lossy(&entry[..tab]).into_owned();
        let words: Vec<_> = head.split_whitespace().collect();
        if let [mode, _, object, size] = words[..] {
            found.push(Listed {
                mode: mode.to_owned(),
                object: object.to_owned(),
                size: size.parse().ok(),
                name: entry[tab + 1..].to_vec(),
            });
        }
    }
    found
}

/// Reads the files, after a look at all names.
fn read(git: &Git, listed: Vec<Listed>, whose: &str) -> Result<Tree> {
    refuse_odd(&listed).map_err(|(name, fault)| {
        Error::new(Code::GitopsInvalid, format!("{name} of {whose} is refused"))
            .why(fault.what)
            .remedy("remove it from the repository, and commit")
    })?;
    let wanted: Vec<_> = listed
        .into_iter()
        .filter_map(|one| {
            let name = String::from_utf8(one.name).ok()?;
            is_read(&name).then_some((name, one.object, one.mode))
        })
        .collect();
    if wanted.is_empty() {
        return Ok(Tree::default());
    }
    let asked: String = wanted.iter().map(|(_, object, _)| format!("{object}\n")).collect();
    let out = git.output(&["cat-file", "--batch"], Some(asked.as_bytes()))?;
    let (mut rest, mut files) = (out.as_slice(), BTreeMap::new());
    let torn = || Error::new(Code::GitopsRepository, format!("git did not give all files of {whose}"));
    for (name, object, mode) in wanted {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(torn)?;
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        let words: Vec<_> = head.split(' ').collect();
        let ([found, "blob", len], Some(body)) = (&words[..], rest.get(end + 1..)) else {
            return Err(torn());
        };
        let len: usize = len.parse().map_err(|_| torn())?;
        if *found != object || body.len() <= len {
            return Err(torn());
        }
        let too_large = len as u64 > super::tree::LARGEST_FILE;
        if too_large {
            return Err(Error::new(Code::GitopsInvalid, format!("{name} of {whose} is larger than 1 MiB")));
        }
        let runs = if mode == "100755" { Runs::Yes } else { Runs::No };
        files.insert(name, Blob { bytes: body[..len].to_vec(), runs });
        rest = &body[len + 1..];
    }
    Ok(Tree(files))
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

    #[test]
    fn a_commit_is_made_without_a_work_tree_and_goes_beside_where_the_branch_moved_on() {
        let repository = Repository::new();
        repository.write("drydock.yaml", "version: 1\n");
        repository.write("README.md", "old\n");
        let first = repository.commit("one");
        let mirror = repository.mirror();
        mirror.fetch().unwrap();
        let blob = |text: &str| Some(Blob { bytes: text.as_bytes().to_vec(), runs: Runs::No });
        let files = BTreeMap::from([
            ("desired/claude/CLAUDE.md".to_owned(), blob("new\n")),
            ("README.md".to_owned(), None),
        ]);
        let made = mirror.commit_over(&first, &files, "adopted\n", Signed::No).unwrap();
        assert_eq!(mirror.push(&made, &first, "drydock/adopt-1").unwrap(), Pushed::ToBranch);
        repository.git(&["pull", "--quiet", "origin", "main"]);
        assert_eq!(
            std::fs::read_to_string(repository.work().join("desired/claude/CLAUDE.md")).unwrap(),
            "new\n"
        );
        assert!(!repository.work().join("README.md").exists());
        // The branch has moved on from `first`.
        let late = mirror.commit_over(&first, &files, "late\n", Signed::No).unwrap();
        let pushed = mirror.push(&late, &first, "drydock/adopt-2").unwrap();
        assert!(
            matches!(&pushed, Pushed::Beside { branch, .. } if branch == "drydock/adopt-2"),
            "{pushed:?}"
        );
    }
}
