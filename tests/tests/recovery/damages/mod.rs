//! The kinds of damage that people have met, each done to a home in which all is well.

mod bytes;
mod conversations;
mod documents;
mod folders;

pub(crate) use conversations::of_conversations;
pub(crate) use documents::{of_settings, of_state};
pub(crate) use folders::of_folders;

use super::person::Person;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// A kind of damage.
pub(crate) struct Kind {
    /// What happened, in words.
    pub(crate) name: String,
    /// What a plan has to name.
    pub(crate) named: String,
    strike: Box<dyn Fn(&Person)>,
}

impl Kind {
    fn new(name: impl Into<String>, named: &str, strike: impl Fn(&Person) + 'static) -> Self {
        Self { name: name.into(), named: format!("~/{named}"), strike: Box::new(strike) }
    }

    /// Does it.
    pub(crate) fn strike(&self, person: &Person) {
        let before = person.files();
        (self.strike)(person);
        assert!(before.iter().ne(person.files().iter()), "{} does nothing", self.name);
    }
}

/// What happened to a file, in words, and how it is done.
type Befalls = (&'static str, fn(&Path));

/// What can stand in the place of a file, or befall it, whatever is in it.
const PLACES: &[Befalls] = &[
    ("deleted", |file| fs::remove_file(file).unwrap()),
    ("replaced by an empty folder", |file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }),
    ("replaced by a folder with something in it", |file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
        fs::write(file.join("something"), "else\n").unwrap();
    }),
    ("replaced by a link that leads nowhere", |file| {
        fs::remove_file(file).unwrap();
        std::os::unix::fs::symlink("nowhere", file).unwrap();
    }),
    ("that nobody may read", |file| {
        fs::set_permissions(file, Permissions::from_mode(0o000)).unwrap();
    }),
];
