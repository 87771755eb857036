//! Claude Code in the cache, fetched once for each version.
//!
//! Source: since 2.1.113 `@anthropic-ai/claude-code` is a launcher over one package a platform,
//! `@anthropic-ai/claude-code-<os>-<arch>`, whose tarball holds the program at `package/claude`. Before, it
//! was itself the program: `package/cli.js`, for Node.js 18 and later.

use super::{
    claude_version::{ClaudeVersion, Packaging},
    registry::Package,
};
use crate::{
    container::hex,
    error_handling::{Code, Error, IoContext, Result},
    progress::ProgressSink,
};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// Claude Code for Linux on an architecture (in Docker's words), from the cache or the registry: the
/// program, or the package of a script.
pub(super) async fn fetch(
    cache: &Path,
    version: ClaudeVersion,
    arch: &str,
    progress: &ProgressSink,
) -> Result<PathBuf> {
    let packaging = version.packaging();
    let (name, platform) = match packaging {
        Packaging::Native => native(arch)?,
        // It is the same for every platform.
        Packaging::Script => ("claude-code", "script"),
    };
    let dir = cache.join("claude-code").join(format!("{version}-{platform}"));
    let kept = dir.join(packaging.file());
    let known = kept.clone();
    if blocking(move || Ok(is_intact(&known))).await? {
        return Ok(kept);
    }
    let package = Package { name, version };
    let published = package.find().await?;
    crate::paths::create_private_dir(&dir)?;
    let archive = package.download(&published, &dir, progress).await?;
    let file = kept.clone();
    blocking(move || match packaging {
        Packaging::Native => take_program(archive.path(), &file),
        Packaging::Script => keep_package(archive, &file),
    })
    .await?;
    Ok(kept)
}

/// The package for an architecture, and the platform in npm's words.
fn native(arch: &str) -> Result<(&'static str, &'static str)> {
    match arch {
        "amd64" => Ok(("claude-code-linux-x64", "linux-x64")),
        "arm64" => Ok(("claude-code-linux-arm64", "linux-arm64")),
        other => Err(Error::new(
            Code::EngineUnsupported,
            format!("there is no Claude Code for the engine's architecture, {other}"),
        )
        .remedy("use an engine with amd64 or arm64 containers")),
    }
}

/// Takes the program out of the package, with its digest beside it, by rename at the end.
fn take_program(archive: &Path, program: &Path) -> Result<()> {
    let file = fs::File::open(archive).context("open", archive)?;
    let mut package = tar::Archive::new(GzDecoder::new(file));
    for entry in package.entries().context("read", archive)? {
        let mut entry = entry.context("read", archive)?;
        if entry.path_bytes().as_ref() != b"package/claude" {
            continue;
        }
        let mut staged = NamedTempFile::new_in(folder(program)).context("write in", folder(program))?;
        let mut digest = Sha256::new();
        copy_with(&mut entry, staged.as_file_mut(), |chunk| digest.update(chunk))
            .context("write", program)?;
        staged.as_file().set_permissions(fs::Permissions::from_mode(0o755)).context("write", program)?;
        return keep(staged, program, &hex(&digest.finalize()));
    }
    Err(no_program())
}

/// Keeps a package whole, if the script is in it: the image's build unpacks it.
fn keep_package(archive: NamedTempFile, kept: &Path) -> Result<()> {
    let file = fs::File::open(archive.path()).context("open", archive.path())?;
    let mut package = tar::Archive::new(GzDecoder::new(file));
    for entry in package.entries().context("read", archive.path())? {
        if entry.context("read", archive.path())?.path_bytes().as_ref() == b"package/cli.js" {
            let digest = digest_of(archive.path()).context("read", archive.path())?;
            return keep(archive, kept, &digest);
        }
    }
    Err(no_program())
}

fn no_program() -> Error {
    Error::new(Code::ImageDownload, "the package of Claude Code holds no program")
        .remedy("choose another version: drydock settings set image.claude_version")
}

fn keep(staged: NamedTempFile, kept: &Path, digest: &str) -> Result<()> {
    staged.as_file().sync_all().context("flush", kept)?;
    fs::write(digest_file(kept), digest).context("write", &digest_file(kept))?;
    staged.persist(kept).map(drop).map_err(|failed| Error::io("write", kept, &failed.error))
}

fn folder(kept: &Path) -> &Path {
    kept.parent().unwrap_or(kept)
}

fn digest_file(kept: &Path) -> PathBuf {
    kept.with_extension("sha256")
}

/// Whether what is kept is what was fetched; a cache is read for years.
fn is_intact(kept: &Path) -> bool {
    fs::read_to_string(digest_file(kept))
        .is_ok_and(|expected| digest_of(kept).is_ok_and(|found| found == expected.trim()))
}

fn digest_of(file: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    copy_with(&mut fs::File::open(file)?, &mut io::sink(), |chunk| digest.update(chunk))?;
    Ok(hex(&digest.finalize()))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A package with one file in it.
    fn package(dir: &Path, name: &str, text: &[u8]) -> NamedTempFile {
        let archive = NamedTempFile::new_in(dir).unwrap();
        let gz = flate2::write::GzEncoder::new(archive.reopen().unwrap(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(gz);
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_cksum();
        builder.append_data(&mut header, name, text).unwrap();
        builder.into_inner().unwrap().finish().unwrap();
        archive
    }

    #[test]
    fn what_changed_in_the_cache_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("claude");
        fs::write(&program, "program").unwrap();
        assert!(!is_intact(&program), "no digest yet");
        fs::write(dir.path().join("claude.sha256"), hex(&Sha256::digest(b"program"))).unwrap();
        assert!(is_intact(&program));
        fs::write(&program, "pr0gram").unwrap();
        assert!(!is_intact(&program));
    }

    #[test]
    fn a_program_is_taken_out_of_its_package() {
        let dir = tempfile::tempdir().unwrap();
        let archive = package(dir.path(), "package/claude", b"program");
        let program = dir.path().join("claude");
        take_program(archive.path(), &program).unwrap();
        assert_eq!(fs::read(&program).unwrap(), b"program");
        assert_eq!(program.metadata().unwrap().permissions().mode() & 0o777, 0o755);
        assert!(is_intact(&program));
    }

    #[test]
    fn a_script_is_kept_in_its_package() {
        let dir = tempfile::tempdir().unwrap();
        let archive = package(dir.path(), "package/cli.js", b"script");
        let published = fs::read(archive.path()).unwrap();
        let kept = dir.path().join("claude-code.tgz");
        keep_package(archive, &kept).unwrap();
        assert_eq!(fs::read(&kept).unwrap(), published);
        assert!(is_intact(&kept));
    }

    #[test]
    fn a_package_without_the_program_is_an_error_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let kept = dir.path().join("claude");
        let archive = package(dir.path(), "package/README.md", b"hi");
        assert_eq!(take_program(archive.path(), &kept).unwrap_err().code(), Code::ImageDownload);
        assert_eq!(keep_package(archive, &kept).unwrap_err().code(), Code::ImageDownload);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_architecture_without_a_program_is_told() {
        assert_eq!(native("arm64").unwrap().0, "claude-code-linux-arm64");
        assert_eq!(native("riscv64").unwrap_err().code(), Code::EngineUnsupported);
    }
}
