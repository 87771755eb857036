//! What no container with Claude Code in it may do, whoever makes it.

use super::ContainerEngine;
use crate::settings::{MemoryLimit, Settings};
use bollard::models::{
    HostConfig, HostConfigLogConfig, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use std::collections::HashMap;

/// No capability, no new rights, nothing writable of the image, and bounds on memory, processes and logs. Without
/// mounts and network, which are whoever's who asks.
pub(crate) fn hardened(engine: &ContainerEngine, settings: &Settings) -> HostConfig {
    let memory = match settings.memory() {
        MemoryLimit::Bytes(bytes) => bytes,
        MemoryLimit::Auto => engine.memory / 4 * 3,
    };
    let memory = i64::try_from(memory).ok().filter(|bytes| *bytes > 0);
    // Programs are compiled and run in /tmp; nothing there may change its owner's rights.
    let scratch = |size: &str| format!("rw,exec,nosuid,nodev,mode=1777,size={size}");
    HostConfig {
        tmpfs: Some(HashMap::from([
            ("/tmp".into(), scratch("4g")),
            ("/var/tmp".into(), scratch("1g")),
            ("/run".into(), "rw,noexec,nosuid,nodev,mode=1777,size=64m".into()),
        ])),
        readonly_rootfs: Some(true),
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges:true".into()]),
        pids_limit: Some(settings.pids()),
        memory,
        memory_swap: memory,
        #[allow(clippy::cast_possible_truncation)] // settings allow 0.1 to 1024 CPUs
        nano_cpus: settings.cpus().map(|cpus| (cpus * 1e9) as i64),
        // A core dump of Claude Code holds the login.
        ulimits: Some(vec![ResourcesUlimits { name: Some("core".into()), soft: Some(0), hard: Some(0) }]),
        init: Some(true),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".into()),
            config: Some(HashMap::from([
                ("max-size".into(), "10m".into()),
                ("max-file".into(), "2".into()),
            ])),
        }),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        ..HostConfig::default()
    }
}
