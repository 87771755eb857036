//! The catalogue of error codes: one table, read by the code, the documentation and the tests.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// How a command ends. The numbers are the command line's exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Tried and failed: exit code 1.
    Failed,
    /// The request itself was wrong: exit code 2.
    Usage,
    /// Not possible on this machine as it is (no engine, no Keychain): exit code 3.
    NotPossibleHere,
    /// Waits for a decision of the user: exit code 4.
    NeedsUser,
}

impl Outcome {
    /// The process exit code of this outcome.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotPossibleHere => 3,
            Self::NeedsUser => 4,
        }
    }
}

macro_rules! catalogue {
    ($($name:ident = $text:literal, $outcome:ident, $doc:literal;)*) => {
        /// A stable error code. Programs and the UI tell errors apart by it, never by their words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $doc] $name,)* }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The code as it stands in output and in the documentation, such as `engine.none`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// How a command that meets this error ends.
            #[must_use]
            pub fn outcome(self) -> Outcome {
                match self { $(Self::$name => Outcome::$outcome,)* }
            }

            /// What the code means, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }
        }
    };
}

catalogue! {
    EngineNone = "engine.none", NotPossibleHere, "No container engine answers.";
    EngineFailed = "engine.failed", Failed, "The container engine refused or failed a request.";
    EngineUnsupported = "engine.unsupported", NotPossibleHere, "The container engine lacks something that sessions need.";
    ImageBaseMissing = "image.base_missing", NotPossibleHere, "The base image is not here and cannot be pulled.";
    ImageBuild = "image.build", Failed, "The session image could not be built.";
    ImageDownload = "image.download", Failed, "Claude Code could not be downloaded.";
    ImageIntegrity = "image.integrity", Failed, "A download is not what its publisher says it is.";
    ImageMissing = "image.missing", NotPossibleHere, "No session image is built.";
    ImageBroken = "image.broken", Failed, "The session image does not start.";
    ProjectMissing = "project.missing", Usage, "The project folder is not there.";
    ProjectRefused = "project.refused", Usage, "This folder cannot be a project.";
    HomeMissing = "home.missing", Usage, "The host home is not there.";
    HomeUnsupported = "home.unsupported", NotPossibleHere, "The host home is laid out in a way sessions cannot mirror yet.";
    ConfigDamaged = "config.damaged", NeedsUser, "Claude Code's own configuration is damaged.";
    LoginUndecided = "login.undecided", NeedsUser, "How sessions log in has not been chosen.";
    LoginNone = "login.none", NeedsUser, "The chosen way to log in has no login to give.";
    LoginBusy = "login.busy", Failed, "The login is being changed by another program.";
    LoginRefused = "login.refused", NeedsUser, "A login was not taken in the place of the one that is there.";
    KeychainLocked = "keychain.locked", NeedsUser, "The Keychain or keyring is locked.";
    KeychainRefused = "keychain.refused", Failed, "The Keychain or keyring refused.";
    KeyringNone = "keychain.none", NotPossibleHere, "There is no keyring to keep secrets in.";
    LockHeld = "sync.locked", Failed, "Another sync holds the lock.";
    LockUnsafe = "sync.lock_unsafe", Failed, "The lock file is not one that Drydock made.";
    SyncIn = "sync.in", Failed, "The host home could not be brought into the session.";
    SyncOut = "sync.out", Failed, "The session's data could not be brought out.";
    SyncVerify = "sync.verify", Failed, "What arrived is not what was sent.";
    SyncBase = "sync.base", Failed, "The record of what was synced last cannot be used.";
    SyncStopped = "sync.stopped", NeedsUser, "A side of the sync is not what it was; nothing was synced.";
    SyncRefused = "sync.refused", NeedsUser, "Some of the session's data was refused and is still inside.";
    NameRefused = "sync.name_refused", Failed, "A file system here cannot hold a file of this name.";
    HeldUnknown = "held.unknown", Usage, "There is no such held change.";
    HeldStale = "held.stale", NeedsUser, "The host has changed since a held change was looked at.";
    DataInside = "session.data_inside", NeedsUser, "The session still holds data that is not on the host.";
    SessionUnknown = "session.unknown", Usage, "There is no such session.";
    SessionAmbiguous = "session.ambiguous", Usage, "Several sessions match.";
    SessionLost = "session.lost", Failed, "A session's home was removed from the engine before its data came out.";
    SessionState = "session.state", Failed, "The session is not in a state for this.";
    SessionStart = "session.start", Failed, "The session could not be started.";
    BackupNone = "backup.none", NeedsUser, "There is no backup yet.";
    BackupNothing = "backup.nothing", NeedsUser, "There is no Claude data to back up.";
    BackupKey = "backup.key", NeedsUser, "The key of the backups is missing or does not fit.";
    BackupRepository = "backup.repository", Failed, "The repository of the backups refused or failed.";
    BackupDamaged = "backup.damaged", Failed, "A file of the backups is not what was written.";
    BackupBusy = "backup.busy", Failed, "Other work on the backups does not end.";
    BackupUnverified = "backup.unverified", NeedsUser, "Nothing was removed, since the newest snapshot is not proven.";
    BackupIncomplete = "backup.incomplete", Failed, "Not everything could be brought back.";
    CopyAbsent = "copy.absent", NotPossibleHere, "A copy's volume or remote is not there.";
    CopyForeign = "copy.foreign", NeedsUser, "A copy's place holds something that is not this copy.";
    CopyFailed = "copy.failed", Failed, "A copy could not be written or read.";
    CopyDiverged = "copy.diverged", NeedsUser, "A copy tells another story than the local one.";
    SnapshotUnknown = "snapshot.unknown", Usage, "There is no such snapshot.";
    SnapshotAmbiguous = "snapshot.ambiguous", Usage, "Several snapshots match.";
    SnapshotPath = "snapshot.path", Usage, "The snapshot has no such file.";
    RestoreTarget = "restore.target", Usage, "The restore's target is not an empty folder.";
    DrillFailed = "drill.failed", Failed, "A snapshot could not be proven by a restore.";
    RecoveryNoBackup = "recovery.no_backup", NeedsUser, "There is no backup to recover from.";
    RecoveryRunning = "recovery.running", Failed, "Another recovery is at work.";
    RecoveryStopped = "recovery.stopped", NeedsUser, "No recovery is begun by itself any more until somebody has looked.";
    RecoveryUnproven = "recovery.unproven", Failed, "What a recovery brought back did not pass its check.";
    RecoveryUnconfirmed = "recovery.unconfirmed", NeedsUser, "A recovery was not begun, since nobody confirmed it.";
    RecoveryUnknown = "recovery.unknown", Usage, "There is no such recovery.";
    DeploymentNone = "deployment.none", Usage, "No image version is being tried out.";
    DeploymentState = "deployment.state", Failed, "The deployment is not in a state for this.";
    DeploymentSame = "deployment.same", Usage, "The candidate is the image version that launches already use.";
    DeploymentDenied = "deployment.denied", NeedsUser, "This image version was taken back, and is not tried again by itself.";
    DeploymentWeight = "deployment.weight", Usage, "CLAUDE_DOCKER_V2_PROBABILITY is not a number from 0.0 to 1.0.";
    DeploymentSmoke = "deployment.smoke", Failed, "An image version did not pass its smoke tests.";
    StateDatabase = "state.database", Failed, "The state database cannot be used.";
    AlertUnknown = "alerts.unknown", Usage, "There is no such incident or rule.";
    AlertAmbiguous = "alerts.ambiguous", Usage, "Several incidents match.";
    AlertsDamaged = "alerts.damaged", Failed, "What is remembered of alerts cannot be understood.";
    DaemonRunning = "daemon.running", Failed, "Another process already does the scheduled work.";
    ChannelOff = "alerts.channel_off", NeedsUser, "A channel for alerts is not set up.";
    AlertUndelivered = "alerts.undelivered", Failed, "A channel did not take an alert.";
    SettingsUnknownKey = "settings.unknown_key", Usage, "There is no such setting.";
    SettingsValue = "settings.value", Usage, "A setting has a value that it cannot have.";
    SettingsFile = "settings.file", Failed, "The settings file cannot be read.";
    ShippingOff = "shipping.off", NeedsUser, "Nothing is set up to be sent anywhere.";
    ShippingBusy = "shipping.busy", Failed, "Another process is sending what is on record.";
    ShippingStopped = "shipping.stopped", NeedsUser, "A server refuses what is sent to it.";
    ShippingFailed = "shipping.failed", Failed, "Not all that is on record could be sent.";
    SecretsSyntax = "secrets.syntax", Failed, "A file of secrets is no YAML that can be read.";
    SecretsShape = "secrets.shape", Failed, "A file of secrets has something in it that such a file cannot have.";
    SecretsPlain = "secrets.plain", NeedsUser, "What has to be encrypted is not.";
    SecretsEncrypted = "secrets.encrypted", Usage, "A file of secrets is encrypted already.";
    SecretsComments = "secrets.comments", NeedsUser, "Comments would be lost, so a file was not encrypted.";
    SecretsUnsupported = "secrets.unsupported", Failed, "A file of secrets uses a part of SOPS that Drydock does not have.";
    SecretsIncomplete = "secrets.incomplete", Failed, "A file of secrets is not whole.";
    SecretsForOthers = "secrets.for_others", NeedsUser, "A file of secrets is not for this computer's key.";
    SecretsKey = "secrets.key", NeedsUser, "The key of the secrets is missing or does not fit.";
    SecretsTampered = "secrets.tampered", Failed, "A value of a file of secrets is not what was encrypted.";
    SecretsMac = "secrets.mac", Failed, "The MAC of a file of secrets does not fit what is in it.";
    SecretsRules = "secrets.rules", NeedsUser, "The rules for encrypting secrets cannot be used.";
    GitNone = "gitops.no_git", NotPossibleHere, "The user's own git is not installed.";
    GitopsOff = "gitops.off", NeedsUser, "No repository of configuration is set up.";
    GitopsBusy = "gitops.busy", Failed, "Another process is at work on the configuration.";
    GitopsRepository = "gitops.repository", Failed, "The copy of the configuration's repository cannot be used.";
    GitopsUnreachable = "gitops.unreachable", Failed, "The configuration's repository cannot be reached.";
    GitopsInvalid = "gitops.invalid", Failed, "The repository says something that cannot be configuration.";
    GitopsSecret = "gitops.secret", Failed, "A file of secrets in the repository cannot be opened.";
    GitopsUnproven = "gitops.unproven", Failed, "What a commit brought did not pass its check, and was taken back.";
    GitopsPlace = "gitops.place", Usage, "There is no such place or commit in the configuration.";
    GitopsState = "gitops.state", Failed, "What is remembered of the configuration cannot be understood.";
    GitopsAudit = "gitops.audit", Failed, "The log of changes to the configuration is not what was written.";
    TerminalNone = "terminal.none", NotPossibleHere, "No terminal could be opened for a session.";
    DiskFull = "disk.full", Failed, "A disk is full.";
    FileAccess = "file.access", Failed, "A file could not be read or written.";
    Usage = "usage", Usage, "The command was called wrongly.";
    Stopped = "stopped", Failed, "The user stopped it; nothing half-done stays.";
    Internal = "internal", Failed, "Drydock itself is at fault.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = Self::ALL.iter().find(|code| code.as_str() == text);
        known.copied().ok_or_else(|| de::Error::custom("there is no such code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_distinct_and_meanings_are_sentences() {
        let distinct: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(distinct.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.meaning().ends_with('.'), "{code}");
        }
    }
}
