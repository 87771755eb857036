//! Whether this computer has mains power. What cannot be told is a computer without a battery.

/// Whether it has.
#[cfg(target_os = "linux")]
pub(super) fn is_on_mains() -> bool {
    mains_at(std::path::Path::new("/sys/class/power_supply"))
}

/// Source: Linux, Documentation/ABI/testing/sysfs-class-power: `type` is `Mains` or `USB`, `online` 0 or more.
#[cfg(target_os = "linux")]
fn mains_at(supplies: &std::path::Path) -> bool {
    let entries = std::fs::read_dir(supplies).into_iter().flatten().flatten();
    let read = |file: std::path::PathBuf| std::fs::read_to_string(file).unwrap_or_default().trim().to_owned();
    let (mut batteries, mut mains) = (0, 0);
    for entry in entries {
        match read(entry.path().join("type")).as_str() {
            // A mouse has one as well; it does not feed the computer.
            "Battery" if read(entry.path().join("scope")) != "Device" => batteries += 1,
            "Mains" | "USB" if !matches!(read(entry.path().join("online")).as_str(), "" | "0") => mains += 1,
            _ => {}
        }
    }
    batteries == 0 || mains > 0
}

/// Source: the manual of `pmset`: `-g batt` begins with where power is drawn from.
#[cfg(target_os = "macos")]
pub(super) fn is_on_mains() -> bool {
    let said = crate::program::without_keys("/usr/bin/pmset").args(["-g", "batt"]).output();
    said.map_or(true, |said| !String::from_utf8_lossy(&said.stdout).contains("'Battery Power'"))
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn is_on_mains() -> bool {
    true
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    fn supply(folder: &Path, name: &str, files: &[(&str, &str)]) {
        let supply = folder.join(name);
        fs::create_dir_all(&supply).unwrap();
        for (file, text) in files {
            fs::write(supply.join(file), text).unwrap();
        }
    }

    #[test]
    fn a_laptop_is_on_mains_when_its_adapter_is() {
        let folder = tempfile::tempdir().unwrap();
        assert!(mains_at(folder.path()), "a desktop");
        supply(folder.path(), "hidpp_battery_0", &[("type", "Battery\n"), ("scope", "Device\n")]);
        assert!(mains_at(folder.path()), "a desktop with a mouse");
        supply(folder.path(), "BAT0", &[("type", "Battery\n")]);
        supply(folder.path(), "AC", &[("type", "Mains\n"), ("online", "0\n")]);
        assert!(!mains_at(folder.path()));
        supply(folder.path(), "AC", &[("online", "1\n")]);
        assert!(mains_at(folder.path()));
    }
}
