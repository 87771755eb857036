//! A keyring of one test's own: a session bus, and on it GNOME's keyring as most Linux desktops have it.

use super::until;
use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use zbus::{
    blocking::{Connection, Proxy, connection, fdo::DBusProxy},
    zvariant::{DynamicType, ObjectPath, OwnedObjectPath, OwnedValue, Value},
};

const NAME: &str = "org.freedesktop.secrets";
const SERVICE: &str = "/org/freedesktop/secrets";
const PASSWORD: &str = "the password of the drydock tests";
/// The attribute of an item that was stored without one of this name.
const GENERIC: (&str, &str) = ("xdg:schema", "org.freedesktop.Secret.Generic");
/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(30);

/// Something that is kept in the keyring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredItem {
    /// What a person sees of it.
    pub label: String,
    /// What programs find it by. They are on the disk in plain text.
    pub attributes: BTreeMap<String, String>,
    /// What is kept.
    pub secret: Vec<u8>,
}

/// A secret as it goes over the bus: the session, its parameters, the value, its type.
type Secret = (OwnedObjectPath, Vec<u8>, Vec<u8>, String);

/// A session bus, with or without a keyring. Dropping it ends both.
pub struct SecretService {
    bus: Child,
    keyring: Option<Child>,
    address: String,
    connection: Connection,
    folder: TempDir,
}

impl SecretService {
    /// Starts both, with an open default collection.
    #[must_use]
    pub fn start() -> Self {
        let mut service = Self::bus_only();
        service.start_keyring();
        service
    }

    /// Starts the keyring, with what it had when it was stopped.
    pub fn start_keyring(&mut self) {
        assert!(self.keyring.is_none(), "one keyring at a time");
        let folder = self.folder.path();
        let mut keyring = Command::new("gnome-keyring-daemon")
            .args(["--foreground", "--components=secrets", "--unlock"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .env("XDG_DATA_HOME", folder.join("data"))
            .env("XDG_RUNTIME_DIR", folder)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("keyring.log")).unwrap())
            .spawn()
            .expect("gnome-keyring-daemon can be run");
        // It reads the password to the end of what comes.
        keyring.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        self.keyring = Some(keyring);
        until("the keyring is open", LIMIT, || {
            let ended = self.keyring.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none(),
                "gnome-keyring-daemon ended: {}",
                fs::read_to_string(self.folder.path().join("keyring.log")).unwrap()
            );
            (self.has_keyring() && self.is_open()).then_some(())
        });
    }

    /// Starts a bus that has no keyring and starts none.
    #[must_use]
    pub fn bus_only() -> Self {
        let folder = TempDir::with_prefix("drydock-bus-").expect("a scratch folder");
        let config = folder.path().join("bus.conf");
        fs::write(&config, bus_config(folder.path())).unwrap();
        let mut bus = Command::new("dbus-daemon")
            .arg("--config-file")
            .arg(config)
            .args(["--nofork", "--print-address=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("bus.log")).unwrap())
            .spawn()
            .expect("dbus-daemon can be run");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        let connection = connection::Builder::address(address.as_str())
            .and_then(connection::Builder::build)
            .unwrap_or_else(|cause| panic!("the bus at {address:?}: {cause}"));
        Self { bus, keyring: None, address, connection, folder }
    }

    /// The bus's address, as `DBUS_SESSION_BUS_ADDRESS` has it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Locks the default collection, as a screen lock may. Nobody is asked for the password: nobody is here.
    pub fn lock(&self) {
        let (_locked, _prompt): (Vec<OwnedObjectPath>, OwnedObjectPath) =
            self.ask(SERVICE, "Service", "Lock", &(vec![self.default_collection()],));
        until("the keyring is locked", LIMIT, || (!self.is_open()).then_some(()));
    }

    /// Unlocks the default collection, as a person does who logs in again.
    pub fn unlock(&self) {
        // There is no other way that needs no window; it is what GNOME's own login uses.
        let interface = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface";
        let password = (self.session(), Vec::<u8>::new(), PASSWORD.as_bytes().to_vec(), "text/plain");
        self.proxy_of(SERVICE, interface)
            .call::<_, _, ()>("UnlockWithMasterPassword", &(self.default_collection(), password))
            .expect("the keyring takes its password");
        until("the keyring is open again", LIMIT, || self.is_open().then_some(()));
    }

    /// Ends the keyring and leaves the bus.
    pub fn stop_keyring(&mut self) {
        let mut keyring = self.keyring.take().expect("a keyring that runs");
        keyring.kill().unwrap();
        keyring.wait().unwrap();
        until("the keyring has gone", LIMIT, || (!self.has_keyring()).then_some(()));
    }

    /// Whether there is a keyring on the bus.
    #[must_use]
    pub fn has_keyring(&self) -> bool {
        let bus = DBusProxy::new(&self.connection).unwrap();
        bus.name_has_owner(NAME.try_into().unwrap()).expect("the bus answers")
    }

    /// Keeps something in the default collection, as another program does.
    pub fn store(&self, label: &str, attributes: &[(&str, &str)], secret: &str) {
        let attributes: HashMap<_, _> = attributes.iter().copied().collect();
        let properties = HashMap::from([
            ("org.freedesktop.Secret.Item.Label", Value::from(label)),
            ("org.freedesktop.Secret.Item.Attributes", Value::from(attributes)),
        ]);
        let secret = (self.session(), Vec::<u8>::new(), secret.as_bytes().to_vec(), "text/plain");
        let (item, _prompt): (OwnedObjectPath, OwnedObjectPath) = self.ask(
            self.default_collection().as_str(),
            "Collection",
            "CreateItem",
            &(properties, secret, false),
        );
        assert_ne!(item.as_str(), "/", "the keyring wants to ask somebody before it keeps {label:?}");
    }

    /// All that is kept. The keyring must be open.
    #[must_use]
    pub fn items(&self) -> Vec<StoredItem> {
        let session = self.session();
        let collections: Vec<OwnedObjectPath> = self.property(SERVICE, "Service", "Collections");
        let items = collections
            .iter()
            .flat_map(|one| self.property::<Vec<OwnedObjectPath>>(one.as_str(), "Collection", "Items"));
        items
            .map(|item| {
                let mut attributes: HashMap<String, String> = self.property(&item, "Item", "Attributes");
                // The keyring adds it once it has read its file again, which it does now and then.
                attributes.retain(|name, value| (name.as_str(), value.as_str()) != GENERIC);
                let (secret,): (Secret,) = self.ask(&item, "Item", "GetSecret", &(&session,));
                StoredItem {
                    label: self.property(&item, "Item", "Label"),
                    attributes: attributes.into_iter().collect(),
                    secret: secret.2,
                }
            })
            .collect()
    }

    /// A session in which secrets go over the bus as they are.
    fn session(&self) -> OwnedObjectPath {
        let (_, session): (OwnedValue, OwnedObjectPath) =
            self.ask(SERVICE, "Service", "OpenSession", &("plain", Value::from("")));
        session
    }

    fn default_collection(&self) -> OwnedObjectPath {
        self.ask(SERVICE, "Service", "ReadAlias", &("default",))
    }

    fn is_open(&self) -> bool {
        let collection = self.default_collection();
        // This is how the service says that there is none.
        collection.as_str() != "/" && !self.property::<bool>(&collection, "Collection", "Locked")
    }

    fn ask<A>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        arguments: &(impl serde::Serialize + DynamicType),
    ) -> A
    where
        A: for<'d> zbus::zvariant::DynamicDeserialize<'d>,
    {
        self.proxy(path, interface)
            .call(method, arguments)
            .unwrap_or_else(|cause| panic!("{method} of {path}: {cause}"))
    }

    fn property<T>(&self, path: &str, interface: &str, name: &str) -> T
    where
        T: TryFrom<OwnedValue>,
        T::Error: Into<zbus::Error>,
    {
        self.proxy(path, interface)
            .get_property(name)
            .unwrap_or_else(|cause| panic!("{name} of {path}: {cause}"))
    }

    fn proxy(&self, path: &str, interface: &str) -> Proxy<'static> {
        self.proxy_of(path, &format!("org.freedesktop.Secret.{interface}"))
    }

    fn proxy_of(&self, path: &str, interface: &str) -> Proxy<'static> {
        let path = ObjectPath::try_from(path.to_owned()).unwrap();
        // Nothing is remembered: what was true a moment ago is of no use here.
        zbus::blocking::proxy::Builder::new(&self.connection)
            .destination(NAME)
            .and_then(|proxy| proxy.path(path))
            .and_then(|proxy| proxy.interface(interface.to_owned()))
            .and_then(|proxy| proxy.cache_properties(zbus::proxy::CacheProperties::No).build())
            .unwrap()
    }
}

impl Drop for SecretService {
    fn drop(&mut self) {
        for program in self.keyring.iter_mut().chain([&mut self.bus]) {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}

/// A bus for this user that starts nothing by itself: the usual one would start the machine's own keyring.
fn bus_config(folder: &Path) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#,
        folder.display()
    )
}
