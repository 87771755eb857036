//! The drydock command: the engine from a shell.

mod arguments;
mod commands;
mod render;
mod terminal;

use arguments::{Arguments, Command};
use clap::Parser;
use drydock_engine::{
    Drydock,
    error_handling::{Error, Result},
};
use std::{io::IsTerminal, process::ExitCode};

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
    start_log();
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
    let done = commands::dispatch(&mut context, arguments.command).await;
    if let Err(error) = &done {
        commands::recover::after_failure(&context, error).await;
    }
    done
}

/// Diagnostics go to standard error, and only what `DRYDOCK_LOG` asks for beyond warnings.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("DRYDOCK_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .init();
}
