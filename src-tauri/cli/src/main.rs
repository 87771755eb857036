//! The drydock command: the engine from a shell.

mod arguments;
mod commands;
mod render;
mod terminal;

use arguments::{Arguments, Command};
use clap::Parser;
use drydock_engine::{
    Drydock,
    error_handling::{Error, Outcome, Result, error_trap_handler, log_error},
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
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version come this way as well; clap knows their exit codes.
        Err(answer) => answer.exit(),
    };
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
    let code = match runtime.block_on(run(arguments, format)) {
        Ok(code) => code,
        Err(error) => {
            render::error(&error, format);
            ExitCode::from(error.outcome().exit_code())
        }
    };
    // A thread may still wait for the keyboard; nothing else is left to do.
    runtime.shutdown_background();
    code
}

async fn run(arguments: Arguments, format: render::Format) -> Result<ExitCode, Error> {
    if let Command::Completions { shell } = arguments.command {
        commands::completions(shell);
        return Ok(ExitCode::SUCCESS);
    }
    let drydock = Drydock::open(arguments.home.as_deref())?;
    let mut context = Context { drydock, format };
    let doing = doing();
    let watches = matches!(arguments.command, Command::Daemon | Command::Status | Command::Alerts { .. });
    let done = commands::dispatch(&mut context, arguments.command).await;
    if let Err(error) = &done {
        // A wrong call is nothing to keep.
        if error.outcome() != Outcome::Usage {
            log_error(error, &doing);
        }
        commands::recover::after_failure(&context, error).await;
    }
    if !watches {
        commands::say_if_unwatched(&context);
    }
    done
}

/// The command's words, without what they are about.
fn doing() -> String {
    let words = std::env::args().skip(1).filter(|word| !word.starts_with('-'));
    let known = |word: &String| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    words.take_while(known).take(2).collect::<Vec<_>>().join(" ")
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
