//! Links such as `drydock://backups`. Anybody can make one, so a link opens a page and does nothing else.

use crate::windows::Page;

const SCHEME: &str = "drydock://";

/// The page that a link names; the overview where it names none that there is.
pub(crate) fn page_of(link: &str) -> Option<Page> {
    let rest = link.strip_prefix(SCHEME)?;
    let word = rest.split(['/', '?', '#']).next().unwrap_or_default();
    Some(Page::ALL.into_iter().find(|page| page.word() == word).unwrap_or(Page::Home))
}

/// The page of the first link among a program's arguments: so they arrive where a desktop starts a program for them.
pub(crate) fn page_in<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> Option<Page> {
    arguments.into_iter().find_map(|argument| page_of(argument.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_a_page_and_nothing_else() {
        for (link, page) in [
            ("drydock://backups", Some(Page::Backups)),
            ("drydock://recovery/", Some(Page::Recovery)),
            ("drydock://held?approve=all", Some(Page::Held)),
            ("drydock://configuration", Some(Page::Configuration)),
            ("drydock://", Some(Page::Home)),
            ("drydock://launch/home/ann", Some(Page::Home)),
            ("https://drydock.dev/backups", None),
            ("--at-login", None),
        ] {
            assert_eq!(page_of(link), page, "{link}");
        }
        assert_eq!(page_in(["drydock-app", "drydock://settings"]), Some(Page::Settings));
    }
}
