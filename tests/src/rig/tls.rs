//! TLS for stand-ins: an authority of the test's own, and connections that it vouches for.

use axum::serve::Listener;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};

/// What makes a client believe in a stand-in.
pub(super) struct Authority {
    /// The certificate that a client must trust.
    pub(super) certificate: String,
    pub(super) acceptor: TlsAcceptor,
}

impl Authority {
    /// One that vouches for these servers, by their names or addresses.
    pub(super) fn of(servers: &[&str]) -> Self {
        let mut params = named("The test authority of Drydock", Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();

        let servers = servers.iter().map(|server| (*server).to_owned()).collect();
        let mut params = named("Drydock's stand-in for a server", servers);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let server = params.signed_by(&key, &authority).unwrap();

        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![server.der().clone()], key)
            .unwrap();
        Self { certificate: authority.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) }
    }
}

/// With a name of its own: a certificate with its issuer's name counts as self-signed.
fn named(name: &str, servers: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(servers).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Connections with TLS around them.
pub(super) struct Protected {
    pub(super) listener: TcpListener,
    pub(super) acceptor: TlsAcceptor,
}

impl Listener for Protected {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (connection, address) = Listener::accept(&mut self.listener).await;
            // A client that does not trust the authority goes away here, and says so itself.
            if let Ok(protected) = self.acceptor.accept(connection).await {
                return (protected, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
