//! Building the session image through the engine's API.

use super::{
    base, claude_code,
    claude_version::Packaging,
    recipe::{ImageVersion, Recipe, SessionUser, entry},
    stored::{self, StoredImage},
};
use crate::{
    container::{ContainerEngine, TarSender, engine_error},
    error_handling::{Code, Error, IoContext, Result},
    paths::Locations,
    progress::{Progress, ProgressSink},
    settings::Settings,
};
use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::StreamExt;
use std::{
    collections::{HashMap, VecDeque},
    fs,
    io::Write,
    path::PathBuf,
};

/// Whether a build may use what an earlier one left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerCache {
    /// Steps that did not change are taken from it.
    Use,
    /// Every step runs again, with today's packages.
    Ignore,
}

/// Builds the image that the settings describe, makes it the current one, and returns it.
///
/// An image of the same version that the engine already has is not built again, unless the cache is
/// to be ignored.
///
/// # Errors
/// `image.*` codes; nothing half-built stays behind.
pub async fn build_image(
    engine: &ContainerEngine,
    locations: &Locations,
    settings: &Settings,
    cache: LayerCache,
    progress: &ProgressSink,
) -> Result<StoredImage> {
    let built = build_version(engine, locations, settings, cache, progress).await?;
    stored::make_current(locations, &built)?;
    Ok(built)
}

/// The same, beside the current one, which stays what it is.
pub(crate) async fn build_version(
    engine: &ContainerEngine,
    locations: &Locations,
    settings: &Settings,
    cache: LayerCache,
    progress: &ProgressSink,
) -> Result<StoredImage> {
    let recipe = Recipe {
        claude_version: settings.claude_version().parse()?,
        packages: settings.packages(),
        user: SessionUser::current(),
        locale: host_locale(),
    };
    let base = base::ensure(engine, &locations.cache_dir, settings.image_base(), progress).await?;
    let version = recipe.version(&base);
    if cache == LayerCache::Use
        && let Some(found) = stored::find(engine, &version).await?
    {
        return Ok(found);
    }
    let claude =
        claude_code::fetch(&locations.cache_dir, recipe.claude_version, &engine.arch, progress).await?;
    progress.report(Progress::Step(format!("building {version}")));
    let context = Context {
        dockerfile: recipe.dockerfile(&base),
        claude,
        packaging: recipe.claude_version.packaging(),
    };
    run_build(engine, context, &version, &recipe.user, cache, progress).await?;
    stored::find(engine, &version)
        .await?
        .ok_or_else(|| Error::new(Code::ImageBuild, "the engine built the image but does not have it"))
}

/// What the engine builds from.
struct Context {
    dockerfile: String,
    claude: PathBuf,
    packaging: Packaging,
}

async fn run_build(
    engine: &ContainerEngine,
    context: Context,
    version: &ImageVersion,
    user: &SessionUser,
    cache: LayerCache,
    progress: &ProgressSink,
) -> Result<()> {
    let (sender, mut chunks) = TarSender::new();
    let packing = tokio::task::spawn_blocking(move || context.pack(sender));
    let body = futures_util::stream::poll_fn(move |context| chunks.poll_recv(context));
    let options = BuildImageOptionsBuilder::new()
        .dockerfile("Dockerfile")
        .t(&version.tag())
        .nocache(cache == LayerCache::Ignore)
        .rm(true)
        .forcerm(true)
        .labels(&stored::labels(version, user))
        .build();
    let mut lines =
        engine.api().build_image(options, None::<HashMap<_, _>>, Some(bollard::body_stream(body)));
    let mut tail = VecDeque::new();
    let mut outcome = Ok(());
    while let Some(line) = lines.next().await {
        match line {
            Ok(info) => {
                for text in
                    info.stream.iter().flat_map(|text| text.lines()).filter(|text| !text.trim().is_empty())
                {
                    tail.push_back(text.trim_end().to_owned());
                    if tail.len() > 8 {
                        tail.pop_front();
                    }
                    progress.report(step_or_line(text));
                }
            }
            Err(cause) => {
                let cause = engine_error("build the session image", cause);
                let mut error = Error::new(
                    if cause.code() == Code::DiskFull { Code::DiskFull } else { Code::ImageBuild },
                    "the session image could not be built",
                );
                for why in cause.causes() {
                    error = error.why(why);
                }
                if !tail.is_empty() {
                    error = error.why(format!("its last lines: {}", tail.make_contiguous().join(" / ")));
                }
                outcome = Err(error
                    .remedy("drydock doctor")
                    .remedy("drydock image build   (tries again from the last good step)"));
                break;
            }
        }
    }
    drop(lines);
    let packed =
        packing.await.map_err(|cause| Error::new(Code::Internal, "packing the recipe stopped").why(cause))?;
    // When the engine gives up first, its own words tell more than "the engine stopped reading".
    outcome?;
    packed
}

impl Context {
    fn pack(self, sender: TarSender) -> Result<()> {
        let failed = |cause: std::io::Error| Error::io("pack", &self.claude, &cause);
        let mut builder = tar::Builder::new(sender);
        let mut add = |name: &str, mode: u32, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(mode);
            builder.append_data(&mut header, name, bytes)
        };
        add("Dockerfile", 0o644, self.dockerfile.as_bytes()).map_err(failed)?;
        add("drydock-session", 0o755, entry::SCRIPT.as_bytes()).map_err(failed)?;
        let file = fs::File::open(&self.claude).context("open", &self.claude)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(file.metadata().context("read", &self.claude)?.len());
        header.set_mode(0o755);
        builder.append_data(&mut header, self.packaging.file(), file).map_err(failed)?;
        builder.into_inner().and_then(|mut sender| sender.flush()).map_err(failed)
    }
}

fn step_or_line(text: &str) -> Progress {
    if text.starts_with("Step ") { Progress::Step(text.to_owned()) } else { Progress::Line(text.to_owned()) }
}

/// The user's locale, where it is one that can be made in the image.
fn host_locale() -> Option<String> {
    let set = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"))?;
    let language = locale.strip_suffix(".UTF-8").or_else(|| locale.strip_suffix(".utf8"))?;
    let (tongue, land) = language.split_once('_')?;
    let plain = (2..=3).contains(&tongue.len())
        && tongue.bytes().all(|b| b.is_ascii_lowercase())
        && land.len() == 2
        && land.bytes().all(|b| b.is_ascii_uppercase());
    plain.then(|| format!("{language}.UTF-8"))
}
