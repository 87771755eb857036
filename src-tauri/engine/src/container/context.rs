//! Docker contexts, as the `docker` program stores them.
//!
//! Source: docker/cli `cli/context/store`: `contexts/meta/<sha256 of the name>/meta.json`, and TLS
//! material in `contexts/tls/<sha256 of the name>/docker/{ca,cert,key}.pem`.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

pub(super) struct Context {
    pub(super) host: String,
    pub(super) tls_dir: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints")]
    endpoints: HashMap<String, Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Host")]
    host: Option<String>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "currentContext")]
    current: Option<String>,
}

/// The name of the current context. An unreadable configuration counts as none: the engine may be
/// at its usual place all the same.
pub(super) fn current(docker_config: &Path) -> Option<String> {
    let text = fs::read(docker_config.join("config.json")).ok()?;
    serde_json::from_slice::<Config>(&text).ok()?.current.filter(|name| !name.is_empty())
}

/// Reads one context, or says what is wrong with it.
pub(super) fn read(docker_config: &Path, name: &str) -> Result<Context, String> {
    let id = hex(&Sha256::digest(name.as_bytes()));
    let file = docker_config.join("contexts/meta").join(&id).join("meta.json");
    let text = fs::read(&file).map_err(|_| format!("there is no Docker context \"{name}\""))?;
    let meta: Meta = serde_json::from_slice(&text)
        .map_err(|cause| format!("the Docker context \"{name}\" cannot be read: {cause}"))?;
    let host = meta
        .endpoints
        .get("docker")
        .and_then(|endpoint| endpoint.host.clone())
        .ok_or_else(|| format!("the Docker context \"{name}\" names no engine"))?;
    let tls = docker_config.join("contexts/tls").join(&id).join("docker");
    let complete = ["ca.pem", "cert.pem", "key.pem"].iter().all(|part| tls.join(part).is_file());
    Ok(Context { host, tls_dir: complete.then_some(tls) })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn write(docker_config: &Path, name: &str, host: &str, tls: bool) {
        let id = hex(&Sha256::digest(name.as_bytes()));
        let meta = docker_config.join("contexts/meta").join(&id);
        fs::create_dir_all(&meta).unwrap();
        let text = serde_json::json!({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host}}});
        fs::write(meta.join("meta.json"), text.to_string()).unwrap();
        if tls {
            let dir = docker_config.join("contexts/tls").join(&id).join("docker");
            fs::create_dir_all(&dir).unwrap();
            for part in ["ca.pem", "cert.pem", "key.pem"] {
                fs::write(dir.join(part), "").unwrap();
            }
        }
    }

    #[test]
    fn the_folder_of_a_context_is_its_names_digest() {
        // `docker context create desktop-linux` makes this folder.
        assert_eq!(
            hex(&Sha256::digest(b"desktop-linux")),
            "fe9c6bd7a66301f49ca9b6a70b217107cd1284598bfc254700c989b916da791e"
        );
    }
}
