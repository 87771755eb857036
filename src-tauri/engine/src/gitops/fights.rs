//! When something here writes a place again and again that git says otherwise: taking it back goes slower and
//! slower, and then stops. Two programs that each put their own value back would do so for ever.

use chrono::{DateTime, TimeDelta, Utc};

/// So often in an hour, and no more.
const MOST: usize = 5;

/// Whether drift is taken back now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revert {
    Now,
    /// Not before this moment.
    Later(DateTime<Utc>),
    /// It came back so often that something here wants it otherwise: a person has to look.
    Fight,
}

/// What follows from when it was taken back before, the oldest first.
pub(super) fn revert(taken_back: &[DateTime<Utc>], now: DateTime<Utc>) -> Revert {
    // A clock that was set back must not stop it for good.
    let young: Vec<_> =
        taken_back.iter().filter(|at| **at <= now && now - **at <= TimeDelta::hours(1)).collect();
    let Some(last) = young.last() else { return Revert::Now };
    if young.len() >= MOST {
        return Revert::Fight;
    }
    // Two seconds, then three times as long each time, at most five minutes.
    let seconds = 2 * 3_i64.pow(u32::try_from(young.len() - 1).unwrap_or(0));
    let until = **last + TimeDelta::seconds(seconds.min(300));
    if now >= until { Revert::Now } else { Revert::Later(until) }
}

/// Forgets what is too old to count.
pub(super) fn forget_old(taken_back: &mut Vec<DateTime<Utc>>, now: DateTime<Utc>) {
    taken_back.retain(|at| *at <= now && now - *at <= TimeDelta::hours(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn a_program_that_writes_back_at_once_is_met_five_times_an_hour_and_not_more() {
        let mut taken_back = Vec::new();
        let mut count = 0;
        for second in 0..3600 {
            if revert(&taken_back, at(second)) == Revert::Now {
                taken_back.push(at(second));
                count += 1;
            }
        }
        assert_eq!(count, 5);
        assert_eq!(revert(&taken_back, at(3600)), Revert::Fight);
        assert_eq!(revert(&taken_back, at(2 * 3600 + 400)), Revert::Now);
    }

    #[test]
    fn a_change_now_and_then_is_taken_back_each_time() {
        let mut taken_back = Vec::new();
        for hour in 0..20 {
            assert_eq!(revert(&taken_back, at(hour * 1800)), Revert::Now);
            taken_back.push(at(hour * 1800));
            forget_old(&mut taken_back, at(hour * 1800));
        }
        assert!(taken_back.len() <= 3);
    }

    #[test]
    fn the_pause_grows() {
        let taken_back = [at(0), at(2)];
        assert_eq!(revert(&taken_back, at(7)), Revert::Later(at(8)));
        assert_eq!(revert(&taken_back, at(8)), Revert::Now);
    }
}
