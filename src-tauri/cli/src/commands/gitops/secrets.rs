//! `drydock gitops encrypt`, `decrypt`, `set` and `key`: the secrets of the repository.

use crate::{
    Context,
    arguments::GitopsKey,
    commands::credentials::{blocking, kept},
    render::{self, Format},
    terminal,
};
use chrono::Utc;
use drydock_engine::{
    error_handling::{Code, Error, IoContext, Result},
    gitops::{
        identity::Identity,
        sops::{Done, Encrypted, Recovery, SecretFiles, encrypt_secrets},
    },
    keychain::Sensitive,
};
use std::{
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Larger than any secret.
const LARGEST: u64 = 1 << 20;

pub(super) async fn encrypt(context: &Context, file: PathBuf) -> Result<ExitCode> {
    let locations = context.drydock.locations.clone();
    let settings = context.drydock.settings.clone();
    let done = blocking(move || encrypt_secrets(&locations, &settings, &file, Utc::now())).await?;
    Ok(told(context, &done))
}

pub(super) async fn rewrap(context: &Context, file: PathBuf) -> Result<ExitCode> {
    let files = files(context);
    let done = blocking(move || files.rewrap(&file)).await?;
    Ok(told(context, &done))
}

pub(super) async fn decrypt(context: &Context, file: PathBuf) -> Result<ExitCode> {
    let (files, format) = (files(context), context.format);
    let text = blocking(move || {
        files.with(&file, |opened| {
            Ok(Sensitive::new(match format {
                Format::Human => opened.text().to_string(),
                Format::Json => opened.json().to_string() + "\n",
            }))
        })
    })
    .await?;
    print(&text)
}

pub(super) async fn set(context: &Context, file: PathBuf, key: String) -> Result<ExitCode> {
    let value = blocking(|| read("the value")).await?;
    let files = files(context);
    let done = blocking(move || files.set(&file, &key, &value, Utc::now())).await?;
    Ok(told(context, &done))
}

pub(super) async fn key(context: &Context, deed: GitopsKey) -> Result<ExitCode> {
    let locations = context.drydock.locations.clone();
    match deed {
        GitopsKey::ShowRecipient => {
            let recipient = blocking(move || Ok(Identity::load_or_make(&locations)?.recipient())).await?;
            let answer = serde_json::json!({ "recipient": recipient.as_str() });
            render::answer(context.format, &answer, || format!("{recipient}\n"));
            Ok(ExitCode::SUCCESS)
        }
        GitopsKey::Export { show } => {
            if !show && io::stdout().is_terminal() {
                return Err(Error::new(Code::Usage, "the secret key is not printed onto a terminal unasked")
                    .remedy("drydock gitops key export --show, where nobody looks on")
                    .remedy("export SOPS_AGE_KEY_CMD='drydock gitops key export', for your own sops"));
            }
            let identity = blocking(move || Identity::load(&locations)).await?.ok_or_else(|| {
                Error::new(Code::SecretsKey, "there is no key yet")
                    .remedy("drydock gitops key show-recipient makes one")
                    .remedy("drydock gitops key import brings one here")
            })?;
            print(&Sensitive::new(identity.export().reveal().clone() + "\n"))
        }
        GitopsKey::Import { replace } => {
            let place = blocking(move || {
                let identity = Identity::read(read("the secret key")?.reveal())?;
                if replace { identity.keep_instead(&locations) } else { identity.keep(&locations) }
            })
            .await?;
            let kept = kept(place);
            render::answer(context.format, &serde_json::json!({ "done": kept }), || format!("{kept}\n"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn files(context: &Context) -> SecretFiles {
    SecretFiles::of(&context.drydock.locations).with_recovery(&context.drydock.settings)
}

fn told(context: &Context, done: &Encrypted) -> ExitCode {
    render::answer(context.format, done, || {
        let file = done.file.display();
        let what = match done.done {
            Done::Encrypted => format!("encrypted {file} for {}\n", done.recipients.join(", ")),
            Done::Set => format!("changed {file}\n"),
            Done::Unchanged => format!("{file} is for the recipients of .sops.yaml already\n"),
            Done::Rewrapped => format!(
                "encrypted {file} for {}\n  whoever could open it before still knows what it said: change the values \
                 that they should not know\n",
                done.recipients.join(", ")
            ),
        };
        what + recovery(done)
    });
    ExitCode::SUCCESS
}

/// What becomes of a file when this computer is lost, where that is not well.
fn recovery(done: &Encrypted) -> &'static str {
    match (done.recovery, done.done) {
        (Recovery::Others, _) => "",
        (Recovery::LeftOut, _) => {
            "  gitops.recovery_recipient is not among them: add it to .sops.yaml, then: drydock gitops encrypt --rewrap FILE\n"
        }
        (Recovery::Nobody, Done::Encrypted | Done::Rewrapped) => {
            "  this computer's key alone opens it: keep a copy of the key (drydock gitops key export), or let a key that you\n  \
             keep elsewhere in (gitops.recovery_recipient, .sops.yaml)\n"
        }
        (Recovery::Nobody, Done::Set | Done::Unchanged) => "",
    }
}

/// Prints what somebody asked for.
fn print(text: &Sensitive<String>) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.reveal().as_bytes()).and_then(|()| out.flush());
    written.context("write to", Path::new("standard output"))?;
    Ok(ExitCode::SUCCESS)
}

/// A secret as it is: from a terminal one line that is not shown; from a pipe everything, but for the line break at the
/// end of a single line, which `echo` adds. A private key keeps its own.
fn read(what: &str) -> Result<Sensitive<String>> {
    let cannot = |cause: io::Error| {
        let error = Error::new(Code::Usage, format!("{what} could not be read")).why(cause);
        error.remedy("run the command again")
    };
    if io::stdin().is_terminal() {
        return terminal::unseen(&format!("{what} (it is not shown): ")).map(Sensitive::new).map_err(cannot);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Error::new(Code::Usage, format!("{what} is larger than a secret can be"))
            .why(format!("at most {LARGEST} bytes are taken"))
            .remedy("keep large files elsewhere, and their key here"));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| {
        Error::new(Code::Usage, format!("{what} is no text in UTF-8")).remedy("encode it, as by base64")
    })?;
    if text.matches('\n').count() == 1 && text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(Sensitive::new(text))
}
