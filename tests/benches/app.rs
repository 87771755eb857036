//! What the app costs: from its start to its tray icon, from a click to a painted window, and doing nothing.
//!
//! `cargo bench -p drydock-tests --bench app`, with an optimized app in `DRYDOCK_APP_BIN`. On a Mac the popover opens by a
//! click on the icon, which Linux has not: there the link to it is handed to the app, as a second start does.
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
    use crate::{
        desktop::Desktop,
        tray::{Menu, Panel},
    };
    use std::{
        fs,
        path::PathBuf,
        time::{Duration, Instant},
    };

    const STARTS: usize = 7;
    const OPENINGS: usize = 9;
    const WARM: Option<Duration> = Some(Duration::from_millis(150));
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
        tell("from the start to the icon in the tray", starts, Some(Duration::from_secs(1)));

        let desktop = Desktop::start();
        let panel = Panel::start(&desktop).await;
        let _app = desktop.start_app(&[("LANG", "en_GB.UTF-8")]);
        let menu = panel.menu().await;
        menu.until("Open Dashboard").await;
        desktop.until_windows(1).await;
        tell("from the click to the painted window, made anew", windows(&desktop, &menu).await, None);
        desktop.close_window();
        desktop.until_windows(0).await;
        tell("from the ask to the painted popover, when warm", popovers(&desktop, &panel).await, WARM);
        menu.click("Open Dashboard").await;
        desktop.until_windows(1).await;
        desktop.until_painted().await;
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
        println!("  without a window, the popover put away {:.0} MB", memory(&desktop));
    }

    /// A window is made for each opening, and gone with its closing.
    async fn windows(desktop: &Desktop, menu: &Menu) -> Vec<Duration> {
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
        openings
    }

    /// The popover stays made: the first opening is another matter.
    async fn popovers(desktop: &Desktop, panel: &Panel) -> Vec<Duration> {
        let mut openings = Vec::new();
        for _ in 0..=OPENINGS {
            let begun = Instant::now();
            panel.follow("drydock://popover").await;
            desktop.until_windows(1).await;
            desktop.until_painted().await;
            openings.push(begun.elapsed());
            panel.follow("drydock://popover").await;
            desktop.until_windows(0).await;
        }
        let first = openings.remove(0);
        println!("the popover, made for the first ask: {} ms", first.as_millis());
        openings
    }

    fn tell(what: &str, mut times: Vec<Duration>, goal: Option<Duration>) {
        times.sort();
        let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
        let goal = goal.map_or_else(String::new, |goal| {
            let is_met = if median < goal { "met" } else { "NOT met" };
            format!(" (goal {} ms: {is_met})", goal.as_millis())
        });
        println!(
            "{what}: median {} ms, longest {} ms of {}{goal}",
            median.as_millis(),
            most.as_millis(),
            times.len()
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
