//! The words of the menu, from the same files as the windows'.
use std::collections::HashMap;

const ENGLISH: &str = include_str!("../../ui/src/messages/en.json");
const RUSSIAN: &str = include_str!("../../ui/src/messages/ru.json");

/// What is said, in one language.
pub(crate) struct Words(HashMap<String, String>);

impl Words {
    /// The language of this computer's user.
    pub(crate) fn of_this_computer() -> serde_json::Result<Self> {
        Self::of_locale(&sys_locale::get_locale().unwrap_or_default())
    }

    /// English for every locale that has no file of its own.
    fn of_locale(locale: &str) -> serde_json::Result<Self> {
        let file = match locale.split(['-', '_', '.']).next() {
            Some("ru") => RUSSIAN,
            _ => ENGLISH,
        };
        serde_json::from_str(file).map(Self)
    }

    /// The words for a key; the key itself where they are missing, so that the place can still be found.
    pub(crate) fn say<'a>(&'a self, key: &'a str) -> &'a str {
        self.0.get(key).map_or(key, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_picks_its_file_and_english_is_the_rest() {
        for (locale, quit) in [
            ("ru-RU", "Завершить Drydock"),
            ("ru", "Завершить Drydock"),
            ("en-GB", "Quit Drydock"),
            ("de-AT", "Quit Drydock"),
            ("", "Quit Drydock"),
        ] {
            assert_eq!(Words::of_locale(locale).unwrap().say("menu.quit"), quit, "{locale}");
        }
    }

    #[test]
    fn every_entry_of_the_menu_has_words_in_every_language() {
        for file in [ENGLISH, RUSSIAN] {
            let words = Words(serde_json::from_str(file).unwrap());
            for entry in crate::tray::MENU {
                assert_ne!(words.say(entry.words), entry.words);
            }
        }
    }
}
