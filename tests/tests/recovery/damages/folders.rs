//! Damage to folders, and to much at once.

use super::{
    super::person::{MEMORY, Person, SETTINGS, STATE},
    Kind,
    bytes::tenths,
};
use drydock_tests::rig::WORKED;
use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};
use walkdir::WalkDir;

const CLAUDE: &str = ".claude";
const PROJECTS: &str = ".claude/projects";
const SHOP: &str = ".claude/projects/-home-ann-shop";
const OTHER: &str = ".claude/projects/-home-ann-api-server-v2";
const REGISTRY: &str = ".claude/plugins/installed_plugins.json";

pub(crate) fn of_folders() -> Vec<Kind> {
    let mut kinds: Vec<_> = ["skills", "agents", "commands", "plugins", "plans", "file-history", "todos"]
        .into_iter()
        .map(|name| {
            let folder = format!("{CLAUDE}/{name}");
            let deleted = folder.clone();
            Kind::new(format!("{folder}, deleted"), &folder, move |person| delete(person, &deleted))
        })
        .collect();
    kinds.extend(whole());
    kinds.extend(parts());
    kinds
}

fn delete(person: &Person, folder: &str) {
    fs::remove_dir_all(person.file(folder)).unwrap();
}

fn mode(person: &Person, name: &str, mode: u32) {
    fs::set_permissions(person.file(name), Permissions::from_mode(mode)).unwrap();
}

/// Claude Code's folder and all conversations.
fn whole() -> Vec<Kind> {
    vec![
        Kind::new("~/.claude, deleted", SHOP, |person| delete(person, CLAUDE)),
        Kind::new("~/.claude and the state, deleted", STATE, |person| {
            delete(person, CLAUDE);
            fs::remove_file(person.file(STATE)).unwrap();
        }),
        Kind::new("~/.claude, emptied", SHOP, |person| {
            delete(person, CLAUDE);
            fs::create_dir(person.file(CLAUDE)).unwrap();
        }),
        Kind::new("~/.claude, replaced by a file", SHOP, |person| {
            delete(person, CLAUDE);
            fs::write(person.file(CLAUDE), "x").unwrap();
        }),
        Kind::new("~/.claude, replaced by a link that leads nowhere", SHOP, |person| {
            delete(person, CLAUDE);
            symlink("/nonexistent/dotfiles", person.file(CLAUDE)).unwrap();
        }),
        Kind::new("~/.claude, that nobody may enter", CLAUDE, |person| mode(person, CLAUDE, 0)),
        Kind::new("projects, deleted", SHOP, |person| delete(person, PROJECTS)),
        Kind::new("projects, replaced by a file", SHOP, |person| {
            delete(person, PROJECTS);
            fs::write(person.file(PROJECTS), "x").unwrap();
        }),
        Kind::new("projects, that nobody may enter", PROJECTS, |person| mode(person, PROJECTS, 0)),
        Kind::new("~/.claude, half of it restored", SHOP, |person| {
            let files = WalkDir::new(person.file(CLAUDE)).sort_by_file_name().into_iter().flatten();
            let files: Vec<_> = files.filter(|entry| !entry.file_type().is_dir()).collect();
            for entry in files.iter().skip(files.len() / 2) {
                fs::remove_file(entry.path()).unwrap();
            }
        }),
        Kind::new("~/.claude, every second file gone", SHOP, |person| {
            let files = WalkDir::new(person.file(CLAUDE)).sort_by_file_name().into_iter().flatten();
            for entry in files.filter(|entry| entry.file_type().is_file()).step_by(2).collect::<Vec<_>>() {
                fs::remove_file(entry.path()).unwrap();
            }
        }),
    ]
}

fn parts() -> Vec<Kind> {
    vec![
        Kind::new("a project, deleted", OTHER, |person| delete(person, OTHER)),
        Kind::new("a project, that nobody may enter", OTHER, |person| mode(person, OTHER, 0)),
        Kind::new("a project, replaced by a file", OTHER, |person| {
            delete(person, OTHER);
            fs::write(person.file(OTHER), "x").unwrap();
        }),
        Kind::new("a project's memory, deleted", SHOP, |person| {
            delete(person, &format!("{SHOP}/memory"));
        }),
        Kind::new("skills, replaced by a link that leads nowhere", ".claude/skills", |person| {
            delete(person, ".claude/skills");
            symlink("/nonexistent/skills", person.file(".claude/skills")).unwrap();
        }),
        Kind::new("the memory, deleted", MEMORY, |person| fs::remove_file(person.file(MEMORY)).unwrap()),
        Kind::new("the settings, under a name in capitals", SETTINGS, |person| {
            fs::rename(person.file(SETTINGS), person.file(".claude/Settings.json")).unwrap();
        }),
        Kind::new("the list of plugins, cut", REGISTRY, |person| {
            fs::write(person.file(REGISTRY), tenths(person.now(REGISTRY), 5)).unwrap();
        }),
        Kind::new("the list of plugins, another type", REGISTRY, |person| {
            fs::write(person.file(REGISTRY), r#"{"version":2,"plugins":[]}"#).unwrap();
        }),
        Kind::new("the local settings, cut", ".claude/settings.local.json", |person| {
            fs::write(person.file(".claude/settings.local.json"), "{").unwrap();
        }),
        Kind::new("both documents and a conversation at once, skills deleted", STATE, |person| {
            for name in [STATE, SETTINGS, WORKED] {
                person.cut(name);
            }
            delete(person, ".claude/skills");
        }),
        Kind::new("the memory, zero bytes alone", MEMORY, |person| zero(&person.file(MEMORY))),
    ]
}

fn zero(file: &Path) {
    let length = fs::read(file).unwrap().len();
    fs::write(file, vec![0; length]).unwrap();
}
