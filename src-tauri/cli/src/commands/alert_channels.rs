//! `drydock alerts channels`, `test`, `slack` and `email`: the ways to reach the user.

use super::credentials::{blocking, done, kept, secret};
use crate::{
    Context,
    arguments::{ChannelWord, EmailDeed, SlackDeed},
    render::{self, Format},
};
use chrono::Utc;
use drydock_engine::{
    alerting::{
        ChannelName, Delivery, Message, Occasion, Page, Severity,
        channels::{self, ChannelView, Channels, ClickAction, Clicked, SetUp},
    },
    error_handling::{Code, Error, Result},
};
use serde::Serialize;
use std::{process::ExitCode, time::Duration};

pub(super) async fn list(context: &Context) -> Result<ExitCode> {
    let (locations, settings) = (context.drydock.locations.clone(), context.drydock.settings.clone());
    let views = blocking(move || Ok(channels::channel_views(&locations, &settings))).await?;
    render::answer(context.format, &views, || text(&views));
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn slack(context: &mut Context, deed: &SlackDeed) -> Result<ExitCode> {
    let locations = context.drydock.locations.clone();
    match deed {
        SlackDeed::Set => {
            let address = secret("the address of the Slack webhook").await?;
            let place = blocking(move || channels::keep_webhook(&locations, &address)).await?;
            context.drydock.settings.set("alerts.slack", "on")?;
            let kept = kept(place);
            done(context, &format!("{kept}; alerts go to Slack (try it: drydock alerts test slack)"));
        }
        SlackDeed::Forget => {
            context.drydock.settings.set("alerts.slack", "off")?;
            blocking(move || channels::forget_webhook(&locations)).await?;
            done(context, "forgotten; no alerts go to Slack");
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn email(context: &Context, deed: &EmailDeed) -> Result<ExitCode> {
    let locations = context.drydock.locations.clone();
    match deed {
        EmailDeed::SetPassword => {
            let password = secret("the password for the mail server").await?;
            let place = blocking(move || channels::keep_mail_password(&locations, &password)).await?;
            done(context, &kept(place));
        }
        EmailDeed::ForgetPassword => {
            blocking(move || channels::forget_mail_password(&locations)).await?;
            done(context, "forgotten");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn name(word: ChannelWord) -> ChannelName {
    match word {
        ChannelWord::Desktop => ChannelName::Desktop,
        ChannelWord::Slack => ChannelName::Slack,
        ChannelWord::Email => ChannelName::Email,
    }
}

#[derive(Serialize)]
struct Tested {
    channel: ChannelName,
    #[serde(flatten)]
    delivery: Delivery,
    sent_means: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    clicked: Option<Clicked>,
}

pub(super) async fn test(context: &Context, channel: ChannelWord, wait: Option<u64>) -> Result<ExitCode> {
    let name = name(channel);
    let (locations, settings) = (&context.drydock.locations, &context.drydock.settings);
    if wait.is_some() && name != ChannelName::Desktop {
        return Err(Error::new(Code::Usage, format!("nothing comes back from the channel {name}"))
            .remedy(format!("leave --wait out: drydock alerts test {name}")));
    }
    let channels = Channels::of(locations, ICON);
    let mut clicks = channels.clicks();
    let delivery = channels.named(settings, name)?.send(&test_message()).await;
    let (alerts, noted) = (context.drydock.alerts(), delivery.clone());
    blocking(move || alerts.note_test(name, &noted, Utc::now())).await?;
    if let Delivery::Later { why, .. } | Delivery::Refused { why } = &delivery {
        let error = Error::new(Code::AlertUndelivered, format!("the channel {name} did not take the test"));
        return Err(error
            .why(why)
            .remedy("when that is mended, try again: drydock alerts test ".to_owned() + name.word()));
    }
    let clicked = match wait {
        None => None,
        Some(seconds) => {
            if context.format == Format::Human {
                eprintln!("drydock: click the notification; waiting {seconds} s");
            }
            let heard = tokio::time::timeout(Duration::from_secs(seconds), clicks.recv()).await;
            Some(heard.ok().and_then(std::result::Result::ok).ok_or_else(|| {
                Error::new(Code::AlertUndelivered, "no click came back from the notification")
                    .why(format!(
                        "it was shown, and nobody clicked it within {seconds} s, or the desktop does not tell"
                    ))
                    .remedy("click it while the command waits: drydock alerts test desktop --wait 120")
            })?)
        }
    };
    let sent_means = channel_means(context, name);
    let tested = Tested { channel: name, delivery, sent_means, clicked };
    render::answer(context.format, &tested, || {
        let mut text = format!("sent: {sent_means}\n");
        if let Some(clicked) = &tested.clicked {
            text.push_str(&format!("clicked: {}\n", meant(clicked)));
        }
        text
    });
    Ok(ExitCode::SUCCESS)
}

/// The icon's name in a Linux desktop's theme; the app has its own.
const ICON: &str = "drydock";

fn test_message() -> Message {
    let now = Utc::now();
    Message {
        incident: None,
        occasion: Occasion::Test,
        severity: Severity::Medium,
        title: "Drydock can reach you here".into(),
        text: "This is a test that you asked for. Nothing is the matter.".into(),
        remedy: None,
        page: Page::Settings,
        since: now,
        at: now,
        held_back: 0,
    }
}

fn channel_means(context: &Context, name: ChannelName) -> &'static str {
    match channels::set_up(&context.drydock.settings, name) {
        SetUp::On { sent_means, .. } => sent_means,
        SetUp::Off { .. } => "",
    }
}

fn meant(clicked: &Clicked) -> String {
    match clicked.action {
        ClickAction::Open(page) => format!("open {}", page.word()),
        action @ (ClickAction::Recover | ClickAction::Review | ClickAction::Snooze) => {
            action.word().to_owned()
        }
    }
}

fn text(views: &[ChannelView]) -> String {
    let mut text = String::new();
    for view in views {
        match &view.set_up {
            SetUp::On { how, .. } => text.push_str(&format!("{:8} on   {how}\n", view.channel.word())),
            SetUp::Off { missing, remedy } => {
                let why = missing.map_or_else(String::new, |missing| format!(" ({missing})"));
                text.push_str(&format!("{:8} off{why}\n              try: {remedy}\n", view.channel.word()));
            }
        }
        if let Some(last) = &view.last {
            let became = match &last.delivery {
                Delivery::Sent => "sent".to_owned(),
                Delivery::Later { why, .. } => format!("not sent: {why}"),
                Delivery::Refused { why } => format!("refused: {why}"),
            };
            text.push_str(&format!("              last {}: {became}\n", render::ago(last.at)));
        }
    }
    text
}
