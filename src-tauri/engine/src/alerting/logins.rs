//! When the login of sessions ends for good.

use super::{NoData, Reading, Seen};
use crate::{
    keychain::{LoginKind, LoginView, credentials_status},
    paths::Locations,
    settings::{LoginMode, Settings},
};
use chrono::{DateTime, Utc};

/// Days until somebody has to sign in again. One that renews itself has no such day.
pub(super) fn days_left(locations: &Locations, settings: &Settings, now: DateTime<Utc>) -> Seen {
    let mode = settings.login_mode();
    let status = match mode {
        LoginMode::Ask => return Err(NoData("how sessions log in has not been chosen".to_owned())),
        // A key has no end that it tells.
        LoginMode::ApiKey => return Ok(Vec::new()),
        _ => credentials_status(locations, mode).map_err(|error| NoData(error.message().to_owned()))?,
    };
    let login = match mode {
        LoginMode::SetupToken => status.setup_token,
        LoginMode::Own => status.own.map(|kept| kept.login),
        _ => status.host,
    };
    let Some(login) = login else { return Err(NoData("no login was found".to_owned())) };
    Ok(left(&login, now).into_iter().collect())
}

#[allow(clippy::cast_precision_loss)] // days
fn left(login: &LoginView, now: DateTime<Utc>) -> Option<Reading> {
    let until = match (login.kind, login.expires) {
        (LoginKind::Full | LoginKind::Key, _) => return None,
        (LoginKind::Tombstone, _) => now,
        (LoginKind::Lease | LoginKind::Token, expires) => expires?,
    };
    let days = (until - now).num_seconds() as f64 / 86_400.0;
    let words = match days {
        ..=0.0 => "It has ended: sign in again.".to_owned(),
        0.0..1.0 => "It ends today.".to_owned(),
        _ => format!("It ends in {days:.0} days, and then you have to sign in again."),
    };
    Some(Reading::new("", days, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn only_what_does_not_renew_itself_ends() {
        let now = Utc::now();
        let view = |kind, days| LoginView {
            kind,
            expires: Some(now + TimeDelta::days(days)),
            expired: false,
            scopes: Vec::new(),
            plan: None,
            access: None,
            refresh: None,
        };
        assert_eq!(left(&view(LoginKind::Full, 0), now), None);
        assert_eq!(left(&view(LoginKind::Token, 10), now).unwrap().value, 10.0);
        assert_eq!(left(&view(LoginKind::Tombstone, 10), now).unwrap().value, 0.0);
    }
}
