//! From a cause to the user: the daemon's alerts arrive by real channels, clicks on them come back, and what is over
//! is taken away.

use super::watched::{LIMIT, daemon, firing, set, until_fires, until_over};
use drydock_tests::rig::{Backups, Dunst, Invocation, MailServer, SecretService, until};
use std::fs;

/// Somebody before a desktop, who decides themselves what is recovered.
struct Person {
    bus: SecretService,
    backups: Backups,
}

impl Person {
    fn new() -> Self {
        let this = Self { bus: SecretService::bus_only(), backups: Backups::new() };
        set(&|words| this.drydock(words), &[("recovery.automatic", "off")]);
        this
    }

    fn drydock(&self, words: &[&str]) -> Invocation {
        self.backups.drydock(words).variable("DBUS_SESSION_BUS_ADDRESS", self.bus.address())
    }

    /// Cuts a document, and gives what it was.
    fn damage(&self) -> Vec<u8> {
        let settings = self.backups.file(".claude/settings.json");
        let whole = fs::read(&settings).unwrap();
        fs::write(&settings, "{\"model\": \"op").unwrap();
        whole
    }

    fn mend(&self, whole: &[u8]) {
        fs::write(self.backups.file(".claude/settings.json"), whole).unwrap();
    }
}

#[test]
fn damage_is_on_the_screen_and_off_it_when_it_is_mended() {
    let person = Person::new();
    let drydock = |words: &[&str]| person.drydock(words);
    let dunst = Dunst::start(person.bus.address());
    let whole = person.damage();
    let _daemon = daemon(&drydock);

    until("it is on the screen", LIMIT, || (dunst.displayed() == 1).then_some(()));
    person.mend(&whole);

    let shown = until("it has gone from the screen", LIMIT, || dunst.history().into_iter().next());
    assert_eq!(shown.title, "Something is damaged: settings.json");
    assert!(!shown.text.contains(person.backups.home.path().to_str().unwrap()), "{shown:?}");
    until_over(&drydock, "damage");
    assert_eq!(dunst.history().len(), 1);
}

#[test]
fn a_click_comes_back_to_who_watches() {
    let person = Person::new();
    let drydock = |words: &[&str]| person.drydock(words);
    let dunst = Dunst::start(person.bus.address());
    person.damage();
    let daemon = daemon(&drydock);
    until("it is on the screen", LIMIT, || (dunst.displayed() == 1).then_some(()));
    let alert = until_fires(&drydock, "damage");

    until("the click comes back", LIMIT, || {
        // It begins to listen a moment after it is shown; a person is slower.
        dunst.click();
        daemon.printed().contains("{\"open\":\"recovery\"}").then_some(())
    });

    assert!(daemon.printed().contains(alert["id"].as_str().unwrap()), "{}", daemon.printed());
}

#[test]
fn where_no_desktop_shows_it_the_next_channel_does_and_that_is_an_alert_too() {
    let person = Person::new();
    let drydock = |words: &[&str]| person.drydock(words);
    let server = MailServer::open();
    set(
        &drydock,
        &[
            ("alerts.email.to", "ann@example.org"),
            ("alerts.email.via", "smtp"),
            ("alerts.email.smtp.server", "127.0.0.1"),
            ("alerts.email.smtp.port", &server.port().to_string()),
            ("alerts.email.smtp.tls", "none"),
        ],
    );
    person.damage();
    let _daemon = daemon(&drydock);

    let mail = until("a mail arrives", LIMIT, || {
        server.taken().into_iter().find(|mail| mail.header("Subject").unwrap().contains("damaged"))
    });

    assert!(mail.text.contains("drydock recover"), "{}", mail.text);
    let failing = until_fires(&drydock, "channel-failing");
    assert_eq!(failing["about"], "desktop");
    let told = person.drydock(&["alerts", "history"]).done().ok().stdout;
    assert!(told.contains("not told by desktop") && told.contains("told by email"), "{told}");
    // A desktop comes, and the test shows that it works.
    let _dunst = Dunst::start(person.bus.address());
    person.drydock(&["alerts", "test", "desktop"]).done().ok();
    until_over(&drydock, "channel-failing");
    assert!(firing(&drydock).iter().any(|one| one["rule"] == "damage"));
}
