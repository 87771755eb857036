//! Claude Code's native build, from the npm registry, checked against its publisher's digest.
//!
//! Source: since 2.1.113 `@anthropic-ai/claude-code` is a launcher over one package a platform,
//! `@anthropic-ai/claude-code-<os>-<arch>`, whose tarball holds the program at `package/claude`.

use super::{PINNED_VERSION, Progress, ProgressSink};
use crate::{
    container::hex,
    error_handling::{Code, Error, IoContext, Result},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flate2::read::GzDecoder;
use futures_util::StreamExt;
use serde::Deserialize;
use sha2::{Digest, Sha256, Sha512};
use std::{
    env, fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The digests of the pinned version, so that not even the registry can change what it is.
const PINNED: &[(&str, &str)] = &[
    (
        "x64",
        "sha512-9Gn+V7DtJ8M1nztP9CeDVl9g3RtrepI7rOFTyPRRnZe8D6zebIHKmC7OvBauucuAP0X0k85SDN/LPVZyjsGezQ==",
    ),
    (
        "arm64",
        "sha512-V4yanAY5EA5UpwwRPtjSfqDbNqAlUJeVn3NYZw2AgmRHjdpSsLtHAzbxRXfkAnbjwTXzE0uedjQxUY02ARPcsA==",
    ),
];

#[derive(Deserialize)]
struct Published {
    dist: Dist,
}

#[derive(Deserialize)]
struct Dist {
    integrity: String,
    tarball: String,
}

/// The program for Linux on an architecture (in Docker's words), from the cache or the registry.
pub(super) async fn fetch(
    cache: &Path,
    version: &str,
    arch: &str,
    progress: &ProgressSink,
) -> Result<PathBuf> {
    let arch = match arch {
        "amd64" => "x64",
        "arm64" => "arm64",
        other => {
            return Err(Error::new(
                Code::EngineUnsupported,
                format!("there is no Claude Code for the engine's architecture, {other}"),
            )
            .remedy("use an engine with amd64 or arm64 containers"));
        }
    };
    let dir = cache.join("claude-code").join(format!("{version}-linux-{arch}"));
    let program = dir.join("claude");
    let (dir_known, program_known) = (dir.clone(), program.clone());
    if blocking(move || Ok(is_intact(&dir_known, &program_known))).await? {
        return Ok(program);
    }
    let published = published(version, arch).await?;
    if version == PINNED_VERSION
        && let Some((_, pinned)) = PINNED.iter().find(|(name, _)| *name == arch)
        && *pinned != published.integrity
    {
        return Err(Error::new(
            Code::ImageIntegrity,
            format!("the registry's Claude Code {version} is not the one this Drydock was made with"),
        )
        .why(format!("expected {pinned}"))
        .why(format!("published {}", published.integrity))
        .remedy("check the npm registry in use (NPM_CONFIG_REGISTRY), or update Drydock"));
    }
    crate::paths::create_private_dir(&dir)?;
    let archive = download(&dir, &published, version, progress).await?;
    let (dir, unpacked) = (dir.clone(), program.clone());
    blocking(move || unpack(archive.path(), &dir, &unpacked)).await?;
    Ok(program)
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

async fn published(version: &str, arch: &str) -> Result<Dist> {
    let url = format!("{}/@anthropic-ai%2fclaude-code-linux-{arch}/{version}", registry());
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
        return Err(Error::new(
            Code::ImageDownload,
            format!("there is no Claude Code {version} for linux-{arch}"),
        )
        .remedy(format!("drydock settings set image.claude_version {PINNED_VERSION}")));
    }
    let found = response.error_for_status().map_err(failed)?.json::<Published>().await.map_err(failed)?;
    Ok(found.dist)
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

async fn download(
    dir: &Path,
    published: &Dist,
    version: &str,
    progress: &ProgressSink,
) -> Result<tempfile::NamedTempFile> {
    let failed = |cause: reqwest::Error| {
        Error::new(Code::ImageDownload, format!("the download of Claude Code {version} broke off"))
            .why(source_chain(&cause))
            .remedy("run the command again")
    };
    let response = client()?
        .get(&published.tarball)
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
        progress.report(Progress::Download { what: format!("Claude Code {version}"), done, total });
    }
    let found = format!("sha512-{}", BASE64.encode(digest.finalize()));
    if found != published.integrity {
        return Err(Error::new(
            Code::ImageIntegrity,
            format!("the download of Claude Code {version} is damaged"),
        )
        .why(format!("expected {}", published.integrity))
        .why(format!("received {found}"))
        .remedy("run the command again"));
    }
    Ok(file)
}

/// Takes the program out of the package, with its digest beside it, by rename at the end.
fn unpack(archive: &Path, dir: &Path, program: &Path) -> Result<()> {
    let file = fs::File::open(archive).context("open", archive)?;
    let mut package = tar::Archive::new(GzDecoder::new(file));
    for entry in package.entries().context("read", archive)? {
        let mut entry = entry.context("read", archive)?;
        if entry.path_bytes().as_ref() != b"package/claude" {
            continue;
        }
        let mut staged = tempfile::NamedTempFile::new_in(dir).context("write in", dir)?;
        let mut digest = Sha256::new();
        copy_with(&mut entry, staged.as_file_mut(), |chunk| digest.update(chunk))
            .context("write", program)?;
        staged.as_file().set_permissions(fs::Permissions::from_mode(0o755)).context("write", program)?;
        staged.as_file().sync_all().context("flush", program)?;
        fs::write(digest_file(dir), hex(&digest.finalize())).context("write", &digest_file(dir))?;
        staged.persist(program).map_err(|failed| Error::io("write", program, &failed.error))?;
        return Ok(());
    }
    Err(Error::new(Code::ImageDownload, "the package of Claude Code holds no program")
        .remedy("choose another version: drydock settings set image.claude_version"))
}

fn digest_file(dir: &Path) -> PathBuf {
    dir.join("claude.sha256")
}

/// Whether the cached program is what was unpacked; a cache is read for years.
fn is_intact(dir: &Path, program: &Path) -> bool {
    let Ok(expected) = fs::read_to_string(digest_file(dir)) else { return false };
    let Ok(mut file) = fs::File::open(program) else { return false };
    let mut digest = Sha256::new();
    copy_with(&mut file, &mut io::sink(), |chunk| digest.update(chunk)).is_ok()
        && hex(&digest.finalize()) == expected.trim()
}

fn copy_with(from: &mut dyn Read, to: &mut dyn Write, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        each(&buffer[..count]);
        to.write_all(&buffer[..count])?;
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))?
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

    #[test]
    fn a_cached_program_that_changed_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("claude");
        fs::write(&program, "program").unwrap();
        assert!(!is_intact(dir.path(), &program), "no digest yet");
        fs::write(digest_file(dir.path()), hex(&Sha256::digest(b"program"))).unwrap();
        assert!(is_intact(dir.path(), &program));
        fs::write(&program, "pr0gram").unwrap();
        assert!(!is_intact(dir.path(), &program));
    }

    #[test]
    fn a_package_without_the_program_is_an_error_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("package.tgz");
        let gz =
            flate2::write::GzEncoder::new(fs::File::create(&archive).unwrap(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(gz);
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        header.set_cksum();
        builder.append_data(&mut header, "package/README.md", &b"hi"[..]).unwrap();
        builder.into_inner().unwrap().finish().unwrap();
        let program = dir.path().join("claude");
        let error = unpack(&archive, dir.path(), &program).unwrap_err();
        assert_eq!(error.code(), Code::ImageDownload);
        assert!(!program.exists());
    }
}
