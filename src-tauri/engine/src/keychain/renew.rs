//! Asking the user's own Claude Code to renew its login. Drydock itself calls no token endpoint.
//!
//! Source: observed with 2.1.330: `claude auth status` renews a login that ends within five minutes, by
//! one request and under Claude Code's own locks, and takes no turn.

use super::{Sensitive, stores::login_dir};
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    paths::{Locations, create_private_dir},
    program::{ask, without_keys},
};
use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

/// A request and its answer over a slow line; then nobody is waited for any more.
const PATIENCE: Duration = Duration::from_secs(45);

/// Has this computer's Claude Code renew its login, if there is one and `is_due` still says so when it is
/// our turn: of several processes one asks. Blocking.
///
/// # Errors
/// [`Code::LoginNone`] when no Claude Code is here, or it does not end.
pub(crate) fn ask_host_to_renew(locations: &Locations, is_due: impl Fn() -> bool) -> Result<()> {
    let dir = login_dir(locations);
    create_private_dir(&dir)?;
    let path = dir.join("renewing");
    let lock = File::options().create(true).truncate(false).write(true).open(&path).context("open", &path)?;
    lock.lock().context("lock", &path)?;
    if !is_due() {
        return Ok(());
    }
    let Some(program) = host_claude(&locations.home) else {
        return Err(Error::new(Code::LoginNone, "the login on this computer is about to end")
            .why("no `claude` was found here that could renew it")
            .remedy("install Claude Code here, or let sessions sign in themselves: drydock settings set login.mode own"));
    };
    if !has_auth(&program, locations)? {
        return Err(Error::new(Code::LoginNone, "the login on this computer is about to end")
            .why(format!("{} is too old to renew it without a turn", program.display()))
            .remedy("claude update"));
    }
    run(&program, &["auth", "status"], locations).map(drop)
}

/// Whether it knows the command. An older one would take the two words for something that the user says,
/// and answer.
fn has_auth(program: &Path, locations: &Locations) -> Result<bool> {
    let help = run(program, &["auth", "--help"], locations)?;
    Ok(String::from_utf8_lossy(help.reveal()).lines().any(|line| line.starts_with("Usage: claude auth")))
}

/// Runs it as the user would, without a key: with one it would not look at the login.
fn run(program: &Path, arguments: &[&str], locations: &Locations) -> Result<Sensitive<Vec<u8>>> {
    let mut command = without_keys(program);
    command.args(arguments).env("HOME", &locations.home).current_dir(&locations.home);
    match locations.config_dir_moved {
        true => command.env("CLAUDE_CONFIG_DIR", &locations.claude_dir),
        false => command.env_remove("CLAUDE_CONFIG_DIR"),
    };
    match ask(&mut command, None, PATIENCE).context("run", program)? {
        Some(said) => Ok(said.out),
        None => Err(Error::new(Code::LoginNone, "the login on this computer could not be renewed")
            .why(format!("{} did not end within {} s", program.display(), PATIENCE.as_secs()))
            .remedy("look what it says: claude auth status")),
    }
}

/// The user's own Claude Code: in `PATH`, or where its installers put it. An app that was started at
/// login has a short `PATH`.
pub(crate) fn host_claude(home: &Path) -> Option<PathBuf> {
    let in_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>());
    let usual = [
        home.join(".local/bin"),
        home.join(".claude/local"),
        PathBuf::from("/opt/homebrew/bin"),
        PathBuf::from("/usr/local/bin"),
    ];
    let mut places = in_path.unwrap_or_default().into_iter().filter(|dir| dir.is_absolute()).chain(usual);
    places.find_map(|dir| {
        Some(dir.join("claude")).filter(|program| {
            rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_ok() && program.is_file()
        })
    })
}
