//! What the engine has of a session: its container, its home, and the views into it.

use super::{
    SessionId, Sessions,
    blocking::blocking,
    configuration::{LABEL_SESSION, LABEL_VIEW},
    record::Record,
    staging::{Staging, clear_left_views},
};
use crate::{
    container::{carried_out, engine_error, is_not_found},
    error_handling::{Code, Error, Result},
    image::{self, SessionUser},
    sync::HomeVolume,
};
use bollard::{
    models::VolumeCreateRequest,
    query_parameters::{RemoveContainerOptionsBuilder, RemoveVolumeOptions, StartContainerOptions},
};

impl Sessions {
    /// An engine on another computer, or one that shares only some folders, has not got the project.
    pub(super) fn explain_refusal(&self, record: &Record, error: Error) -> Error {
        if !error.causes().iter().any(|cause| cause.contains("bind source path does not exist")) {
            return error;
        }
        let project = record.project.root.display();
        Error::new(
            Code::EngineUnsupported,
            format!("the engine at {} has no folder {project}", self.engine.address),
        )
        .why("it runs on another computer, or does not share that folder")
        .remedy("use an engine on this computer: drydock settings set container.engine auto")
        .remedy("or share the folder in the engine's own settings")
    }

    pub(super) async fn start_container(&self, record: &Record) -> Result<()> {
        let (api, name) = (self.engine.api().clone(), record.id.container());
        carried_out(async move { api.start_container(&name, None::<StartContainerOptions>).await })
            .await
            .map_err(|cause| {
                let cause = engine_error("start the session", cause);
                let mut error = Error::new(Code::ImageBroken, "the session's container does not start");
                for why in cause.causes() {
                    error = error.why(why);
                }
                error
                    .remedy("drydock image build --fresh   (builds the session image anew)")
                    .remedy("drydock doctor")
            })
    }

    pub(super) async fn make_volume(&self, record: &Record) -> Result<()> {
        let request = VolumeCreateRequest {
            name: Some(record.id.volume()),
            labels: Some(self.labels(record)),
            ..VolumeCreateRequest::default()
        };
        let api = self.engine.api().clone();
        carried_out(async move { api.create_volume(request).await })
            .await
            .map(drop)
            .map_err(|cause| engine_error("make the session's home", cause))
    }

    pub(super) async fn stage(&self, record: &Record) -> Result<Staging> {
        let (id, project, user) =
            (record.id.clone(), record.project.clone(), SessionUser::from(&record.user));
        let kind = self.engine.kind;
        blocking(move || Staging::prepare(&id, &project, kind, &user)).await
    }

    /// Opens the session's home; the image of the session may be gone, any session image will do.
    pub(super) async fn open_volume(&self, record: &Record) -> Result<HomeVolume> {
        // One for each reader: a sync on request does not end the one that goes on in the background.
        let name = format!("{}-view-{:08x}", record.id.container(), uuid::Uuid::new_v4().as_fields().0);
        let mut labels = self.labels(record);
        labels.remove(LABEL_SESSION);
        labels.insert(LABEL_VIEW.into(), record.id.to_string());
        let image = self.image_to_read_with(record).await?;
        let user = SessionUser::from(&record.user);
        HomeVolume::open(&self.engine, &name, &image, &record.id.volume(), labels, &user).await
    }

    /// The session's own image, or any session image where that is gone.
    async fn image_to_read_with(&self, record: &Record) -> Result<String> {
        let images = image::list_images(&self.engine).await?;
        let own = images.iter().find(|image| image.tag == record.image);
        own.or(images.first()).map(|image| image.tag.clone()).ok_or_else(|| {
            Error::new(Code::ImageMissing, "no session image is there to read the session's data with")
                .remedy("drydock image build")
        })
    }

    /// Removes a session's container, views and volume, in this order, passing over what is gone.
    pub(super) async fn remove_parts(&self, id: &SessionId) -> Result<()> {
        let api = self.engine.api();
        let options = || Some(RemoveContainerOptionsBuilder::new().force(true).v(false).build());
        let mut names = vec![id.container()];
        names.extend(self.views_of(id).await?);
        for name in names {
            match api.remove_container(&name, options()).await {
                Ok(()) => {}
                Err(cause) if is_not_found(&cause) => {}
                Err(cause) => return Err(engine_error("remove the session's container", cause)),
            }
        }
        let left = id.clone();
        blocking(move || {
            clear_left_views(&left);
            Ok(())
        })
        .await?;
        match api.remove_volume(&id.volume(), None::<RemoveVolumeOptions>).await {
            Ok(()) => Ok(()),
            Err(cause) if is_not_found(&cause) => Ok(()),
            Err(cause) => Err(engine_error("remove the session's home", cause)),
        }
    }
}
