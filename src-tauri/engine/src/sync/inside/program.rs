//! The program itself, built with the engine.

/// Where it is in its container.
pub(crate) const PLACE: &str = "/usr/local/lib/drydock/inside";

/// The program for an architecture in Docker's words; `None` where this build of Drydock has none.
pub(crate) fn program_for(arch: &str) -> Option<&'static [u8]> {
    const PROGRAMS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/programs.rs"));
    let arch = match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        arch => arch,
    };
    PROGRAMS.iter().find(|(name, _)| *name == arch).map(|(_, program)| *program)
}
