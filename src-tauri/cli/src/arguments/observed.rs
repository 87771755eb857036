//! What was done: `drydock events`, `metrics`, `traces`, `errors` and `shipping`.

use clap::{Args, Subcommand};

/// Which of what is on record.
#[derive(Debug, Args)]
pub(crate) struct Seen {
    /// Of this long: 30m, 2h, 7d
    #[arg(long, value_parser = window)]
    pub(crate) since: Option<chrono::TimeDelta>,
    /// Of this session
    #[arg(long)]
    pub(crate) session: Option<String>,
    /// At least so important
    #[arg(long, value_enum)]
    pub(crate) level: Option<LevelWord>,
    /// Of this trace, by the beginning of its name
    #[arg(long)]
    pub(crate) trace: Option<String>,
    /// Go on as more comes
    #[arg(short, long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Shipping {
    /// Show what was sent, what was dropped and why, and what waits
    Status,
    /// Send all that waits now, also what waits for its time or stands still
    Now,
    /// Print what would be sent of the newest lines; nothing is sent
    Preview,
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LevelWord {
    /// As usual
    Info,
    /// Something to look at
    Warn,
    /// Something failed
    Error,
}

/// The name of a metric.
pub(super) fn metric(text: &str) -> Result<drydock_engine::observability::MetricName, String> {
    use drydock_engine::observability::MetricName;
    MetricName::ALL.iter().copied().find(|name| name.as_str() == text).ok_or_else(|| {
        let names: Vec<_> = MetricName::ALL.iter().map(|name| name.as_str()).collect();
        format!("there is no such metric; there are {}", names.join(", "))
    })
}

/// A stretch of time, as people type it.
pub(super) fn window(text: &str) -> Result<chrono::TimeDelta, String> {
    let wrong = || format!("`{text}` is no time such as 30m, 2h or 7d");
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: i64 = text[..at].parse().map_err(|_| wrong())?;
    let window = match &text[at..] {
        "s" => chrono::TimeDelta::try_seconds(number),
        "m" => chrono::TimeDelta::try_minutes(number),
        "h" => chrono::TimeDelta::try_hours(number),
        "d" => chrono::TimeDelta::try_days(number),
        _ => None,
    };
    window.filter(|window| *window < chrono::TimeDelta::days(36_500)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_of_time_are_read_as_people_type_them() {
        assert_eq!(window("90m").unwrap(), chrono::TimeDelta::minutes(90));
        assert_eq!(window("7d").unwrap(), chrono::TimeDelta::days(7));
        for wrong in ["", "7", "d", "-1h", "7w", "9999999999d", "1.5h"] {
            assert!(window(wrong).is_err(), "{wrong}");
        }
    }
}
