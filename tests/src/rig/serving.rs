//! An HTTP server that runs beside a test.

use axum::{Router, serve::Listener};
use std::{
    net::SocketAddr,
    thread::{self, JoinHandle},
};
use tokio::{net::TcpListener, sync::oneshot};

/// A server on a thread of its own, listening while this lives.
pub(super) struct Serving {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Starts one at a free port, reachable from this computer and from its containers. `over` makes of
    /// the bare listener what connections really come from.
    pub(super) fn start<L: Listener>(
        app: Router,
        over: impl FnOnce(TcpListener) -> L + Send + 'static,
    ) -> Self
    where
        L::Addr: std::fmt::Debug,
    {
        // Containers reach this computer by another address than 127.0.0.1.
        let socket = std::net::TcpListener::bind(("0.0.0.0", 0)).expect("a free port");
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let serving = axum::serve(over(TcpListener::from_std(socket).unwrap()), app);
                tokio::select! {
                    _ = serving => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    /// Its address on this computer.
    pub(super) fn url_here(&self) -> String {
        format!("http://127.0.0.1:{}", self.address.port())
    }

    /// Its address in a session.
    pub(super) fn url_inside(&self) -> String {
        format!("http://host.docker.internal:{}", self.address.port())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
