//! The session image, built once for all tests.

use super::{Home, Invocation, Release, places};
use std::{
    env,
    fs::{self, File},
    sync::OnceLock,
    time::Duration,
};

/// The first build makes a Debian and fetches Claude Code.
const LIMIT: Duration = Duration::from_secs(1800);

/// The image that sessions run on.
#[derive(Debug, Clone)]
pub struct SessionImage {
    /// Its name in the engine.
    pub tag: String,
    /// The name of the image that it is made from, where the engine has it.
    pub base: String,
    /// The version of Claude Code in it.
    pub claude_version: String,
}

/// What session images start from in these tests: what the caller says, or Debian's own packages, which
/// need no image registry.
pub(super) fn image_base() -> String {
    env::var("DRYDOCK_IMAGE_BASE").unwrap_or_else(|_| "debootstrap:bookworm".into())
}

/// The session image with the pinned Claude Code, built by the program under test if it is not there.
pub fn session_image() -> &'static SessionImage {
    session_image_of(Release::Current)
}

/// The same with another Claude Code, which is on the host too from then on.
pub(super) fn session_image_of(release: Release) -> &'static SessionImage {
    static CURRENT: OnceLock<SessionImage> = OnceLock::new();
    static YEAR_OLD: OnceLock<SessionImage> = OnceLock::new();
    let image = match release {
        Release::Current => &CURRENT,
        Release::YearOld => &YEAR_OLD,
    };
    image.get_or_init(|| {
        let cache = places::cache_dir();
        fs::create_dir_all(&cache).expect("the cache folder");
        // Tests in other processes wait for the first.
        let lock = File::create(cache.join("tests.lock")).unwrap();
        lock.lock().expect("the lock around the image");
        let home = Home::bare();
        let drydock = || Invocation::new(home.path()).release(release).limit(LIMIT);
        drydock().args(["image", "build"]).done().ok();
        if release.program().is_none() {
            // The image was there, and the download that it was made of is not.
            drydock().args(["image", "build", "--fresh"]).done().ok();
        }
        let listed = drydock().args(["image", "list", "--json"]).done().ok().json();
        let current = listed
            .as_array()
            .and_then(|images| images.iter().find(|image| image["current"] == true))
            .unwrap_or_else(|| panic!("no current image: {listed}"));
        let base = image_base();
        SessionImage {
            base: base
                .strip_prefix("debootstrap:")
                .map_or(base.clone(), |suite| format!("drydock/base:{suite}")),
            tag: current["tag"].as_str().expect("its tag").to_owned(),
            claude_version: current["version"]["claude_version"].as_str().expect("its version").to_owned(),
        }
    })
}
