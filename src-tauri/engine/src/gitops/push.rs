//! Commits of Drydock's own, and sending them to the user's repository.

use super::{commit::Commit, git::Away, mirror::Mirror, tree::Blob, value::Runs};
use crate::error_handling::{Code, Error, IoContext, Result};
use serde::Serialize;
use std::{collections::BTreeMap, path::Path};

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

impl Mirror {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::rig::Repository;

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
