//! `drydock image`.

use crate::{
    Context,
    arguments::Image,
    render::{self, Format},
};
use drydock_engine::{
    error_handling::Result,
    image::{LayerCache, build_image, collect_images, current_image, list_images},
};
use serde::Serialize;
use std::process::ExitCode;

pub(super) async fn image(context: &mut Context, wanted: Image) -> Result<ExitCode> {
    let engine = context.drydock.engine().await?;
    match wanted {
        Image::Build { base, fresh } => {
            let mut settings = context.drydock.settings.clone();
            if let Some(base) = &base {
                settings.use_for_now("image.base", base)?;
            }
            let progress = render::Progress::start(context.format);
            let cache = if fresh { LayerCache::Ignore } else { LayerCache::Use };
            let built =
                build_image(&engine, &context.drydock.locations, &settings, cache, &progress.sink()).await;
            progress.finish();
            let built = built?;
            render::answer(context.format, &built, || {
                format!("{}\nClaude Code {}, ready for sessions\n", built.tag, built.version.claude_version)
            });
        }
        Image::List => {
            let images = list_images(&engine).await?;
            let current =
                current_image(&engine, &context.drydock.locations, &context.drydock.settings).await?;
            let is_current = |tag: &str| current.as_ref().is_some_and(|image| image.tag == tag);
            #[derive(Serialize)]
            struct Row<'a> {
                #[serde(flatten)]
                image: &'a drydock_engine::image::StoredImage,
                current: bool,
            }
            let rows: Vec<_> =
                images.iter().map(|image| Row { image, current: is_current(&image.tag) }).collect();
            render::answer(context.format, &rows, || {
                if rows.is_empty() {
                    return "no session image yet: drydock image build\n".into();
                }
                let table = rows.iter().map(|row| {
                    vec![
                        row.image.tag.clone(),
                        row.image.version.claude_version.clone(),
                        render::bytes(row.image.size),
                        render::ago(row.image.created),
                        if row.current { "current".into() } else { String::new() },
                    ]
                });
                render::table(&["IMAGE", "CLAUDE CODE", "SIZE", "BUILT", ""], table)
            });
        }
        Image::Gc => {
            let needed = context.drydock.deployments().needed_images()?;
            let (locations, settings) = (&context.drydock.locations, &context.drydock.settings);
            let collected = collect_images(&engine, locations, settings, &needed).await?;
            render::answer(context.format, &collected, || {
                let mut text = String::new();
                for name in &collected.removed {
                    text.push_str(&format!("removed {name}\n"));
                }
                for name in &collected.in_use {
                    text.push_str(&format!("kept {name}: a session or a deployment uses it\n"));
                }
                if collected.removed.is_empty() {
                    text.push_str("nothing to remove\n");
                }
                text
            });
        }
    }
    if context.format == Format::Human {
        render::flush();
    }
    Ok(ExitCode::SUCCESS)
}
