//! The user's login: where it is, and what of it a session gets.
//!
//! Drydock never calls a token endpoint and sends no credential off this machine. Refresh tokens are
//! single-use, so a session gets a *lease*: the access token and its expiry, without the refresh token.

mod login;
mod sensitive;
mod store;

pub use login::{KEY_VARIABLES, SessionLogin, keep_own_login, session_login};
pub use sensitive::Sensitive;
pub use store::{HostLogin, LoginStore, extract_keychain_credentials};
