//! The terminals that Drydock knows: a table of how each runs a script in a new window.
//!
//! Sources: `open(1)` of macOS; the manuals of Ghostty ("Option Reference", `-e`), WezTerm (`wezterm start`), kitty
//! (`kitty program-to-run`), Alacritty (`alacritty -e`); Warp's documentation, "URI scheme"; Debian's policy on
//! `x-terminal-emulator` (§11.8.3).

use super::none;
use drydock_engine::error_handling::Result;
use std::{
    env,
    path::{Path, PathBuf},
};

/// Where the script stands in a command.
const SCRIPT: &str = "{}";

/// One terminal.
struct Kind {
    name: &'static str,
    /// On macOS, where programs are opened by the system.
    mac: &'static [&'static str],
    /// On Linux; nothing where there is none.
    linux: &'static [&'static str],
}

const KINDS: &[Kind] = &[
    Kind { name: "terminal", mac: &["open", "-a", "Terminal", SCRIPT], linux: &[] },
    Kind { name: "iterm2", mac: &["open", "-a", "iTerm", SCRIPT], linux: &[] },
    // An instance that runs already does not look at its arguments: `-n` begins another.
    Kind {
        name: "ghostty",
        mac: &["open", "-n", "-a", "Ghostty", "--args", "-e", SCRIPT],
        linux: &["ghostty", "-e", SCRIPT],
    },
    Kind {
        name: "wezterm",
        mac: &["open", "-n", "-a", "WezTerm", "--args", "start", "--", SCRIPT],
        linux: &["wezterm", "start", "--", SCRIPT],
    },
    Kind { name: "kitty", mac: &["open", "-n", "-a", "kitty", "--args", SCRIPT], linux: &["kitty", SCRIPT] },
    Kind {
        name: "alacritty",
        mac: &["open", "-n", "-a", "Alacritty", "--args", "-e", SCRIPT],
        linux: &["alacritty", "-e", SCRIPT],
    },
    Kind { name: "warp", mac: &["open", "-a", "Warp", SCRIPT], linux: &[] },
    Kind { name: "x-terminal-emulator", mac: &[], linux: &["x-terminal-emulator", "-e", SCRIPT] },
    Kind { name: "gnome-terminal", mac: &[], linux: &["gnome-terminal", "--", SCRIPT] },
    Kind { name: "konsole", mac: &[], linux: &["konsole", "-e", SCRIPT] },
    Kind { name: "xterm", mac: &[], linux: &["xterm", "-e", SCRIPT] },
];

/// In this order one is looked for on Linux: what the system's administrator chose comes first.
const AUTO: &[&str] = &[
    "x-terminal-emulator",
    "ghostty",
    "kitty",
    "wezterm",
    "alacritty",
    "gnome-terminal",
    "konsole",
    "xterm",
];

/// On which system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Os {
    Mac,
    Linux,
}

const HERE: Os = if cfg!(target_os = "macos") { Os::Mac } else { Os::Linux };

impl Kind {
    fn command(&self, os: Os) -> &'static [&'static str] {
        match os {
            Os::Mac => self.mac,
            Os::Linux => self.linux,
        }
    }
}

/// The names that `session.terminal` takes here.
pub(crate) fn names() -> Vec<&'static str> {
    KINDS.iter().filter(|kind| !kind.command(HERE).is_empty()).map(|kind| kind.name).collect()
}

/// The command that opens a terminal with the script in it.
pub(super) fn argv(setting: &str, script: &Path) -> Result<Vec<String>> {
    argv_on(HERE, setting, script, |name| on_path(name).is_some())
}

fn argv_on(os: Os, setting: &str, script: &Path, is_there: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let named = |name: &str| KINDS.iter().find(|kind| kind.name == name).map(|kind| kind.command(os));
    let command: Vec<&str> = match (setting, named(&setting.to_lowercase())) {
        // The system knows which app the user opens such files with: Terminal, unless they chose another.
        ("auto", _) if os == Os::Mac => vec!["open", SCRIPT],
        ("auto", _) => {
            let found = AUTO.iter().filter_map(|name| named(name)).find(|command| is_there(command[0]));
            found.ok_or_else(|| none("none of the known ones is on the path"))?.to_vec()
        }
        (_, Some([])) => return Err(none(format!("{setting} does not exist for this system"))),
        (_, Some(command)) => command.to_vec(),
        (command, None) => command.split_whitespace().collect(),
    };
    let mut command: Vec<String> = command.into_iter().map(str::to_owned).collect();
    if !command.iter().any(|word| word == SCRIPT) {
        command.push(SCRIPT.to_owned());
    }
    let script = script.display().to_string();
    Ok(command.into_iter().map(|word| if word == SCRIPT { script.clone() } else { word }).collect())
}

/// Where a program is that can be called by its name.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv_of(os: Os, setting: &str, there: &[&str]) -> Vec<String> {
        argv_on(os, setting, Path::new("/s.command"), |name| there.contains(&name)).unwrap()
    }

    #[test]
    fn each_terminal_is_opened_in_its_own_way() {
        assert_eq!(argv_of(Os::Mac, "auto", &[]), ["open", "/s.command"]);
        assert_eq!(argv_of(Os::Mac, "iTerm2", &[]), ["open", "-a", "iTerm", "/s.command"]);
        assert_eq!(
            argv_of(Os::Mac, "ghostty", &[]),
            ["open", "-n", "-a", "Ghostty", "--args", "-e", "/s.command"]
        );
        assert_eq!(argv_of(Os::Linux, "kitty", &[]), ["kitty", "/s.command"]);
    }

    #[test]
    fn auto_takes_what_the_system_chose_and_else_one_that_is_there() {
        assert_eq!(
            argv_of(Os::Linux, "auto", &["xterm", "x-terminal-emulator"]),
            ["x-terminal-emulator", "-e", "/s.command"]
        );
        assert_eq!(argv_of(Os::Linux, "auto", &["xterm"]), ["xterm", "-e", "/s.command"]);
        assert!(argv_on(Os::Linux, "auto", Path::new("/s"), |_| false).is_err());
    }

    #[test]
    fn a_command_of_the_users_own_gets_the_script_where_they_say_or_last() {
        assert_eq!(argv_of(Os::Linux, "foot -T x", &[]), ["foot", "-T", "x", "/s.command"]);
        assert_eq!(argv_of(Os::Linux, "tmux new {} ;", &[]), ["tmux", "new", "/s.command", ";"]);
        assert!(argv_on(Os::Linux, "warp", Path::new("/s"), |_| true).is_err());
    }

    #[test]
    fn every_known_terminal_gets_the_script() {
        for kind in KINDS {
            for command in [kind.mac, kind.linux].into_iter().filter(|command| !command.is_empty()) {
                assert_eq!(command.iter().filter(|word| **word == SCRIPT).count(), 1, "{}", kind.name);
            }
        }
    }
}
