use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Change, Contents, Store, StoreError, Version};
use crate::{Kept, Record, TokenId};

/// Records as JSON, each with its version.
const RECORDS: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("records");
const REVOCATIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("revocations");
const LAST_USED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("last_used");
const KEPT: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("kept");
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");

/// In bytes. Small, since records are read once.
const CACHE: usize = 8 * 1024 * 1024;

/// Counts changes of form that an older proxy would misread.
const FORM: u64 = 1;

/// A file on the machine of the only proxy. A change is on the disk before it is acknowledged, so that nothing acknowledged is
/// lost when the process or the machine dies at any moment. One process at a time can have it open.
#[derive(Debug)]
pub struct EmbeddedStore {
    database: Arc<Database>,
}

impl EmbeddedStore {
    /// Opens the file, or makes it, readable for its owner alone. Blocks while a file of a process that died is made whole.
    ///
    /// # Errors
    /// [`StoreError::Open`] if it cannot be, is open elsewhere, can be read by others, or is of a newer proxy.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let refused = |problem: String| StoreError::Open {
            path: path.display().to_string().into(),
            problem: problem.into(),
        };
        let file = open_file(path).map_err(|error| refused(error.to_string()))?;
        let metadata = file.metadata().map_err(|error| refused(error.to_string()))?;
        if !metadata.is_file() {
            return Err(refused("it is not a regular file".into()));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(refused("others than its owner can read or write it: chmod 600".into()));
        }
        let open = || Database::builder().set_cache_size(CACHE).create_with_backend(FileBackend::new(file)?);
        let database = open().map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => {
                refused("another process has it open: one proxy at a time can use it".into())
            }
            error => refused(error.to_string()),
        })?;
        sync_folder(path).map_err(|error| refused(error.to_string()))?;
        let store = Self { database: Arc::new(database) };
        match store.prepare() {
            Ok(FORM) => Ok(store),
            Ok(form) => {
                Err(refused(format!("it was written by a newer proxy (form {form}, known is {FORM})")))
            }
            Err(error) => Err(refused(error.to_string())),
        }
    }

    /// Makes the tables, so that reading never finds one missing; the form of what is there.
    fn prepare(&self) -> Result<u64, redb::Error> {
        let transaction = begin(&self.database)?;
        let form = {
            let mut about = transaction.open_table(ABOUT)?;
            let form = about.get("form")?.map(|form| form.value());
            if form.is_none() {
                about.insert("form", FORM)?;
            }
            transaction.open_table(RECORDS)?;
            transaction.open_table(REVOCATIONS)?;
            transaction.open_table(LAST_USED)?;
            transaction.open_table(KEPT)?;
            form.unwrap_or(FORM)
        };
        transaction.commit()?;
        Ok(form)
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn load(&self) -> Result<Contents, StoreError> {
        let database = self.database.clone();
        blocking(move || load(&database)).await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Version>, StoreError> {
        let database = self.database.clone();
        blocking(move || commit(&database, &changes)).await
    }

    async fn reread(&self, id: &TokenId) -> Result<Option<(Record, Version)>, StoreError> {
        let (database, id) = (self.database.clone(), id.clone());
        blocking(move || reread(&database, id.as_str(), RECORDS)).await
    }

    async fn reread_kept(&self, key: &str) -> Result<Option<(Kept, Version)>, StoreError> {
        let (database, key) = (self.database.clone(), Box::<str>::from(key));
        blocking(move || reread(&database, &key, KEPT)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Storage(error.into())),
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            // The mode above is subject to the umask, which could also take too much away.
            file.set_permissions(Permissions::from_mode(0o600))?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
        Err(error) => Err(error),
    }
}

/// A new file is lost with the machine until its folder is on the disk too.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Quick repair commits in two phases, so that a change is on the disk whole before it counts, and lets a file that a killed process
/// left behind open at once.
fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

fn load(database: &Database) -> Result<Contents, StoreError> {
    let mut contents = Contents::default();
    let transaction = database.begin_read().map_err(storage)?;
    for entry in transaction.open_table(RECORDS).map_err(storage)?.iter().map_err(storage)? {
        let (key, value) = entry.map_err(storage)?;
        let (version, bytes) = value.value();
        contents.records.push((read(key.value(), bytes)?, version_of(version)));
    }
    for entry in transaction.open_table(REVOCATIONS).map_err(storage)?.iter().map_err(storage)? {
        let (key, value) = entry.map_err(storage)?;
        contents.revocations.push(read(key.value(), value.value())?);
    }
    for entry in transaction.open_table(KEPT).map_err(storage)?.iter().map_err(storage)? {
        let (key, value) = entry.map_err(storage)?;
        let (version, bytes) = value.value();
        contents.kept.push((read(key.value(), bytes)?, version_of(version)));
    }
    for entry in transaction.open_table(LAST_USED).map_err(storage)?.iter().map_err(storage)? {
        let (key, value) = entry.map_err(storage)?;
        if let Ok(id) = key.value().parse::<TokenId>() {
            contents.last_used.push((id, read(key.value(), value.value())?));
        }
    }
    Ok(contents)
}

fn reread<T: DeserializeOwned>(
    database: &Database,
    key: &str,
    table: TableDefinition<'_, &'static str, (u64, &'static [u8])>,
) -> Result<Option<(T, Version)>, StoreError> {
    let transaction = database.begin_read().map_err(storage)?;
    let entries = transaction.open_table(table).map_err(storage)?;
    let Some(value) = entries.get(key).map_err(storage)? else { return Ok(None) };
    let (version, bytes) = value.value();
    Ok(Some((read(key, bytes)?, version_of(version))))
}

/// A transaction that is not committed, because of an error, leaves nothing behind.
fn commit(database: &Database, changes: &[Change]) -> Result<Vec<Version>, StoreError> {
    let transaction = begin(database).map_err(storage)?;
    let mut versions = Vec::new();
    {
        let mut records = transaction.open_table(RECORDS).map_err(storage)?;
        let mut revocations = transaction.open_table(REVOCATIONS).map_err(storage)?;
        let mut beside = transaction.open_table(KEPT).map_err(storage)?;
        let mut last_used = transaction.open_table(LAST_USED).map_err(storage)?;
        for change in changes {
            match change {
                Change::Put { record, expected } => {
                    let id = record.id.as_str();
                    let found = records.get(id).map_err(storage)?.map(|value| value.value().0);
                    if found != expected.map(|version| version.number) {
                        return Err(StoreError::Conflict(record.id.clone()));
                    }
                    let next = found.unwrap_or(0) + 1;
                    records.insert(id, (next, &*write(id, record)?)).map_err(storage)?;
                    versions.push(version_of(next));
                }
                Change::Remove { id, expected } => {
                    let found = records.remove(id.as_str()).map_err(storage)?.map(|value| value.value().0);
                    if found != Some(expected.number) {
                        return Err(StoreError::Conflict(id.clone()));
                    }
                    last_used.remove(id.as_str()).map_err(storage)?;
                }
                Change::Keep { kept, expected } => {
                    let found = beside.get(kept.key()).map_err(storage)?.map(|value| value.value().0);
                    if found != expected.map(|version| version.number) {
                        return Err(StoreError::Overtaken(kept.key().into()));
                    }
                    let next = found.unwrap_or(0) + 1;
                    beside.insert(kept.key(), (next, &*write(kept.key(), kept)?)).map_err(storage)?;
                    versions.push(version_of(next));
                }
                Change::Drop { key, expected } => {
                    let found = beside.remove(&**key).map_err(storage)?.map(|value| value.value().0);
                    if found != Some(expected.number) {
                        return Err(StoreError::Overtaken(key.clone()));
                    }
                }
                Change::Revoke(revocation) => {
                    let id = revocation.id.as_str();
                    revocations.insert(id, &*write(id, revocation)?).map_err(storage)?;
                }
                Change::Withdraw(id) | Change::Forget(id) => {
                    revocations.remove(id.as_str()).map_err(storage)?;
                }
                Change::Used(id, used) => {
                    last_used.insert(id.as_str(), &*write(id.as_str(), used)?).map_err(storage)?;
                }
            }
        }
    }
    transaction.commit().map_err(storage)?;
    Ok(versions)
}

/// One process writes, so the terms are all one.
fn version_of(number: u64) -> Version {
    Version { term: 0, number }
}

fn storage(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Storage(Box::new(error.into()))
}

fn read<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|source| StoreError::Unreadable { entry: key.into(), source })
}

fn write<T: Serialize>(key: &str, value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|source| StoreError::Unreadable { entry: key.into(), source })
}
