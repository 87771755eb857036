//! The words of the menu, from the same files as the windows'.

use chrono::{DateTime, Utc};
use std::collections::HashMap;

const ENGLISH: &str = include_str!("../../ui/src/messages/en.json");
const RUSSIAN: &str = include_str!("../../ui/src/messages/ru.json");

/// A language with words of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    English,
    Russian,
}

/// What is said, in one language.
pub(crate) struct Words {
    language: Language,
    words: HashMap<String, String>,
}

impl Words {
    /// The language of this computer's user.
    pub(crate) fn of_this_computer() -> serde_json::Result<Self> {
        Self::of_locale(&sys_locale::get_locale().unwrap_or_default())
    }

    /// English for every locale that has no file of its own.
    pub(crate) fn of_locale(locale: &str) -> serde_json::Result<Self> {
        let (language, file) = match locale.split(['-', '_', '.']).next() {
            Some("ru") => (Language::Russian, RUSSIAN),
            _ => (Language::English, ENGLISH),
        };
        Ok(Self { language, words: serde_json::from_str(file)? })
    }

    /// The words for a key; the key itself where they are missing, so that the place can still be found.
    pub(crate) fn say<'a>(&'a self, key: &'a str) -> &'a str {
        self.words.get(key).map_or(key, String::as_str)
    }

    /// The words for a key with `{name}` filled in.
    pub(crate) fn with(&self, key: &str, values: &[(&str, &str)]) -> String {
        values
            .iter()
            .fold(self.say(key).to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    /// The words for so many, in the form that the number asks for.
    pub(crate) fn count(&self, key: &str, count: usize) -> String {
        self.with(&format!("{key}.{}", self.form(count)), &[("count", &count.to_string())])
    }

    /// Source: Unicode's plural rules for English and Russian.
    fn form(&self, count: usize) -> &'static str {
        match (self.language, count % 10, count % 100) {
            (Language::English, ..) if count == 1 => "one",
            (Language::English, ..) => "other",
            (Language::Russian, 1, rest) if rest != 11 => "one",
            (Language::Russian, 2..=4, rest) if !(12..=14).contains(&rest) => "few",
            (Language::Russian, ..) => "many",
        }
    }

    /// How long ago something was.
    pub(crate) fn ago(&self, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
        let minutes = usize::try_from((now - at).num_minutes()).unwrap_or(0);
        match minutes {
            0 => self.say("ago.now").to_owned(),
            1..60 => self.with("ago.minutes", &[("count", &minutes.to_string())]),
            60..2880 => self.with("ago.hours", &[("count", &(minutes / 60).to_string())]),
            _ => self.with("ago.days", &[("count", &(minutes / 1440).to_string())]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

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
    fn numbers_take_their_form() {
        let words = |locale| Words::of_locale(locale).unwrap();
        assert_eq!(words("en").count("need.held", 1), "1 change of a session waits for you");
        assert_eq!(words("en").count("need.held", 21), "21 changes of sessions wait for you");
        for (count, form) in
            [(1, "one"), (3, "few"), (5, "many"), (11, "many"), (13, "many"), (22, "few"), (21, "one")]
        {
            assert_eq!(words("ru").form(count), form, "{count}");
        }
    }

    #[test]
    fn times_are_told_from_now() {
        let words = Words::of_locale("en").unwrap();
        let now = Utc::now();
        for (minutes, told) in
            [(0, "just now"), (12, "12 min ago"), (61, "1 h ago"), (2881, "2 d ago"), (-9, "just now")]
        {
            assert_eq!(words.ago(now - TimeDelta::minutes(minutes), now), told);
        }
    }
}
