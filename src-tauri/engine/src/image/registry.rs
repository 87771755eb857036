//! The npm registry, from which Claude Code comes, checked against its publisher's digest.

use super::{PINNED_VERSION, claude_version::ClaudeVersion};
use crate::{
    error_handling::{Code, Error, IoContext, Result},
    progress::{Progress, ProgressSink},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use futures_util::StreamExt;
use serde::Deserialize;
use sha2::{Digest, Sha512};
use std::{env, fs, io::Write, path::Path};

/// The digests of the versions that Drydock is tested with, so that not even the registry can change
/// what they are.
const PINNED: &[(&str, &str, &str)] = &[
    (
        "claude-code-linux-x64",
        PINNED_VERSION,
        "sha512-9Gn+V7DtJ8M1nztP9CeDVl9g3RtrepI7rOFTyPRRnZe8D6zebIHKmC7OvBauucuAP0X0k85SDN/LPVZyjsGezQ==",
    ),
    (
        "claude-code-linux-arm64",
        PINNED_VERSION,
        "sha512-V4yanAY5EA5UpwwRPtjSfqDbNqAlUJeVn3NYZw2AgmRHjdpSsLtHAzbxRXfkAnbjwTXzE0uedjQxUY02ARPcsA==",
    ),
    (
        "claude-code",
        "2.0.50",
        "sha512-zT4vSFr3wSY1XuQHTBbtMyxcv87Al25Icrv7ASnpJTgmXR2MoIcs3dyfoQGUzAHnnAymEVSSQxeX+DgnTvOUDg==",
    ),
];

/// A package of Claude Code's, by its name without the publisher's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Package {
    /// Such as `claude-code-linux-x64`.
    pub(super) name: &'static str,
    /// Its version.
    pub(super) version: ClaudeVersion,
}

/// What the registry says of a package.
#[derive(Deserialize)]
struct Published {
    dist: Dist,
}

/// Where a package is, and what it must be.
#[derive(Debug, Deserialize)]
pub(super) struct Dist {
    integrity: String,
    tarball: String,
}

/// The newest Claude Code that the registry recommends.
///
/// # Errors
/// [`Code::ImageDownload`] when the registry does not tell.
pub async fn newest_version() -> Result<ClaudeVersion> {
    newest_in(&registry()).await
}

async fn newest_in(registry: &str) -> Result<ClaudeVersion> {
    /// What stands under a tag.
    #[derive(Deserialize)]
    struct Tagged {
        version: String,
    }
    let failed = |cause: reqwest::Error| {
        Error::new(Code::ImageDownload, "the npm registry does not tell the newest Claude Code")
            .why(source_chain(&cause))
            .remedy("check the network, or the registry in NPM_CONFIG_REGISTRY")
            .remedy(format!("or name the version: drydock deploy canary {PINNED_VERSION}"))
    };
    let url = format!("{registry}/@anthropic-ai%2fclaude-code/latest");
    let answer = client()?.get(&url).send().await.and_then(reqwest::Response::error_for_status);
    answer.map_err(failed)?.json::<Tagged>().await.map_err(failed)?.version.parse()
}

impl Package {
    /// Asks the registry for it.
    pub(super) async fn find(self) -> Result<Dist> {
        self.find_in(&registry()).await
    }

    async fn find_in(self, registry: &str) -> Result<Dist> {
        let Self { name, version } = self;
        let url = format!("{registry}/@anthropic-ai%2f{name}/{version}");
        let failed = |cause: reqwest::Error| {
            Error::new(
                Code::ImageDownload,
                format!("Claude Code {version} could not be found in the npm registry"),
            )
            .why(source_chain(&cause))
            .remedy("check the network, or the registry in NPM_CONFIG_REGISTRY")
        };
        let response = client()?.get(&url).send().await.map_err(failed)?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Err(Error::new(Code::ImageDownload, format!("there is no Claude Code {version}"))
                .why(format!("the npm registry has no package @anthropic-ai/{name} of this version"))
                .remedy(format!("drydock settings set image.claude_version {PINNED_VERSION}")));
        }
        let found =
            response.error_for_status().map_err(failed)?.json::<Published>().await.map_err(failed)?.dist;
        self.is_as_pinned(&found)?;
        Ok(found)
    }

    fn is_as_pinned(self, found: &Dist) -> Result<()> {
        let version = self.version.to_string();
        let pinned = PINNED.iter().find(|(name, of, _)| *name == self.name && *of == version);
        match pinned {
            Some((_, _, pinned)) if *pinned != found.integrity => Err(Error::new(
                Code::ImageIntegrity,
                format!("the registry's Claude Code {version} is not the one this Drydock was made with"),
            )
            .why(format!("expected {pinned}"))
            .why(format!("published {}", found.integrity))
            .remedy("check the npm registry in use (NPM_CONFIG_REGISTRY), or update Drydock")),
            _ => Ok(()),
        }
    }

    /// Downloads it into a folder.
    pub(super) async fn download(
        self,
        from: &Dist,
        dir: &Path,
        progress: &ProgressSink,
    ) -> Result<tempfile::NamedTempFile> {
        let version = self.version;
        let failed = |cause: reqwest::Error| {
            Error::new(Code::ImageDownload, format!("the download of Claude Code {version} broke off"))
                .why(source_chain(&cause))
                .remedy("run the command again")
        };
        let response = client()?
            .get(&from.tarball)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(failed)?;
        let total = response.content_length();
        let mut file = tempfile::NamedTempFile::new_in(dir).context("write in", dir)?;
        let mut digest = Sha512::new();
        let mut done = 0_u64;
        let mut body = response.bytes_stream();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(failed)?;
            // A file write of some kilobytes into the page cache; a hop to another thread costs more.
            digest.update(&chunk);
            file.write_all(&chunk).context("write", file.path())?;
            done += chunk.len() as u64;
            progress.report(Progress::Bytes { what: format!("Claude Code {version}"), done, total });
        }
        let found = format!("sha512-{}", BASE64.encode(digest.finalize()));
        if found != from.integrity {
            return Err(Error::new(
                Code::ImageIntegrity,
                format!("the download of Claude Code {version} is damaged"),
            )
            .why(format!("expected {}", from.integrity))
            .why(format!("received {found}"))
            .remedy("run the command again"));
        }
        Ok(file)
    }
}

/// The registry that npm would use, by its own variables and `~/.npmrc`.
fn registry() -> String {
    let set = |name| env::var(name).ok().filter(|value: &String| !value.is_empty());
    let from_file = || {
        let text = fs::read_to_string(Path::new(&set("HOME")?).join(".npmrc")).ok()?;
        text.lines().find_map(|line| line.trim().strip_prefix("registry=").map(str::to_owned))
    };
    set("NPM_CONFIG_REGISTRY")
        .or_else(|| set("npm_config_registry"))
        .or_else(from_file)
        .unwrap_or_else(|| "https://registry.npmjs.org".into())
        .trim_end_matches('/')
        .to_owned()
}

fn client() -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .connect_timeout(std::time::Duration::from_secs(15))
        .read_timeout(std::time::Duration::from_secs(60))
        .build()
        .map_err(|cause| {
            Error::new(Code::ImageDownload, "downloads are not possible").why(source_chain(&cause))
        })
}

fn source_chain(cause: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(cause);
    while let Some(part) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&part.to_string());
        next = part.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    fn package(name: &'static str, version: &str) -> Package {
        Package { name, version: version.parse().unwrap() }
    }

    fn published(integrity: &str) -> Dist {
        Dist { integrity: integrity.into(), tarball: String::new() }
    }

    /// A registry that answers each request with the same.
    async fn answering(status: &str, body: &str) -> String {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(socket.read_u8().await.unwrap());
                }
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        format!("http://{address}")
    }

    #[test]
    fn a_pinned_version_that_the_registry_changed_is_refused() {
        for (name, version, integrity) in PINNED {
            let package = package(name, version);
            package.is_as_pinned(&published(integrity)).unwrap();
            let error = package.is_as_pinned(&published("sha512-AAAA")).unwrap_err();
            assert_eq!(error.code(), Code::ImageIntegrity, "{name} {version}");
        }
    }

    #[tokio::test]
    async fn another_version_is_what_its_publisher_says() {
        let registry =
            answering("200 OK", r#"{"dist":{"integrity":"sha512-AAAA","tarball":"there"},"more":1}"#).await;
        let found = package("claude-code", "2.0.45").find_in(&registry).await.unwrap();
        assert_eq!((found.integrity.as_str(), found.tarball.as_str()), ("sha512-AAAA", "there"));
    }

    #[tokio::test]
    async fn a_version_that_was_never_published_is_told() {
        let registry = answering("404 Not Found", "").await;
        let error = package("claude-code", "2.0.48").find_in(&registry).await.unwrap_err();
        assert_eq!(error.code(), Code::ImageDownload);
        assert_eq!(error.message(), "there is no Claude Code 2.0.48");
        assert!(error.remedies()[0].contains(PINNED_VERSION));
    }

    #[tokio::test]
    async fn the_newest_version_is_what_the_registry_recommends() {
        let registry = answering("200 OK", r#"{"name":"claude-code","version":"2.1.400","dist":{}}"#).await;
        assert_eq!(newest_in(&registry).await.unwrap().to_string(), "2.1.400");
        let silent = answering("503 Service Unavailable", "").await;
        assert_eq!(newest_in(&silent).await.unwrap_err().code(), Code::ImageDownload);
    }

    #[tokio::test]
    async fn a_download_that_is_not_what_was_published_is_refused() {
        let tarball = answering("200 OK", "not what was published").await;
        let dir = tempfile::tempdir().unwrap();
        let from = Dist { tarball, ..published("sha512-AAAA") };
        let package = package("claude-code", "2.0.45");
        let error = package.download(&from, dir.path(), &ProgressSink::none()).await.unwrap_err();
        assert_eq!(error.code(), Code::ImageIntegrity);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "the damaged download stays");
    }
}
