//! Links such as `drydock://backups`. Anybody can make one, so a link shows something and does nothing else.

use crate::{
    popover,
    windows::{self, Page},
};
use tauri::AppHandle;

const SCHEME: &str = "drydock://";
const POPOVER: &str = "popover";

/// What a link asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A page of the main window.
    Page(Page),
    /// The popover, shown or put away again: for a key of the user's own.
    Popover,
}

impl Wanted {
    /// Shows it.
    pub(crate) fn show(self, app: &AppHandle) -> tauri::Result<()> {
        match self {
            Self::Page(page) => windows::open(app, page),
            Self::Popover => popover::toggle(app),
        }
    }

    /// [`Self::show`] for callers who have nobody to hand an error to.
    pub(crate) fn show_or_log(self, app: &AppHandle) {
        if let Err(error) = self.show(app) {
            tracing::error!(%error, wanted = ?self, "what a link asks for could not be shown");
        }
    }
}

/// What a link asks for; the overview where it names nothing that there is.
pub(crate) fn wanted_by(link: &str) -> Option<Wanted> {
    let rest = link.strip_prefix(SCHEME)?;
    let word = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if word == POPOVER {
        return Some(Wanted::Popover);
    }
    let page = Page::ALL.into_iter().find(|page| page.word() == word).unwrap_or(Page::Home);
    Some(Wanted::Page(page))
}

/// The first link among a program's arguments: so they arrive where a desktop starts a program for them.
pub(crate) fn wanted_in<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> Option<Wanted> {
    arguments.into_iter().find_map(|argument| wanted_by(argument.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_shows_something_and_does_nothing_else() {
        let page = |page| Some(Wanted::Page(page));
        for (link, wanted) in [
            ("drydock://backups", page(Page::Backups)),
            ("drydock://recovery/", page(Page::Recovery)),
            ("drydock://held?approve=all", page(Page::Held)),
            ("drydock://configuration", page(Page::Configuration)),
            ("drydock://popover", Some(Wanted::Popover)),
            ("drydock://", page(Page::Home)),
            ("drydock://launch/home/ann", page(Page::Home)),
            ("https://drydock.dev/backups", None),
            ("--at-login", None),
        ] {
            assert_eq!(wanted_by(link), wanted, "{link}");
        }
        assert_eq!(wanted_in(["drydock-app", "drydock://settings"]), page(Page::Settings));
    }
}
