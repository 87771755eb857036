//! Reaching into a session's home volume, whatever state its container is in.
//!
//! A second container that is never started gives the archive API a view of the volume. So the data
//! can be read when the session's own container is gone, or cannot be read because the project it
//! mounts is gone.

use crate::{
    container::{
        ArchiveLimits, ContainerEngine, Refused, TarSender, engine_error, is_not_found, read_archive,
    },
    error_handling::{Code, Error, Result},
    image::{HOME_VOLUME_MOUNT, SessionUser},
    sync::inward::{Brought, InwardPlan},
};
use bollard::{
    models::{ContainerCreateBody, HostConfig, Mount, MountType},
    query_parameters::{
        CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, UploadToContainerOptionsBuilder,
    },
};
use std::{collections::HashMap, io::Read, path::Path};

/// A home volume, open for archives.
pub(crate) struct HomeVolume<'a> {
    engine: &'a ContainerEngine,
    container: String,
}

impl<'a> HomeVolume<'a> {
    /// Opens `volume` with a container named `name`, made from `image`. [`HomeVolume::close`] removes
    /// it again; one left by a killed process is taken over.
    pub(crate) async fn open(
        engine: &'a ContainerEngine,
        name: &str,
        image: &str,
        volume: &str,
        labels: HashMap<String, String>,
    ) -> Result<Self> {
        let opened = Self { engine, container: name.to_owned() };
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            labels: Some(labels),
            network_disabled: Some(true),
            host_config: Some(HostConfig {
                network_mode: Some("none".into()),
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
        engine
            .api()
            .create_container(Some(options), body)
            .await
            .map_err(|cause| engine_error("open the session's home", cause))?;
        Ok(opened)
    }

    /// Brings a plan in, streamed.
    pub(crate) async fn bring_in(&self, plan: InwardPlan, user: &SessionUser) -> Result<Brought> {
        let (sender, mut chunks) = TarSender::new();
        let user = user.clone();
        let packing = tokio::task::spawn_blocking(move || plan.pack(sender, &user));
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
        &self,
        name: &str,
        visitor: V,
        visit: impl Fn(&mut V, &Path, &mut dyn Read, u64) -> Result<()> + Send + 'static,
    ) -> Result<Option<(V, Vec<Refused>)>> {
        let path = Path::new(HOME_VOLUME_MOUNT).join(name);
        read_archive(self.engine.api(), &self.container, &path, ArchiveLimits::default(), visitor, visit)
            .await
    }

    /// One small file's content, if it is there.
    pub(crate) async fn read_small(&self, name: &str) -> Result<Option<Vec<u8>>> {
        const SMALL: u64 = 1 << 20;
        let found = self
            .read(name, None, |content: &mut Option<Vec<u8>>, _, reader, _| {
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

    /// Removes the container, not the volume.
    pub(crate) async fn close(self) -> Result<()> {
        self.remove().await
    }

    async fn remove(&self) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(false).build();
        match self.engine.api().remove_container(&self.container, Some(options)).await {
            Ok(()) => Ok(()),
            Err(cause) if is_not_found(&cause) => Ok(()),
            Err(cause) => Err(engine_error("close the session's home", cause)),
        }
    }
}
