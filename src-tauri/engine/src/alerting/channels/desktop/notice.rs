//! A notification as a value, and what the user can do with it.

use crate::alerting::{
    IncidentId, Message, Occasion, Page, Severity,
    channels::wording::{Said, cut},
};
use serde::{Deserialize, Serialize};

/// What the user wants of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClickAction {
    /// To see the page where it can be mended.
    Open(Page),
    /// To begin the recovery.
    Recover,
    /// To look at what waits.
    Review,
    /// To hear nothing of it for a while.
    Snooze,
}

impl ClickAction {
    /// The word for it, by which the desktop gives it back.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open(_) => "default",
            Self::Recover => "recover",
            Self::Review => "review",
            Self::Snooze => "snooze",
        }
    }
}

/// What the user did with a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clicked {
    /// About which incident it was; none when the channel was tried.
    pub incident: Option<IncidentId>,
    /// What they want.
    pub action: ClickAction,
}

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) incident: Option<IncidentId>,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) severity: Severity,
    pub(super) page: Page,
    /// Beside the click on the whole.
    pub(super) buttons: Vec<(ClickAction, &'static str)>,
}

/// Desktops show some four lines.
const TEXT: usize = 240;

impl Notice {
    pub(super) fn of(message: &Message, home: &str) -> Self {
        let said = Said::of(message, home);
        let mut text = cut(&said.text, TEXT);
        if !said.again.is_empty() {
            text.push_str(&format!(" ({})", said.again));
        }
        let first = match message.page {
            Page::Recovery => Some((ClickAction::Recover, "Recover")),
            Page::Held => Some((ClickAction::Review, "Review")),
            _ => None,
        };
        let snooze = (message.occasion != Occasion::Test).then_some((ClickAction::Snooze, "Snooze"));
        Self {
            incident: message.incident.clone(),
            title: said.title,
            text,
            severity: message.severity,
            page: message.page,
            buttons: first.into_iter().chain(snooze).collect(),
        }
    }

    /// What a word means that the desktop gives back.
    pub(super) fn clicked(&self, word: &str) -> Option<Clicked> {
        let buttons = self.buttons.iter().map(|(action, _)| *action);
        let action =
            [ClickAction::Open(self.page)].into_iter().chain(buttons).find(|one| one.word() == word)?;
        Some(Clicked { incident: self.incident.clone(), action })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::channels::samples;

    #[test]
    fn what_can_be_done_at_once_is_a_button() {
        let words = |page, occasion| {
            let notice = Notice::of(&Message { page, occasion, ..samples::firing() }, "/x");
            notice.buttons.iter().map(|(action, _)| action.word()).collect::<Vec<_>>()
        };
        assert_eq!(words(Page::Recovery, Occasion::Firing), ["recover", "snooze"]);
        assert_eq!(words(Page::Held, Occasion::Escalated), ["review", "snooze"]);
        assert_eq!(words(Page::Backups, Occasion::Firing), ["snooze"]);
        assert!(words(Page::Settings, Occasion::Test).is_empty());
    }

    #[test]
    fn a_word_of_the_desktops_means_an_action_of_this_incident() {
        let notice = Notice::of(&samples::firing(), "/x");
        let means = |word| notice.clicked(word).map(|clicked| clicked.action);
        assert_eq!(means("default"), Some(ClickAction::Open(Page::Recovery)));
        assert_eq!(means("recover"), Some(ClickAction::Recover));
        assert_eq!(means("review"), None);
        assert_eq!(notice.clicked("snooze").unwrap().incident, notice.incident);
    }
}
