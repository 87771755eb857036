//! A stand-in for Anthropic's sign-in server, and for the API as a signed-in user reaches it.
//!
//! It is a proxy that answers for the real servers' names itself, so that an unchanged Claude Code
//! believes to speak with them: it needs `HTTPS_PROXY` and `NODE_EXTRA_CA_CERTS`, and nothing else.
//! No other name can be reached through it. Refresh tokens are good once, as the real ones are, and
//! whether an access token lets somebody in is decided here and not by what the client thinks of it.

mod accounts;
mod endpoints;
mod proxy;

pub use accounts::{Account, Login, TokenRequest};

use super::{
    anthropic::{self, API_KEY, Auth, Requests},
    serving::Serving,
    tls::Authority,
};
use accounts::Books;
use endpoints::{Shared, open};
use proxy::{Refused, SERVERS, Tunnels};
use std::{
    fs,
    ops::Deref,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

const EXPIRED: &str = "OAuth token has expired";

/// The stand-in, listening while this lives. What it was asked as the API is seen as at
/// [`Anthropic`](super::Anthropic).
pub struct SignIn {
    requests: Arc<Requests>,
    books: Shared,
    refused: Refused,
    certificate: String,
    folder: TempDir,
    serving: Serving,
}

impl SignIn {
    /// Starts one, where nobody has an account yet.
    #[must_use]
    pub fn start() -> Self {
        let books = Shared::new(Mutex::new(Books::new()));
        let known = Arc::clone(&books);
        let requests = Arc::new(Requests::at(Box::new(move |auth: &Auth| match auth {
            Auth::Key(key) if key == API_KEY => Ok(()),
            Auth::Bearer(token) if open(&known).holder(token, SystemTime::now()).is_some() => Ok(()),
            Auth::Bearer(_) => Err(EXPIRED),
            _ => Err("invalid x-api-key"),
        })));
        let app = endpoints::router(Arc::clone(&books)).merge(anthropic::router(Arc::clone(&requests)));
        let authority = Authority::of(&SERVERS);
        let certificate = authority.certificate.clone();
        let folder = TempDir::with_prefix("drydock-sign-in-").expect("a scratch folder");
        fs::write(folder.path().join("ca.pem"), &certificate).unwrap();
        let refused = Refused::default();
        let seen = Arc::clone(&refused);
        let serving = Serving::start(app, move |listener| Tunnels::over(listener, &authority, seen));
        Self { requests, books, refused, certificate, folder, serving }
    }

    /// The proxy's address on this computer.
    #[must_use]
    pub fn proxy_here(&self) -> String {
        self.serving.url_here()
    }

    /// The proxy's address in a session.
    #[must_use]
    pub fn proxy_inside(&self) -> String {
        self.serving.url_inside()
    }

    /// The certificate that a client must trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.certificate
    }

    /// A file of this computer with it.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Opens an account for somebody.
    #[must_use]
    pub fn account(&self, name: &str) -> Account {
        Account::new(name)
    }

    /// Signs somebody in, once more if they are already: each login lives and dies on its own.
    #[must_use]
    pub fn login(&self, account: &Account, lifetime: Duration) -> Login {
        open(&self.books).login(account, lifetime, SystemTime::now())
    }

    /// Makes a token for somebody as `claude setup-token` does. It lasts, and lets in to conversations only.
    #[must_use]
    pub fn setup_token(&self, account: &Account) -> String {
        open(&self.books).setup_token(account, SystemTime::now())
    }

    /// How long the access tokens last that come of renewing a login; eight hours if nothing is said.
    pub fn set_lifetime(&self, lifetime: Duration) {
        open(&self.books).lifetime = lifetime;
    }

    /// All access tokens of logins given so far let nobody in from now on. Those who have them do not know.
    pub fn expire_access_tokens(&self) {
        open(&self.books).expire_access_tokens();
    }

    /// Every attempt to renew a login, in order.
    #[must_use]
    pub fn token_requests(&self) -> Vec<TokenRequest> {
        open(&self.books).token_requests.clone()
    }

    /// Every token that was revoked, in order.
    #[must_use]
    pub fn revocations(&self) -> Vec<String> {
        open(&self.books).revocations.clone()
    }

    /// Every secret that was ever given to somebody: access, refresh and setup tokens.
    #[must_use]
    pub fn issued(&self) -> Vec<String> {
        open(&self.books).issued.clone()
    }

    /// Whether somebody's login can still be renewed: their newest refresh token is neither used nor revoked.
    #[must_use]
    pub fn is_alive(&self, account: &Account) -> bool {
        open(&self.books).newest(account).is_some_and(|(_, alive)| alive)
    }

    /// Somebody's newest refresh token.
    #[must_use]
    pub fn current_refresh(&self, account: &Account) -> String {
        let books = open(&self.books);
        let (token, _) = books.newest(account).unwrap_or_else(|| panic!("{} never signed in", account.name));
        token.to_owned()
    }

    /// What somebody wanted to reach through the proxy that is none of Anthropic's servers.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Deref for SignIn {
    type Target = Requests;

    fn deref(&self) -> &Requests {
        &self.requests
    }
}
