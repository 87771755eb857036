//! What the engine was asked to make, it makes, whether or not anybody still waits for the answer.
//!
//! So whoever clears up after a launch that is given up has to wait for such an answer first: what is made a moment
//! later would stay behind.

use tokio::sync::{RwLock, RwLockWriteGuard};

/// Read by each request on its way, written by whoever clears up.
static MAKING: RwLock<()> = RwLock::const_new(());

/// Carries a request that makes or starts something to its end, also when the answer is no longer waited for.
pub(crate) fn carried_out<T: Send + 'static>(
    request: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = T> + Send {
    // Not a part of whoever waits: the bodies of requests are large.
    let request = Box::pin(request);
    async {
        // Before the task is there: whoever waits for nothing being made has not overlooked it.
        let on_its_way = MAKING.read().await;
        let carried = tokio::spawn(async move {
            let answer = request.await;
            drop(on_its_way);
            answer
        });
        match carried.await {
            Ok(answer) => answer,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going, and this task with it.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

/// Waits until no request is on its way. While the answer lives, none is sent.
pub(crate) async fn nothing_on_its_way() -> RwLockWriteGuard<'static, ()> {
    MAKING.write().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_request_that_nobody_waits_for_any_more_is_waited_for_by_who_clears_up() {
        let (answer, answered) = oneshot::channel::<()>();
        let made = Arc::new(AtomicBool::new(false));
        let making = made.clone();
        let mut given_up = Box::pin(carried_out(async move {
            let _ = answered.await;
            making.store(true, Ordering::SeqCst);
        }));
        assert!(futures_util::poll!(&mut given_up).is_pending(), "sent");
        drop(given_up);
        let mut clearing = Box::pin(nothing_on_its_way());
        assert!(futures_util::poll!(&mut clearing).is_pending());
        answer.send(()).unwrap();
        let _nothing = clearing.await;
        assert!(made.load(Ordering::SeqCst));
    }
}
