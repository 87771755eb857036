//! The user's login: where it is, what of it a session gets, and what comes back.
//!
//! Drydock never calls a token endpoint and sends no credential off this machine. Refresh tokens are good
//! for one use, so of each login exactly one place may renew; everybody else gets a *lease*: the access
//! token and its expiry.

mod authority;
mod credentials;
mod helper;
mod login;
mod precedence;
mod renew;
mod sensitive;
mod status;
mod stores;
mod ways;

pub use crate::claude_home::KEY_VARIABLES;
pub(crate) use authority::{Authority, Offered};
pub use authority::{Notice, OtherLogin};
pub use credentials::{Account, Credentials, Fingerprint, LoginKind};
pub(crate) use login::{
    RENEWED_BEFORE, SessionLogin, check_login, give_login, is_over_within, renew_in_time,
};
pub use login::{
    SecretVariables, Stored, copy_to_pair, extract_keychain_credentials, keep_setup_token, store_to_keychain,
};
pub use precedence::{Contest, contests};
pub(crate) use renew::host_claude;
pub use sensitive::{Sensitive, forbid_core_dumps};
pub use status::{
    CredentialsStatus, Finding, Forgettable, KeptLogin, KeyView, KeyringState, LoginView, adopt_other_login,
    credentials_status, drop_other_login, forget_credentials, write_lease,
};
pub use stores::{
    Asked, CredentialStore, Found, HostLogin, HostStores, Place, Secret, StoreKind, Vault, Written,
};
pub use ways::{WAYS, Way, way_of};
