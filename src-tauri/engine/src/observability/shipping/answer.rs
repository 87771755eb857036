//! What a server's answer means, and how long is waited after one that means "not now".

use chrono::{DateTime, TimeDelta, Utc};

/// Longer than this nobody is waited for, whatever they ask.
pub(super) const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The server answered.
    Said {
        /// The status.
        status: u16,
        /// Its header `Retry-After`.
        retry_after: Option<String>,
        /// Of what it took, so many lines it threw away.
        rejected: u64,
    },
    /// It did not: no connection, or none that lasted.
    Silence {
        /// Why, without any address.
        why: String,
    },
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is there.
    Taken,
    /// The same once more, not before so long.
    Later(TimeDelta),
    /// One line of it, or its length, is the matter.
    Smaller,
    /// The key is refused: nothing is sent until something is changed.
    Refused,
}

impl Answer {
    /// What it means after so many failures in a row, this one included.
    ///
    /// Sources: RFC 9110 (statuses, `Retry-After`); the Datadog Agent, which tries a log again for all statuses but
    /// 400, 401, 403 and 413; the OpenTelemetry protocol's specification, "OTLP/HTTP Response".
    pub(super) fn verdict(&self, failures: u32, now: DateTime<Utc>) -> Verdict {
        let Self::Said { status, retry_after, .. } = self else { return Verdict::Later(pause(failures)) };
        match status {
            200..=299 => Verdict::Taken,
            400 | 413 => Verdict::Smaller,
            401 | 403 => Verdict::Refused,
            _ => {
                let asked = retry_after.as_deref().and_then(|text| wait_of(text, now));
                Verdict::Later(asked.unwrap_or_else(|| pause(failures)))
            }
        }
    }

    /// It in a few words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Said { status, .. } => format!("the server answered {status}"),
            Self::Silence { why } => why.clone(),
        }
    }
}

/// How long is waited after so many failures in a row: 2 seconds, doubled each time, up to two minutes.
pub(super) fn pause(failures: u32) -> TimeDelta {
    let doubled = 2_i64.checked_shl(failures.saturating_sub(1).min(10)).unwrap_or(120);
    TimeDelta::seconds(doubled.min(120))
}

/// `Retry-After`: seconds, or a date.
fn wait_of(text: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    let text = text.trim();
    let wait = match text.parse::<u32>() {
        Ok(seconds) => TimeDelta::seconds(seconds.into()),
        Err(_) => DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&Utc) - now,
    };
    Some(wait.clamp(TimeDelta::zero(), LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, retry_after: Option<&str>) -> Answer {
        Answer::Said { status, retry_after: retry_after.map(str::to_owned), rejected: 0 }
    }

    #[test]
    fn pauses_double_from_two_seconds_to_two_minutes() {
        let seconds: Vec<_> = (1..=9).map(|failures| pause(failures).num_seconds()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 120, 120, 120]);
        assert_eq!(pause(u32::MAX), TimeDelta::seconds(120));
    }

    #[test]
    fn what_a_server_asks_for_is_kept_up_to_an_hour() {
        let now = "2026-10-21T07:28:00Z".parse().unwrap();
        let wait = |text| match said(429, Some(text)).verdict(1, now) {
            Verdict::Later(wait) => wait.num_seconds(),
            other => panic!("{other:?}"),
        };
        assert_eq!(wait("30"), 30);
        assert_eq!(wait("Wed, 21 Oct 2026 07:29:30 GMT"), 90);
        assert_eq!(wait("Wed, 21 Oct 2026 07:00:00 GMT"), 0);
        assert_eq!((wait("86400"), wait("Thu, 22 Oct 2026 07:28:00 GMT")), (3600, 3600));
        assert_eq!(wait("soon"), 2);
    }

    #[test]
    fn each_status_means_one_thing() {
        let now = Utc::now();
        for (status, verdict) in [
            (200, Verdict::Taken),
            (202, Verdict::Taken),
            (400, Verdict::Smaller),
            (413, Verdict::Smaller),
            (401, Verdict::Refused),
            (403, Verdict::Refused),
            (307, Verdict::Later(pause(1))),
            (404, Verdict::Later(pause(1))),
            (408, Verdict::Later(pause(1))),
            (500, Verdict::Later(pause(1))),
            (503, Verdict::Later(pause(1))),
        ] {
            assert_eq!(said(status, None).verdict(1, now), verdict, "{status}");
        }
        let silence = Answer::Silence { why: "connection refused".into() };
        assert_eq!(silence.verdict(3, now), Verdict::Later(TimeDelta::seconds(8)));
    }
}
