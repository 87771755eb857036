//! This computer's own mail system, by its `sendmail`.
//!
//! lettre has a transport for it, which hands the whole environment on, with the user's keys in it, and keeps the exit
//! code for itself; the code is what says whether another try may succeed.

use super::super::wording::quoted;
use crate::{
    alerting::Delivery,
    program::{installed, without_keys},
};
use lettre::address::Envelope;
use std::{path::PathBuf, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{ChildStderr, Command},
};

/// Then it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Hands a mail over.
pub(super) async fn send(envelope: &Envelope, mail: &[u8], home: &str) -> Delivery {
    let Some(program) = program() else {
        return Delivery::Refused {
            why: "this computer has no sendmail; set alerts.email.via to smtp, and a server".into(),
        };
    };
    hand_over(program, envelope, mail, home, PATIENCE).await
}

/// The usual places are not on everybody's path.
fn program() -> Option<PathBuf> {
    let usual = ["/usr/sbin/sendmail", "/usr/lib/sendmail"].map(PathBuf::from);
    installed("sendmail").or_else(|| usual.into_iter().find(|file| file.is_file()))
}

async fn hand_over(
    program: PathBuf,
    envelope: &Envelope,
    mail: &[u8],
    home: &str,
    patience: Duration,
) -> Delivery {
    let mut command = Command::from(without_keys(program));
    // -i: a line with a single dot is not the end.
    command.arg("-i");
    if let Some(from) = envelope.from() {
        command.args(["-f", from.as_ref()]);
    }
    command.arg("--").args(envelope.to().iter().map(AsRef::<str>::as_ref));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let handed = async {
        let mut child = command.spawn()?;
        let stderr = child.stderr.take();
        if let Some(mut input) = child.stdin.take() {
            // One that has ended already takes nothing, and its exit code says why.
            let _ = input.write_all(mail).await;
            let _ = input.shutdown().await;
        }
        let status = child.wait().await?;
        Ok::<_, std::io::Error>((status, first_words(stderr).await))
    };
    // The child goes with the future that is dropped.
    match tokio::time::timeout(patience, handed).await {
        Err(_) => Delivery::Later {
            after: None,
            why: format!("sendmail did not end within {} s and was stopped", patience.as_secs()),
        },
        Ok(Err(cause)) => Delivery::Refused { why: format!("sendmail cannot be run: {cause}") },
        Ok(Ok((status, _))) if status.success() => Delivery::Sent,
        Ok(Ok((status, words))) => judged(status.code(), &quoted(&words, home)),
    }
}

/// What it complained of. Something that it started may keep the pipe open.
async fn first_words(stderr: Option<ChildStderr>) -> String {
    const AFTERWARDS: Duration = Duration::from_secs(1);
    let mut words = Vec::new();
    if let Some(stderr) = stderr {
        let read = async { stderr.take(2048).read_to_end(&mut words).await };
        let _ = tokio::time::timeout(AFTERWARDS, read).await;
    }
    String::from_utf8_lossy(&words).into_owned()
}

/// What its exit code means. Source: `sysexits.h`, which every sendmail keeps to.
fn judged(code: Option<i32>, words: &str) -> Delivery {
    let complained = if words.is_empty() { String::new() } else { format!(": {words}") };
    let (is_for_good, meaning) = match code {
        Some(64) => (true, "it does not take these arguments".to_owned()),
        Some(65) => (true, "it does not take this mail".to_owned()),
        Some(67) => (true, "there is no such recipient".to_owned()),
        Some(68) => (true, "there is no such host".to_owned()),
        Some(77) => (true, "it is not permitted".to_owned()),
        Some(78) => (true, "it is not set up".to_owned()),
        Some(69) => (false, "a service that it needs is not there".to_owned()),
        Some(75) => (false, "not now".to_owned()),
        Some(code) => (false, format!("it ended with {code}")),
        None => (false, "it was killed".to_owned()),
    };
    let why = format!("sendmail did not take the mail, {meaning}{complained}");
    if is_for_good { Delivery::Refused { why } } else { Delivery::Later { after: None, why } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    fn envelope() -> Envelope {
        Envelope::new(Some("me@example.org".parse().unwrap()), vec!["ann@example.org".parse().unwrap()])
            .unwrap()
    }

    fn script(folder: &Path, text: &str) -> PathBuf {
        let file = folder.join("sendmail");
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    async fn handed(text: &str, patience: Duration) -> (Delivery, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let program = script(folder.path(), text);
        let mail = vec![b'x'; 200_000];
        (hand_over(program, &envelope(), &mail, "/home/ann", patience).await, folder)
    }

    #[tokio::test]
    async fn it_gets_the_whole_mail_and_the_envelope() {
        let (delivery, folder) =
            handed(r#"cat >"$(dirname "$0")/mail"; echo "$@" >"$(dirname "$0")/words""#, PATIENCE).await;
        assert_eq!(delivery, Delivery::Sent);
        assert_eq!(fs::metadata(folder.path().join("mail")).unwrap().len(), 200_000);
        let words = fs::read_to_string(folder.path().join("words")).unwrap();
        assert_eq!(words, "-i -f me@example.org -- ann@example.org\n");
    }

    #[tokio::test]
    async fn its_exit_code_says_whether_another_try_is_of_use() {
        let (not_now, _) = handed("echo 'queue is full' >&2; exit 75", PATIENCE).await;
        let why = "sendmail did not take the mail, not now: queue is full".to_owned();
        assert_eq!(not_now, Delivery::Later { after: None, why });
        let (for_good, _) = handed("cat >/dev/null; exit 67", PATIENCE).await;
        assert!(matches!(for_good, Delivery::Refused { .. }), "{for_good:?}");
    }

    #[tokio::test]
    async fn one_that_hangs_is_ended() {
        let (delivery, folder) =
            handed(r#"echo $$ >"$(dirname "$0")/pid"; exec sleep 600"#, Duration::from_secs(2)).await;
        assert!(matches!(delivery, Delivery::Later { .. }), "{delivery:?}");
        let pid: i32 = fs::read_to_string(folder.path().join("pid")).unwrap().trim().parse().unwrap();
        let is_there = || {
            // One that is killed and not yet waited for has no command line.
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|text| !text.is_empty())
        };
        for _ in 0..200 {
            if !is_there() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it runs on");
    }

    #[tokio::test]
    async fn one_that_is_not_there_is_said() {
        let gone = PathBuf::from("/no/such/sendmail");
        let delivery = hand_over(gone, &envelope(), b"", "/home/ann", PATIENCE).await;
        assert!(
            matches!(&delivery, Delivery::Refused { why } if why.contains("cannot be run")),
            "{delivery:?}"
        );
    }
}
