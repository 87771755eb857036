//! `drydock gitops`: configuration as code.

mod secrets;

use crate::{Context, arguments::Gitops};
use drydock_engine::error_handling::Result;
use std::process::ExitCode;

pub(super) async fn gitops(context: &Context, wanted: Gitops) -> Result<ExitCode> {
    match wanted {
        Gitops::Encrypt { file, rewrap: false } => secrets::encrypt(context, file).await,
        Gitops::Encrypt { file, rewrap: true } => secrets::rewrap(context, file).await,
        Gitops::Decrypt { file } => secrets::decrypt(context, file).await,
        Gitops::Set { file, key } => secrets::set(context, file, key).await,
        Gitops::Key(deed) => secrets::key(context, deed).await,
    }
}
