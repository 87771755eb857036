//! `drydock credentials`: what sessions log in with. No value is ever shown.

use crate::{
    Context,
    arguments::{Credentials, Forgotten, Storable},
    render,
    terminal::unseen,
};
use drydock_engine::{
    error_handling::{Code, Error, Result},
    keychain::{
        self, CredentialsStatus, Forgettable, KeyringState, LoginKind, LoginView, Place, Secret, Sensitive,
        Vault, Written, credentials_status,
    },
    observability::datadog_key_changed,
    paths::Locations,
};
use serde::Serialize;
use std::{
    io::{self, IsTerminal, Read},
    process::ExitCode,
};

pub(super) async fn credentials(context: &Context, wanted: Credentials) -> Result<ExitCode> {
    let (locations, mode) = (context.drydock.locations.clone(), context.drydock.settings.login_mode());
    match wanted {
        Credentials::Status => {
            let status = blocking(move || credentials_status(&locations, mode)).await?;
            render::answer(context.format, &status, || text(&status));
            let needs_user = !status.findings.is_empty();
            let code = if needs_user { Code::LoginNone.outcome().exit_code() } else { 0 };
            return Ok(ExitCode::from(code));
        }
        Credentials::Extract { to } => extract(context, locations, to).await?,
        Credentials::Store { what } => store(context, locations, what).await?,
        Credentials::Forget { what } => {
            let forget = move || {
                keychain::forget_credentials(&locations, forgettable(what))?;
                if what == Forgotten::DatadogKey {
                    datadog_key_changed(&locations)?;
                }
                Ok(())
            };
            blocking(forget).await?;
            done(context, "forgotten");
        }
        Credentials::Adopt { session } => {
            blocking(move || keychain::adopt_other_login(&locations, &session)).await?;
            done(context, "sessions use that login from now on");
        }
        Credentials::Drop { session } => {
            blocking(move || keychain::drop_other_login(&locations, &session)).await?;
            done(context, "forgotten");
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Did<'a> {
    done: &'a str,
}

pub(super) fn done(context: &Context, what: &str) {
    render::answer(context.format, &Did { done: what }, || format!("{what}\n"));
}

async fn extract(context: &Context, locations: Locations, to: Option<std::path::PathBuf>) -> Result<()> {
    #[derive(Serialize)]
    struct Extracted {
        store: keychain::StoreKind,
        login: Option<LoginView>,
        lease: Option<std::path::PathBuf>,
    }
    let extracted = blocking(move || {
        let found = keychain::extract_keychain_credentials(&locations)?.ok_or_else(|| {
            Error::new(Code::LoginNone, "there is no login on this computer")
                .remedy("sign in: claude auth login")
                .remedy("where it was looked for: drydock credentials status")
        })?;
        if let Some(file) = &to {
            keychain::write_lease(&locations, file)?;
        }
        Ok(Extracted { store: found.store, login: LoginView::of(&found.login), lease: to })
    })
    .await?;
    render::answer(context.format, &extracted, || {
        let login = extracted.login.as_ref().map(shown).unwrap_or_default();
        let mut text = format!("found in {}: {login}\n", extracted.store.name());
        if let Some(file) = &extracted.lease {
            text.push_str(&format!("a lease of it is in {}: access token and expiry\n", file.display()));
        }
        text
    });
    Ok(())
}

async fn store(context: &Context, locations: Locations, what: Storable) -> Result<()> {
    let said = match what {
        Storable::Pair => {
            blocking(move || keychain::copy_to_pair(&locations)).await.and_then(|written| match written {
                Written::Done => {
                    Ok("the pair claude.ai, claude.ai.refresh is this computer's login".to_owned())
                }
                Written::Changed => {
                    Err(Error::new(Code::LoginBusy, "the pair was changed at the same moment")
                        .remedy("run the command again"))
                }
                Written::Skipped(why) => Err(Error::new(Code::KeyringNone, "the pair was not written")
                    .why(why)
                    .remedy("start a keyring, such as gnome-keyring or KWallet, in this desktop session")),
            })?
        }
        Storable::Login => {
            let text = secret("the login, as it stands in .credentials.json").await?;
            let login = keychain::Credentials::parse(text.reveal().as_bytes()).map_err(|fault| {
                Error::new(Code::Usage, "that is not a login").why(fault).remedy(
                    "give it as it stands in .credentials.json: drydock credentials store login <FILE",
                )
            })?;
            let stored = blocking(move || keychain::store_to_keychain(&locations, &login)).await?;
            match stored.keychain_skipped {
                Some(why) => format!("Claude Code's file .credentials.json has it (Keychain skipped: {why})"),
                None => "Claude Code's Keychain item has it".into(),
            }
        }
        Storable::SetupToken => kept(store_setup_token(locations).await?),
        Storable::DatadogKey => {
            let value = secret("the key for Datadog").await?;
            let keep = move || {
                let place = Vault::of(&locations).write(&Secret::DatadogKey, &value)?;
                datadog_key_changed(&locations)?;
                Ok(place)
            };
            kept(blocking(keep).await?)
        }
    };
    done(context, &said);
    Ok(())
}

async fn store_setup_token(locations: Locations) -> Result<Place> {
    let token = secret("the token that `claude setup-token` printed").await?;
    blocking(move || keychain::keep_setup_token(&locations, &token)).await
}

/// Asks for the setup token, where somebody has just chosen to use one.
pub(super) async fn ask_for_setup_token(context: &Context) -> Result<()> {
    let place = store_setup_token(context.drydock.locations.clone()).await?;
    eprintln!("{}", kept(place));
    Ok(())
}

pub(super) fn kept(place: Place) -> String {
    match place {
        Place::Keyring => "kept in the keyring".into(),
        Place::File => "kept in a file for you alone: there is no keyring".into(),
    }
}

fn forgettable(what: Forgotten) -> Forgettable {
    match what {
        Forgotten::Own => Forgettable::Own,
        Forgotten::SetupToken => Forgettable::SetupToken,
        Forgotten::Pair => Forgettable::Pair,
        Forgotten::DatadogKey => Forgettable::DatadogKey,
    }
}

/// Reads a secret: from a pipe whole, from a terminal one line that is not shown.
pub(super) async fn secret(what: &'static str) -> Result<Sensitive<String>> {
    blocking(move || {
        let cannot = |cause: io::Error| {
            Error::new(Code::Usage, format!("{what} could not be read"))
                .why(cause)
                .remedy("run the command again")
        };
        let text = if io::stdin().is_terminal() {
            unseen(&format!("{what} (it is not shown): ")).map_err(cannot)?
        } else {
            let mut text = String::new();
            io::stdin().lock().take(1 << 20).read_to_string(&mut text).map_err(cannot)?;
            text
        };
        let text = text.trim().to_owned();
        if text.is_empty() {
            return Err(Error::new(Code::Usage, "nothing was given")
                .why(format!("{what} is read from standard input"))
                .remedy("give it by a pipe or a file (<FILE), or type it when you are asked"));
        }
        Ok(Sensitive::new(text))
    })
    .await
}

fn text(status: &CredentialsStatus) -> String {
    let mut text = match status.way {
        Some(way) => {
            let (what, terms) = (render::wrapped(way.what, 2), render::wrapped(way.terms, 2));
            format!("sessions log in by: {}\n  {what}\n  {terms}\n", way.word)
        }
        None => "sessions log in by: not chosen yet   (drydock settings set login.mode ...)\n".to_owned(),
    };
    text.push_str("\nthis computer's login\n");
    for asked in &status.host_stores {
        match &asked.not_because {
            None => {
                let login = status.host.as_ref().map(shown).unwrap_or_default();
                text.push_str(&format!("  {}: {login}\n", asked.store.name()));
            }
            Some(why) => text.push_str(&format!("  {}: no; {why}\n", asked.store.name())),
        }
    }
    match &status.renewed_by {
        Some(program) => text.push_str(&format!("  renewed by: {}\n", program.display())),
        None => text.push_str("  renewed by: nobody; no claude was found on this computer\n"),
    }
    text.push_str("\nDrydock's own\n");
    text.push_str(&match &status.keyring {
        KeyringState::Answers => "  keyring: answers\n".to_owned(),
        KeyringState::No(why) => format!("  keyring: no; {why}\n"),
    });
    if let Some(own) = &status.own {
        let place = match own.place {
            Place::Keyring => "in the keyring",
            Place::File => "in a file for you alone",
        };
        text.push_str(&format!("  login for sessions, {place}: {}\n", shown(&own.login)));
    }
    if let Some(token) = &status.setup_token {
        text.push_str(&format!("  setup token: {}\n", shown(token)));
    }
    for key in &status.keys {
        text.push_str(&format!("  {} in your environment, #{}\n", key.variable, key.fingerprint));
    }
    if let Some(holder) = &status.holder {
        text.push_str(&format!("  renewed by the session {holder} now\n"));
    }
    let contests = status.contests.iter().map(|one| (&one.found, &one.remedy));
    let findings = status.findings.iter().map(|one| (&one.found, &one.remedy)).chain(contests);
    for (at, (found, remedy)) in findings.enumerate() {
        if at == 0 {
            text.push_str("\nwants attention\n");
        }
        text.push_str(&format!("  {found}\n      try: {remedy}\n"));
    }
    text
}

fn shown(login: &LoginView) -> String {
    let mut parts = vec![
        match login.kind {
            LoginKind::Full => "a whole login",
            LoginKind::Lease => "an access token alone",
            LoginKind::Tombstone => "ended (both tokens are blank)",
            LoginKind::Token => "a setup token",
            LoginKind::Key => "a key",
        }
        .to_owned(),
    ];
    match (login.expires, login.expired) {
        (Some(at), true) => parts.push(format!("expired {}", render::ago(at))),
        (Some(at), false) => parts.push(format!("its access token ends {}", render::until(at))),
        (None, _) => {}
    }
    if let Some(plan) = &login.plan {
        parts.push(format!("plan {plan}"));
    }
    if !login.scopes.is_empty() {
        parts.push(login.scopes.join(" "));
    }
    let prints: Vec<_> = [("access", &login.access), ("refresh", &login.refresh)]
        .into_iter()
        .filter_map(|(name, print)| Some(format!("{name} #{}", print.as_ref()?)))
        .collect();
    if !prints.is_empty() {
        parts.push(prints.join(" "));
    }
    parts.join(", ")
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))?
}
