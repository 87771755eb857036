//! What a session knows of the computer it serves: time zone, locale, git identity, terminal.

use crate::{image::SessionUser, paths::Locations, program::without_keys, sync::PathMap};
use std::process::Stdio;

/// Variables of the user's terminal that programs draw by; the command line passes them on.
pub const TERMINAL_VARIABLES: &[&str] =
    &["TERM", "COLORTERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "NO_COLOR", "FORCE_COLOR", "COLORFGBG"];

/// The variables of every session. Nothing of the host's own `ANTHROPIC_*` or `CLAUDE_*` is among them.
pub(super) fn variables(
    locations: &Locations,
    map: &PathMap,
    user: &SessionUser,
    terminal: &[(String, String)],
) -> Vec<String> {
    let mut set = vec![
        format!("HOME={}", map.inside(&locations.home).display()),
        format!("USER={}", user.name),
        format!("LOGNAME={}", user.name),
        "SHELL=/bin/bash".into(),
        "LANG=C.UTF-8".into(),
    ];
    if let Ok(zone) = iana_time_zone::get_timezone() {
        set.push(format!("TZ={zone}"));
    }
    if locations.config_dir_moved {
        set.push(format!("CLAUDE_CONFIG_DIR={}", map.inside(&locations.claude_dir).display()));
    }
    set.extend(
        terminal
            .iter()
            .filter(|(name, _)| TERMINAL_VARIABLES.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}={value}")),
    );
    set
}

/// What of the user's git configuration a session needs: who commits are by, and how they are made.
/// Nothing that names a program, a key or a file.
const GIT_KEYS: &[&str] = &[
    "user.name",
    "user.email",
    "init.defaultbranch",
    "pull.rebase",
    "pull.ff",
    "push.default",
    "push.autosetupremote",
    "merge.conflictstyle",
    "rebase.autostash",
    "core.autocrlf",
    "core.eol",
    "core.quotepath",
    "fetch.prune",
    "diff.algorithm",
    "color.ui",
];

/// The session's `.gitconfig`, if the host has git and an identity. Blocking.
pub(super) fn git_config(locations: &Locations) -> Option<Vec<u8>> {
    let output = without_keys("git")
        .args(["config", "--global", "--includes", "--list", "--null"])
        .env("HOME", &locations.home)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("GIT_CONFIG_GLOBAL")
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| rewritten(&String::from_utf8_lossy(&output.stdout)))?
}

/// `git config --list --null` gives `key`, a line feed, the value, and a NUL.
fn rewritten(listing: &str) -> Option<Vec<u8>> {
    let mut text = String::new();
    for entry in listing.split('\0') {
        let Some((key, value)) = entry.split_once('\n') else { continue };
        let Some((section, name)) = key.split_once('.') else { continue };
        if GIT_KEYS.contains(&key) && !value.contains(['\n', '\r']) {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            text.push_str(&format!("[{section}]\n\t{name} = \"{value}\"\n"));
        }
    }
    (!text.is_empty()).then(|| text.into_bytes())
}

/// Lines for the session's first program, which reads them as a shell does and deletes them.
pub(super) fn shell_exports<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut text = String::new();
    for (name, value) in variables {
        text.push_str(&format!("export {name}='{}'\n", value.replace('\'', r"'\''")));
    }
    text.into_bytes()
}

/// Whether a shell takes this as a variable's name.
pub(super) fn is_variable_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn identity_goes_in_and_programs_do_not() {
        let listing = "user.name\nO \"Q\" \\ Me\0user.email\nme@example.com\0core.editor\nevil\0\
                       alias.x\n!sh\0credential.helper\nstore\0user.signingkey\nKEY\0";
        let text = String::from_utf8(rewritten(listing).unwrap()).unwrap();
        assert_eq!(text, "[user]\n\tname = \"O \\\"Q\\\" \\\\ Me\"\n[user]\n\temail = \"me@example.com\"\n");
    }

    #[test]
    fn values_survive_the_shell() {
        let value = "it's $HOME `id` \"x\" \\ \n end";
        let script = shell_exports([("SECRET", value)].into_iter());
        let mut child = Command::new("sh")
            .args(["-c", ". /dev/stdin; printf %s \"$SECRET\""])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), &script).unwrap();
        assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), value);
    }

    #[test]
    fn names_cannot_carry_shell() {
        assert!(is_variable_name("ANTHROPIC_API_KEY") && is_variable_name("_x1"));
        assert!(
            !is_variable_name("1x")
                && !is_variable_name("a b")
                && !is_variable_name("a;b")
                && !is_variable_name("")
        );
    }
}
