//! Sending, as the settings say, now or again and again.

use super::{
    super::{Event, EventName, Files, Level, log_event},
    allowed::{Allowed, Names},
    answer::Answer,
    cursor::Cursor,
    post::Post,
    round::{Access, Effort, Way, World, round},
    server::Server,
    settle::Notice,
    state::{Kept, Lock, State, key_marker, state_file},
    status::{ShippingStatus, shipping_status},
    stream::{Destination, Next, Stream},
};
use crate::{
    error_handling::{Code, Error, Result},
    keychain::{Fingerprint, Secret, Vault},
    paths::{Locations, write_private},
    settings::Settings,
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::runtime::Handle;

/// Whoever asks waits so long for another process.
const PATIENCE: Duration = Duration::from_secs(40);
/// A key is asked for again after so long, in case that something else than Drydock changed it; a locked keyring as
/// well, since that may ask the user.
const HOLDS: Duration = Duration::from_secs(3600);
/// And where there was none, or no keyring.
const NOTHING_HOLDS: Duration = Duration::from_secs(300);

/// Sends what is on record of one home, as long as it lives.
#[derive(Debug, Clone)]
pub(crate) struct Shipper {
    locations: Locations,
    post: Arc<Post>,
    key: Arc<Mutex<Option<KnownKey>>>,
}

/// A key that was asked for.
#[derive(Debug, Clone)]
struct KnownKey {
    marker: String,
    asked: Instant,
    holds: Duration,
    access: Access,
}

impl Shipper {
    pub(crate) fn of(locations: &Locations) -> Self {
        Self { locations: locations.clone(), post: Arc::default(), key: Arc::default() }
    }

    /// Sends what is due. Nothing is done where nothing is wanted. Blocking, in a runtime.
    pub(crate) fn send_due(&self, settings: &Settings, runtime: &Handle) -> Result<()> {
        let is_wanted = settings.datadog().is_some() || settings.collector().is_some();
        if !is_wanted && !state_file(&self.locations).exists() {
            return Ok(());
        }
        // Whoever has it sends the same.
        let Some(_lock) = Lock::take(&self.locations, Duration::ZERO)? else { return Ok(()) };
        self.send(settings, Effort::Due, runtime)
    }

    fn send(&self, settings: &Settings, effort: Effort, runtime: &Handle) -> Result<()> {
        let mut state = State::load(&self.locations)?;
        let ways = ways(&self.locations, settings, &state.salt, || self.access());
        let mut world = Real { locations: &self.locations, post: &self.post, runtime };
        let notices = round(&ways, &mut state, effort, &mut world)?;
        notices.into_iter().for_each(tell);
        Ok(())
    }

    /// Datadog's key, which is in the keyring.
    fn access(&self) -> Access {
        let marker = fs::read_to_string(key_marker(&self.locations)).unwrap_or_default();
        let mut known = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known
            && known.marker == marker
            && known.asked.elapsed() < known.holds
        {
            return known.access.clone();
        }
        let asked = Instant::now();
        let (access, holds) = match Vault::of(&self.locations).read(&Secret::DatadogKey) {
            Ok(Some((key, _))) => (Access::Key(key), HOLDS),
            Ok(None) => {
                let why = "there is no key: drydock credentials store datadog-key".to_owned();
                (Access::Missing(why), NOTHING_HOLDS)
            }
            Err(error) => {
                let is_locked = error.code() == Code::KeychainLocked;
                let why = format!("the key cannot be read: {}", error.message());
                (Access::Missing(why), if is_locked { HOLDS } else { NOTHING_HOLDS })
            }
        };
        *known = Some(KnownKey { marker, asked, holds, access: access.clone() });
        access
    }
}

/// Says that Datadog's key was stored or forgotten, so that a process that sends asks for it again.
///
/// # Errors
/// When that cannot be written down.
pub fn datadog_key_changed(locations: &Locations) -> Result<()> {
    write_private(&key_marker(locations), uuid::Uuid::new_v4().to_string().as_bytes())
}

/// Sends all that is on record and was not sent yet to Datadog, and to the collector where there is one; also what
/// waits for its time. How it stands then.
///
/// # Errors
/// [`Code::ShippingOff`] when nothing is set up; [`Code::ShippingBusy`] when another process sends and does not end.
pub async fn send_to_datadog(locations: &Locations, settings: &Settings) -> Result<ShippingStatus> {
    if settings.datadog().is_none() && settings.collector().is_none() {
        return Err(Error::new(Code::ShippingOff, "nothing is sent anywhere")
            .remedy("to Datadog: drydock settings set observability.datadog.enabled true")
            .remedy(
                "to a collector: drydock settings set observability.otlp.endpoint http://127.0.0.1:4318",
            ));
    }
    let (shipper, settings, runtime) = (Shipper::of(locations), settings.clone(), Handle::current());
    tokio::task::spawn_blocking(move || {
        let Some(_lock) = Lock::take(&shipper.locations, PATIENCE)? else {
            return Err(Error::new(Code::ShippingBusy, "another process is sending what is on record")
                .remedy("nothing: it sends the same; drydock shipping status shows it"));
        };
        shipper.send(&settings, Effort::All, &runtime)?;
        shipping_status(&shipper.locations, &settings, Utc::now())
    })
    .await
    .map_err(|cause| Error::new(Code::Internal, "a background task stopped").why(cause))?
}

/// What a request would be with the newest lines, for each stream that the settings want; for all to Datadog where
/// they want none. Nothing is sent. Blocking.
///
/// # Errors
/// When what is on record cannot be read.
pub fn preview(
    locations: &Locations,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Vec<(Stream, Value)>> {
    let mut settings = settings.clone();
    if settings.datadog().is_none() && settings.collector().is_none() {
        settings.use_for_now("observability.datadog.enabled", "true")?;
    }
    let state = State::load(locations)?;
    let mut found = Vec::new();
    for way in ways(locations, &settings, &state.salt, || Access::Open) {
        let unreadable = |cause| Error::new(Code::FileAccess, "what is on record cannot be read").why(cause);
        let cursor = Cursor::near_end(&way.chain, now).map_err(unreadable)?;
        let kept = Kept { cursor: Some(cursor), ..Kept::default() };
        let identity = Fingerprint::of("");
        let next = way.stream.next(&kept, &way.chain, &way.allowed, identity, now).map_err(unreadable)?;
        if let Next::Send(batch) = next
            && let Some(body) = batch.body
        {
            found.push((way.stream, body));
        }
    }
    Ok(found)
}

/// The ways that the settings want. The key is asked for only where it is needed.
pub(super) fn ways(
    locations: &Locations,
    settings: &Settings,
    salt: &str,
    key: impl FnOnce() -> Access,
) -> Vec<Way> {
    let names = if settings.sends_names() { Names::Allowed } else { Names::Hidden };
    let allowed = Allowed::new(names, salt, &locations.home.display().to_string());
    let files = Files::of(locations);
    let mut ways = Vec::new();
    let mut add = |to: Destination, server: Option<Server>, access: &Access| {
        let Some(server) = server else { return };
        let wanted = |stream: &Stream| stream.to() == to && (!stream.is_errors() || settings.sends_errors());
        ways.extend(Stream::ALL.iter().copied().filter(wanted).map(|stream| Way {
            stream,
            chain: stream.chain(&files),
            allowed: allowed.clone(),
            server: server.clone(),
            access: access.clone(),
        }));
    };
    if let Some((site, address)) = settings.datadog() {
        let key = key();
        let server = |name: &str| match address {
            Some(address) => Server::parse(address),
            None => Server::parse(&format!("https://{name}.{site}")),
        };
        add(Destination::DatadogLogs, server("http-intake.logs"), &key);
        add(Destination::DatadogApi, server("api"), &key);
    }
    if let Some(endpoint) = settings.collector() {
        add(Destination::Collector, Server::parse(endpoint), &Access::Open);
    }
    ways
}

/// The world as it is.
struct Real<'s> {
    locations: &'s Locations,
    post: &'s Post,
    runtime: &'s Handle,
}

impl World for Real<'_> {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn post(&mut self, way: &Way, body: &Value) -> Answer {
        self.runtime.block_on(self.post.send(way, body))
    }

    fn commit(&mut self, state: &State) -> Result<()> {
        state.save(self.locations)
    }
}

fn tell(notice: Notice) {
    let event = match notice {
        Notice::Stopped(stream, status) => {
            let event = Event::new(EventName::ShippingStopped).with("stream", stream.word());
            status.into_iter().fold(event, |event, status| event.with("status", u64::from(status)))
        }
        Notice::Dropped(stream, lines) => {
            Event::new(EventName::ShippingDropped).with("stream", stream.word()).with("count", lines)
        }
    };
    log_event(&event.level(Level::Warn));
}
