//! The folder: who may read it, how it is written, and by one program at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::{Config, Session, Sessions, Vault, yaml};
use crate::error::{Error, Result};
use crate::output::waiting;

const CONFIG_FILE: &str = "config.yaml";
/// The file with the logins.
pub(crate) const TOKEN_FILE: &str = "token";
const LOCK_FILE: &str = "lock";
/// A file of this program is far smaller; a larger one is something else.
const LARGEST: u64 = 4 << 20;

/// The folder `~/.opensearch`. Nothing is made before something is to be written.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    folder: PathBuf,
}

/// Leave to write: while it lives, no other `opensearch-auth` writes, nor asks for tokens to be written.
#[derive(Debug)]
pub(crate) struct Lock {
    folder: PathBuf,
    /// Unlocked when closed.
    _file: File,
}

impl Home {
    /// That of the user whose home this is.
    pub(crate) fn new(user_home: Option<PathBuf>) -> Result<Self> {
        let user_home = user_home.filter(|path| path.is_absolute()).ok_or_else(|| {
            Error::usage("HOME does not name a folder").cure("set HOME to an absolute path")
        })?;
        Ok(Self { folder: user_home.join(".opensearch") })
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The contexts.
    pub(crate) fn config(&self) -> Result<Config> {
        let path = self.path(CONFIG_FILE);
        // Readable by others it may be: it holds no secret. Whoever can write it chooses where tokens go.
        match self.read(&path, 0o022)? {
            None => Ok(Config::default()),
            Some(text) => yaml::read(&text).map_err(|why| {
                Error::usage(format!("{} is not as expected: {why}", path.display()))
                    .cure("correct the file, or move it away and add the contexts anew")
            }),
        }
    }

    /// The logins.
    pub(crate) fn sessions(&self) -> Result<Sessions> {
        let path = self.path(TOKEN_FILE);
        self.read(&path, 0o077)?.map_or_else(|| Ok(Sessions::default()), |text| json(&path, &text))
    }

    /// Where the tokens of the logins are.
    pub(crate) fn vault(&self) -> Result<Vault> {
        Ok(Vault { folder: self.folder.clone(), credentials: self.config()?.credentials })
    }

    /// Waits until no other program writes, and makes the folder if it is not there.
    pub(crate) async fn lock(&self) -> Result<Lock> {
        let made = DirBuilder::new().mode(0o700).recursive(true).create(&self.folder);
        made.map_err(|error| trouble("make", &self.folder, &error))?;
        self.check_folder()?;
        let path = self.path(LOCK_FILE);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|error| trouble("open", &path, &error))?;
        let file = match file.try_lock() {
            Ok(()) => file,
            Err(TryLockError::Error(error)) => return Err(trouble("lock", &path, &error)),
            Err(TryLockError::WouldBlock) => {
                let _waiting = waiting("waiting for another opensearch-auth".to_owned());
                let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
                locked
                    .map_err(io::Error::other)
                    .and_then(|locked| locked)
                    .map_err(|error| trouble("lock", &path, &error))?
            }
        };
        Ok(Lock { folder: self.folder.clone(), _file: file })
    }

    fn check_folder(&self) -> Result<()> {
        let found = fs::metadata(&self.folder).map_err(|error| trouble("look at", &self.folder, &error))?;
        guard(&self.folder, &found, 0o022)
    }

    /// The content of a file; `None` when there is none. Refused when its mode has a bit of `forbidden`.
    fn read(&self, path: &Path, forbidden: u32) -> Result<Option<String>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(trouble("open", path, &error)),
        };
        self.check_folder()?;
        let found = file.metadata().map_err(|error| trouble("look at", path, &error))?;
        guard(path, &found, forbidden)?;
        let mut text = String::new();
        let read = (&mut file).take(LARGEST).read_to_string(&mut text);
        read.map_err(|error| trouble("read", path, &error))?;
        Ok(Some(text))
    }
}

impl Lock {
    /// Writes the contexts.
    pub(crate) fn write_config(&self, config: &Config) -> Result<()> {
        let path = self.folder.join(CONFIG_FILE);
        let text = yaml::write(config)
            .map_err(|why| Error::outside(format!("{} cannot be written: {why}", path.display())))?;
        PrivateFile::make(&path)?.finish(&text)
    }

    /// Writes the logins.
    pub(crate) fn write_sessions(&self, sessions: &Sessions) -> Result<()> {
        let path = self.folder.join(TOKEN_FILE);
        let text = serde_json::to_string_pretty(sessions)
            .map_err(|error| Error::outside(format!("{} cannot be written: {error}", path.display())))?;
        PrivateFile::make(&path)?.finish(&format!("{text}\n"))
    }

    /// Writes the login of a context, and leaves the others.
    pub(crate) fn write_session(&self, context: &str, session: Session) -> Result<()> {
        let mut sessions = Home { folder: self.folder.clone() }.sessions()?;
        sessions.sessions.insert(context.to_owned(), session);
        self.write_sessions(&sessions)
    }
}

/// A file in the making, readable by its owner only. It appears whole: whoever reads it sees all of the old or all of the
/// new. Dropped unfinished, it leaves nothing.
#[derive(Debug)]
pub(crate) struct PrivateFile {
    path: PathBuf,
    file: tempfile::NamedTempFile,
}

impl PrivateFile {
    /// Begins a file that takes the place of what is at `path`.
    pub(crate) fn make(path: &Path) -> Result<Self> {
        // Made with mode 0600.
        let file = tempfile::NamedTempFile::new_in(folder_of(path));
        let file = file.map_err(|error| trouble("write", path, &error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Begins a file where there is none yet.
    pub(crate) fn make_new(path: &Path) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(Error::usage(format!("{} is there already", path.display()))
                .cure("name another file, or remove this one if nothing needs it"));
        }
        Self::make(path)
    }

    /// Where it will be.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes it.
    pub(crate) fn finish(self, text: &str) -> Result<()> {
        let Self { path, mut file } = self;
        let written = (|| {
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            File::open(folder_of(&path))?.sync_all()
        })();
        written.map_err(|error: io::Error| trouble("write", &path, &error))
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Refuses what others can do to a file, or what is another's.
fn guard(path: &Path, found: &fs::Metadata, forbidden: u32) -> Result<()> {
    let shown = path.display();
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::usage(format!("{shown} belongs to another user (uid {})", found.uid()))
            .cure("run this as its owner, or set HOME to a folder of your own"));
    }
    let open = found.mode() & forbidden;
    if open == 0 {
        return Ok(());
    }
    let verb = if open & 0o055 == 0 { "change" } else { "read" };
    let right = if found.is_dir() { "700" } else { "600" };
    Err(Error::usage(format!(
        "others can {verb} {shown} (mode {:04o}), so it is not used",
        found.mode() & 0o7777
    ))
    .cure(format!("run `chmod {right} {shown}`; if others may have used it, log out and in again")))
}

fn json<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    // The message of serde may quote the content.
    serde_json::from_str(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Error::outside(format!("{} is not as expected ({place})", path.display()))
            .cure("remove the file and log in again")
    })
}

fn trouble(verb: &str, path: &Path, error: &io::Error) -> Error {
    Error::outside(format!("cannot {verb} {}: {error}", path.display()))
}
