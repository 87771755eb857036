//! The versions of Claude Code that the tests run, in sessions and on the host.

use super::places;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A version of Claude Code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// The one that Drydock pins.
    Current,
    /// The newest of November 2025: a script for Node.js, as all of that time.
    YearOld,
}

impl Release {
    /// Its number.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Current => places::CLAUDE_VERSION,
            Self::YearOld => "2.0.50",
        }
    }

    /// The program for the host. It must be there.
    #[must_use]
    pub fn program_here(self) -> PathBuf {
        self.program().unwrap_or_else(|| {
            panic!(
                "Claude Code {} is not in {}; `drydock image build --fresh` puts it there",
                self.version(),
                places::cache_dir().display()
            )
        })
    }

    /// The program for the host, once Drydock has downloaded it for the image.
    pub(super) fn program(self) -> Option<PathBuf> {
        match self {
            Self::Current => places::claude_program(),
            Self::YearOld => {
                places::downloaded(self.version(), "claude-code.tgz").map(|package| unpacked(&package))
            }
        }
    }
}

/// The script in a package, which lies unpacked beside it from the first time on.
fn unpacked(package: &Path) -> PathBuf {
    let folder = package.parent().expect("a folder");
    let script = folder.join("package/cli.js");
    if !script.is_file() {
        let unpacking = TempDir::new_in(folder).expect("a folder in the cache");
        let done = Command::new("tar").arg("-xzf").arg(package).arg("-C").arg(unpacking.path()).status();
        assert!(done.expect("tar is installed").success(), "{} cannot be unpacked", package.display());
        // Another process may have been quicker.
        if let Err(cause) = fs::rename(unpacking.path().join("package"), folder.join("package")) {
            assert!(script.is_file(), "{}: {cause}", script.display());
        }
    }
    script
}
