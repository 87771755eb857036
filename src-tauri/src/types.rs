//! The page's types are the engine's: written into `ui/src/generated`, and current, or this fails.

use crate::{
    commands::{
        configuration::{ConfigDeed, ConfigReport, Differing, DriftDeed},
        deployment::{DeployDeed, Deploying},
        names::NAMES,
        settings::{AtLogin, Setting},
    },
    doing::Doing,
    overview::Overview,
    windows::Page,
};
use drydock_engine::{
    alerting::channels::Permission,
    backup::{BackupReport, BroughtBack, Drill, Hit, Listed, ListedSnapshot},
    disaster_recovery::{Past, Plan, Report, Undone},
    error_handling::Error,
    gitops::{AuditLine, GitopsStatus, Judged},
    keychain::Way,
    observability::{EventLine, Metrics, SpanLine},
    sync::{Always, Decided, Held},
    validation::Check,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use ts_rs::{Config, TS};

/// Set, the files are written instead of compared.
const WRITE: &str = "DRYDOCK_WRITE_TYPES";

fn ui() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/src")
}

/// Everything that a command gives or takes, and what these are made of.
fn export(folder: &Path) {
    // What JSON has are numbers; none here is too large for one.
    let config = Config::new().with_large_int("number").with_out_dir(folder);
    macro_rules! all {
        ($($type:ty),* $(,)?) => { $(<$type>::export_all(&config).unwrap();)* };
    }
    all![
        Always,
        AtLogin,
        AuditLine,
        BackupReport,
        BroughtBack,
        Check,
        ConfigDeed,
        ConfigReport,
        Decided,
        DeployDeed,
        Deploying,
        Differing,
        Doing,
        DriftDeed,
        Drill,
        Error,
        EventLine,
        GitopsStatus,
        Held,
        Hit,
        Judged,
        Listed,
        ListedSnapshot,
        Metrics,
        Overview,
        Page,
        Past,
        Permission,
        Plan,
        Report,
        Setting,
        SpanLine,
        Undone,
        Way,
    ];
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            (entry.file_name().to_string_lossy().into_owned(), fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn the_pages_types_are_current() {
    let made = tempfile::tempdir().unwrap();
    export(made.path());
    let folder = ui().join("generated");
    if std::env::var_os(WRITE).is_some() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in files(made.path()) {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let (wanted, there) = (files(made.path()), files(&folder));
    assert!(wanted.len() > 40, "hardly any types: {:?}", wanted.keys());
    assert!(wanted == there, "the types are not current: {WRITE}=1 cargo test -p drydock-app types");
}

#[test]
fn the_page_asks_for_the_commands_there_are_and_may_ask_for_them() {
    let there: BTreeSet<_> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    let page = fs::read_to_string(ui().join("backend.ts")).unwrap();
    let asked: BTreeSet<_> = page
        .split("call<")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("(\"")?.1.split_once('"')?.0.to_owned()))
        .collect();
    assert_eq!(asked, there);
    let granted = |file: &str| -> BTreeSet<String> {
        let rights: serde_json::Value = serde_json::from_str(file).unwrap();
        let rights = rights["permissions"].as_array().unwrap().clone();
        rights
            .iter()
            .filter_map(|right| Some(right.as_str()?.strip_prefix("allow-")?.replace('-', "_")))
            .collect()
    };
    let main = granted(include_str!("../capabilities/main.json"));
    let popover = granted(include_str!("../capabilities/popover.json"));
    assert_eq!(main.union(&popover).cloned().collect::<BTreeSet<_>>(), there);
    for deed in [
        "recover",
        "approve_held",
        "approve_held_always",
        "approve_configuration",
        "settle_drift",
        "set_setting",
        "bring_back",
    ] {
        assert!(!popover.contains(deed), "the popover may {deed}, and has no page for it");
    }
    let handled = include_str!("main.rs");
    for name in &there {
        assert!(handled.contains(&format!("::{name},")), "{name} has no function");
    }
}
