//! A stand-in for the npm registry, with versions of Claude Code that nobody published: the real one of last year behind
//! a front that can be told to misbehave.

use super::{Release, serving::Serving, session_image_of};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use sha2::{Digest, Sha512};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, OnceLock},
};

/// The file in a project's folder whose word says how the front misbehaves: `exit`, `slow SECONDS` or `leak`.
pub const MISBEHAVE: &str = ".misbehave";

// What was downloaded or built under a version is not fetched again: a front that is changed needs other numbers.

/// A front that is well unless a project says otherwise.
pub const WELL: &str = "2.0.990";
/// The same once more: another content, so another image.
pub const WELL_TOO: &str = "2.0.991";
/// One that says another version than its own, once it is not being built any more.
pub const LYING: &str = "2.0.992";

const FRONT: &str = r"#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';
const own = 'VERSION';
const given = process.argv.slice(2);
if (given.length === 1 && (given[0] === '--version' || given[0] === '-v')) {
  // While the image is built, the session's first program is not there yet.
  const lies = LIES && existsSync('/usr/local/bin/drydock-session');
  console.log((lies ? '0.0.0' : own) + ' (Claude Code)');
  process.exit(0);
}
const [word, seconds] = existsSync('.misbehave') ? readFileSync('.misbehave', 'utf8').trim().split(' ') : [];
if (word === 'exit') {
  console.error('TypeError: undefined is not a function');
  process.exit(1);
}
if (word === 'slow') {
  await new Promise((awake) => setTimeout(awake, 1000 * Number(seconds)));
  console.log('slow, and well');
  process.exit(0);
}
if (word === 'leak') {
  const hoard = [];
  for (;;) hoard.push(Buffer.alloc(16 << 20, 1));
}
await import('./real.js');
";

struct Shared {
    address: OnceLock<String>,
    packages: BTreeMap<&'static str, Bytes>,
}

/// It, listening on this computer while this lives.
pub struct Registry {
    serving: Serving,
}

impl Registry {
    /// Starts it. Its newest version is [`WELL`].
    #[must_use]
    pub fn start() -> Self {
        // What the fronts stand before is downloaded once.
        session_image_of(Release::YearOld);
        let packages = [(WELL, false), (WELL_TOO, false), (LYING, true)];
        let packages =
            packages.into_iter().map(|(version, lies)| (version, package(version, lies))).collect();
        let shared = Arc::new(Shared { address: OnceLock::new(), packages });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let serving = Serving::start(app, |listener| listener);
        shared.address.set(serving.url_here()).expect("it is set once");
        Self { serving }
    }

    /// Its address, as npm's variable has it.
    #[must_use]
    pub fn address(&self) -> String {
        self.serving.url_here()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    if let Some(package) = path.strip_prefix("tarballs/").and_then(|version| shared.packages.get(version)) {
        return package.clone().into_response();
    }
    let version = path.strip_prefix("@anthropic-ai%2fclaude-code/").unwrap_or_default();
    let version = if version == "latest" { WELL } else { version };
    let Some(package) = shared.packages.get(version) else { return StatusCode::NOT_FOUND.into_response() };
    let address = shared.address.get().expect("it is set before anybody asks");
    let integrity = format!("sha512-{}", BASE64.encode(Sha512::digest(package)));
    let dist = json!({ "integrity": integrity, "tarball": format!("{address}/tarballs/{version}") });
    json!({ "version": version, "dist": dist }).to_string().into_response()
}

/// The package of last year, with the front in the place of its program.
fn package(version: &str, lies: bool) -> Bytes {
    let script = Release::YearOld.program_here();
    let folder = script.parent().expect("a folder");
    // Stored, not compressed: it goes from one process to the next.
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    let front = FRONT.replace("VERSION", version).replace("LIES", if lies { "true" } else { "false" });
    add(&mut archive, "package/cli.js", front.as_bytes(), 0o755);
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().flatten() {
        let name = entry.path().strip_prefix(folder).unwrap().to_path_buf();
        let is_needed = !name.starts_with("vendor") || name.starts_with("vendor/ripgrep/x64-linux");
        if !entry.file_type().is_file() || !is_needed {
            continue;
        }
        let name = if name == Path::new("cli.js") { Path::new("real.js").to_path_buf() } else { name };
        let content = fs::read(entry.path()).unwrap();
        add(&mut archive, &format!("package/{}", name.display()), &content, 0o755);
    }
    archive.into_inner().unwrap().finish().unwrap().into()
}

fn add(archive: &mut tar::Builder<GzEncoder<Vec<u8>>>, name: &str, content: &[u8], mode: u32) {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    archive.append_data(&mut header, name, content).unwrap();
}
