//! The system keyring: the Secret Service of freedesktop.org on the session bus, one item for the login of a context.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use secret_service::{Collection, EncryptionType, Error as ServiceError, SecretService};

/// Whoever runs a program does not wait longer for a keyring that says nothing.
const PATIENCE: Duration = Duration::from_secs(5);
const BUS_VARIABLE: &str = "DBUS_SESSION_BUS_ADDRESS";
const CONTENT_TYPE: &str = "application/json";

/// Why the keyring cannot be used. Says so after "the system keyring".
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("is not there: no session bus, or no Secret Service on it")]
    Absent,
    #[error("is locked")]
    Locked,
    #[error("has not answered within {} seconds", PATIENCE.as_secs())]
    Silent,
    #[error("cannot be used: {}", crate::error::printable(.0))]
    Failed(String),
}

impl From<ServiceError> for Trouble {
    fn from(error: ServiceError) -> Self {
        let absent = match &error {
            ServiceError::Zbus(zbus::Error::MethodError(name, ..)) => {
                matches!(
                    name.as_str(),
                    "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner"
                )
            }
            ServiceError::Zbus(zbus::Error::FDO(error)) => unknown(error),
            ServiceError::ZbusFdo(error) => unknown(error),
            _ => false,
        };
        match error {
            _ if absent => Self::Absent,
            ServiceError::Locked => Self::Locked,
            ServiceError::NoResult => Self::Failed("it has no default collection".to_owned()),
            other => Self::Failed(other.to_string()),
        }
    }
}

fn unknown(error: &zbus::fdo::Error) -> bool {
    matches!(error, zbus::fdo::Error::ServiceUnknown(_) | zbus::fdo::Error::NameHasNoOwner(_))
}

/// Which item: that of a context of a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'k> {
    pub(super) folder: &'k Path,
    pub(super) context: &'k str,
}

/// Whether the keyring is there, unlocked and answering.
pub(super) async fn probe() -> Result<(), Trouble> {
    bounded(async {
        let service = connect().await?;
        unlocked(&service).await.map(drop)
    })
    .await
}

/// The secret of an item; `None` when there is no such item.
pub(super) async fn read(key: Key<'_>) -> Result<Option<Zeroizing<Vec<u8>>>, Trouble> {
    bounded(async {
        let service = connect().await?;
        let collection = unlocked(&service).await?;
        let folder = key.folder.to_string_lossy();
        let items = collection.search_items(attributes(&folder, key.context)).await?;
        match items.first() {
            Some(item) => Ok(Some(Zeroizing::new(item.get_secret().await?))),
            None => Ok(None),
        }
    })
    .await
}

/// Writes the secret of an item, in the place of what it held.
pub(super) async fn write(key: Key<'_>, label: &str, secret: &str) -> Result<(), Trouble> {
    bounded(async {
        let service = connect().await?;
        let collection = unlocked(&service).await?;
        let folder = key.folder.to_string_lossy();
        let attributes = attributes(&folder, key.context);
        collection.create_item(label, attributes, secret.as_bytes(), true, CONTENT_TYPE).await?;
        Ok(())
    })
    .await
}

/// Removes an item, if it is there.
pub(super) async fn remove(key: Key<'_>) -> Result<(), Trouble> {
    bounded(async {
        let service = connect().await?;
        let collection = unlocked(&service).await?;
        let folder = key.folder.to_string_lossy();
        for item in collection.search_items(attributes(&folder, key.context)).await? {
            item.delete().await?;
        }
        Ok(())
    })
    .await
}

async fn bounded<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(Trouble::Silent))
}

async fn connect() -> Result<SecretService<'static>, Trouble> {
    // Without the variable the library would look for a bus at well-known places. A session that has one says so, and
    // whatever cleared its environment wants no keyring.
    if std::env::var_os(BUS_VARIABLE).is_none_or(|address| address.is_empty()) {
        return Err(Trouble::Absent);
    }
    // Encrypted on the bus: its daemon and whoever watches it see no token.
    Ok(SecretService::connect(EncryptionType::Dh).await?)
}

/// The default collection. A locked one is left so: unlocking asks a person, who may not be there.
async fn unlocked<'s>(service: &'s SecretService<'static>) -> Result<Collection<'s>, Trouble> {
    let collection = service.get_default_collection().await?;
    collection.ensure_unlocked().await?;
    Ok(collection)
}

fn attributes<'a>(folder: &'a str, context: &'a str) -> HashMap<&'a str, &'a str> {
    HashMap::from([("application", "opensearch-auth"), ("folder", folder), ("context", context)])
}
