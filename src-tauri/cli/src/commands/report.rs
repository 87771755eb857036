//! `drydock report`: what helps to find a fault, in one file.

use crate::{
    Context,
    render::{self, bytes},
};
use chrono::Utc;
use drydock_engine::{
    error_handling::{Code, Error, Result},
    report::{Written, gather},
};
use std::{path::PathBuf, process::ExitCode};

pub(super) async fn report(context: &Context, to: Option<PathBuf>) -> Result<ExitCode> {
    let report = gather(&context.drydock, Utc::now()).await?;
    let file = to.unwrap_or_else(|| report.file_name().into());
    let written = tokio::task::spawn_blocking(move || report.write(&file))
        .await
        .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))??;
    render::answer(context.format, &written, || told(&written));
    Ok(ExitCode::SUCCESS)
}

fn told(written: &Written) -> String {
    let file = written.file.display();
    format!(
        "{file}: {} ({})\n\
         Secrets and the names of projects, folders and sessions were taken out. Nothing was sent.\n\
         Read it before you send it to anybody: tar -xzOf {file} | less\n",
        written.parts.join(", "),
        bytes(written.bytes),
    )
}
