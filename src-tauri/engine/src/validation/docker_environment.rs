//! Whether the container engine can run sessions.

use super::{Check, Standing};
use crate::paths::Disk;
use crate::{
    container::{ContainerEngine, EngineKind},
    image::current_image,
    paths::Locations,
    settings::Settings,
};
use std::path::Path;

/// The oldest version of the engine's API that sessions work with: that of Docker 20.10.
const API: (u32, u32) = (1, 41);
/// Claude Code and what it starts in a session need this much.
const MEMORY: u64 = 2 << 30;
/// A session image takes about 1 GB, and building it as much again.
const DISK: u64 = 2 << 30;

/// Looks at the engine: whether it answers and how, what it can give, and the image. Reads only.
pub async fn validate_docker_environment(locations: &Locations, settings: &Settings) -> Vec<Check> {
    match ContainerEngine::find(locations, settings).await {
        Ok(engine) => {
            let mut checks = vec![answers(&engine), memory(engine.memory), architecture(&engine.arch)];
            checks.extend(disk(&engine).await);
            checks.push(image(&engine, locations, settings).await);
            checks
        }
        Err(error) => {
            let remedy = error.remedies().first().cloned().unwrap_or_default();
            let why = error.causes().first().map(|cause| format!(": {cause}")).unwrap_or_default();
            vec![
                Check::other("engine", Standing::Bad, format!("{}{why}", error.message()), remedy),
                Check::other("image", Standing::Bad, "unknown without an engine", "mend the engine first"),
            ]
        }
    }
}

fn answers(engine: &ContainerEngine) -> Check {
    let system = if engine.operating_system.is_empty() { "engine" } else { &engine.operating_system };
    let found = format!("{system} {} at {}, found by {}", engine.version, engine.address, engine.because);
    if is_new_enough(&engine.api_version) {
        return Check::good("engine", found);
    }
    let (major, minor) = API;
    Check::other(
        "engine",
        Standing::Bad,
        format!(
            "{found}: it speaks version {} of the API, and {major}.{minor} is needed",
            engine.api_version
        ),
        "update the container engine (Docker 20.10 or newer)",
    )
}

/// A version that cannot be read is no reason to refuse.
fn is_new_enough(version: &str) -> bool {
    let parts =
        version.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parts.is_none_or(|parts: (u32, u32)| parts >= API)
}

fn memory(bytes: u64) -> Check {
    let found = format!("the engine has {:.1} GB of memory", gigabytes(bytes));
    match bytes {
        // It did not say.
        0 => Check::good("memory", "the engine does not say how much memory it has"),
        1..MEMORY => Check::other(
            "memory",
            Standing::Attention,
            found,
            "give it 2 GB or more (Docker Desktop: Settings, Resources)",
        ),
        _ => Check::good("memory", found),
    }
}

fn architecture(name: &str) -> Check {
    match name {
        "amd64" | "arm64" => Check::good("architecture", format!("the engine runs {name}")),
        other => Check::other(
            "architecture",
            Standing::Bad,
            format!("the engine runs {other}, for which there is no Claude Code"),
            "choose an engine on amd64 or arm64: drydock settings set container.engine ADDRESS",
        ),
    }
}

/// Free space where the engine keeps its data, where that is on this machine; else nobody knows.
async fn disk(engine: &ContainerEngine) -> Option<Check> {
    if engine.kind != EngineKind::Native {
        return None;
    }
    let root = engine.api().info().await.ok()?.docker_root_dir?;
    Some(free_space(Disk::of(Path::new(&root)).ok()?.free))
}

fn free_space(free: u64) -> Check {
    let found = format!("{:.1} GB free where the engine keeps its data", gigabytes(free));
    if free < DISK {
        Check::other(
            "disk",
            Standing::Attention,
            found,
            "docker system df   (then: drydock image gc, docker system prune)",
        )
    } else {
        Check::good("disk", found)
    }
}

async fn image(engine: &ContainerEngine, locations: &Locations, settings: &Settings) -> Check {
    match current_image(engine, locations, settings).await {
        Ok(Some(image)) => Check::good(
            "image",
            format!(
                "Claude Code {}, built {}",
                image.version.claude_version,
                image.created.format("%Y-%m-%d")
            ),
        ),
        Ok(None) => Check::other(
            "image",
            Standing::Attention,
            format!("none is built for Claude Code {}", settings.claude_version()),
            "drydock image build   (the first `drydock run` does it too)",
        ),
        Err(error) => Check::other("image", Standing::Bad, error.to_string(), "drydock image build"),
    }
}

#[allow(clippy::cast_precision_loss)] // for a person's eyes
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_engine_lacks_is_told_with_a_remedy() {
        assert!(is_new_enough("1.41") && is_new_enough("1.52") && is_new_enough("2.0") && is_new_enough("?"));
        assert!(!is_new_enough("1.40") && !is_new_enough("1.9"));
        for (check, standing) in [
            (memory(1 << 30), Standing::Attention),
            (memory(8 << 30), Standing::Good),
            (memory(0), Standing::Good),
            (architecture("amd64"), Standing::Good),
            (architecture("arm64"), Standing::Good),
            (architecture("riscv64"), Standing::Bad),
            (free_space(1 << 30), Standing::Attention),
            (free_space(1 << 40), Standing::Good),
        ] {
            assert_eq!(check.standing, standing, "{}", check.found);
            assert_eq!(check.remedy.is_some(), standing != Standing::Good, "{}", check.found);
        }
    }
}
