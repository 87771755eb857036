//! Everything Drydock does, without a window system or a terminal.
//!
//! [`Drydock`] is what the command line and the app open. Each part of the mission is a module of its
//! own name:
//!
//! | module | what it promises |
//! | --- | --- |
//! | [`backup`] | copies of Claude Code's data: [`backup::pre_sync_backup`] |
//! | [`validation`] | whether Claude Code's data and the machine are sound: [`validation::validate_claude_config`], [`validation::validate_docker_environment`], [`validation::examine`], [`session::Sessions::verify_sync_integrity`] |
//! | [`gitops`] | what a git repository says, brought here: [`gitops::reconcile_config`], [`gitops::detect_drift`], [`gitops::audit_config_change`] |
//! | [`alerting`] | few alerts, each said once: [`alerting::check_alert_rules`], [`alerting::send_alert`], [`alerting::throttle_alert`], [`alerting::escalate_alert`] |
//! | [`deployment`] | a new image on a few launches at a time: [`deployment::Deployments::deploy_canary`], [`deployment::Deployments::rollback_deployment`], [`deployment::run_smoke_tests`], [`deployment::Deployments::track_deployment`] |
//! | [`disaster_recovery`] | what is damaged comes back: [`disaster_recovery::disaster_recovery`], [`disaster_recovery::find_good_backup`], [`disaster_recovery::restore_from_backup`], [`disaster_recovery::verify_recovery`] |
//! | [`error_handling`] | one error type with a catalogue of codes: [`error_handling::log_error`], [`error_handling::fatal_error`], [`error_handling::cleanup_on_error`], [`error_handling::error_trap_handler`] |
//! | [`observability`] | what happened, and why: [`observability::log_event`], [`observability::collect_metrics`], [`observability::start_trace`], [`observability::end_trace`], [`observability::send_to_datadog`] |
//! | [`keychain`] | the user's login, and what a session gets of it: [`keychain::extract_keychain_credentials`] |
//! | [`sync`] | what goes in and what comes back: [`session::Sessions::sync_claude_config_in`], [`session::Sessions::sync_claude_config_out`], [`sync::fix_mcp_paths`], [`sync::normalize_session_history`], [`sync::acquire_sync_lock`], [`sync::release_sync_lock`] |
//! | [`gitops`] | configuration as code: [`gitops::sops::encrypt_secrets`] |
//!
//! Beside them what they share: [`claude_home`] (what the files are), [`session`] (launch to exit),
//! [`container`] (the engine's API), [`image`], [`settings`], [`paths`]. Low modules know nothing of
//! high ones.

pub mod alerting;
pub mod backup;
pub mod claude_home;
pub mod container;
pub mod deployment;
pub mod disaster_recovery;
mod drydock;
pub mod error_handling;
#[cfg(test)]
mod faults;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod gitops;
pub mod image;
pub mod keychain;
pub mod observability;
pub mod paths;
mod program;
pub mod progress;
pub mod report;
pub mod scheduler;
pub mod session;
pub mod settings;
mod state;
pub mod sync;
pub mod validation;

pub use drydock::Drydock;

/// The version of Drydock.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
