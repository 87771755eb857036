//! Making a place at a remote the copy of a repository.

use super::{
    copies::{MARKER, Marker, Place},
    sealed,
};
use crate::error_handling::{Code, Error, Result};

/// Marks a remote's folder as the copy of a repository, if it is empty or is that already.
///
/// # Errors
/// [`Code::CopyForeign`] when it holds other backups.
pub(super) fn claim(place: &dyn Place, repository: &str) -> Result<()> {
    let foreign = |why: &str| {
        Error::new(Code::CopyForeign, format!("{} cannot be the cloud copy", place.name()))
            .why(why)
            .remedy("drydock settings set backup.cloud.remote REMOTE:FOLDER, with a folder that is empty")
    };
    match place.read(MARKER)?.map(|text| sealed::unseal::<Marker>(&text)) {
        Some(Some(marker)) if marker.repository == repository => Ok(()),
        Some(Some(_)) => Err(foreign("it is a copy of other backups")),
        found => {
            if found.is_none() && !place.list()?.is_empty() {
                return Err(foreign("it holds a repository that is not of this copy"));
            }
            let marker = Marker { copy: place.name(), repository: repository.to_owned() };
            place.write(MARKER, &sealed::seal(&marker)?)
        }
    }
}
