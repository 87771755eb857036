use super::user::{LIMIT, User};
use drydock_tests::rig::{Dunst, until};

#[test]
fn dunst_shows_it_and_a_click_comes_back() {
    let user = User::without_keyring();
    let dunst = Dunst::start(user.bus.address());
    let testing = user.drydock(&["alerts", "test", "desktop", "--wait", "60"]).start();
    until("it is on the screen", LIMIT, || (dunst.displayed() == 1).then_some(()));

    until("the click comes back", LIMIT, || {
        // It begins to listen a moment after it is shown; a person is slower.
        dunst.click();
        testing.printed().contains("clicked: open settings").then_some(())
    });

    testing.done().ok();
    let shown = until("it has gone from the screen", LIMIT, || dunst.history().into_iter().next());
    assert_eq!((shown.app.as_str(), shown.title.as_str()), ("Drydock", "Drydock can reach you here"));
    assert!(shown.text.contains("Nothing is the matter"), "{shown:?}");
    assert_eq!(dunst.displayed(), 0);
    assert_eq!(user.view("desktop")["last"]["delivery"]["outcome"], "sent");
}

#[test]
fn a_second_notification_takes_the_place_of_the_first() {
    let user = User::without_keyring();
    let dunst = Dunst::start(user.bus.address());
    for _ in 0..2 {
        user.drydock(&["alerts", "test", "desktop"]).done().ok();
    }
    assert_eq!(dunst.displayed(), 1);
}

#[test]
fn a_desktop_that_shows_nothing_says_so() {
    let user = User::without_keyring();
    let why = user.fails("desktop");
    assert!(why.contains("no program that shows notifications"), "{why}");
    assert_eq!(user.view("desktop")["last"]["delivery"]["outcome"], "refused");
    user.set("alerts.desktop", "off");
    let done = user.drydock(&["alerts", "test", "desktop"]).done().exits(4);
    assert!(done.stderr.contains("[alerts.channel_off]"), "{}", done.stderr);
    assert!(done.stderr.contains("drydock settings set alerts.desktop on"), "{}", done.stderr);
}
