//! Writing it into one file, which only the user can read.

use super::Report;
use crate::error_handling::{Code, Error, IoContext, Result};
use flate2::{Compression, write::GzEncoder};
use serde::Serialize;
use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A report that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The file.
    pub file: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// What is in it, by name.
    pub parts: Vec<String>,
}

impl Report {
    /// The name that it has where none is asked for.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("drydock-report-{}.tar.gz", self.at.format("%Y%m%d-%H%M%S"))
    }

    /// Writes it, as a compressed tar archive. Blocking.
    ///
    /// # Errors
    /// [`Code::Usage`] when the file is there already; that it cannot be written. Nothing of it is left then.
    pub fn write(&self, file: &Path) -> Result<Written> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
        let made = match made {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::new(Code::Usage, format!("{} is there already", file.display()))
                    .remedy("name another file with --to"));
            }
            made => made.context("make", file)?,
        };
        let written = self.write_to(made);
        if written.is_err() {
            // It was made just now, and is of no use.
            let _ = fs::remove_file(file);
        }
        let bytes = written.context("write", file)?;
        let parts = self.parts.iter().map(|(name, _)| name.clone()).collect();
        Ok(Written { file: file.to_path_buf(), bytes, parts })
    }

    fn write_to(&self, file: fs::File) -> io::Result<u64> {
        let folder = self.file_name().trim_end_matches(".tar.gz").to_owned();
        let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
        for (name, text) in &self.parts {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o600);
            header.set_size(text.len() as u64);
            header.set_mtime(u64::try_from(self.at.timestamp()).unwrap_or_default());
            archive.append_data(&mut header, format!("{folder}/{name}"), text.as_bytes())?;
        }
        let file = archive.into_inner()?.finish()?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }
}
