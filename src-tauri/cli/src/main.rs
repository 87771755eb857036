//! The drydock command: the engine from a shell.

mod arguments;
mod commands;
mod render;
mod terminal;

use arguments::{Arguments, Command};
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use drydock_engine::{
    Drydock,
    error_handling::{Error, Outcome, Result, StopSignals, error_trap_handler, log_error},
    observability::Observability,
    paths::Locations,
};
use std::{io::IsTerminal, path::Path, process::ExitCode};
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt,
};

/// What every command works with.
pub(crate) struct Context {
    pub(crate) drydock: Drydock,
    pub(crate) format: render::Format,
}

fn main() -> ExitCode {
    // Work on the backups happens in a process of its own, which is this program again.
    if let Some(code) = drydock_engine::backup::serve_if_asked() {
        return code;
    }
    let parsed = Arguments::command().try_get_matches();
    let (mut arguments, doing) =
        match parsed.and_then(|given| Ok((Arguments::from_arg_matches(&given)?, words(&given)))) {
            Ok(parsed) => parsed,
            // Help and version come this way as well; clap knows their exit codes.
            Err(answer) => answer.exit(),
        };
    arguments.home = arguments.home.or_else(drydock_engine::paths::named_home);
    start_log(arguments.home.as_deref());
    drydock_engine::keychain::forbid_core_dumps();
    let format = if arguments.json { render::Format::Json } else { render::Format::Human };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => {
            eprintln!("error: drydock cannot start\n  why: {cause}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(until_asked_to_stop(async {
        match run(arguments, format, &doing).await {
            Ok(code) => code,
            Err(error) => {
                render::error(&error, format);
                ExitCode::from(error.outcome().exit_code())
            }
        }
    }));
    // A thread may still wait for the keyboard; nothing else is left to do.
    runtime.shutdown_background();
    code
}

/// Does the work to its end, or until a signal asks this process to go: then what is half-made goes first.
async fn until_asked_to_stop(work: impl Future<Output = ExitCode>) -> ExitCode {
    let mut signals = match StopSignals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::warn!(%error, "signals end this process at once");
            return work.await;
        }
    };
    tokio::pin!(work);
    tokio::select! {
        code = &mut work => code,
        asked = signals.asked() => {
            signals.clear_up(asked).await;
            ExitCode::from(asked.exit_code())
        }
    }
}

async fn run(arguments: Arguments, format: render::Format, doing: &str) -> Result<ExitCode, Error> {
    if let Command::Completions { shell } = arguments.command {
        commands::completions(shell);
        return Ok(ExitCode::SUCCESS);
    }
    let drydock = Drydock::open(arguments.home.as_deref())?;
    let mut context = Context { drydock, format };
    let watches = matches!(arguments.command, Command::Daemon | Command::Status | Command::Alerts { .. });
    let done = commands::dispatch(&mut context, arguments.command).await;
    if let Err(error) = &done {
        // A wrong call is nothing to keep.
        if error.outcome() != Outcome::Usage {
            log_error(error, doing);
        }
        commands::recover::after_failure(&context, error).await;
    }
    if !watches {
        commands::say_if_unwatched(&context);
    }
    done
}

/// The command's words, without what they are about: `backup now`.
fn words(given: &ArgMatches) -> String {
    let below = |given: &ArgMatches| given.subcommand().map(|(word, given)| (word.to_owned(), given.clone()));
    let words = std::iter::successors(below(given), |(_, given)| below(given)).map(|(word, _)| word);
    words.collect::<Vec<_>>().join(" ")
}

/// Diagnostics go to standard error, and only what `DRYDOCK_LOG` asks for beyond warnings. What happened, and how
/// long it took, goes into the files of the home.
fn start_log(home: Option<&Path>) {
    let filter = EnvFilter::try_from_env("DRYDOCK_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let told = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_filter(filter)
        .with_filter(filter_fn(|metadata| !Observability::is_for(metadata)));
    // A home that is not there has no files; the command says so.
    let locations = Locations::find(home).ok();
    if let Some(locations) = &locations {
        error_trap_handler(locations.data_dir.join("crashes"));
    }
    let written = locations.as_ref().map(Observability::of);
    let written = written.map(|layer| layer.with_filter(filter_fn(Observability::is_for)));
    tracing_subscriber::registry().with(told).with(written).init();
}
