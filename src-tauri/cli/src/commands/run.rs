//! `drydock run` and `drydock attach`.

use super::sessions::finish_ended;
use crate::{
    Context,
    arguments::Run,
    render::{self, Format},
    terminal::{self, Conversation},
};
use drydock_engine::{
    deployment::{Outcome, Wish},
    error_handling::{Code, Error, OwnSignals, Result},
    keychain::{KEY_VARIABLES, Sensitive, WAYS},
    scheduler::Scheduler,
    session::{Attached, Ended, Finished, Joining, Launch, MissingImage, Sessions, TERMINAL_VARIABLES},
    settings::LoginMode,
};
use std::{
    env,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

pub(super) async fn run(context: &mut Context, wanted: Run) -> Result<ExitCode> {
    let variables = variables(&wanted.variables)?;
    let ssh_agent = if wanted.ssh_agent { Some(ssh_agent()?) } else { None };
    let interactive = terminal::is_interactive();
    super::recover::before_launch(context, interactive).await?;
    choose_login(context, &variables, interactive).await?;
    let sessions = context.drydock.sessions().await?;
    finish_ended(context, &sessions).await?;
    let launch = Launch {
        project: wanted.project,
        arguments: wanted.arguments,
        terminal: if interactive { Some(terminal::size()) } else { None },
        terminal_variables: TERMINAL_VARIABLES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), env::var(name).ok()?)))
            .collect(),
        variables,
        keys: keys(),
        ssh_agent,
        missing_image: if wanted.no_build { MissingImage::Refuse } else { MissingImage::Build },
        version: super::deploy::forced(wanted.canary, wanted.stable)?,
    };
    let conversed = launch_and_converse(context, &sessions, launch.clone(), interactive).await?;
    let code = match conversed {
        Conversed::Ended(code) => code,
        // Nobody waits for a candidate whose Claude Code does not run.
        Conversed::DiedAtOnce { version, why } => {
            eprintln!("drydock: Claude Code {version}, which is being tried out, {why}; the same on stable:");
            let on_stable = Launch { version: Wish::StandIn, ..launch };
            match launch_and_converse(context, &sessions, on_stable, interactive).await? {
                Conversed::Ended(code) => code,
                Conversed::DiedAtOnce { .. } => ExitCode::FAILURE,
            }
        }
    };
    go_on(context).await;
    Ok(code)
}

async fn launch_and_converse(
    context: &Context,
    sessions: &Sessions,
    launch: Launch,
    interactive: bool,
) -> Result<Conversed> {
    let may_stand_in = launch.version == Wish::ByWeight;
    let progress = render::Progress::start(context.format);
    let attached = sessions.launch(launch, &progress.sink()).await;
    progress.finish();
    let attached = attached?;
    if let Some(failed) = &attached.fell_back {
        eprintln!(
            "drydock: the version that is being tried out did not start, so this is stable: {}",
            failed.message()
        );
    }
    eprintln!("drydock: session {}", attached.id);
    if let Some(version) = &attached.canary {
        eprintln!("drydock: it tries out Claude Code {version}; without: drydock run --stable");
    }
    for note in &attached.notes {
        eprintln!("drydock: {note}");
    }
    let canary = attached.canary.clone().filter(|_| may_stand_in);
    let ended = converse(context, sessions, attached, interactive).await;
    match (ended, canary) {
        (Ok(Ending { died_at_once: true, .. }), Some(version)) => {
            Ok(Conversed::DiedAtOnce { version, why: "ended with an error at once" })
        }
        (Err(error), Some(version)) if error.code() == Code::ImageBroken => {
            Ok(Conversed::DiedAtOnce { version, why: "did not start" })
        }
        (ended, _) => ended.map(|ending| Conversed::Ended(ending.code)),
    }
}

/// How a launch went.
enum Conversed {
    /// To its end, with this exit code.
    Ended(ExitCode),
    /// The candidate's Claude Code ended with an error before it did anything.
    DiedAtOnce { version: String, why: &'static str },
}

/// How a conversation ended.
struct Ending {
    code: ExitCode,
    /// Claude Code ended with an error of its own, and had neither read nor written anything.
    died_at_once: bool,
}

/// Does what a deployment waits for, where no other process does the scheduled work.
async fn go_on(context: &Context) {
    let deployments = context.drydock.deployments();
    if Scheduler::holder(&context.drydock.locations).is_some() || !deployments.has_work() {
        return;
    }
    if let Err(error) = super::deploy::go_on(context).await {
        render::warning(&error);
    }
}

pub(super) async fn attach(context: &Context, session: Option<&str>, given: &[String]) -> Result<ExitCode> {
    let variables = variables(given)?;
    let sessions = context.drydock.sessions().await?;
    finish_ended(context, &sessions).await?;
    let id = sessions.resolve(session, env::current_dir().ok().as_deref()).await?;
    if !terminal::is_interactive() {
        return Err(Error::new(Code::Usage, "attaching needs a terminal")
            .remedy(format!("drydock logs --follow {id}")));
    }
    let attached = sessions.attach(&id, Joining { size: terminal::size(), variables, keys: keys() }).await?;
    converse(context, &sessions, attached, true).await.map(|ending| ending.code)
}

async fn converse(
    context: &Context,
    sessions: &Sessions,
    mut attached: Attached,
    interactive: bool,
) -> Result<Ending> {
    let id = attached.id.clone();
    // They are the session's, and what it wrote comes out before this process goes.
    let _signals = OwnSignals::take();
    let conversation = if interactive { Conversation::Terminal } else { Conversation::Pipe };
    let terminal::Conversed { left, was_fed } =
        terminal::converse(sessions, &mut attached, conversation).await?;
    let ended = if left == terminal::Left::Deserted { Ended::Detached } else { sessions.ended(&id).await? };
    let Ended::Exited(_) = ended else {
        sessions.leave(attached).await?;
        if interactive {
            terminal::reset();
        }
        eprintln!("drydock: {id} goes on without this terminal; join it again: drydock attach {id}");
        return Ok(Ending { code: ExitCode::SUCCESS, died_at_once: false });
    };
    if interactive {
        terminal::unbracket();
    }
    let finished = sessions.finish(attached).await?;
    if finished.state == Finished::Interrupted {
        terminal::reset();
        let why = if finished.out_of_memory { "it ran out of memory" } else { "it was killed from outside" };
        eprintln!("drydock: {id} was interrupted: {why}. Its history is on this computer.");
        eprintln!("  go on with it: drydock attach {id}");
        eprintln!("  or remove it:  drydock rm {id}");
    }
    if let Some(notice) = finished.login {
        eprint!("{}", render::login_notice(&finished.id.to_string(), notice));
    }
    let notable = render::notable(&finished.out);
    if !notable.is_empty() && context.format == Format::Human {
        eprint!("{notable}");
    }
    // Without a container nobody knows the code, and it did not end by itself.
    let code = finished.exit_code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    let changed = finished.trial.as_ref().and_then(|trial| trial.changed.as_ref());
    if let Some(deployment) = changed {
        eprintln!("drydock: {}", super::deploy::sentence(deployment));
    }
    let died = finished.trial.as_ref().is_some_and(|trial| trial.outcome == Outcome::Died);
    let has_written =
        finished.out.created.iter().chain(&finished.out.updated).any(|name| name.ends_with(".jsonl"));
    // What a pipe brought is gone; what was typed into a dead program is no loss.
    let died_at_once = died && !has_written && (interactive || !was_fed);
    Ok(Ending { code: ExitCode::from(code), died_at_once })
}

/// `NAME=VALUE`, or `NAME` for the value in drydock's own environment.
fn variables(given: &[String]) -> Result<Vec<(String, Sensitive<String>)>> {
    given
        .iter()
        .map(|text| match text.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), Sensitive::new(value.to_owned()))),
            None => match env::var(text) {
                Ok(value) => Ok((text.clone(), Sensitive::new(value))),
                Err(_) => Err(Error::new(Code::Usage, format!("{text} is not set in your environment"))
                    .remedy(format!("--env {text}=VALUE"))),
            },
        })
        .collect()
}

/// Keys in the user's own environment; the login mode decides whether they are used.
fn keys() -> Vec<(String, Sensitive<String>)> {
    KEY_VARIABLES
        .iter()
        .filter_map(|name| {
            Some(((*name).to_owned(), Sensitive::new(env::var(name).ok().filter(|key| !key.is_empty())?)))
        })
        .collect()
}

fn ssh_agent() -> Result<PathBuf> {
    if cfg!(target_os = "macos") {
        // Docker Desktop and OrbStack give containers the user's agent at this path of their machine.
        return Ok("/run/host-services/ssh-auth.sock".into());
    }
    env::var_os("SSH_AUTH_SOCK").map(PathBuf::from).filter(|path| path.exists()).ok_or_else(|| {
        Error::new(Code::Usage, "there is no SSH agent to share")
            .why("SSH_AUTH_SOCK is not set, or nothing is there")
            .remedy("eval \"$(ssh-agent)\" && ssh-add")
    })
}

/// Asks once how sessions log in, where there is somebody to ask.
async fn choose_login(
    context: &mut Context,
    variables: &[(String, Sensitive<String>)],
    interactive: bool,
) -> Result<()> {
    let key_passed = variables.iter().any(|(name, _)| KEY_VARIABLES.contains(&name.as_str()));
    let undecided =
        context.drydock.settings.login_mode() == LoginMode::Ask && keys().is_empty() && !key_passed;
    if !undecided || !interactive || !io::stderr().is_terminal() {
        return Ok(());
    }
    const INDENT: usize = 16;
    eprintln!(
        "How should sessions log in to Claude? (asked once; change it with `drydock settings set login.mode`)\n"
    );
    for (number, way) in WAYS.iter().enumerate() {
        eprintln!("{}  {:<12} {}", number + 1, way.word, render::wrapped(way.what, INDENT));
        eprintln!("{:INDENT$}{}\n", "", render::wrapped(way.terms, INDENT));
    }
    eprint!("1 to {}: ", WAYS.len());
    let _ = io::stderr().flush();
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    let line = line.trim();
    let chosen = WAYS.iter().enumerate().find(|(at, way)| line == way.word || line == (at + 1).to_string());
    // The launch says what is undecided, and how to decide it.
    let (Ok(_), Some((_, way))) = (read, chosen) else { return Ok(()) };
    if way.mode == LoginMode::SetupToken {
        eprintln!("Run `claude setup-token` in another terminal and follow it to its end.");
        super::credentials::ask_for_setup_token(context).await?;
    }
    context.drydock.settings.set("login.mode", way.word)
}
