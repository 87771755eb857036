//! What a person does in the windows, to a home that is really damaged, really backed up, really used.

use crate::{
    browser::{Appearance, Browser, click, go, picture, reads, reads_no_more},
    desktop::{Desktop, until},
    tray::Panel,
};
use drydock_tests::rig::{BackupCopy, Backups, Followed, Home, Rig, noise, record};
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

const SETTINGS: &str = ".claude/settings.json";

/// A home that is set up, so that it does not begin with the first run.
fn backed_up() -> Backups {
    let backups = Backups::new();
    backups.home.write(SETTINGS, "{\n  \"cleanupPeriodDays\": 30\n}\n");
    backups.set("login.mode", "own");
    backups.set("backup.external.path", "");
    let _ = backups.snapshot();
    backups
}

#[tokio::test]
async fn every_page_is_drawn_in_both_appearances_without_a_complaint() {
    let backups = backed_up();
    for (appearance, name) in [(Appearance::Light, "light"), (Appearance::Dark, "dark")] {
        // On one bus the second would hand over to the first.
        let desktop = Desktop::of(backups.home.path());
        let browser = Browser::start_in(&desktop, appearance).await;
        let page = browser.open_app().await;
        reads(&page, "Sessions").await;
        let listen = "window.complaints = [];
             addEventListener('error', (event) => complaints.push(event.message));
             addEventListener('unhandledrejection', (event) => complaints.push(String(event.reason)));
             document.addEventListener('securitypolicyviolation', (event) => complaints.push(event.violatedDirective));
             return matchMedia('(prefers-color-scheme: dark)').matches";
        let dark = page.execute(listen, vec![]).await.unwrap();
        assert_eq!(dark, serde_json::json!(appearance == Appearance::Dark));
        for (address, title) in [
            ("home", "Overview"),
            ("recovery", "Recovery"),
            ("held", "Held changes"),
            ("backups", "Backups"),
            ("activity", "Activity"),
            ("deployment", "New images"),
            ("configuration", "Configuration"),
            ("settings", "Settings"),
            ("setup", "Set up"),
        ] {
            go(&page, address).await;
            until(title, async || {
                let drawn = "return document.querySelector('h1').textContent + document.querySelectorAll('.skeleton').length";
                page.execute(drawn, vec![]).await.unwrap() == format!("{title}0")
            })
            .await;
            picture(&page, &format!("{address}-{name}")).await;
            let trouble =
                page.execute("return document.querySelector('.trouble')?.innerText ?? ''", vec![]).await;
            assert_eq!(trouble.unwrap(), "", "{title}");
        }
        let complaints = page.execute("return complaints", vec![]).await.unwrap();
        assert_eq!(complaints, serde_json::json!([]));
        page.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_damaged_comes_back_by_one_click_and_goes_by_another() {
    let backups = backed_up();
    let file = backups.file(SETTINGS);
    let whole = fs::read(&file).unwrap();
    let cut = &whole[..whole.len() / 2];
    fs::write(&file, cut).unwrap();

    let desktop = Desktop::of(backups.home.path());
    let browser = Browser::start(&desktop).await;
    let page = browser.open_app().await;
    reads(&page, "1 file is damaged").await;
    click(&page, "Recover…").await;
    reads(&page, "1 file needs recovery").await;
    assert_eq!(fs::read(&file).unwrap(), cut, "the plan alone changed something");
    picture(&page, "recovery-plan").await;
    click(&page, "Recover").await;
    reads(&page, "Recovered in").await;
    assert_eq!(fs::read(&file).unwrap(), whole);
    picture(&page, "recovery-report").await;
    click(&page, "Undo").await;
    reads(&page, "Undone: 1 file is as it was before.").await;
    assert_eq!(fs::read(&file).unwrap(), cut);
    page.close().await.unwrap();
}

#[tokio::test]
async fn a_backup_is_taken_by_a_click_and_an_old_conversation_comes_back_by_another() {
    const LOST: &str = ".claude/projects/-home-ann-shop/66666666-6666-4666-8666-666666666666.jsonl";
    let backups = Backups::new();
    let text = record(LOST, "the green lighthouse");
    backups.home.write(LOST, &text);
    backups.set("login.mode", "own");
    let _ = backups.snapshot();
    let lost = backups.file(LOST);
    fs::remove_file(&lost).unwrap();
    let before = backups.snapshots().len();

    let desktop = Desktop::of(backups.home.path());
    let browser = Browser::start(&desktop).await;
    let page = browser.open_app().await;
    reads(&page, "Sessions").await;
    go(&page, "backups").await;
    click(&page, "Back Up Now").await;
    until("there is one more snapshot", async || backups.snapshots().len() > before).await;

    let field = page.find(fantoccini::Locator::Css("input[type=search]")).await.unwrap();
    // Enter, as a person would: what is above may still move as the backup ends.
    field.send_keys("Green Lighthouse\u{E007}").await.unwrap();
    click(&page, "Bring It Back").await;
    reads(&page, "It is back.").await;
    assert_eq!(fs::read_to_string(&lost).unwrap(), text);
    picture(&page, "backups").await;
    page.close().await.unwrap();
}

#[tokio::test]
async fn a_backup_that_is_stopped_leaves_nothing_half_done() {
    const BIG: &str = ".claude/projects/-home-ann-shop/77777777-7777-4777-8777-777777777777.jsonl";
    let backups = backed_up();
    backups.home.write(BIG, &noise(BIG, 200 << 20));
    let desktop = Desktop::of(backups.home.path());
    // The app's own backups would take it before.
    backups.ok(["pause"]);
    let browser = Browser::start(&desktop).await;
    let page = browser.open_app().await;
    reads(&page, "Sessions").await;
    go(&page, "backups").await;
    click(&page, "Back Up Now").await;
    reads(&page, "backing up").await;
    picture(&page, "stop").await;

    click(&page, "Stop").await;

    let button = "//button[normalize-space()='Back Up Now' and not(@disabled)]";
    page.wait().for_element(fantoccini::Locator::XPath(button)).await.unwrap();
    assert_eq!(backups.snapshots().len(), 1, "it was too quick to be stopped");
    let local = backups.standing(BackupCopy::Local);
    assert!(local["failure"].is_null(), "{local}");
    assert!(!backups.ok(["events"]).stdout.contains("backup.failed"));
    backups.ok(["backup", "now"]);
    backups.restic(BackupCopy::Local).check();
    assert_eq!(backups.snapshots().len(), 2);
    page.close().await.unwrap();
}

#[tokio::test]
async fn the_recovery_sheet_is_confirmed_by_how_its_code_ends() {
    let backups = backed_up();
    let code = backups.code();
    let wanted = || backups.json(["backup", "copies"])["sheet_wanted"] == true;
    assert!(wanted());
    let desktop = Desktop::of(backups.home.path());
    let browser = Browser::start(&desktop).await;
    let page = browser.open_app().await;
    reads(&page, "Sessions").await;
    go(&page, "backups").await;
    reads(&page, "Save Recovery Sheet").await;
    let field = page.find(fantoccini::Locator::Id("ending")).await.unwrap();
    field.send_keys("nope\u{E007}").await.unwrap();
    reads(&page, "That is not how the code on the recovery sheet ends").await;
    assert!(wanted());
    picture(&page, "sheet").await;

    field.clear().await.unwrap();
    field.send_keys(&format!("{}\u{E007}", &code[code.len() - 4..])).await.unwrap();

    until("the sheet counts as saved", async || !wanted()).await;
    page.close().await.unwrap();
}

#[tokio::test]
async fn a_held_change_arrives_when_it_is_approved_and_not_before() {
    // The rig waits by threads of its own.
    let (rig, status_line) = tokio::task::spawn_blocking(session_that_wants_a_program).await.unwrap();
    assert!(!status_line.exists());
    let drydock = |words: &[&str]| rig.drydock().args(words).done().ok();
    drydock(&["settings", "set", "login.mode", "own"]);

    let desktop = Desktop::of(rig.home.path());
    let browser = Browser::start(&desktop).await;
    let page = browser.open_app().await;
    go(&page, "held").await;
    reads(&page, "Choose a change to look at it.").await;
    page.find(fantoccini::Locator::XPath("//main//li//button[contains(., 'statusline.sh')]"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    reads(&page, "Would run on this computer").await;
    reads(&page, "+#!/bin/sh").await;
    picture(&page, "held").await;
    assert!(!status_line.exists(), "looking at a change let it in");
    click(&page, "Approve").await;
    until("the program is here", async || status_line.exists()).await;
    click(&page, "Undo the decision").await;
    until("it is gone again", async || !status_line.exists()).await;

    let rules = || drydock(&["held", "always", "--json"]).json();
    click(&page, "Approve Always for This Project").await;
    until("the program is here again", async || status_line.exists()).await;
    reads(&page, "Let through each time").await;
    picture(&page, "held-always").await;
    assert_eq!(rules()[0]["subject"], "statusline.sh");
    click(&page, "Let Nothing More Through").await;
    until("the rule is gone", async || rules() == json!([])).await;
    assert!(status_line.exists(), "what a rule let through went with it");
    click(&page, "Undo the decision").await;
    until("it is gone once more", async || !status_line.exists()).await;
    click(&page, "Reject").await;
    reads(&page, "This computer stays as it is.").await;
    page.close().await.unwrap();
    // Its parts end by threads of their own as well.
    tokio::task::spawn_blocking(move || drop(rig)).await.unwrap();
}

fn session_that_wants_a_program() -> (Rig, PathBuf) {
    let rig = Rig::new();
    let project = rig.project("shop");
    let mut running = rig.run(project.path()).claude(["-p", "work [[hold]]"]).start();
    let session = running.session();
    rig.api.wait_for_hold();
    let write =
        "printf '#!/bin/sh\\necho hi\\n' > ~/.claude/statusline.sh && chmod +x ~/.claude/statusline.sh";
    assert_eq!(rig.engine.exec(&session, &["bash", "-c", write]).code, 0);
    rig.api.release();
    running.done().ok();
    let file = rig.home.claude_dir().join("statusline.sh");
    (rig, file)
}

/// A repository of configuration that wants a hook here.
fn that_wants_a_hook() -> Followed {
    let followed = Followed::new();
    followed.set("login.mode", "own");
    followed.write(
        "desired/claude/settings.json",
        &json!({
            "model": "opus",
            "hooks": { "Stop": [{ "hooks": [{ "type": "command", "command": "~/.claude/hooks/guard.sh --strict" }] }] },
        })
        .to_string(),
    );
    followed.commit("Guard the end of every turn");
    followed
}

#[tokio::test]
async fn configuration_is_followed_approved_and_brought_back_by_clicks() {
    let followed = that_wants_a_hook();
    followed.follow("");
    let desktop = Desktop::of(followed.home.path());
    let browser = Browser::start(&desktop).await;
    let page = browser.open_app().await;
    go(&page, "configuration").await;
    reads(&page, "No configuration comes from git").await;
    picture(&page, "configuration-none").await;
    let field = page.find(fantoccini::Locator::Id("repository")).await.unwrap();
    field.send_keys("ext::sh -c id").await.unwrap();
    click(&page, "Follow It").await;
    reads(&page, "settings.value").await;
    field.clear().await.unwrap();
    field.send_keys(&format!("file://{}", followed.bare().display())).await.unwrap();
    click(&page, "Follow It").await;

    // From here the app follows it by itself, and tells the page.
    reads(&page, "Guard the end of every turn").await;
    reads(&page, "Waits for you").await;
    until("what runs nothing is here", async || followed.setting("/model") == Some(json!("opus"))).await;
    assert_eq!(followed.setting("/hooks"), None, "it is here before anybody approved it");
    click(&page, "Look at It").await;
    reads(&page, "Would run on this computer").await;
    reads(&page, "~/.claude/hooks/guard.sh --strict when Stop").await;
    reads(&page, "by Somebody <somebody@example.org>").await;
    picture(&page, "configuration-waits").await;
    assert_eq!(followed.setting("/hooks"), None, "looking at a change let it in");
    click(&page, "Approve").await;
    let command = "/hooks/Stop/0/hooks/0/command";
    until("the hook is in force", async || followed.setting(command).is_some()).await;
    reads(&page, "1 thing was changed.").await;
    reads(&page, "This computer is as git says.").await;

    let settings = fs::read_to_string(followed.file(SETTINGS)).unwrap();
    fs::write(followed.file(SETTINGS), settings.replace("\"opus\"", "\"sonnet\"")).unwrap();
    go(&page, "home").await;
    go(&page, "configuration").await;
    reads(&page, "Changed here; stays until you decide.").await;
    picture(&page, "configuration-differs").await;
    assert_eq!(followed.setting("/model"), Some(json!("sonnet")));
    click(&page, "Bring Back What Git Says").await;
    until("git's value is back", async || followed.setting("/model") == Some(json!("opus"))).await;
    reads(&page, "This computer is as git says.").await;

    let settings = fs::read_to_string(followed.file(SETTINGS)).unwrap();
    fs::write(followed.file(SETTINGS), settings.replace("\"opus\"", "\"sonnet\"")).unwrap();
    go(&page, "home").await;
    go(&page, "configuration").await;
    click(&page, "Take It into Git").await;
    reads(&page, "It is a commit now").await;
    reads(&page, "This computer is as git says.").await;
    followed.git(&["pull", "--quiet", "origin", "main"]);

    // What is committed here comes by itself, and the page hears of it.
    let said = fs::read_to_string(followed.work().join("desired/claude/settings.json")).unwrap();
    followed.write("desired/claude/settings.json", &said.replace("\"sonnet\"", "\"haiku\""));
    followed.commit("A quicker model");
    reads(&page, "A quicker model").await;
    click(&page, "Go Back to the Commit Before").await;
    until("the commit before is back", async || followed.setting("/model") == Some(json!("sonnet"))).await;
    click(&page, "Take New Commits Again").await;
    until("the newest is back", async || followed.setting("/model") == Some(json!("haiku"))).await;
    reads_no_more(&page, "Take New Commits Again").await;
    click(&page, "Prove the Log").await;
    reads(&page, "lines are proven").await;
    picture(&page, "configuration-log").await;
    page.close().await.unwrap();
    followed.gitops(["audit", "--verify"]).ok();
}

#[tokio::test]
async fn a_change_of_the_configuration_that_waits_is_in_the_menu() {
    let followed = that_wants_a_hook();
    followed.gitops(["reconcile"]).exits(4);
    let desktop = Desktop::of(followed.home.path());
    let panel = Panel::start(&desktop).await;
    let mut command = desktop.command(desktop.app_program());
    let mut app = desktop.start_program(command.arg("--at-login").env("LANG", "en_GB.UTF-8"));
    let menu = panel.menu().await;
    menu.until("Review Configuration…").await;
    desktop.until_windows(0).await;
    menu.click("Review Configuration…").await;
    desktop.until_windows(1).await;
    menu.click("Quit Drydock").await;
    assert_eq!(app.exit_code().await, 0);
}

#[tokio::test]
async fn a_newer_claude_code_that_was_noticed_is_offered() {
    let backups = backed_up();
    let noticed = json!({ "at": chrono::Utc::now(), "newest": "99.0.1" });
    backups.home.write(".local/share/drydock/newest.json", &noticed.to_string());
    let desktop = Desktop::of(backups.home.path());
    let browser = Browser::start(&desktop).await;
    let page = browser.open_app().await;
    reads(&page, "Claude Code 99.0.1 is out").await;
    go(&page, "deployment").await;
    reads(&page, "Claude Code 99.0.1 is out").await;
    picture(&page, "newer").await;
    page.close().await.unwrap();
}

#[tokio::test]
async fn settings_are_kept_and_a_wrong_one_is_refused_in_the_engines_words() {
    let backups = backed_up();
    let desktop = Desktop::of(backups.home.path());
    let browser = Browser::start(&desktop).await;
    let page = browser.open_app().await;
    go(&page, "settings").await;
    let set = async |key: &str, value: &str| {
        let script = "const field = document.getElementById(arguments[0]);
             field.value = arguments[1];
             field.dispatchEvent(new Event('change', { bubbles: true }));";
        let field = format!("setting-{key}");
        page.wait().for_element(fantoccini::Locator::Id(&field)).await.expect("the setting");
        page.execute(script, vec![field.into(), value.into()]).await.unwrap();
    };
    set("container.memory", "8g").await;
    reads(&page, "Saved").await;
    assert_eq!(backups.json(["settings", "get", "container.memory"]), "8g");
    set("container.memory", "much").await;
    reads(&page, "settings.value").await;
    assert_eq!(backups.json(["settings", "get", "container.memory"]), "8g");

    let autostart = desktop.home().join(".config/autostart/Drydock.desktop");
    let tick = async || {
        let at_login = fantoccini::Locator::Css("input[type=checkbox]:not(:disabled)");
        page.wait().for_element(at_login).await.unwrap().click().await.unwrap();
    };
    tick().await;
    until("it starts at login", async || {
        fs::read_to_string(&autostart).is_ok_and(|text| text.contains("--at-login"))
    })
    .await;
    tick().await;
    until("it does not", async || !autostart.exists()).await;
    page.close().await.unwrap();
}

#[tokio::test]
async fn a_session_is_launched_from_the_tray_in_the_users_terminal() {
    let backups = backed_up();
    let project = backups.home.untrusted_project("shop");
    backups.home.trust(project.path());
    let seen = backups.home.path().join("seen");
    let terminal = backups.home.write("terminal", &format!("#!/bin/sh\ncat \"$1\" > '{}'\n", seen.display()));
    fs::set_permissions(&terminal, fs::Permissions::from_mode(0o755)).unwrap();
    backups.set("session.terminal", &terminal);

    let desktop = Desktop::of(backups.home.path());
    let panel = Panel::start(&desktop).await;
    let mut app = desktop.start_app(&[("LANG", "en_GB.UTF-8")]);
    let menu = panel.menu().await;
    menu.until("shop").await;
    menu.click("shop").await;
    let wanted = format!("'run' '{}'", project.path().display());
    until("the terminal runs a session", async || {
        fs::read_to_string(&seen).is_ok_and(|script| script.contains(&wanted))
    })
    .await;
    menu.click("Quit Drydock").await;
    assert_eq!(app.exit_code().await, 0);
}

#[tokio::test]
async fn a_start_at_login_opens_no_window() {
    let home = Home::new();
    let desktop = Desktop::of(home.path());
    let panel = Panel::start(&desktop).await;
    let mut command = desktop.command(desktop.app_program());
    let mut app = desktop.start_program(command.arg("--at-login").env("LANG", "en_GB.UTF-8"));
    let menu = panel.menu().await;
    menu.until("Back Up Now").await;
    desktop.until_windows(0).await;
    menu.click("Settings…").await;
    desktop.until_windows(1).await;
    menu.click("Quit Drydock").await;
    assert_eq!(app.exit_code().await, 0);
}
