//! Work that blocks, off the threads that wait.

use crate::error_handling::{Code, Error, Result};

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    // Another thread is still the same operation.
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work))
        .await
        .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))?
}
