//! The drydock command: the engine from a shell.

mod arguments;
mod commands;
mod render;
mod terminal;

use arguments::{Arguments, Command};
use clap::Parser;
use drydock_engine::{
    container::ContainerEngine,
    error_handling::{Error, Result},
    paths::Locations,
    session::Sessions,
    settings::Settings,
};
use std::process::ExitCode;

/// What every command works with.
pub(crate) struct Context {
    pub(crate) locations: Locations,
    pub(crate) settings: Settings,
    pub(crate) format: render::Format,
}

impl Context {
    pub(crate) async fn engine(&self) -> Result<ContainerEngine> {
        ContainerEngine::find(&self.locations, &self.settings).await
    }

    pub(crate) async fn sessions(&self) -> Result<Sessions> {
        let engine = self.engine().await?;
        Ok(Sessions { locations: self.locations.clone(), settings: self.settings.clone(), engine })
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version come this way as well; clap knows their exit codes.
        Err(answer) => answer.exit(),
    };
    start_log();
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
    let locations = Locations::find(arguments.home.as_deref())?;
    let settings = Settings::load(&locations.settings_file)?;
    let mut context = Context { locations, settings, format };
    commands::dispatch(&mut context, arguments.command).await
}

/// Diagnostics go to standard error, and only what `DRYDOCK_LOG` asks for beyond warnings.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("DRYDOCK_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
}
