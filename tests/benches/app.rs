//! What the app costs: from its start to its tray icon, from a click to a painted window, and doing nothing.
//!
//! `cargo bench -p drydock-tests --bench app`, with an optimized app in `DRYDOCK_APP_BIN`. The popover opens by a click
//! on the icon, which Linux has not; its window is measured in its place, opened again by the menu.
#![cfg_attr(
    target_os = "linux",
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::cast_precision_loss,
        reason = "a step that fails ends the measurement"
    )
)]

#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/app/desktop.rs"]
mod desktop;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/app/tray.rs"]
mod tray;

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the app is measured on Linux, where a desktop can be made for it");
}

#[cfg(target_os = "linux")]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    measured::all().await;
}

#[cfg(target_os = "linux")]
mod measured {
    use crate::{desktop::Desktop, tray::Panel};
    use std::{
        fs,
        path::PathBuf,
        time::{Duration, Instant},
    };

    const STARTS: usize = 7;
    const OPENINGS: usize = 9;
    /// After its start the app looks at everything once.
    const SETTLED: Duration = Duration::from_secs(30);
    const IDLE: Duration = Duration::from_secs(5 * 60);

    pub(crate) async fn all() {
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            let desktop = Desktop::start();
            let panel = Panel::start(&desktop).await;
            let begun = Instant::now();
            let _app = desktop.start_app(&[("LANG", "en_GB.UTF-8")]);
            panel.menu().await;
            starts.push(begun.elapsed());
        }
        tell("from the start to the icon in the tray", starts, Duration::from_secs(1));

        let desktop = Desktop::start();
        let panel = Panel::start(&desktop).await;
        let _app = desktop.start_app(&[("LANG", "en_GB.UTF-8")]);
        let menu = panel.menu().await;
        menu.until("Open Dashboard").await;
        desktop.until_windows(1).await;
        let mut openings = Vec::new();
        for _ in 0..OPENINGS {
            desktop.close_window();
            desktop.until_windows(0).await;
            let begun = Instant::now();
            menu.click("Open Dashboard").await;
            desktop.until_windows(1).await;
            desktop.until_painted().await;
            openings.push(begun.elapsed());
        }
        tell("from the click to the painted window, when warm", openings, Duration::from_millis(150));
        println!("  with its window open {:.0} MB", memory(&desktop));

        desktop.close_window();
        desktop.until_windows(0).await;
        tokio::time::sleep(SETTLED).await;
        let (before, begun) = (ticks(&desktop), Instant::now());
        tokio::time::sleep(IDLE).await;
        let used = (ticks(&desktop) - before) as f64 / rustix::param::clock_ticks_per_second() as f64;
        let share = used / begun.elapsed().as_secs_f64() * 100.0;
        let goal = if share < 0.5 { "met" } else { "NOT met" };
        println!("doing nothing for five minutes: {share:.3} % of a core (goal 0.5 %: {goal})");
        println!("  without a window {:.0} MB", memory(&desktop));
    }

    fn tell(what: &str, mut times: Vec<Duration>, goal: Duration) {
        times.sort();
        let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
        let is_met = if median < goal { "met" } else { "NOT met" };
        println!(
            "{what}: median {} ms, longest {} ms of {} (goal {} ms: {is_met})",
            median.as_millis(),
            most.as_millis(),
            times.len(),
            goal.as_millis()
        );
    }

    /// The app's processes, WebKit's among them: all that run on this desktop's bus.
    fn processes(desktop: &Desktop) -> Vec<PathBuf> {
        let sign = format!("DBUS_SESSION_BUS_ADDRESS={}", desktop.bus_address());
        let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        all.filter(|path| {
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == sign.as_bytes())
        })
        .collect()
    }

    /// What they have used of the processors.
    ///
    /// Source: proc(5): the 14th and 15th field of `stat`, the 12th and 13th after the name in brackets.
    fn ticks(desktop: &Desktop) -> u64 {
        let of = |path: PathBuf| -> Option<u64> {
            let text = fs::read_to_string(path.join("stat")).ok()?;
            let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
            Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
        };
        processes(desktop).into_iter().filter_map(of).sum()
    }

    /// Megabytes, with what several share divided among them.
    fn memory(desktop: &Desktop) -> f64 {
        let of = |path: PathBuf| -> Option<f64> {
            let text = fs::read_to_string(path.join("smaps_rollup")).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.split_whitespace().next()?.parse().ok()
        };
        processes(desktop).into_iter().filter_map(of).sum::<f64>() / 1024.0
    }
}
