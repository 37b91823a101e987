//! A session bus of the test's own, with or without a keyring on it. No developer's keyring is touched.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use secret_service::{EncryptionType, SecretService};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use zbus::fdo::DBusProxy;

/// Lets everybody do everything, and starts no service by itself.
const CONFIGURATION: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A bus; gone with what is on it when dropped.
#[derive(Debug)]
pub(crate) struct Bus {
    folder: TempDir,
    _daemon: Child,
    keyring: Option<Child>,
}

impl Bus {
    /// A bus with nothing on it.
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("bus");
        let configuration = folder.path().join("bus.conf");
        std::fs::write(&configuration, CONFIGURATION.replace("SOCKET", socket.to_str().unwrap())).unwrap();
        let mut daemon = Command::new("dbus-daemon");
        daemon.arg(format!("--config-file={}", configuration.display()));
        daemon.args(["--nofork", "--nopidfile", "--nosyslog", "--print-address"]).env_clear();
        let mut daemon = daemon.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        // It tells its address when it listens.
        let mut lines = BufReader::new(daemon.stdout.take().unwrap()).lines();
        lines.next_line().await.unwrap().unwrap();
        Self { folder, _daemon: daemon, keyring: None }
    }

    /// A bus with an unlocked keyring on it.
    pub(crate) async fn with_keyring() -> Self {
        let mut bus = Self::start().await;
        let home = bus.folder.path();
        let mut keyring = Command::new("gnome-keyring-daemon");
        keyring.args(["--foreground", "--components=secrets", "--unlock"]).env_clear();
        keyring.env("HOME", home).env("XDG_DATA_HOME", home).env("XDG_RUNTIME_DIR", home);
        keyring.env("DBUS_SESSION_BUS_ADDRESS", bus.address()).env("PATH", "/usr/bin:/bin");
        keyring.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let mut keyring = keyring.spawn().unwrap();
        keyring.stdin.take().unwrap().write_all(b"password of the test").await.unwrap();
        bus.keyring = Some(keyring);
        let connection = bus.connect().await;
        let names = DBusProxy::new(&connection).await.unwrap();
        while !names.name_has_owner("org.freedesktop.secrets".try_into().unwrap()).await.unwrap() {
            let ended = bus.keyring.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "gnome-keyring-daemon ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bus
    }

    /// What `DBUS_SESSION_BUS_ADDRESS` says.
    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("bus")
    }

    async fn connect(&self) -> zbus::Connection {
        zbus::connection::Builder::address(self.address().as_str()).unwrap().build().await.unwrap()
    }

    async fn service(&self) -> SecretService<'static> {
        SecretService::connect_with_existing(EncryptionType::Plain, self.connect().await).await.unwrap()
    }

    /// What the keyring holds: the context and the secret of each item.
    pub(crate) async fn items(&self) -> Vec<(String, String)> {
        let service = self.service().await;
        let collection = service.get_default_collection().await.unwrap();
        let mut items = Vec::new();
        for item in collection.get_all_items().await.unwrap() {
            let context = item.get_attributes().await.unwrap()["context"].clone();
            items.push((context, String::from_utf8(item.get_secret().await.unwrap()).unwrap()));
        }
        items
    }

    /// Locks the keyring.
    pub(crate) async fn lock(&self) {
        let service = self.service().await;
        service.get_default_collection().await.unwrap().lock().await.unwrap();
    }
}
