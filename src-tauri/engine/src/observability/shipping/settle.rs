//! What follows from a server's answer: a plain function of what is kept.

use super::{
    answer::{Answer, Verdict},
    state::{Dropped, Kept, Reason, Stopped, Trouble},
    stream::{Batch, LINES, Stream},
};
use crate::keychain::Fingerprint;
use chrono::{DateTime, Utc};

/// After so many lines that were refused one by one the matter is not the lines.
const IN_A_ROW: u32 = 5;

/// What should be said, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// A stream stands still.
    Stopped(Stream, Option<u16>),
    /// So much was dropped.
    Dropped(Stream, u64),
}

impl Kept {
    /// What follows from the answer to a batch; one without a body needs none.
    pub(super) fn settle(
        &mut self,
        stream: Stream,
        batch: Batch,
        answer: Option<&Answer>,
        identity: Fingerprint,
        now: DateTime<Utc>,
    ) -> Vec<Notice> {
        let Some(answer) = answer else {
            return self.advance(stream, batch, &Dropped::new());
        };
        let verdict = answer.verdict(self.failures.saturating_add(1), now);
        // A line that is found and dropped is counted, and no trouble.
        if matches!(verdict, Verdict::Later(_) | Verdict::Refused) {
            self.trouble = Some(Trouble { at: now, what: answer.words() });
        }
        match verdict {
            Verdict::Taken => {
                let rejected = match answer {
                    Answer::Said { rejected, .. } => (*rejected).min(batch.lines as u64),
                    Answer::Silence { .. } => 0,
                };
                self.sent += batch.lines as u64 - rejected;
                self.last_sent = Some(now);
                (self.failures, self.refused_in_a_row) = (0, 0);
                (self.not_before, self.stopped, self.trouble) = (None, None, None);
                self.at_most = self.at_most.map(|lines| lines * 2).filter(|lines| *lines < LINES);
                self.last_second = batch.last_second.or(self.last_second);
                let also =
                    if rejected > 0 { Dropped::from([(Reason::Rejected, rejected)]) } else { Dropped::new() };
                self.advance(stream, batch, &also)
            }
            Verdict::Later(wait) => {
                self.failures = self.failures.saturating_add(1);
                self.not_before = Some(now + wait);
                Vec::new()
            }
            Verdict::Refused => vec![self.stop(stream, answer, identity, now)],
            Verdict::Smaller if batch.lines > 1 => {
                self.at_most = Some(batch.lines / 2);
                Vec::new()
            }
            Verdict::Smaller => {
                let is_size = matches!(answer, Answer::Said { status: 413, .. });
                let reason = if is_size { Reason::TooLarge } else { Reason::Refused };
                self.refused_in_a_row += 1;
                let mut notices = Vec::new();
                if self.refused_in_a_row >= IN_A_ROW {
                    self.refused_in_a_row = 0;
                    notices.push(self.stop(stream, answer, identity, now));
                }
                notices.extend(self.advance(stream, batch, &Dropped::from([(reason, 1)])));
                notices
            }
        }
    }

    /// The lines are done with.
    fn advance(&mut self, stream: Stream, batch: Batch, also: &Dropped) -> Vec<Notice> {
        self.cursor = Some(batch.after);
        let mut count = 0;
        for (reason, lines) in batch.dropped.iter().chain(also) {
            *self.dropped.entry(*reason).or_default() += lines;
            count += lines;
        }
        if count > 0 { vec![Notice::Dropped(stream, count)] } else { Vec::new() }
    }

    fn stop(&mut self, stream: Stream, answer: &Answer, identity: Fingerprint, now: DateTime<Utc>) -> Notice {
        self.stopped = Some(Stopped { at: now, why: answer.words(), identity: Some(identity) });
        let status = match answer {
            Answer::Said { status, .. } => Some(*status),
            Answer::Silence { .. } => None,
        };
        Notice::Stopped(stream, status)
    }
}
