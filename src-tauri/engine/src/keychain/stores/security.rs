//! macOS's `security` program: the one that Claude Code itself uses for its Keychain item.
//!
//! Asked at its absolute path, it stands on the item's access list already, so macOS does not ask the
//! user, and a `security` put first in `PATH` is not run. Secrets go in by its standard input
//! (`security -i`) and come out by its standard output, never in an argument.
//!
//! Sources: Apple's `SecurityTool/macOS/security.c` (lines of 4096 bytes with their end, words split at
//! spaces, both quotes, backslash takes the next character; the exit code is the command's) and
//! `keychain_add.c` (`-X` takes hexadecimal); Claude Code's own limit of 4032 characters for a line. An
//! exit code is the lowest byte of the `OSStatus`: -25300 is 44, -25308 is 36, -25293 is 51, -128 is 128.

use crate::{
    error_handling::{Code, Error, Result},
    keychain::Sensitive,
    program::{ask, without_keys},
};
use std::{path::PathBuf, time::Duration};

/// The longest line that goes through the program's standard input whole.
const LONGEST_LINE: usize = 4032;
/// macOS may be asking the user meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// A generic password's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) service: String,
    pub(super) account: String,
}

/// How the program answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Done,
    /// `errSecItemNotFound`, -25300.
    NotFound,
    /// `errSecInteractionNotAllowed`, -25308: locked, and nobody can be asked (ssh, a background job).
    Locked,
    /// `errSecAuthFailed`, -25293: the password was wrong, or access was denied.
    Denied,
    /// `userCanceledErr`, -128: the user closed the question.
    Cancelled,
    Other(Option<i32>),
}

impl Status {
    pub(super) fn of_exit(code: Option<i32>) -> Self {
        match code {
            Some(0) => Self::Done,
            Some(44) => Self::NotFound,
            Some(36) => Self::Locked,
            Some(51) => Self::Denied,
            Some(128) => Self::Cancelled,
            other => Self::Other(other),
        }
    }

    /// By Security.framework's own number.
    #[cfg_attr(
        not(any(test, target_os = "macos")),
        allow(dead_code, reason = "only macOS has the framework")
    )]
    pub(super) fn of_os(status: i32) -> Self {
        // What the program does as well: an exit code has eight bits.
        Self::of_exit(Some(status & 0xff))
    }

    /// The error of everything but success and absence.
    pub(super) fn error(self, doing: &str) -> Error {
        let error = |message: String| Error::new(Code::KeychainRefused, message);
        match self {
            Self::Locked => Error::new(
                Code::KeychainLocked,
                "the Keychain is locked, and nobody can be asked to unlock it",
            )
            .why(format!("it was needed to {doing}"))
            .remedy("unlock it: security unlock-keychain   (over ssh this is needed once a login)"),
            Self::Denied => error(format!("the Keychain refused to {doing}"))
                .why("the password was wrong, or access was denied")
                .remedy("run the command again and choose Allow"),
            Self::Cancelled => error(format!("the Keychain was not allowed to {doing}"))
                .why("the question was closed without an answer")
                .remedy("run the command again and choose Allow"),
            Self::Done | Self::NotFound | Self::Other(_) => error(format!("the Keychain could not {doing}"))
                .why(match self {
                    Self::Other(Some(code)) => format!("/usr/bin/security ended with code {code}"),
                    _ => "/usr/bin/security was ended before it was done".into(),
                })
                .remedy("open Keychain Access and look whether the login keychain is well"),
        }
    }
}

/// The program; another one in tests.
#[derive(Debug, Clone)]
pub(super) struct Security {
    program: PathBuf,
    patience: Duration,
}

impl Security {
    /// The system's own.
    pub(super) fn system() -> Self {
        Self { program: "/usr/bin/security".into(), patience: PATIENCE }
    }

    /// An item's content, or nothing.
    pub(super) fn find(&self, item: &Item) -> Result<Option<Sensitive<Vec<u8>>>> {
        let arguments = ["find-generic-password", "-a", &item.account, "-w", "-s", &item.service];
        let (status, out) = self.run(&arguments, None)?;
        match status {
            Status::Done => Ok(Some(printed(&out)).filter(|content| !content.reveal().is_empty())),
            Status::NotFound => Ok(None),
            status => Err(status.error("read Claude Code's login")),
        }
    }

    /// Writes an item's content, over an old one. `None` when it is too long for the way that keeps it
    /// out of the program's arguments.
    pub(super) fn add(&self, item: &Item, content: &Sensitive<Vec<u8>>) -> Result<Option<()>> {
        let Some(line) = add_line(item, content) else { return Ok(None) };
        let (status, _) = self.run(&["-i"], Some(&line))?;
        if status != Status::Done {
            return Err(status.error("write Claude Code's login"));
        }
        // An old system might cut the line: what was written is what is read.
        match self.find(item)? {
            Some(now) if now.reveal() == content.reveal() => Ok(Some(())),
            _ => Err(Error::new(
                Code::KeychainRefused,
                "the Keychain did not keep Claude Code's login as it was given",
            )
            .remedy("sign in again: claude auth login")),
        }
    }

    /// Removes an item; one that is not there is no error.
    pub(super) fn delete(&self, item: &Item) -> Result<()> {
        let arguments = ["delete-generic-password", "-a", &item.account, "-s", &item.service];
        match self.run(&arguments, None)?.0 {
            Status::Done | Status::NotFound => Ok(()),
            status => Err(status.error("remove Claude Code's login")),
        }
    }

    fn run(
        &self,
        arguments: &[&str],
        input: Option<&Sensitive<Vec<u8>>>,
    ) -> Result<(Status, Sensitive<Vec<u8>>)> {
        let cannot = |cause: std::io::Error| {
            Error::new(Code::KeychainRefused, "the Keychain could not be asked")
                .why(format!("{}: {cause}", self.program.display()))
        };
        match ask(without_keys(&self.program).args(arguments), input, self.patience).map_err(cannot)? {
            Some(said) => Ok((Status::of_exit(said.status.code()), said.out)),
            None => Err(Error::new(Code::KeychainLocked, "the Keychain did not answer")
                .why("macOS may be waiting for an answer in a window")
                .remedy("look for a window that asks about the Keychain, then run the command again")),
        }
    }
}

/// The line that stores an item, or nothing when the program would cut it.
fn add_line(item: &Item, content: &Sensitive<Vec<u8>>) -> Option<Sensitive<Vec<u8>>> {
    let hex: String = content.reveal().iter().map(|byte| format!("{byte:02x}")).collect();
    let (account, service) = (quoted(&item.account)?, quoted(&item.service)?);
    let line = format!("add-generic-password -U -a {account} -s {service} -X \"{hex}\"\n");
    (line.len() <= LONGEST_LINE).then(|| Sensitive::new(line.into_bytes()))
}

/// A word as the program's own reader takes it apart; a line's end cannot stand in one.
fn quoted(word: &str) -> Option<String> {
    let fits = !word.contains(['\n', '\r', '\0']);
    fits.then(|| format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// What `-w` prints: the content and a line's end, or hexadecimal where it is not plain text.
fn printed(out: &Sensitive<Vec<u8>>) -> Sensitive<Vec<u8>> {
    let out = out.reveal().strip_suffix(b"\n").unwrap_or(out.reveal());
    let is_hex = out.len().is_multiple_of(2) && !out.is_empty() && out.iter().all(u8::is_ascii_hexdigit);
    if !is_hex {
        return Sensitive::new(out.to_vec());
    }
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or_default() as u8;
    Sensitive::new(out.chunks_exact(2).map(|two| digit(two[0]) << 4 | digit(two[1])).collect())
}

#[cfg(test)]
pub(super) mod stand_in {
    //! A `security` of the tests: a shell script with the same words, exit codes and limits.

    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    const SCRIPT: &str = r#"#!/bin/bash
# One file an item, in the folder beside this script; `exit` there forces an exit code, `argv` records arguments.
here=$(cd "$(dirname "$0")" && pwd)
printf '%s\n' "$*" >>"$here/argv"
[ -f "$here/exit" ] && exit "$(cat "$here/exit")"
[ -f "$here/hang" ] && exec sleep 60
name() { printf '%s' "$1/$2" | tr -c 'A-Za-z0-9' '_'; }
act() {
    local command=$1 account= service= hex= out=
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        -a) account=$2; shift ;;
        -s) service=$2; shift ;;
        -X) hex=$2; shift ;;
        esac
        shift
    done
    local file="$here/items/$(name "$account" "$service")"
    case $command in
    find-generic-password)
        [ -f "$file" ] || return 44
        if LC_ALL=C grep -q '[^ -~]' "$file"; then perl -0777 -ne 'print unpack("H*", $_)' "$file"; else cat "$file"; fi
        echo ;;
    add-generic-password) mkdir -p "$here/items"; printf '%s' "$hex" | perl -0777 -ne 'print pack("H*", $_)' >"$file" ;;
    delete-generic-password) [ -f "$file" ] || return 44; rm "$file" ;;
    *) return 2 ;;
    esac
}
if [ "$1" = -i ]; then
    code=0
    # As the real one: 4095 characters of a line are read, the rest is the next command.
    while IFS= read -r -n 4095 line && [ -n "$line" ]; do
        eval "set -- $line"
        act "$@"
        code=$?
    done
    exit $code
fi
act "$@"
"#;

    pub(in super::super) fn security(dir: &Path) -> Security {
        let program = dir.join("security");
        if !program.exists() {
            fs::write(&program, SCRIPT).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Security { program, patience: Duration::from_secs(20) }
    }

    pub(in super::super) fn force(dir: &Path, code: i32) {
        fs::write(dir.join("exit"), code.to_string()).unwrap();
    }

    pub(in super::super) fn arguments(dir: &Path) -> String {
        fs::read_to_string(dir.join("argv")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item() -> Item {
        Item { service: "Claude Code-credentials".into(), account: "me".into() }
    }

    fn secret(text: &str) -> Sensitive<Vec<u8>> {
        Sensitive::new(text.as_bytes().to_vec())
    }

    #[test]
    fn what_is_added_is_found_and_stands_in_no_argument() {
        let dir = tempfile::tempdir().unwrap();
        let security = stand_in::security(dir.path());
        assert!(security.find(&item()).unwrap().is_none());
        for content in ["{\"a\":\"FAKE-one\"}", "{\"a\":\"FAKE-two, in Tomsk: Томск\"}"] {
            assert_eq!(security.add(&item(), &secret(content)).unwrap(), Some(()));
            assert_eq!(security.find(&item()).unwrap().unwrap().reveal(), content.as_bytes());
        }
        security.delete(&item()).unwrap();
        security.delete(&item()).unwrap();
        assert!(security.find(&item()).unwrap().is_none());
        let arguments = stand_in::arguments(dir.path());
        assert!(arguments.contains("find-generic-password") && !arguments.contains("FAKE"), "{arguments}");
        assert!(!arguments.contains("46414b45"), "hexadecimal is no secrecy: {arguments}");
    }

    #[test]
    fn exit_codes_are_the_lowest_byte_of_the_status() {
        for (os, exit, status) in [
            (-25300, 44, Status::NotFound),
            (-25308, 36, Status::Locked),
            (-25293, 51, Status::Denied),
            (-128, 128, Status::Cancelled),
            (0, 0, Status::Done),
            (-25299, 45, Status::Other(Some(45))),
        ] {
            assert_eq!(Status::of_exit(Some(exit)), status);
            assert_eq!(Status::of_os(os), status);
        }
        assert_eq!(Status::of_exit(None), Status::Other(None));
    }

    #[test]
    fn each_refusal_has_its_own_words() {
        let dir = tempfile::tempdir().unwrap();
        let security = stand_in::security(dir.path());
        for (exit, code, words) in [
            (36, Code::KeychainLocked, "locked"),
            (51, Code::KeychainRefused, "refused"),
            (128, Code::KeychainRefused, "not allowed"),
            (1, Code::KeychainRefused, "could not"),
        ] {
            stand_in::force(dir.path(), exit);
            let error = security.find(&item()).unwrap_err();
            assert_eq!(error.code(), code);
            assert!(error.message().contains(words), "{error}");
            assert!(!error.remedies().is_empty());
            assert_eq!(security.add(&item(), &secret("FAKE")).unwrap_err().code(), code);
        }
        stand_in::force(dir.path(), 44);
        assert!(security.find(&item()).unwrap().is_none());
    }

    #[test]
    fn a_question_that_nobody_answers_ends() {
        let dir = tempfile::tempdir().unwrap();
        let mut security = stand_in::security(dir.path());
        security.patience = Duration::from_millis(200);
        std::fs::write(dir.path().join("hang"), "").unwrap();
        assert_eq!(security.find(&item()).unwrap_err().code(), Code::KeychainLocked);
    }

    #[test]
    fn what_does_not_fit_the_line_is_not_cut() {
        let overhead = add_line(&item(), &secret("")).unwrap().reveal().len();
        let longest = (LONGEST_LINE - overhead) / 2;
        assert!(add_line(&item(), &secret(&"x".repeat(longest))).is_some());
        assert!(add_line(&item(), &secret(&"x".repeat(longest + 1))).is_none());
        let dir = tempfile::tempdir().unwrap();
        let security = stand_in::security(dir.path());
        assert_eq!(security.add(&item(), &secret(&"x".repeat(longest))).unwrap(), Some(()));
        assert_eq!(security.add(&item(), &secret(&"x".repeat(longest + 1))).unwrap(), None);
        let strange = Item { service: "a\nb".into(), account: "me".into() };
        assert_eq!(security.add(&strange, &secret("x")).unwrap(), None);
    }

    proptest! {
        /// The reader of Apple's program, as its source has it.
        #[test]
        fn words_survive_the_programs_reader(word in "[^\n\r\0]{0,40}") {
            let line = quoted(&word).unwrap();
            let mut out = String::new();
            let mut chars = line.chars().skip(1);
            loop {
                match chars.next() {
                    Some('\\') => out.push(chars.next().unwrap()),
                    Some('"') => break,
                    Some(c) => out.push(c),
                    None => panic!("unclosed"),
                }
            }
            prop_assert_eq!(chars.next(), None);
            prop_assert_eq!(out, word);
        }
    }
}
