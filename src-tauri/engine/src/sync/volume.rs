//! Reaching into a session's home volume, whatever state its container is in.
//!
//! A second container gives the archive API a view of the volume. So the data can be read when the
//! session's own container is gone, or cannot be read because the project it mounts is gone. It is
//! started only for Drydock's own program in it, which tells what changed and moves single files.

use crate::{
    container::{
        ArchiveLimits, ContainerEngine, Refused, TarSender, carried_out, engine_error, is_not_found,
        read_archive,
    },
    error_handling::{Code, Error, Result},
    image::{HOME_VOLUME_MOUNT, SessionUser},
    sync::{
        InwardPlan, News,
        inside::{Inside, PLACE, program_for},
    },
};
use bollard::{
    container::LogOutput,
    exec::{CreateExecOptions, StartExecResults},
    models::{ContainerCreateBody, HostConfig, Mount, MountType},
    query_parameters::{
        CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
        UploadToContainerOptionsBuilder,
    },
};
use futures_util::StreamExt;
use std::{
    collections::HashMap,
    io::{self, Read},
    path::Path,
};
use tokio_util::io::StreamReader;

/// A home volume, open for archives and for the program beside it.
#[derive(Debug)]
pub(crate) struct HomeVolume {
    engine: ContainerEngine,
    container: String,
    beside: Beside,
}

/// The program beside the home.
#[derive(Debug)]
enum Beside {
    NotAsked,
    Impossible,
    Speaking(Inside),
}

impl HomeVolume {
    /// Opens `volume` with a container named `name`, made from `image`. [`HomeVolume::close`] removes
    /// it again; one left by a killed process is taken over.
    pub(crate) async fn open(
        engine: &ContainerEngine,
        name: &str,
        image: &str,
        volume: &str,
        labels: HashMap<String, String>,
        user: &SessionUser,
    ) -> Result<Self> {
        let mut opened =
            Self { engine: engine.clone(), container: name.to_owned(), beside: Beside::NotAsked };
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec![PLACE.into()]),
            cmd: Some(vec!["wait".into()]),
            user: Some(format!("{}:{}", user.uid, user.gid)),
            labels: Some(labels),
            network_disabled: Some(true),
            host_config: Some(HostConfig {
                network_mode: Some("none".into()),
                cap_drop: Some(vec!["ALL".into()]),
                security_opt: Some(vec!["no-new-privileges:true".into()]),
                pids_limit: Some(32),
                init: Some(true),
                mounts: Some(vec![Mount {
                    typ: Some(MountType::VOLUME),
                    source: Some(volume.to_owned()),
                    target: Some(HOME_VOLUME_MOUNT.into()),
                    ..Mount::default()
                }]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        opened.remove().await?;
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let api = engine.api().clone();
        carried_out(async move { api.create_container(Some(options), body).await })
            .await
            .map_err(|cause| engine_error("open the session's home", cause))?;
        Ok(opened)
    }

    /// Brings a plan in, streamed.
    pub(crate) async fn bring_in(&mut self, plan: InwardPlan, user: &SessionUser) -> Result<News> {
        let (sender, mut chunks) = TarSender::new();
        let (user, arch) = (user.clone(), self.engine.arch.clone());
        let packing = tokio::task::spawn_blocking(move || plan.pack(sender, &user, &arch));
        let body = futures_util::stream::poll_fn(move |context| chunks.poll_recv(context));
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let sent = self
            .engine
            .api()
            .upload_to_container(&self.container, Some(options), bollard::body_stream(body))
            .await;
        let packed = packing
            .await
            .map_err(|cause| Error::new(Code::Internal, "packing your configuration stopped").why(cause))?;
        match (sent, packed) {
            (Ok(()), packed) => packed,
            // A file that could not be read ends the stream, and the engine then complains of that.
            (Err(_), Err(failed)) if failed.code() != Code::SyncIn => Err(failed),
            (Err(cause), _) => Err(engine_error("take your configuration into the session", cause)),
        }
    }

    /// Reads what is at `name` below the home; see [`read_archive`].
    pub(crate) async fn read<V: Send + 'static>(
        &mut self,
        name: &str,
        limits: ArchiveLimits,
        visitor: V,
        visit: impl Fn(&mut V, &Path, &mut dyn Read, u64) -> Result<()> + Send + 'static,
    ) -> Result<Option<(V, Vec<Refused>)>> {
        let path = Path::new(HOME_VOLUME_MOUNT).join(name);
        read_archive(self.engine.api(), &self.container, &path, limits, visitor, visit).await
    }

    /// One small file's content, if it is there.
    pub(crate) async fn read_small(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        const SMALL: u64 = 1 << 20;
        let found = self
            .read(name, ArchiveLimits::default(), None, |content: &mut Option<Vec<u8>>, _, reader, _| {
                let mut bytes = Vec::new();
                reader.take(SMALL).read_to_end(&mut bytes).map_err(|cause| {
                    Error::new(Code::SyncOut, "the session's files could not be read").why(cause)
                })?;
                *content = Some(bytes);
                Ok(())
            })
            .await?;
        Ok(found.and_then(|(content, _)| content))
    }

    /// The program beside the home, started if it was not; `None` where it cannot be had, and the
    /// archive has to do.
    pub(crate) async fn inside(&mut self) -> Option<&mut Inside> {
        if matches!(self.beside, Beside::NotAsked) {
            self.beside = match self.start_beside().await {
                Ok(inside) => Beside::Speaking(inside),
                Err(error) => {
                    tracing::warn!(%error, "the session's home is read as an archive");
                    Beside::Impossible
                }
            };
        }
        match &mut self.beside {
            Beside::Speaking(inside) => Some(inside),
            Beside::NotAsked | Beside::Impossible => None,
        }
    }

    async fn start_beside(&mut self) -> Result<Inside> {
        let program = program_for(&self.engine.arch).ok_or_else(|| {
            Error::new(
                Code::EngineUnsupported,
                "this build of Drydock has no program for the engine's machine",
            )
            .why(&self.engine.arch)
        })?;
        let failed = |cause| engine_error("start the program beside the session's home", cause);
        let api = self.engine.api();
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let archive = bollard::body_full(archive_of(program)?.into());
        api.upload_to_container(&self.container, Some(options), archive).await.map_err(failed)?;
        api.start_container(&self.container, None::<StartContainerOptions>).await.map_err(failed)?;
        let exec = CreateExecOptions {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(vec![PLACE, "serve", HOME_VOLUME_MOUNT]),
            ..CreateExecOptions::default()
        };
        let exec = api.create_exec(&self.container, exec).await.map_err(failed)?;
        let StartExecResults::Attached { output, input } =
            api.start_exec(&exec.id, None).await.map_err(failed)?
        else {
            return Err(Error::new(Code::EngineFailed, "the engine did not join the program's stream"));
        };
        let said = output.filter_map(|chunk| async {
            match chunk {
                Ok(LogOutput::StdOut { message }) => Some(Ok(message)),
                Ok(LogOutput::StdErr { message }) => {
                    tracing::warn!(said = %String::from_utf8_lossy(&message), "the program beside a session's home");
                    None
                }
                Ok(_) => None,
                Err(cause) => Some(Err(io::Error::other(cause))),
            }
        });
        Inside::greet(StreamReader::new(Box::pin(said)), input).await
    }

    /// Removes the container, not the volume.
    pub(crate) async fn close(mut self) -> Result<()> {
        self.remove().await
    }

    async fn remove(&mut self) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(false).build();
        match self.engine.api().remove_container(&self.container, Some(options)).await {
            Ok(()) => Ok(()),
            Err(cause) if is_not_found(&cause) => Ok(()),
            Err(cause) => Err(engine_error("close the session's home", cause)),
        }
    }
}

/// An archive with the program at its place, for the root folder.
fn archive_of(program: &[u8]) -> Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o755);
    header.set_size(program.len() as u64);
    let mut builder = tar::Builder::new(Vec::with_capacity(program.len() + 4096));
    builder
        .append_data(&mut header, PLACE.trim_start_matches('/'), program)
        .and_then(|()| builder.into_inner())
        .map_err(|cause| Error::new(Code::Internal, "an archive cannot be written").why(cause))
}
