//! Each setting as the value that it is, for who uses it.

use super::{
    AutomaticRecovery, HistoryScope, LoginMode, MemoryLimit, PathMode, Settings, SyncLimits,
    values::{remote, size},
};
use std::path::{Path, PathBuf};

impl Settings {
    /// `container.engine`.
    #[must_use]
    pub fn container_engine(&self) -> &str {
        self.text("container.engine")
    }

    /// `container.memory`.
    #[must_use]
    pub fn memory(&self) -> MemoryLimit {
        MemoryLimit::parse(self.text("container.memory")).unwrap_or(MemoryLimit::Auto)
    }

    /// `container.cpus`; `None` is no limit.
    #[must_use]
    pub fn cpus(&self) -> Option<f64> {
        self.text("container.cpus").parse().ok()
    }

    /// `container.pids`.
    #[must_use]
    pub fn pids(&self) -> i64 {
        self.text("container.pids").parse().unwrap_or(4096)
    }

    /// `image.base`.
    #[must_use]
    pub fn image_base(&self) -> &str {
        self.text("image.base")
    }

    /// `image.claude_version`.
    #[must_use]
    pub fn claude_version(&self) -> &str {
        self.text("image.claude_version")
    }

    /// `image.packages`.
    #[must_use]
    pub fn packages(&self) -> Vec<String> {
        self.text("image.packages").split_whitespace().map(str::to_owned).collect()
    }

    /// `login.mode`.
    #[must_use]
    pub fn login_mode(&self) -> LoginMode {
        LoginMode::from_word(self.text("login.mode")).unwrap_or(LoginMode::Ask)
    }

    /// `recovery.automatic`.
    #[must_use]
    pub fn automatic_recovery(&self) -> AutomaticRecovery {
        AutomaticRecovery::from_word(self.text("recovery.automatic")).unwrap_or(AutomaticRecovery::Ask)
    }

    /// `session.history`.
    #[must_use]
    pub fn history(&self) -> HistoryScope {
        HistoryScope::from_word(self.text("session.history")).unwrap_or(HistoryScope::Project)
    }

    /// `session.paths`.
    #[must_use]
    pub fn path_mode(&self) -> PathMode {
        if self.text("session.paths") == "mapped" { PathMode::Mapped } else { PathMode::Same }
    }

    /// `session.terminal`: `auto`, a terminal's name, or a command.
    #[must_use]
    pub fn terminal(&self) -> &str {
        self.text("session.terminal")
    }

    /// `session.localhost`.
    #[must_use]
    pub(crate) fn reaches_localhost(&self) -> bool {
        self.text("session.localhost") == "reach"
    }

    /// `sync.interval_seconds`.
    #[must_use]
    pub fn sync_interval(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.text("sync.interval_seconds").parse().unwrap_or(30))
    }

    /// `sync.exclude`.
    #[must_use]
    pub fn excluded(&self) -> Vec<String> {
        self.text("sync.exclude").split_whitespace().map(str::to_owned).collect()
    }

    /// `sync.max_file_size`, `sync.max_total_size` and `sync.max_files`.
    #[must_use]
    pub fn sync_limits(&self) -> SyncLimits {
        let bytes = |name| size(self.text(name)).unwrap_or(u64::MAX);
        SyncLimits {
            file: bytes("sync.max_file_size"),
            total: bytes("sync.max_total_size"),
            files: self.text("sync.max_files").parse().unwrap_or(u64::MAX),
        }
    }

    /// `sync.lock_timeout_seconds`.
    #[must_use]
    pub fn lock_timeout(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.text("sync.lock_timeout_seconds").parse().unwrap_or(30))
    }

    /// `backup.local.path`, with a leading `~` as the given home.
    #[must_use]
    pub fn backups_dir(&self, home: &Path) -> PathBuf {
        let text = self.text("backup.local.path");
        match text.strip_prefix("~/") {
            Some(rest) => home.join(rest),
            None => home.join(text),
        }
    }

    /// `backup.external.path`, with a leading `~` as the given home; `None` is no external copy.
    #[must_use]
    pub fn external_copy(&self, home: &Path) -> Option<PathBuf> {
        match self.text("backup.external.path") {
            "" => None,
            text => Some(text.strip_prefix("~/").map_or_else(|| home.join(text), |rest| home.join(rest))),
        }
    }

    /// `backup.cloud.remote`, as rclone takes it; `None` is no cloud copy.
    #[must_use]
    pub fn cloud_copy(&self) -> Option<String> {
        remote(self.text("backup.cloud.remote"))
    }

    /// `backup.interval_minutes`.
    #[must_use]
    pub fn backup_interval(&self) -> chrono::TimeDelta {
        chrono::TimeDelta::minutes(self.text("backup.interval_minutes").parse().unwrap_or(60))
    }

    /// `backup.retention_days` and `backup.hourly_hours`: days, then hours.
    #[must_use]
    pub fn retention(&self) -> (u32, u32) {
        let number = |name, otherwise| self.text(name).parse().unwrap_or(otherwise);
        (number("backup.retention_days", 30), number("backup.hourly_hours", 48))
    }

    /// `backup.archive_size`, in bytes.
    #[must_use]
    pub fn archive_size(&self) -> u64 {
        size(self.text("backup.archive_size")).unwrap_or(10 << 30)
    }

    /// `backup.quarantine_days`.
    #[must_use]
    pub fn quarantine(&self) -> chrono::TimeDelta {
        chrono::TimeDelta::days(self.text("backup.quarantine_days").parse().unwrap_or(7))
    }

    /// `gitops.repository`; `None` is none.
    #[must_use]
    pub fn gitops_repository(&self) -> Option<&str> {
        Some(self.text("gitops.repository")).filter(|text| !text.is_empty())
    }

    /// `gitops.branch`.
    #[must_use]
    pub fn gitops_branch(&self) -> &str {
        self.text("gitops.branch")
    }

    /// `gitops.enabled`.
    #[must_use]
    pub fn gitops_enabled(&self) -> bool {
        self.text("gitops.enabled") == "true"
    }

    /// `gitops.interval_seconds`.
    #[must_use]
    pub fn gitops_interval(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.text("gitops.interval_seconds").parse().unwrap_or(300))
    }

    /// `gitops.require_signed`.
    #[must_use]
    pub fn gitops_requires_signature(&self) -> bool {
        self.text("gitops.require_signed") == "true"
    }

    /// `gitops.drift_policy`.
    #[must_use]
    pub fn gitops_drift_policy(&self) -> crate::gitops::DriftPolicy {
        let policy = crate::gitops::DriftPolicy::from_word(self.text("gitops.drift_policy"));
        policy.unwrap_or(crate::gitops::DriftPolicy::Report)
    }

    /// `gitops.machine`; `None` is the computer's name.
    #[must_use]
    pub fn gitops_machine(&self) -> Option<&str> {
        Some(self.text("gitops.machine")).filter(|text| !text.is_empty())
    }

    /// `gitops.recovery_recipient`; `None` is none.
    #[must_use]
    pub fn gitops_recovery_recipient(&self) -> Option<crate::gitops::sops::Recipient> {
        crate::gitops::sops::Recipient::read(self.text("gitops.recovery_recipient")).ok()
    }

    /// `observability.datadog.enabled`, and where that is: `observability.datadog.address`, or the site's own.
    #[must_use]
    pub fn datadog(&self) -> Option<(&str, Option<&str>)> {
        let address = Some(self.text("observability.datadog.address")).filter(|text| !text.is_empty());
        let is_on = self.text("observability.datadog.enabled") == "true";
        is_on.then(|| (self.text("observability.datadog.site"), address))
    }

    /// `observability.otlp.endpoint`; `None` is no collector.
    #[must_use]
    pub fn collector(&self) -> Option<&str> {
        Some(self.text("observability.otlp.endpoint")).filter(|text| !text.is_empty())
    }

    /// `observability.send.errors`.
    #[must_use]
    pub fn sends_errors(&self) -> bool {
        self.text("observability.send.errors") == "true"
    }

    /// `observability.send.names`.
    #[must_use]
    pub fn sends_names(&self) -> bool {
        self.text("observability.send.names") == "true"
    }
}
