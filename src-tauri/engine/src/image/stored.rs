//! The session images that the engine has, and which of them launches use.

use super::recipe::{ImageVersion, SessionUser};
use crate::{
    container::{ContainerEngine, engine_error, is_not_found},
    error_handling::{Code, Error, Result},
    paths::{Locations, write_private},
    settings::Settings,
};
use bollard::query_parameters::{ListContainersOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    fs,
    path::PathBuf,
};

const LABEL_BASE: &str = "dev.drydock.image.base";
const LABEL_CLAUDE: &str = "dev.drydock.image.claude";
const LABEL_RECIPE: &str = "dev.drydock.image.recipe";
const LABEL_USER: &str = "dev.drydock.image.user";

/// A session image in the engine.
#[derive(Debug, Clone, Serialize)]
pub struct StoredImage {
    /// The engine's id of its content.
    pub id: String,
    /// Its name.
    pub tag: String,
    /// What it is made of.
    pub version: ImageVersion,
    /// `uid:gid` of sessions.
    pub user: String,
    /// Bytes.
    pub size: u64,
    /// When it was built.
    pub created: DateTime<Utc>,
}

/// What a clean-up removed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Collected {
    /// Names of the images that are gone.
    pub removed: Vec<String>,
    /// Bytes they took, layers that other images share included.
    pub bytes: u64,
    /// Images that stay because a session uses them, or a deployment needs them.
    pub in_use: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Current {
    tag: String,
}

pub(super) fn labels(version: &ImageVersion, user: &SessionUser) -> HashMap<String, String> {
    HashMap::from([
        (LABEL_BASE.into(), version.base_digest.clone()),
        (LABEL_CLAUDE.into(), version.claude_version.clone()),
        (LABEL_RECIPE.into(), version.recipe_digest.clone()),
        (LABEL_USER.into(), user.ids()),
    ])
}

/// Every session image in the engine, newest first.
///
/// # Errors
/// When the engine does not answer.
pub async fn list_images(engine: &ContainerEngine) -> Result<Vec<StoredImage>> {
    let filters = HashMap::from([("label", vec![LABEL_RECIPE])]);
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    let found = engine
        .api()
        .list_images(Some(options))
        .await
        .map_err(|cause| engine_error("list its images", cause))?;
    let mut images: Vec<_> = found
        .into_iter()
        .filter_map(|image| {
            let label = |name: &str| image.labels.get(name).cloned();
            Some(StoredImage {
                tag: image.repo_tags.iter().find(|tag| tag.starts_with("drydock/session:"))?.clone(),
                version: ImageVersion {
                    base_digest: label(LABEL_BASE)?,
                    claude_version: label(LABEL_CLAUDE)?,
                    recipe_digest: label(LABEL_RECIPE)?,
                },
                user: label(LABEL_USER)?,
                size: u64::try_from(image.size).unwrap_or_default(),
                created: DateTime::from_timestamp(image.created, 0).unwrap_or_default(),
                id: image.id.clone(),
            })
        })
        .collect();
    images.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.tag.cmp(&b.tag)));
    Ok(images)
}

pub(super) async fn find(engine: &ContainerEngine, version: &ImageVersion) -> Result<Option<StoredImage>> {
    Ok(list_images(engine).await?.into_iter().find(|image| image.tag == version.tag()))
}

/// The image that launches use, if it is in the engine and is what the settings ask for.
///
/// # Errors
/// When the engine does not answer.
pub async fn current_image(
    engine: &ContainerEngine,
    locations: &Locations,
    settings: &Settings,
) -> Result<Option<StoredImage>> {
    let Ok(text) = fs::read(current_file(locations)) else { return Ok(None) };
    let Ok(current) = serde_json::from_slice::<Current>(&text) else { return Ok(None) };
    let user = SessionUser::current().ids();
    Ok(list_images(engine).await?.into_iter().find(|image| {
        image.tag == current.tag
            && image.version.claude_version == settings.claude_version()
            && image.user == user
    }))
}

fn current_file(locations: &Locations) -> PathBuf {
    locations.data_dir.join("image.json")
}

pub(super) fn make_current(locations: &Locations, image: &StoredImage) -> Result<()> {
    let text = serde_json::to_vec(&Current { tag: image.tag.clone() })
        .map_err(|cause| Error::new(Code::Internal, "the image's name cannot be written").why(cause))?;
    write_private(&current_file(locations), &text)
}

/// Removes session images that are neither current nor used by a session of anybody, nor `needed`: by their digests,
/// those that a deployment tries or may go back to.
///
/// # Errors
/// When the engine does not answer.
pub async fn collect_images(
    engine: &ContainerEngine,
    locations: &Locations,
    settings: &Settings,
    needed: &[String],
) -> Result<Collected> {
    let current = current_image(engine, locations, settings).await?.map(|image| image.tag);
    let options = ListContainersOptionsBuilder::new().all(true).build();
    let containers = engine
        .api()
        .list_containers(Some(options))
        .await
        .map_err(|cause| engine_error("list its containers", cause))?;
    let used: HashSet<_> = containers.into_iter().filter_map(|one| one.image_id).collect();
    let mut collected = Collected::default();
    for image in list_images(engine).await? {
        if Some(&image.tag) == current.as_ref() {
            continue;
        }
        if used.contains(&image.id) || needed.contains(&image.id) {
            collected.in_use.push(image.tag);
            continue;
        }
        match engine.api().remove_image(&image.tag, None::<RemoveImageOptions>, None).await {
            Ok(_) => {
                collected.bytes += image.size;
                collected.removed.push(image.tag);
            }
            Err(cause) if is_not_found(&cause) => {}
            Err(cause) => return Err(engine_error("remove an image", cause)),
        }
    }
    Ok(collected)
}
