//! What nobody takes on goes to the next channel.

use super::{Awake, ChannelName, Incident, Severity};
use chrono::{DateTime, Utc};

/// The steps of one severity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// The channels, in the order in which they are told.
    pub channels: Vec<ChannelName>,
    /// Time awake between two steps.
    pub step: Awake,
    /// Whether it is said again after the last step.
    pub after: AfterLast,
}

/// What comes after the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterLast {
    /// Nothing.
    Silence,
    /// It is said again, in each channel in turn.
    Again {
        /// So often.
        every: Awake,
        /// So long.
        until: Awake,
    },
}

impl Ladder {
    /// The ladder of a severity with these channels.
    #[must_use]
    pub fn of(severity: Severity, channels: Vec<ChannelName>, step: Awake) -> Self {
        let (step, after) = match severity {
            Severity::High => {
                (step, AfterLast::Again { every: Awake::minutes(60), until: Awake::minutes(24 * 60) })
            }
            Severity::Medium => (step.times(4), AfterLast::Silence),
            Severity::Low => (step, AfterLast::Silence),
        };
        Self { channels, step, after }
    }

    /// The channel of a step, and when it is due after the first.
    fn rung(&self, index: u32) -> Option<(ChannelName, Awake)> {
        let index = index as usize;
        let count = self.channels.len();
        if let Some(channel) = self.channels.get(index) {
            return Some((*channel, self.step.times(i64::try_from(index).ok()?)));
        }
        let AfterLast::Again { every, until } = self.after else { return None };
        let channel = self.channels.get(index.checked_rem(count)?)?;
        let mut due = self.step.times(i64::try_from(count - 1).ok()?);
        due += every.times(i64::try_from(index - count + 1).ok()?);
        (due <= until).then_some((*channel, due))
    }
}

/// The channel that is to be told of an incident next, if its time has come. The first is told at once; the others
/// while nobody has taken it on.
#[must_use]
pub fn escalate_alert(incident: &Incident, ladder: &Ladder, now: DateTime<Utc>) -> Option<ChannelName> {
    if !incident.is_firing() || incident.is_acknowledged(now) {
        return None;
    }
    let (channel, due) = ladder.rung(incident.climbed)?;
    (incident.awake >= due).then_some(channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_climbs_in_steps_and_comes_again_each_hour_for_a_day() {
        use ChannelName::{Desktop, Email, Slack};
        let ladder = Ladder::of(Severity::High, vec![Desktop, Slack, Email], Awake::minutes(15));
        let rungs: Vec<_> = (0..100).map_while(|n| ladder.rung(n)).collect();
        let at = Awake::minutes;
        assert_eq!(
            rungs[..5],
            [(Desktop, at(0)), (Slack, at(15)), (Email, at(30)), (Desktop, at(90)), (Slack, at(150))]
        );
        assert!(rungs.last().unwrap().1 <= at(24 * 60) && rungs.len() == 26, "{}", rungs.len());
        let medium = Ladder::of(Severity::Medium, vec![Desktop, Slack], at(15));
        assert_eq!(
            (0..9).map_while(|n| medium.rung(n)).collect::<Vec<_>>(),
            [(Desktop, at(0)), (Slack, at(60))]
        );
        assert_eq!(Ladder::of(Severity::High, Vec::new(), at(15)).rung(0), None);
    }
}
