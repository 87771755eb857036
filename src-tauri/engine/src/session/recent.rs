//! The projects that the user worked on last, to launch a session in one of them again.

use crate::{claude_home::project_dir_name, paths::Locations};
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The folders that Claude Code knows as projects and that are still there, the one worked on last first. Blocking.
///
/// What cannot be read gives none: nothing depends on this list.
#[must_use]
pub fn recent_projects(locations: &Locations, most: usize) -> Vec<PathBuf> {
    let Ok(text) = fs::read(&locations.claude_json) else { return Vec::new() };
    let Ok(state) = serde_json::from_slice::<serde_json::Value>(&text) else { return Vec::new() };
    let known = state["projects"].as_object().into_iter().flat_map(|projects| projects.keys());
    let mut found: Vec<(SystemTime, PathBuf)> = known
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute() && folder.is_dir() && *folder != locations.home)
        .map(|folder| (worked_on(locations, &folder), folder))
        .collect();
    found.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.cmp(other)));
    found.into_iter().take(most).map(|(_, folder)| folder).collect()
}

/// When a conversation of this project was begun or removed last, as its folder tells.
fn worked_on(locations: &Locations, project: &Path) -> SystemTime {
    let folder = locations.claude_dir.join("projects").join(project_dir_name(project));
    fs::metadata(folder).and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn projects_come_by_when_they_were_worked_on_and_only_those_that_are_there() {
        let home = tempfile::tempdir().unwrap();
        let locations = Locations::find(Some(home.path())).unwrap();
        let mut projects = serde_json::Map::new();
        for (name, hours) in [("old", 1), ("new", 9), ("never", 0)] {
            let folder = locations.home.join(name);
            fs::create_dir(&folder).unwrap();
            if hours > 0 {
                let kept = locations.claude_dir.join("projects").join(project_dir_name(&folder));
                fs::create_dir_all(&kept).unwrap();
                let at = SystemTime::UNIX_EPOCH + Duration::from_secs(hours * 3600);
                fs::File::open(&kept).unwrap().set_modified(at).unwrap();
            }
            projects.insert(folder.display().to_string(), json!({}));
        }
        projects.insert(locations.home.join("gone").display().to_string(), json!({}));
        projects.insert(locations.home.display().to_string(), json!({}));
        fs::write(&locations.claude_json, json!({ "projects": projects }).to_string()).unwrap();
        let names: Vec<_> = recent_projects(&locations, 5);
        assert_eq!(names, ["new", "old", "never"].map(|name| locations.home.join(name)));
        assert_eq!(recent_projects(&locations, 1).len(), 1);
        fs::write(&locations.claude_json, "{").unwrap();
        assert!(recent_projects(&locations, 5).is_empty());
    }
}
