//! The way to the stand-in: an HTTP proxy that is Anthropic's servers, as far as its own authority says.

use crate::rig::tls::Authority;
use axum::serve::Listener;
use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// The servers that it stands for.
pub(super) const SERVERS: [&str; 4] =
    ["platform.claude.com", "console.anthropic.com", "api.anthropic.com", "claude.ai"];
/// Nobody asks for a connection in more words.
const LONGEST_HEAD: usize = 8192;

/// What somebody wanted of the proxy and did not get.
pub(super) type Refused = Arc<Mutex<Vec<String>>>;

/// Connections to one of the servers, with both proxy and TLS behind them.
pub(super) struct Tunnels {
    ready: mpsc::Receiver<TlsStream<TcpStream>>,
    address: SocketAddr,
}

impl Tunnels {
    pub(super) fn over(listener: TcpListener, authority: &Authority, refused: Refused) -> Self {
        let address = listener.local_addr().expect("a bound listener");
        let (open, ready) = mpsc::channel(16);
        let acceptor = authority.acceptor.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (acceptor, refused, open) = (acceptor.clone(), Arc::clone(&refused), open.clone());
                tokio::spawn(async move {
                    if let Some(tunnel) = tunnel(connection, &acceptor, &refused).await {
                        // Nobody takes it once the server stops.
                        let _ = open.send(tunnel).await;
                    }
                });
            }
        });
        Self { ready, address }
    }
}

impl Listener for Tunnels {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        match self.ready.recv().await {
            Some(tunnel) => (tunnel, self.address),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Does what a proxy is asked, if it is a way to one of the servers.
async fn tunnel(
    mut connection: TcpStream,
    acceptor: &TlsAcceptor,
    refused: &Refused,
) -> Option<TlsStream<TcpStream>> {
    let asked = first_line(&mut connection).await?;
    let target = asked.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    let server = target.and_then(|target| target.strip_suffix(":443"));
    if !server.is_some_and(|server| SERVERS.contains(&server)) {
        refused.lock().unwrap_or_else(PoisonError::into_inner).push(target.unwrap_or(&asked).to_owned());
        let _ = connection.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await;
        return None;
    }
    connection.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    // A client that does not trust the authority goes away here, and says so itself.
    acceptor.accept(connection).await.ok()
}

/// Reads the head of a request, and gives its first line.
async fn first_line(connection: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    // Byte by byte: what comes after it is not the proxy's to read.
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.ok().filter(|_| head.len() < LONGEST_HEAD)?);
    }
    String::from_utf8_lossy(&head).lines().next().map(str::to_owned)
}
