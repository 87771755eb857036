//! What is wrong on a person's computer is told, or works; nothing is lost or half-made.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails is the test failing"
)]

use drydock_tests::rig::{
    Damage, Home, LivedIn, Project, Rig, SmallDisk, conversation_id, log, session_image, until,
};
use std::{fs, os::unix::fs::symlink, path::Path, process::Command, time::Duration};

#[test]
fn without_an_engine_it_says_so_and_how_to_get_one() {
    let home = Home::new();
    let project = Project::make(&home.path().join("proj"));
    for (variable, value) in [
        ("DOCKER_HOST", "unix:///nonexistent/docker.sock"),
        ("DOCKER_HOST", "tcp://127.0.0.1:1"),
        ("DRYDOCK_CONTAINER_ENGINE", "unix:///nonexistent/docker.sock"),
    ] {
        let drydock = || Rig::drydock_at(&home).variable(variable, value);
        let begun = std::time::Instant::now();
        let failed = drydock().arg("run").arg(project.path()).done().exits(3).tells("engine.none");
        log(&format!("no engine at {variable}={value}: told after {} ms", begun.elapsed().as_millis()));
        assert_eq!(failed.stdout, "");
        assert!(failed.stderr.contains(value), "the place is not named: {}", failed.stderr);
        drydock().arg("list").done().exits(3).tells("engine.none");
    }
    assert!(!home.path().join(".local/share/drydock/sessions").exists(), "half a session is on record");
}

#[test]
fn folders_that_cannot_be_projects() {
    let rig = Rig::new();
    let file = rig.home.write("a file", "");
    let refused = |folder: &Path, code: &str| {
        let failed = rig.run(folder).claude(["-p", "hi"]).done().exits(2).tells(code);
        let first = failed.stderr.lines().next().unwrap().to_owned();
        assert!(first.contains(folder.to_str().unwrap()), "the folder is not named: {first}");
        assert!(!failed.stderr.contains("drydock: session"), "a session was begun: {}", failed.stderr);
        rig.assert_nothing_left();
    };
    refused(&rig.home.path().join("nowhere"), "project.missing");
    refused(&file, "project.missing");
    refused(rig.home.path(), "project.refused");
    refused(Path::new("/"), "project.refused");
    refused(&rig.home.claude_dir(), "project.refused");
    assert_eq!(rig.api.seen().len(), 0);
}

#[test]
fn a_home_that_is_not_there_is_named() {
    let rig = Rig::new();
    let failed =
        rig.drydock().args(["--home", "/nowhere/at/all", "list"]).done().exits(2).tells("home.missing");
    assert!(failed.stderr.contains("/nowhere/at/all"));
}

#[test]
fn a_home_without_claudes_data_gets_it_from_the_first_session() {
    let rig = Rig::with(Home::bare());
    let project = Project::make(&rig.home.path().join("proj"));
    let id = conversation_id();

    rig.run(project.path()).claude(["-p", "the very first", "--session-id", &id]).done().ok();

    assert!(rig.home.conversation(&id).says("You said: the very first"));
    rig.assert_nothing_left();
    rig.claude(project.path()).args(["--resume", &id, "-p", "the second"]).done().ok();
    assert!(rig.api.wait_for_turn("the second").says("the very first"));
}

#[test]
fn a_damaged_claude_json_is_refused_with_its_place_and_left_as_it_is() {
    let rig = Rig::new();
    let past = LivedIn::make(&rig.home, &rig.api);
    // Else it would be recovered from the backup that Claude Code made.
    rig.drydock().args(["settings", "set", "recovery.automatic", "off"]).done().ok();
    let whole = fs::read(rig.home.claude_json()).unwrap();
    for damage in [Damage::Truncated, Damage::Empty, Damage::TwoObjects] {
        fs::write(rig.home.claude_json(), &whole).unwrap();
        let broken = rig.home.damage(damage);
        let seen = rig.api.seen().len();

        let failed =
            rig.run(past.project.path()).claude(["-p", "hi"]).done().exits(4).tells("config.damaged");

        assert!(failed.stderr.contains(rig.home.claude_json().to_str().unwrap()), "{}", failed.stderr);
        assert!(
            damage == Damage::Empty || (failed.stderr.contains("line ") && failed.stderr.contains("column ")),
            "{damage:?}: the place in the file is not told: {}",
            failed.stderr
        );
        assert_eq!(fs::read(rig.home.claude_json()).unwrap(), broken, "{damage:?}: the file was touched");
        assert_eq!(rig.api.seen().len(), seen);
        rig.assert_nothing_left();

        // Without a backup of Drydock's, the last remedy is a command of its own, and it mends.
        let remedies: Vec<_> =
            failed.stderr.lines().filter_map(|line| line.strip_prefix("  try: ")).collect();
        assert_eq!(remedies[0], "drydock recover");
        let remedy = remedies.last().unwrap();
        let command = remedy.rsplit_once(": ").map_or(*remedy, |(_, command)| command);
        let mended = Command::new("sh").args(["-c", command]).output().unwrap();
        assert!(mended.status.success(), "{damage:?}: {remedy}: {mended:?}");
        rig.run(past.project.path()).claude(["-p", "hi again"]).done().ok();
        rig.assert_nothing_left();
    }
}

#[test]
fn a_damaged_settings_json_is_refused_with_its_place() {
    let rig = Rig::new();
    let project = rig.project("proj");
    rig.home.write(".claude/settings.json", "{\n  \"model\": \"opus\",\n  \"env\": {,}\n}\n");

    let failed = rig.run(project.path()).claude(["-p", "hi"]).done().exits(4).tells("config.damaged");

    assert!(failed.stderr.contains("settings.json") && failed.stderr.contains("line 3"), "{}", failed.stderr);
    rig.assert_nothing_left();
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "mounts a file system in memory, as Linux does")]
fn a_full_disk_loses_nothing() {
    let disk = SmallDisk::mount(32);
    let rig = Rig::with(Home::at(&disk.path()));
    rig.home.furnish();
    let project = Project::elsewhere();
    rig.home.trust(project.path());
    let id = conversation_id();
    let mut running =
        rig.run(project.path()).claude(["-p", "worth keeping [[hold]]", "--session-id", &id]).start();
    let session = running.session();
    rig.api.wait_for_hold();
    let ballast = disk.fill();
    rig.api.release();

    let failed = running.done().exits(1).tells("disk.full");

    assert!(failed.stderr.contains(&format!("drydock sync out {session}")), "{}", failed.stderr);
    assert!(rig.engine.leftovers().contains(&format!("drydock-{session}")), "the data is gone");
    assert!(!rig.home.has_conversation(&id), "half a conversation is on the host");
    let listed = rig.drydock().args(["list", "--json"]).done().ok();
    assert_eq!(listed.json()[0]["state"], "finished");

    fs::remove_file(ballast).unwrap();
    rig.drydock().args(["sync", "out", &session]).done().ok();
    let conversation = rig.home.conversation(&id);
    assert!(conversation.says("You said: worth keeping"));
    rig.assert_nothing_left();
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "mounts a file system in memory, as Linux does")]
fn a_disk_that_is_full_at_the_start_begins_nothing() {
    let disk = SmallDisk::mount(8);
    let rig = Rig::with(Home::at(&disk.path()));
    rig.home.furnish();
    let project = Project::elsewhere();
    // So that it is the launch that fails, and not the look for the image.
    rig.drydock().args(["image", "build"]).done().ok();
    let ballast = disk.fill();

    let failed = rig.run(project.path()).claude(["-p", "hi"]).done().exits(1).tells("disk.full");

    assert!(!failed.stderr.contains("drydock: session"), "{}", failed.stderr);
    rig.assert_nothing_left();
    fs::remove_file(ballast).unwrap();
    rig.run(project.path()).claude(["-p", "hi"]).done().ok();
    rig.assert_nothing_left();
}

/// An image made from the session image, under another name. Dropping it removes it.
struct BrokenImage(String);

impl BrokenImage {
    fn make(change: &str) -> Self {
        let tag = format!("drydock/session:broken-{}", conversation_id());
        let recipe = format!("FROM {}\nUSER root\n{change}\nUSER 1000:1000\n", session_image().tag);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Dockerfile"), recipe).unwrap();
        let built = Command::new("docker")
            .args(["build", "--quiet", "--tag", &tag, "."])
            .env("DOCKER_BUILDKIT", "0")
            .current_dir(folder.path())
            .output()
            .expect("the docker program is installed");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self(tag)
    }

    /// Makes it the image that the home's launches use.
    fn use_in(&self, rig: &Rig) {
        rig.drydock().args(["image", "build"]).done().ok();
        let record = rig.home.path().join(".local/share/drydock/image.json");
        let text = fs::read_to_string(&record).unwrap();
        assert!(text.contains(&session_image().tag), "the record of the current image is another: {text}");
        fs::write(&record, text.replace(&session_image().tag, &self.0)).unwrap();
    }
}

impl Drop for BrokenImage {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["image", "rm", "--force", &self.0]).output();
    }
}

#[test]
fn an_image_that_does_not_start_is_told_and_leaves_nothing() {
    for change in ["ENTRYPOINT [\"/no/such/program\"]", "RUN rm /usr/local/bin/claude"] {
        let broken = BrokenImage::make(change);
        let rig = Rig::new();
        let project = rig.project("proj");
        broken.use_in(&rig);

        let failed = rig.run(project.path()).claude(["-p", "hi"]).done().exits(1).tells("image.broken");

        assert!(failed.stderr.contains("drydock image build"), "{}", failed.stderr);
        rig.assert_nothing_left();
        assert_eq!(rig.drydock().args(["list", "--json"]).done().ok().json(), serde_json::json!([]));
    }
}

#[test]
fn an_image_that_is_missing_is_said_when_it_must_not_be_built() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let failed =
        rig.run(project.path()).arg("--no-build").claude(["-p", "hi"]).done().exits(3).tells("image.missing");
    assert!(failed.stderr.contains("drydock image build"), "{}", failed.stderr);
    rig.assert_nothing_left();
}

#[test]
fn a_base_that_cannot_be_had_is_named() {
    let rig = Rig::new();
    let failed = rig
        .drydock()
        .args(["image", "build", "--base", "127.0.0.1:1/no/such:image"])
        .done()
        .exits(3)
        .tells("image.base_missing");
    assert!(failed.stderr.contains("127.0.0.1:1/no/such:image"), "{}", failed.stderr);
}

/// One session in the project, a file made in it, and the conversation gone on with on the host.
fn works_in(rig: &Rig, folder: &Path, real: &Path) {
    let id = conversation_id();
    let prompt = format!("make it [[write:{}]]", real.join("made.txt").display());
    rig.run(folder).claude(["-p", &prompt, "--session-id", &id, "--allowedTools", "Write"]).done().ok();
    assert_eq!(fs::read_to_string(real.join("made.txt")).unwrap(), "hello from the stand-in\n");
    assert_eq!(rig.home.conversation(&id).lines()[0]["sessionId"], id.as_str());
    rig.claude(folder).args(["--resume", &id, "-p", "and on the host?"]).done().ok();
    assert!(rig.api.wait_for_turn("and on the host?").says("make it"), "the host does not find it again");
    rig.assert_nothing_left();
}

#[test]
fn a_name_with_spaces_and_cyrillic_works() {
    let rig = Rig::new();
    let project = rig.project("Мой проект №1, it's \"new\"");
    works_in(&rig, project.path(), project.path());
}

#[test]
fn a_symlinked_project_works_by_either_name() {
    let rig = Rig::new();
    let project = rig.project("real");
    let link = rig.home.path().join("link");
    symlink(project.path(), &link).unwrap();
    works_in(&rig, &link, project.path());
}

#[test]
fn a_project_outside_the_home_works() {
    let rig = Rig::new();
    let project = Project::elsewhere();
    rig.home.trust(project.path());
    works_in(&rig, project.path(), project.path());
}

#[test]
fn a_folder_that_is_no_repository_works() {
    let rig = Rig::new();
    let folder = rig.home.path().join("plain");
    fs::create_dir(&folder).unwrap();
    works_in(&rig, &folder, &folder);
    assert!(!folder.join(".git").exists(), "a repository was made where there was none");
}

#[test]
fn a_home_with_a_space_named_by_the_option_works() {
    let rig = Rig::with(Home::named("Дом Анны"));
    rig.home.furnish();
    let project = rig.project("proj");
    let id = conversation_id();
    let elsewhere = Home::bare();
    let mut call =
        Rig::drydock_at(&elsewhere).arg("--home").arg(rig.home.path()).arg("run").arg(project.path());
    call = call.args(rig.variables());
    call.claude(["-p", "by the option", "--session-id", &id]).done().ok();
    assert!(rig.home.conversation(&id).says("by the option"));
    let own: Vec<_> =
        fs::read_dir(elsewhere.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(own.is_empty(), "the other home got {own:?}");
    rig.assert_nothing_left();
}

#[test]
fn variables_with_strange_values_arrive_whole() {
    let rig = Rig::new();
    let project = rig.project("proj");
    let value = "it's \"quoted\" $HOME `id` \\ Привет\nand a second line";
    let file = project.file("value");
    let prompt = format!("[[bash:printf %s \"$STRANGE\" > '{file}']]");
    rig.run(project.path())
        .args(["--env", "STRANGE"])
        .variable("STRANGE", value)
        .claude(["-p", &prompt, "--allowedTools", "Bash"])
        .done()
        .ok();
    assert_eq!(project.read("value"), value);

    for wrong in ["1X=y", "a b=c", "=x", "NOT_SET_ANYWHERE"] {
        rig.run(project.path()).args(["--env", wrong]).claude(["-p", "hi"]).done().exits(2).tells("usage");
    }
    rig.assert_nothing_left();
}

#[test]
fn a_launch_that_is_interrupted_leaves_nothing_behind_for_long() {
    let rig = Rig::new();
    let project = rig.project("proj");
    rig.drydock().args(["image", "build"]).done().ok();
    // Killed at ever later moments of the launch, each time without a chance to tidy up.
    for milliseconds in [40, 120, 200, 300, 400] {
        let running = rig.run(project.path()).claude(["-p", "hi"]).start();
        std::thread::sleep(Duration::from_millis(milliseconds));
        running.kill();
        until("the next command tidies up", Duration::from_secs(60), || {
            rig.drydock().arg("list").done().ok();
            rig.engine.leftovers().is_empty().then_some(())
        });
        let listed = rig.drydock().args(["list", "--json"]).done().ok().json();
        assert_eq!(listed, serde_json::json!([]));
    }
    rig.run(project.path()).claude(["-p", "hi", "--session-id", &conversation_id()]).done().ok();
    rig.assert_nothing_left();
}
