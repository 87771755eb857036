//! A git server over https on loopback, as hosts of repositories have it: git's own `http-backend` behind TLS, which
//! answers to whoever has the right name and password.

use super::{
    serving::Serving,
    tls::{Authority, Protected},
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, process::Command};

/// The user that it knows.
const USER: &str = "somebody";
/// No request of a test's is larger.
const LARGEST: usize = 64 << 20;

/// A server that runs.
pub struct GitHttps {
    serving: Serving,
    folder: TempDir,
    asked: Asked,
}

/// What was asked, and how it was answered.
type Asked = Arc<Mutex<Vec<(String, StatusCode)>>>;

/// Whether git in a home knows the right password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// It does.
    Right,
    /// It has another one.
    Wrong,
    /// It has none.
    None,
}

impl Password {
    fn text(self) -> &'static str {
        if self == Self::Right { "FAKE-right-password" } else { "FAKE-wrong-password" }
    }
}

impl GitHttps {
    /// Starts one for the bare repositories of a folder.
    #[must_use]
    pub fn start(repositories: &Path) -> Self {
        let folder = TempDir::with_prefix("drydock-https-").expect("a scratch folder");
        let authority = Authority::of(&["127.0.0.1"]);
        fs::write(folder.path().join("authority.pem"), &authority.certificate).unwrap();
        let asked = Asked::default();
        let (root, log) = (repositories.to_path_buf(), Arc::clone(&asked));
        let app =
            Router::new().fallback(move |request: Request| answer(root.clone(), Arc::clone(&log), request));
        let acceptor = authority.acceptor;
        let serving = Serving::start(app, move |listener| Protected { listener, acceptor });
        Self { serving, folder, asked }
    }

    /// The address of a repository in its folder.
    #[must_use]
    pub fn address(&self, name: &str) -> String {
        format!("{}/{name}", self.serving.url_here().replacen("http:", "https:", 1))
    }

    /// What a user's own git is told in `.gitconfig`: whom to trust, and a credential helper of their own.
    #[must_use]
    pub fn settings(&self, password: Password) -> String {
        let authority = self.folder.path().join("authority.pem");
        let helper = self.folder.path().join("helper.sh");
        let answer = format!("echo username={USER}; echo password={}", password.text());
        fs::write(&helper, format!("test \"$1\" = get && {{ {answer}; }}\ntrue\n")).unwrap();
        let credential = match password {
            Password::None => String::new(),
            _ => format!("[credential]\n\thelper = \"!sh {}\"\n", helper.display()),
        };
        format!("[http]\n\tsslCAInfo = {}\n{credential}", authority.display())
    }

    /// What was asked of it, and how it was answered.
    #[must_use]
    pub fn asked(&self) -> Vec<(String, StatusCode)> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(root: PathBuf, asked: Asked, request: Request) -> Response {
    let what = request.uri().to_string();
    let response = if is_known(request.headers()) {
        backend(&root, request).await
    } else {
        (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")]).into_response()
    };
    asked.lock().unwrap_or_else(PoisonError::into_inner).push((what, response.status()));
    response
}

fn is_known(headers: &HeaderMap) -> bool {
    let wanted = STANDARD.encode(format!("{USER}:{}", Password::Right.text()));
    headers.get(header::AUTHORIZATION).is_some_and(|value| value == &*format!("Basic {wanted}"))
}

/// Has git's own program answer, by CGI (RFC 3875).
async fn backend(root: &Path, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST).await.expect("a whole request");
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut child = Command::new("git")
        .args(["-c", "http.receivepack=true", "http-backend"])
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("CONTENT_TYPE", text("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", text("content-encoding"))
        .env("GIT_PROTOCOL", text("git-protocol"))
        .env("REMOTE_USER", USER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("git's http-backend");
    let mut input = child.stdin.take().expect("its input");
    // It answers while it reads.
    let writing = tokio::spawn(async move {
        let _ = input.write_all(&body).await;
    });
    let output = child.wait_with_output().await.expect("its answer");
    writing.await.expect("its input was written");
    let end = output.stdout.windows(4).position(|four| four == b"\r\n\r\n").expect("headers");
    let head = String::from_utf8_lossy(&output.stdout[..end]).into_owned();
    let mut response = Response::builder();
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        response = match name {
            "Status" => response.status(value.get(..3).unwrap_or("500")),
            _ => response.header(name, value),
        };
    }
    response.body(Body::from(output.stdout[end + 4..].to_vec())).expect("an answer")
}
