//! The error log: every error that ended a piece of work, and faults of Drydock's own.

use super::{Code, Error};
use crate::observability::{Event, EventName, Metric, MetricName, log_event, record_metric};
use serde::Serialize;
use std::{
    backtrace::Backtrace,
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    panic::PanicHookInfo,
    path::{Path, PathBuf},
};

/// How much an error matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A piece of work failed.
    Error,
    /// Claude Code's data, or Drydock itself, does not work.
    Fatal,
}

/// A line of the error log.
#[derive(Serialize)]
struct Line<'e> {
    event: &'static str,
    level: &'static str,
    severity: Severity,
    code: &'static str,
    /// What was done: `backup`, `sync out`, ...
    doing: &'e str,
    message: &'e str,
    causes: &'e [String],
    remedies: &'e [String],
}

/// Writes an error that ended a piece of work into the error log, with what was being done. Blocking, briefly.
pub fn log_error(error: &Error, doing: &str) {
    write(error, doing, Severity::Error);
}

/// Logs an error by which Claude Code's data or Drydock itself does not work, and has `recover` do what can be
/// done about it. A recovery that failed is only logged: it never leads to another.
pub fn fatal_error<T>(error: &Error, doing: &str, recover: impl FnOnce() -> Option<T>) -> Option<T> {
    write(error, doing, Severity::Fatal);
    let of_recovery = matches!(
        error.code(),
        Code::RecoveryStopped | Code::RecoveryUnproven | Code::RecoveryNoBackup | Code::RecoveryRunning
    );
    if of_recovery { None } else { recover() }
}

fn write(error: &Error, doing: &str, severity: Severity) {
    let line = Line {
        event: EventName::ErrorLogged.as_str(),
        level: "error",
        severity,
        code: error.code().as_str(),
        doing,
        message: error.message(),
        causes: error.causes(),
        remedies: error.remedies(),
    };
    if let Ok(payload) = serde_json::to_string(&line) {
        tracing::event!(target: crate::observability::ERRORS, tracing::Level::INFO, payload = payload.as_str());
    }
    log_event(&Event::new(EventName::ErrorLogged).code(error.code()).with("doing", doing));
    record_metric(&Metric::count(MetricName::Errors, 1).with("code", error.code().as_str()));
}

/// Has faults of Drydock's own written down: where, with a backtrace, in a file of `crashes` that the user can read
/// before anybody else does, and as an event. Nothing of it is sent.
pub fn error_trap_handler(crashes: PathBuf) {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let report = report(panic);
        log_event(&Event::new(EventName::Crashed).code(Code::Internal).with("place", place(panic)));
        match write_report(&crashes, &report) {
            Ok(path) => {
                eprintln!("drydock: a fault of its own; what is known of it is in {}", path.display());
            }
            Err(cause) => eprintln!("drydock: a fault of its own, which cannot be written down: {cause}"),
        }
        usual(panic);
    }));
}

fn place(panic: &PanicHookInfo<'_>) -> String {
    panic.location().map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

fn report(panic: &PanicHookInfo<'_>) -> String {
    let said = panic.payload_as_str().unwrap_or("it says nothing");
    let home = std::env::var("HOME").unwrap_or_default();
    let text = format!(
        "Drydock {} on {} {}\nat {}\n{said}\nthread: {}\n\n{}\n",
        crate::VERSION,
        std::env::consts::OS,
        std::env::consts::ARCH,
        place(panic),
        std::thread::current().name().unwrap_or("unnamed"),
        Backtrace::force_capture()
    );
    crate::observability::redacted(&text, &home)
}

fn write_report(folder: &Path, report: &str) -> std::io::Result<PathBuf> {
    crate::paths::create_private_dir(folder).map_err(std::io::Error::other)?;
    let name = format!("crash-{}-{}.txt", chrono::Utc::now().format("%Y%m%dT%H%M%S%3f"), std::process::id());
    let path = folder.join(name);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(report.as_bytes())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_recovery_leads_to_no_other() {
        let error = |code| Error::new(code, "x");
        assert_eq!(fatal_error(&error(Code::ConfigDamaged), "sync", || Some(1)), Some(1));
        assert_eq!(fatal_error(&error(Code::RecoveryUnproven), "sync", || Some(1)), None);
    }
}
