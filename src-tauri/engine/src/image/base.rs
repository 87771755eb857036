//! The image that session images start from: local, pulled, or made from Debian's packages.

use crate::{
    container::{ContainerEngine, engine_error, is_not_found},
    error_handling::{Code, Error, IoContext, Result},
    program::without_keys,
    progress::{Progress, ProgressSink},
};
use bollard::query_parameters::{CreateImageOptionsBuilder, RemoveImageOptions};
use futures_util::StreamExt;
use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Command,
};

/// The prefix that asks for a base made of Debian's packages: `debootstrap:bookworm`.
const DEBOOTSTRAP: &str = "debootstrap:";

/// A base image that is in the engine.
#[derive(Debug, Clone)]
pub(super) struct BaseImage {
    /// What `FROM` names.
    pub(super) reference: String,
    /// Its content.
    pub(super) digest: String,
}

/// Makes sure the base is in the engine.
pub(super) async fn ensure(
    engine: &ContainerEngine,
    cache: &Path,
    name: &str,
    progress: &ProgressSink,
) -> Result<BaseImage> {
    let (reference, suite) = match name.strip_prefix(DEBOOTSTRAP) {
        Some(suite) => (format!("drydock/base:{suite}"), Some(suite)),
        None => (name.to_owned(), None),
    };
    if let Some(found) = inspect(engine, &reference).await? {
        return Ok(found);
    }
    match suite {
        Some(suite) => debootstrap(engine, cache, suite, &reference, progress).await?,
        None => pull(engine, &reference, progress).await?,
    }
    inspect(engine, &reference).await?.ok_or_else(|| {
        Error::new(Code::ImageBaseMissing, format!("the base image {reference} did not arrive"))
    })
}

async fn inspect(engine: &ContainerEngine, reference: &str) -> Result<Option<BaseImage>> {
    match engine.api().inspect_image(reference).await {
        Ok(image) => {
            // A registry's digest names the same content on every machine; a local image has its id.
            let published = image.repo_digests.unwrap_or_default().into_iter().next();
            let digest = published
                .and_then(|name| name.split_once('@').map(|(_, digest)| digest.to_owned()))
                .or(image.id)
                .unwrap_or_default();
            Ok(Some(BaseImage { reference: reference.to_owned(), digest }))
        }
        Err(cause) if is_not_found(&cause) => Ok(None),
        Err(cause) => Err(engine_error("look for the base image", cause)),
    }
}

async fn pull(engine: &ContainerEngine, reference: &str, progress: &ProgressSink) -> Result<()> {
    progress.report(Progress::Step(format!("pulling {reference}")));
    let options = CreateImageOptionsBuilder::new().from_image(&tagged(reference)).build();
    let mut lines = engine.api().create_image(Some(options), None, None);
    while let Some(line) = lines.next().await {
        let line = line.map_err(|cause| {
            let mut error = Error::new(
                Code::ImageBaseMissing,
                format!("the base image {reference} is not in the engine and could not be pulled"),
            )
            .why(engine_error("pull it", cause).causes().join("; "))
            .remedy("check the network, or name an image that is there: drydock image build --base IMAGE");
            if cfg!(target_os = "linux") {
                error = error.remedy(
                    "make one from Debian's packages: drydock image build --base debootstrap:bookworm",
                );
            }
            error
        })?;
        if let (Some(status), Some(detail)) = (line.status, line.progress_detail)
            && let (Some(done), Some(total)) = (detail.current, detail.total)
            && total > 0
        {
            progress.report(Progress::Bytes {
                what: format!("{} {}", status.to_lowercase(), line.id.unwrap_or_default()),
                done: u64::try_from(done).unwrap_or_default(),
                total: u64::try_from(total).ok(),
            });
        }
    }
    Ok(())
}

/// Without a tag, the engine would pull every tag there is.
fn tagged(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    if last.contains(':') || last.contains('@') {
        reference.to_owned()
    } else {
        format!("{reference}:latest")
    }
}

/// Makes a minimal Debian by `debootstrap` and gives it to the engine.
async fn debootstrap(
    engine: &ContainerEngine,
    cache: &Path,
    suite: &str,
    reference: &str,
    progress: &ProgressSink,
) -> Result<()> {
    if !suite.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') || suite.is_empty() {
        return Err(Error::new(Code::Usage, format!("`{suite}` is not the name of a Debian release"))
            .remedy("drydock image build --base debootstrap:bookworm"));
    }
    let program = find_program("debootstrap").ok_or_else(|| {
        Error::new(Code::ImageBaseMissing, "a base from Debian's packages needs the program debootstrap")
            .why("it is not installed")
            .remedy("sudo apt-get install debootstrap")
    })?;
    crate::paths::create_private_dir(cache)?;
    let dir =
        tempfile::Builder::new().prefix("base-").tempdir_in(cache).context("make a folder in", cache)?;
    let root = dir.path().join("root");
    progress.report(Progress::Step(format!("making a Debian {suite} from its packages")));
    let mut command = as_root(&program);
    command.args(["--variant=minbase", "--include=ca-certificates", suite]).arg(&root);
    run_with_lines(command, progress).await.map_err(|tail| {
        Error::new(Code::ImageBaseMissing, format!("debootstrap could not make Debian {suite}"))
            .why(tail)
            .remedy("check the network and that this user may use sudo, then run the command again")
    })?;
    progress.report(Progress::Step(format!("giving Debian {suite} to the engine")));
    let imported = import(engine, &root, reference).await;
    // What debootstrap made belongs to root: without being root, only root can clear it away.
    let mut clear = as_root(Path::new("/bin/rm"));
    clear.arg("-rf").arg(&root);
    let cleared = clear.status().await.context("clear away", &root)?;
    if !cleared.success() {
        tracing::warn!(folder = %root.display(), "a temporary folder could not be cleared away");
    }
    imported
}

async fn import(engine: &ContainerEngine, root: &Path, reference: &str) -> Result<()> {
    let mut tar = as_root(Path::new("/bin/tar"));
    tar.arg("--numeric-owner").arg("--exclude=./var/cache/apt/archives/*.deb").arg("--exclude=./dev/*");
    tar.arg("-C").arg(root).args(["-c", "."]).stdout(Stdio::piped()).stdin(Stdio::null());
    let mut child = tar.spawn().context("start", Path::new("/bin/tar"))?;
    let Some(stdout) = child.stdout.take() else {
        return Err(Error::new(Code::Internal, "tar has no output"));
    };
    let chunks = futures_util::stream::unfold(stdout, |mut stdout| async move {
        let mut chunk = vec![0; 256 << 10];
        match stdout.read(&mut chunk).await {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                chunk.truncate(count);
                Some((bytes::Bytes::from(chunk), stdout))
            }
        }
    });
    let (repository, tag) = reference.rsplit_once(':').unwrap_or((reference, "latest"));
    let options = CreateImageOptionsBuilder::new().from_src("-").repo(repository).tag(tag).build();
    let body = bollard::body_stream(chunks);
    let mut lines = engine.api().create_image(Some(options), Some(body), None);
    while let Some(line) = lines.next().await {
        line.map_err(|cause| engine_error("take the base image", cause))?;
    }
    let status = child.wait().await.context("run", Path::new("/bin/tar"))?;
    if status.success() {
        return Ok(());
    }
    // Half a base must not be found by the next build.
    let _ = engine.api().remove_image(reference, None::<RemoveImageOptions>, None).await;
    Err(Error::new(Code::ImageBaseMissing, "the base image could not be packed").why(status))
}

/// The command itself for root, else through `sudo` without a question.
fn as_root(program: &Path) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::from(without_keys(program))
    } else {
        let mut sudo = Command::from(without_keys("sudo"));
        sudo.arg("-n").arg(program);
        sudo
    };
    command.kill_on_drop(true);
    command
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Runs a command, its lines as progress; gives its last lines when it fails.
async fn run_with_lines(mut command: Command, progress: &ProgressSink) -> std::result::Result<(), String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|cause| cause.to_string())?;
    let mut tail = std::collections::VecDeque::new();
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("it has no output".into());
    };
    let mut stdout = BufReader::new(stdout).lines();
    let mut stderr = BufReader::new(stderr).lines();
    let (mut more_out, mut more_err) = (true, true);
    while more_out || more_err {
        let line = tokio::select! {
            line = stdout.next_line(), if more_out => { let line = line.ok().flatten(); more_out = line.is_some(); line }
            line = stderr.next_line(), if more_err => { let line = line.ok().flatten(); more_err = line.is_some(); line }
        };
        if let Some(line) = line {
            progress.report(Progress::Line(line.clone()));
            tail.push_back(line);
            if tail.len() > 5 {
                tail.pop_front();
            }
        }
    }
    match child.wait().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{} ({status})", tail.make_contiguous().join(" / "))),
        Err(cause) => Err(cause.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_tag_means_latest() {
        assert_eq!(tagged("debian"), "debian:latest");
        assert_eq!(tagged("localhost:5000/debian"), "localhost:5000/debian:latest");
        assert_eq!(tagged("debian:bookworm-slim"), "debian:bookworm-slim");
        assert_eq!(tagged("debian@sha256:ab"), "debian@sha256:ab");
    }
}
