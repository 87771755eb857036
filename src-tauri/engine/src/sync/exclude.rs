//! What the user keeps out of every sync.

use crate::claude_home::matches_pattern;

/// Patterns of the setting `sync.exclude`, beside what the table of classes leaves out already.
///
/// A pattern without a `/` in it is a name anywhere: `*.bak`. One that ends in `/` is a folder with
/// all in it: `notes/`. Others are names below Claude Code's folder: `skills/draft/SKILL.md`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Excluded {
    patterns: Vec<String>,
}

impl Excluded {
    pub(crate) fn new(patterns: &[String]) -> Self {
        let anywhere = |pattern: &String| match pattern.contains('/') {
            true => pattern.clone(),
            false => format!("**/{pattern}"),
        };
        Self { patterns: patterns.iter().map(anywhere).collect() }
    }

    /// Whether a name below Claude Code's folder is kept out.
    pub(crate) fn has(&self, below_config: &str) -> bool {
        self.patterns.iter().any(|pattern| matches_pattern(pattern, below_config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_folders_and_patterns_are_kept_out() {
        let excluded = Excluded::new(&["*.bak".into(), "notes/".into(), "skills/draft/SKILL.md".into()]);
        for name in ["CLAUDE.md.bak", "agents/x.bak", "notes/a/b", "skills/draft/SKILL.md"] {
            assert!(excluded.has(name), "{name}");
        }
        for name in ["CLAUDE.md", "agents/notes", "skills/draft/other.md"] {
            assert!(!excluded.has(name), "{name}");
        }
    }
}
