//! Everything that goes into a session as one archive, and what both sides agree on from then.

use super::{InwardPlan, Item, Source, is_translated};
use crate::{
    claude_home::{Class, Outward},
    container::TarSender,
    error_handling::{IoContext, Result},
    image::SessionUser,
    sync::{
        REPLICA,
        base::{Agreed, AgreedDocument, News},
        inside::program_for,
        pack::{Marked, Packed, Packer, manifest_line},
        path_map::{self, Direction, normalize_session_history},
    },
};
use drydock_inside::{Mark, Sign};
use std::{
    fs,
    io::{Read, Write},
    path::Path,
};

impl InwardPlan {
    /// Writes everything as one uncompressed tar with the manifest at its end, and tells what both
    /// sides agree on from then. Blocking.
    ///
    /// The names are below the image's mount of the home volume; the archive is for the root folder.
    /// `arch` is the engine's machine, for the program that checks what arrives.
    pub(crate) fn pack(self, sender: TarSender, user: &SessionUser, arch: &str) -> Result<News> {
        let mut packer = Packer::new(sender, user);
        packer.folder("", 0o755)?;
        for folder in &self.folders {
            packer.folder(&self.name_inside(folder), 0o755)?;
        }
        let mut news = News::default();
        let mut manifest = String::new();
        for item in &self.items {
            let name = self.name_inside(&item.name);
            let (packed, original) = match &item.source {
                Source::Made(content) => (packer.bytes(&name, item.mode, content.reveal())?, None),
                Source::File(path) => match self.translated(&item.name, path)? {
                    Some((file, original)) => (packer.file(&name, item.mode, file.path())?, Some(original)),
                    None => (packer.file(&name, item.mode, path)?, None),
                },
            };
            manifest.push_str(&manifest_line(&packed.mark.sha256, &name));
            self.note(item, &packed, original, &mut news);
        }
        packer.folder(".drydock", 0o700)?;
        packer.bytes(".drydock/manifest.sha256", 0o600, manifest.as_bytes())?;
        if let Some(program) = program_for(arch) {
            packer.bytes(".drydock/inside", 0o500, program)?;
        }
        packer.finish()?;
        Ok(news)
    }

    fn name_inside(&self, name: &str) -> String {
        match self.layout.as_ref().and_then(|layout| Some((layout, layout.below_config(name)?))) {
            Some((layout, below)) => layout.in_config(&self.map.name(below, Direction::Inward)),
            None => name.to_owned(),
        }
    }

    /// A file's form for the session, where that is another, and what the host's is.
    fn translated(&self, name: &str, path: &Path) -> Result<Option<(tempfile::NamedTempFile, Original)>> {
        let class = self.layout.as_ref().and_then(|layout| layout.class(name));
        if self.map.is_identity() || !class.is_some_and(is_translated) {
            return Ok(None);
        }
        let mut file = fs::File::open(path).context("read", path)?;
        let data = file.metadata().context("read", path)?;
        // As long as it is now: what a writer appends meanwhile goes in another time.
        let mut text = (&mut file).take(data.len());
        let mut out = tempfile::NamedTempFile::new().context("make a file in", &std::env::temp_dir())?;
        let mut reading = Marked::of(&mut text);
        if class == Some(Class::PluginRegistry) {
            let mut whole = Vec::new();
            reading.read_to_end(&mut whole).context("read", path)?;
            let there = path_map::plugin_ledger(&whole, &self.map, Direction::Inward).unwrap_or(whole);
            out.write_all(&there).context("write", out.path())?;
        } else {
            normalize_session_history(&mut reading, &mut out, &self.map, Direction::Inward)
                .context("translate", path)?;
        }
        let mark = reading.mark();
        let time = data.modified().context("read", path)?;
        out.as_file().set_modified(time).context("write", out.path())?;
        Ok(Some((out, Original { mark, sign: Sign::of(&data) })))
    }

    fn note(&self, item: &Item, packed: &Packed, original: Option<Original>, news: &mut News) {
        if item.name == REPLICA
            && let Source::Made(content) = &item.source
        {
            news.replica = Some(String::from_utf8_lossy(content.reveal()).into_owned());
        }
        let Some(class) = self.layout.as_ref().and_then(|layout| layout.class(&item.name)) else { return };
        if let (Source::Made(content), Some(host)) = (&item.source, self.documents.get(&item.name)) {
            let document = AgreedDocument { host: host.clone(), session: content.reveal().clone() };
            news.documents.push((item.name.clone(), document));
        }
        // Digests of secrets are nobody's business, not even on this disk.
        if class.outward() == Outward::Never && class == Class::Credentials {
            return;
        }
        let host = original.as_ref().map_or(packed.mark, |original| original.mark);
        let agreed = Agreed {
            len: host.len,
            digest: Some(host.sha256),
            packed: is_settled(packed.mtime).then_some(packed.mtime),
            translated: original.as_ref().map(|_| packed.mark),
            host: original.map(|original| original.sign).or(packed.host),
            ..Agreed::default()
        };
        news.files.push((item.name.clone(), agreed));
    }
}

/// The host's file of which a session gets another form.
struct Original {
    mark: Mark,
    sign: Sign,
}

/// Whether a file's time is long enough ago that a later change shows in it.
fn is_settled(mtime: i64) -> bool {
    std::time::UNIX_EPOCH.elapsed().is_ok_and(|now| now.as_secs().cast_signed() - mtime > 2)
}
