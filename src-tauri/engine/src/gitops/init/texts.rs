//! The files of a new repository that say nothing of this computer.

/// Where the hooks are.
pub(super) const HOOKS: &str = ".githooks";
/// The hook before a commit.
pub(super) const HOOK: &str = ".githooks/pre-commit";

pub(super) const FILES: &[(&str, &str)] = &[
    ("drydock.yaml", include_str!("files/drydock.yaml")),
    ("README.md", include_str!("files/README.md")),
    (HOOK, include_str!("files/pre-commit")),
    (".github/workflows/configuration.yml", include_str!("files/configuration.yml")),
];
