//! The engine's errors in the user's words.

use crate::error_handling::{Code, Error};
use bollard::errors::Error as ApiError;

/// An engine's failure, with what Drydock was doing.
pub(crate) fn engine_error(doing: &str, cause: ApiError) -> Error {
    let error = |code| Error::new(code, format!("the container engine could not {doing}"));
    match cause {
        ApiError::DockerResponseServerError { message, .. } if message.contains("no space left") => {
            error(Code::DiskFull).why(message.trim()).remedy("free space for the engine: docker system prune")
        }
        ApiError::DockerResponseServerError { status_code, message } => {
            error(Code::EngineFailed).why(format!("{} (status {status_code})", message.trim()))
        }
        ApiError::DockerStreamError { error: message } => error(Code::EngineFailed).why(message.trim()),
        ApiError::RequestTimeoutError => error(Code::EngineFailed).why("it did not answer in time"),
        cause => error(Code::EngineFailed).why(chain(&cause)),
    }
}

/// An error with its sources, since HTTP clients hide the telling part in them.
pub(super) fn chain(cause: &dyn std::error::Error) -> String {
    let mut text = cause.to_string();
    let mut next = cause.source();
    while let Some(source) = next {
        let part = source.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        next = source.source();
    }
    text
}

pub(crate) fn is_not_found(cause: &ApiError) -> bool {
    matches!(cause, ApiError::DockerResponseServerError { status_code: 404, .. })
}

pub(crate) fn is_conflict(cause: &ApiError) -> bool {
    matches!(cause, ApiError::DockerResponseServerError { status_code: 409, .. })
}
