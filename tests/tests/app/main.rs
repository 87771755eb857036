//! The real app on a desktop of its own: its window through WebKit's driver, its tray through the session bus.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

mod browser;
mod desktop;
mod pages;
mod tray;

use browser::Browser;
use desktop::Desktop;
use serde_json::json;
use std::fs;
use tray::Panel;

#[tokio::test]
async fn the_window_begins_with_the_first_run_and_runs_only_its_own_scripts() {
    let desktop = Desktop::start();
    let browser = browser::Browser::start(&desktop).await;
    let page = browser.open_app().await;

    let heading = page.wait().for_element(fantoccini::Locator::Css("h1")).await.expect("a heading");
    assert_eq!(heading.text().await.unwrap(), "Set up");
    assert_eq!(page.title().await.unwrap(), "Drydock");

    page.execute(
        "const script = document.createElement('script');
         script.textContent = 'window.intruder = true';
         document.body.append(script);",
        vec![],
    )
    .await
    .unwrap();
    let intruder = page.execute("return window.intruder ?? 'kept out'", vec![]).await.unwrap();
    assert_eq!(intruder, json!("kept out"), "the content security policy lets foreign script run");
    page.close().await.unwrap();
}

#[tokio::test]
async fn the_tray_opens_the_window_again_and_quits() {
    let desktop = Desktop::start();
    let panel = Panel::start(&desktop).await;
    let mut app = desktop.start_app(&[("LANG", "en_GB.UTF-8")]);

    let menu = panel.menu().await;
    // The menu can be used before anything is known, and has all when it is.
    menu.until("Quit Drydock").await;
    menu.until("Back Up Now").await;
    let labels = menu.labels().await;
    for wanted in ["Launch Session", "Choose Folder…", "Recover…", "Open Dashboard", "Activity…", "Settings…"]
    {
        assert!(labels.iter().any(|label| label == wanted), "{wanted} is not in {labels:?}");
    }

    desktop.until_windows(1).await;
    desktop.close_window();
    desktop.until_windows(0).await;
    assert!(app.is_running(), "closing the window ended the app, though its icon is in the tray");

    menu.click("Open Dashboard").await;
    desktop.until_windows(1).await;

    menu.click("Quit Drydock").await;
    assert_eq!(app.exit_code().await, 0);
}

#[tokio::test]
async fn what_it_does_is_on_record_and_a_signal_ends_it_in_order() {
    let desktop = Desktop::start();
    fs::write(desktop.home().join(".claude.json"), "{}").unwrap();
    let panel = Panel::start(&desktop).await;
    let mut app = desktop.start_app(&[]);
    let menu = panel.menu().await;
    menu.until("Back Up Now").await;
    let events =
        || fs::read_to_string(desktop.home().join(".claude-docker-events.jsonl")).unwrap_or_default();
    // The scheduled work begins with a backup of what is there.
    desktop::until("a backup is on record", async || events().contains("\"event\":\"backup.taken\"")).await;

    app.signal(rustix::process::Signal::TERM);

    assert_eq!(app.exit_code().await, 143);
    assert!(events().contains("\"event\":\"process.stopped\""), "{}", events());
}

#[tokio::test]
async fn a_second_start_hands_over_to_the_first() {
    let desktop = Desktop::start();
    let panel = Panel::start(&desktop).await;
    let mut first = desktop.start_app(&[]);
    let menu = panel.menu().await;
    desktop.until_windows(1).await;
    desktop.close_window();
    desktop.until_windows(0).await;

    let mut second = desktop.start_app(&[]);
    assert_eq!(second.exit_code().await, 0);
    desktop.until_windows(1).await;
    menu.click("Quit Drydock").await;
    assert_eq!(first.exit_code().await, 0);
}

#[tokio::test]
async fn a_link_opens_its_page_in_the_app_that_runs() {
    let backups = drydock_tests::rig::Backups::new();
    backups.set("login.mode", "own");
    let desktop = Desktop::of(backups.home.path());
    let browser = Browser::start(&desktop).await;
    let page = browser.open_app().await;
    browser::reads(&page, "Sessions").await;

    let mut second = desktop.start_program(desktop.command(desktop.app_program()).arg("drydock://activity"));

    assert_eq!(second.exit_code().await, 0);
    browser::reads(&page, "Traces").await;
    page.close().await.unwrap();
}

#[tokio::test]
async fn the_popover_comes_and_goes_by_a_link() {
    let desktop = Desktop::start();
    let panel = Panel::start(&desktop).await;
    let mut command = desktop.command(desktop.app_program());
    let mut app = desktop.start_program(command.arg("--at-login"));
    panel.menu().await.until("Back Up Now").await;
    desktop.until_windows(0).await;
    let follow = async || {
        let mut second =
            desktop.start_program(desktop.command(desktop.app_program()).arg("drydock://popover"));
        assert_eq!(second.exit_code().await, 0);
    };

    follow().await;
    desktop.until_windows(1).await;
    desktop.until_painted().await;
    follow().await;
    desktop.until_windows(0).await;
    follow().await;
    desktop.until_windows(1).await;
    assert!(app.is_running());
}

#[tokio::test]
async fn an_app_that_is_started_for_the_popover_shows_it() {
    let desktop = Desktop::start();
    let panel = Panel::start(&desktop).await;
    let _app = desktop.start_program(desktop.command(desktop.app_program()).arg("drydock://popover"));
    panel.menu().await.until("Back Up Now").await;
    desktop.until_windows(1).await;
    desktop.until_painted().await;
    assert_eq!(desktop.sizes(), [(360, 560)]);
}

#[tokio::test]
async fn the_menu_speaks_the_users_language() {
    let desktop = Desktop::start();
    let panel = Panel::start(&desktop).await;
    let _app = desktop.start_app(&[("LANG", "ru_RU.UTF-8")]);

    let menu = panel.menu().await;
    menu.until("Создать копию сейчас").await;
    menu.until("Завершить Drydock").await;
}

#[tokio::test]
async fn without_a_tray_the_window_is_the_app() {
    let desktop = Desktop::start();
    let mut app = desktop.start_app(&[]);
    desktop.until_windows(1).await;
    assert!(app.log().contains("no tray icon"), "the log does not say why there is no icon: {}", app.log());

    desktop.close_window();
    assert_eq!(app.exit_code().await, 0, "an app that nobody can reach went on");
}
