//! One file a group of commands; each is a call into the engine and a rendering of its answer.

mod alert_channels;
mod alerts;
mod backup;
mod credentials;
mod daemon;
mod deploy;
mod gitops;
mod held;
mod image;
mod metrics;
mod observed;
mod pause;
pub(crate) mod recover;
mod report;
mod restore;
mod run;
mod sessions;
mod settings;
mod shipping;
mod status;
mod sync;
mod validate;

use crate::{
    Context,
    arguments::{Arguments, Command},
};
use clap::CommandFactory;
use drydock_engine::error_handling::Result;
use std::process::ExitCode;

pub(crate) async fn dispatch(context: &mut Context, command: Command) -> Result<ExitCode> {
    match command {
        Command::Run(wanted) => run::run(context, wanted).await,
        Command::Attach { session, variables } => run::attach(context, session.as_deref(), &variables).await,
        Command::Stop { session } => sessions::stop(context, session.as_deref()).await,
        Command::Rm { session, discard } => sessions::remove(context, &session, discard).await,
        Command::List => sessions::list(context).await,
        Command::Logs { session, follow } => sessions::logs(context, session.as_deref(), follow).await,
        Command::Sync(wanted) => sync::sync(context, wanted).await,
        Command::Held(wanted) => held::held(context, wanted).await,
        Command::Gitops(wanted) => gitops::gitops(context, wanted).await,
        Command::Credentials(wanted) => credentials::credentials(context, wanted).await,
        Command::Backup(wanted) => backup::backup(context, wanted).await,
        Command::Restore(wanted) => restore::restore(context, wanted).await,
        Command::Recover(wanted) => recover::recover(context, wanted).await,
        Command::Daemon => daemon::daemon(context).await,
        Command::Pause { end: true, .. } => pause::end(context),
        Command::Pause { long, .. } => pause::pause(context, long),
        Command::Alerts { deed } => alerts::alerts(context, deed).await,
        Command::Events(wanted) => observed::events(context, wanted).await,
        Command::Metrics { since, over_time: Some(metric), parts, .. } => {
            metrics::over_time(context, metric, since, parts).await
        }
        Command::Metrics { since, prometheus, .. } => metrics::metrics(context, since, prometheus).await,
        Command::Report { to } => report::report(context, to).await,
        Command::Traces(wanted) => observed::traces(context, &wanted),
        Command::Errors(wanted) => observed::errors(context, &wanted),
        Command::Shipping(wanted) => shipping::shipping(context, wanted).await,
        Command::Image(wanted) => image::image(context, wanted).await,
        Command::Deploy(wanted) => deploy::deploy(context, wanted).await,
        Command::Validate { fix } => {
            validate::validate(context, if fix { validate::Mend::Yes } else { validate::Mend::No }).await
        }
        Command::Doctor => status::doctor(context).await,
        Command::Status => status::status(context).await,
        Command::Settings(wanted) => settings::settings(context, wanted),
        Command::Completions { shell } => {
            completions(shell);
            Ok(ExitCode::SUCCESS)
        }
    }
}

pub(crate) use alerts::say_if_unwatched;

pub(crate) fn completions(shell: clap_complete::Shell) {
    clap_complete::generate(shell, &mut Arguments::command(), "drydock", &mut std::io::stdout());
}
