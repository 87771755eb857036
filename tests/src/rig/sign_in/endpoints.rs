//! The sign-in server's HTTP side, and the API's pages about accounts.

use super::accounts::Books;
use crate::rig::anthropic::{Auth, auth, error, json_response, next_number};
use axum::{
    Router,
    extract::State,
    http::HeaderMap,
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

/// The books, as server and test share them.
pub(super) type Shared = Arc<Mutex<Books>>;

pub(super) fn open(books: &Shared) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn router(books: Shared) -> Router {
    Router::new()
        .route("/v1/oauth/token", post(token))
        .route("/v1/oauth/token/revoke", post(revoke))
        .route("/api/oauth/profile", get(profile))
        .with_state(books)
}

async fn token(State(books): State<Shared>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if body["grant_type"] != "refresh_token" {
        return answer(400, &json!({ "error": "unsupported_grant_type" }));
    }
    let mut books = open(&books);
    let refresh = body["refresh_token"].as_str().unwrap_or_default();
    let Some(login) = books.renew(refresh, SystemTime::now()) else {
        return answer(
            400,
            &json!({ "error": "invalid_grant", "error_description": "Refresh token not found or invalid" }),
        );
    };
    let account = login.account();
    answer(
        200,
        &json!({
            "token_type": "Bearer", "access_token": login.access(), "refresh_token": login.refresh(),
            "expires_in": books.lifetime.as_secs(), "scope": "user:inference user:profile",
            "account": { "uuid": account.uuid, "email_address": account.email },
            "organization": { "uuid": account.organization, "name": account.organization_name() },
        }),
    )
}

async fn revoke(State(books): State<Shared>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    open(&books).revoke(body["token"].as_str().unwrap_or_default());
    // The real one does not tell whether there was such a token either.
    answer(200, &json!({}))
}

async fn profile(State(books): State<Shared>, headers: HeaderMap) -> Response {
    let books = open(&books);
    let Auth::Bearer(token) = auth(&headers) else { return refused(401, "a token is required") };
    let Some((account, scopes)) = books.holder(&token, SystemTime::now()) else {
        return refused(401, super::EXPIRED);
    };
    if !scopes.contains(&"user:profile") {
        return refused(403, "OAuth token does not meet scope requirement user:profile");
    }
    answer(
        200,
        &json!({
            "account": {
                "uuid": account.uuid, "email": account.email, "full_name": account.name,
                "display_name": account.name, "has_claude_max": true, "has_claude_pro": false,
            },
            "organization": {
                "uuid": account.organization, "name": account.organization_name(),
                "organization_type": "claude_max", "rate_limit_tier": "default_claude_max_5x",
            },
        }),
    )
}

fn answer(status: u16, value: &Value) -> Response {
    json_response(status, value, next_number())
}

fn refused(status: u16, why: &str) -> Response {
    let number = next_number();
    json_response(status, &error(status, why, number), number)
}
