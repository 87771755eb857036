use super::user::User;
use drydock_tests::rig::{Answer, Slack};

/// Somebody who has told drydock the webhook.
fn user_of(slack: &Slack) -> User {
    let user = User::new();
    let set = user.drydock(&["alerts", "slack", "set"]).input(&slack.webhook()).done().ok();
    assert!(set.stdout.contains("kept in the keyring"), "{}", set.stdout);
    user
}

#[test]
fn slack_takes_a_message_within_its_limits() {
    let slack = Slack::start();
    let user = user_of(&slack);

    let done = user.drydock(&["alerts", "test", "slack"]).done().ok();

    assert_eq!(done.stdout, "sent: Slack has it\n");
    assert_eq!((slack.taken().len(), slack.faults()), (1, Vec::new()));
    let message = &slack.taken()[0];
    assert_eq!(message["blocks"][0]["text"]["text"], "Drydock can reach you here");
    assert!(message.to_string().contains("<drydock://settings|Open Drydock>"), "{message}");
    assert_eq!(user.view("slack")["last"]["delivery"]["outcome"], "sent");
}

#[test]
fn each_answer_of_slacks_is_told_from_the_others() {
    let slack = Slack::start();
    let user = user_of(&slack);
    for (answer, outcome, words) in [
        (Answer::Wait("30"), "later", "Slack asks to wait"),
        (Answer::Status(500, "server_error"), "later", "500"),
        (Answer::Status(503, ""), "later", "503"),
        (Answer::Status(400, "invalid_payload"), "refused", "invalid_payload"),
        (Answer::Status(403, "action_prohibited"), "refused", "drydock alerts slack set"),
        (Answer::Status(404, "no_service"), "refused", "no_service"),
        (Answer::Status(410, "channel_is_archived"), "refused", "channel_is_archived"),
        (Answer::Status(200, "<html>welcome to this hotel</html>"), "refused", "not Slack's webhook"),
        (Answer::Elsewhere, "refused", "leads elsewhere"),
    ] {
        slack.next(answer.clone());
        let why = user.fails("slack");
        assert!(why.contains(words), "{answer:?}: {why}");
        let last = &user.view("slack")["last"]["delivery"];
        assert_eq!(last["outcome"], outcome, "{answer:?}: {last}");
        if matches!(answer, Answer::Wait(_)) {
            assert_eq!(last["after"]["secs"], 30);
        }
    }
    // Each was one try, and nobody went elsewhere.
    assert_eq!((slack.calls(), slack.taken().len()), (9, 0));
}

#[test]
fn who_does_not_answer_is_not_waited_for_for_ever() {
    let slack = Slack::start();
    let user = user_of(&slack);
    slack.next(Answer::Silence);
    let why = user.fails("slack");
    assert!(why.contains("did not answer within"), "{why}");
}

#[test]
fn the_webhooks_address_is_told_to_nobody() {
    let slack = Slack::start();
    let user = user_of(&slack);
    let sent = user.drydock(&["alerts", "test", "slack"]).done().ok();
    slack.next(Answer::Status(404, "no_service"));
    let refused = user.drydock(&["alerts", "test", "slack"]).done().exits(1);
    let secret = slack.secret();
    drop(slack);
    let unreachable = user.drydock(&["alerts", "test", "slack"]).done().exits(1);
    assert!(unreachable.stderr.contains("Slack cannot be reached"), "{}", unreachable.stderr);
    let wrong = user
        .drydock(&["alerts", "slack", "set"])
        .input(&format!("http://example.org{secret}"))
        .done()
        .exits(2);
    let channels = user.drydock(&["alerts", "channels"]).done().ok();
    assert!(sent.stderr.contains("TRACE"), "there is no log");
    user.assert_nowhere(secret, &[&sent, &refused, &unreachable, &wrong, &channels]);

    user.drydock(&["alerts", "slack", "forget"]).done().ok();
    assert!(user.bus.items().is_empty());
    let off = user.drydock(&["alerts", "test", "slack"]).done().exits(4);
    assert!(off.stderr.contains("try: drydock alerts slack set"), "{}", off.stderr);
}

#[test]
fn a_keyring_that_is_locked_is_a_reason_to_try_again() {
    let slack = Slack::start();
    let user = user_of(&slack);
    user.bus.lock();
    let why = user.fails("slack");
    assert!(why.contains("the keyring is locked"), "{why}");
    assert_eq!(user.view("slack")["last"]["delivery"]["outcome"], "later");
    assert_eq!(slack.calls(), 0);
}
