//! The folder that keeps what was downloaded and assembled.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::{Result, TestbedError};

/// Written last into a folder of the cache: without it the folder is the rest of an interrupted run.
const COMPLETE: &str = ".complete";
const NAME: &str = "opensearch-oauth-proxy";

/// The cache folder: `$OPENSEARCH_OAUTH_CACHE`, else `$XDG_CACHE_HOME/opensearch-oauth-proxy`, else
/// `~/.cache/opensearch-oauth-proxy`.
///
/// The engine refuses to run as root, so for root it runs under another account, which must be able to reach the
/// folder. Where the home of root is closed to others, `/var/tmp/opensearch-oauth-proxy` is used instead;
/// [`Cache::note`] then says so.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    note: Option<String>,
}

impl Cache {
    /// Finds the folder, creates it, and makes sure that nobody else can put programs into it.
    pub fn open() -> Result<Self> {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let uid = effective_uid();
        let (root, note) = if let Some(explicit) = variable("OPENSEARCH_OAUTH_CACHE") {
            (explicit, None)
        } else {
            let usual = variable("XDG_CACHE_HOME")
                .or_else(|| variable("HOME").map(|home| home.join(".cache")))
                .ok_or(TestbedError::NoCache)?
                .join(NAME);
            match closed_ancestor(&usual) {
                Some(closed) if uid == 0 => {
                    let root = Path::new("/var/tmp").join(NAME);
                    let note = format!(
                        "{} is closed to other accounts and the engine must not run as root: downloads are kept in {}",
                        closed.display(),
                        root.display()
                    );
                    (root, Some(note))
                }
                _ => (usual, None),
            }
        };
        Self::at(&root, uid).map(|cache| Self { note, ..cache })
    }

    fn at(root: &Path, uid: u32) -> Result<Self> {
        let unusable = |reason: String| TestbedError::UnusableCache { path: root.to_owned(), reason };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(root)
            .map_err(|error| unusable(format!("it cannot be created ({error})")))?;
        let root = fs::canonicalize(root).map_err(|error| unusable(error.to_string()))?;
        let meta = fs::metadata(&root).map_err(|error| unusable(error.to_string()))?;
        if meta.uid() != uid {
            return Err(unusable(format!("it belongs to uid {}, not to uid {uid}", meta.uid())));
        }
        if meta.mode() & 0o022 != 0 {
            return Err(unusable("other accounts may write into it".to_owned()));
        }
        if uid == 0
            && let Some(closed) = closed_ancestor(&root)
        {
            return Err(unusable(format!(
                "{} is closed to other accounts, but the engine must not run as root and runs as another account",
                closed.display()
            )));
        }
        Ok(Self { root, note: None })
    }

    /// The folder, an absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the user should know about the choice of the folder.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Takes the lock `name` and holds it until the file is dropped. Waits for other runs.
    pub(crate) async fn lock(&self, name: &str) -> Result<File> {
        let path = self.root.join(format!("{name}.lock"));
        let task = tokio::task::spawn_blocking(move || {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(TestbedError::file("open", &path))?;
            file.lock().map_err(TestbedError::file("lock", &path))?;
            Ok(file)
        });
        task.await.unwrap_or_else(|error| {
            Err(TestbedError::File {
                action: "lock",
                path: self.root.clone(),
                source: std::io::Error::other(error),
            })
        })
    }

    /// The folder `name` as `build` left it, made now if it is not complete yet. `build` works in a folder of its own
    /// that takes the name only when it is whole, so an interrupted run leaves nothing that could be mistaken.
    pub(crate) async fn folder<F>(&self, name: &str, build: F) -> Result<PathBuf>
    where
        F: AsyncFnOnce(&Path) -> Result<()>,
    {
        let target = self.root.join(name);
        let _lock = self.lock(name).await?;
        if target.join(COMPLETE).exists() {
            return Ok(target);
        }
        let partial = self.root.join(format!("{name}.partial"));
        for rest in [&target, &partial] {
            remove_dir(rest)?;
        }
        create_dir(&partial)?;
        build(&partial).await?;
        let marker = partial.join(COMPLETE);
        fs::write(&marker, []).map_err(TestbedError::file("write", &marker))?;
        fs::rename(&partial, &target).map_err(TestbedError::file("rename", &partial))?;
        Ok(target)
    }
}

/// The effective user id: the owner of our entry in `/proc`.
pub(crate) fn effective_uid() -> u32 {
    fs::metadata("/proc/self").map_or(u32::MAX, |meta| meta.uid())
}

/// The first folder on the way to `path` that other accounts cannot pass. Folders that do not exist yet will be
/// created open.
fn closed_ancestor(path: &Path) -> Option<&Path> {
    path.ancestors()
        .find(|folder| fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & 0o001 == 0))
}

pub(crate) fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(TestbedError::file("create", path))
}

pub(crate) fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(TestbedError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Lets every account read the files below `folder`, whatever the file mode mask was when they were made.
pub(crate) fn open_for_reading(folder: &Path) -> Result<()> {
    visit(folder, &|path, meta| {
        let execute = if meta.is_dir() || meta.mode() & 0o100 != 0 { 0o111 } else { 0 };
        fs::set_permissions(path, fs::Permissions::from_mode(meta.mode() | 0o444 | execute))
            .map_err(TestbedError::file("change the mode of", path))
    })
}

/// Gives `folder` and all that is in it to the account `uid`.
pub(crate) fn give_to(folder: &Path, uid: u32) -> Result<()> {
    visit(folder, &|path, _| {
        std::os::unix::fs::lchown(path, Some(uid), Some(uid))
            .map_err(TestbedError::file("change the owner of", path))
    })
}

fn visit(path: &Path, each: &dyn Fn(&Path, &fs::Metadata) -> Result<()>) -> Result<()> {
    let meta = fs::symlink_metadata(path).map_err(TestbedError::file("read", path))?;
    if meta.is_symlink() {
        return Ok(());
    }
    each(path, &meta)?;
    if meta.is_dir() {
        for entry in fs::read_dir(path).map_err(TestbedError::file("list", path))? {
            visit(&entry.map_err(TestbedError::file("list", path))?.path(), each)?;
        }
    }
    Ok(())
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, content).map_err(TestbedError::file("write", path))
}

/// Writes a file that only the owner may read.
pub(crate) fn write_secret(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let failed = TestbedError::file("write", path);
    let written = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(content.as_ref()));
    written.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(folder: &Path) -> Cache {
        Cache { root: folder.to_owned(), note: None }
    }

    #[tokio::test]
    async fn a_folder_is_built_once_and_an_interrupted_one_again() {
        let temp = tempfile::tempdir().unwrap();
        let cache = cache(temp.path());
        let broken = cache
            .folder("home", async |work: &Path| {
                write(&work.join("half"), "x")?;
                Err(TestbedError::NoMaven)
            })
            .await;
        assert!(matches!(broken, Err(TestbedError::NoMaven)));
        assert!(!temp.path().join("home").exists());

        let made = cache.folder("home", async |work: &Path| write(&work.join("whole"), "x")).await.unwrap();
        assert!(made.join("whole").exists() && !made.join("half").exists());
        let again = cache.folder("home", async |_: &Path| Err(TestbedError::NoMaven)).await.unwrap();
        assert_eq!(made, again);
    }

    #[tokio::test]
    async fn two_runs_at_once_build_once() {
        let temp = tempfile::tempdir().unwrap();
        let (one, two) = (cache(temp.path()), cache(temp.path()));
        let build = async |work: &Path| {
            let shared = temp.path().join("count");
            let count = fs::read_to_string(&shared).unwrap_or_default();
            tokio::task::yield_now().await;
            write(&shared, format!("{count}x"))?;
            write(&work.join("file"), "x")
        };
        let (a, b) = tokio::join!(one.folder("home", build), two.folder("home", build));
        assert_eq!(a.unwrap(), b.unwrap());
        assert_eq!(fs::read_to_string(temp.path().join("count")).unwrap(), "x");
    }

    #[test]
    fn a_folder_of_others_or_open_to_others_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let uid = effective_uid();
        let error = Cache::at(temp.path(), uid.wrapping_add(1)).unwrap_err();
        assert!(error.to_string().contains("belongs to uid"), "{error}");
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = Cache::at(temp.path(), uid).unwrap_err();
        assert!(error.to_string().contains("may write into it"), "{error}");
    }

    #[test]
    fn secrets_are_for_the_owner_only() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("key");
        write_secret(&path, "x").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_closed_folder_on_the_way_is_found() {
        let temp = tempfile::tempdir().unwrap();
        let closed = temp.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(closed_ancestor(&closed.join("a/b")), Some(closed.as_path()));
        assert_eq!(closed_ancestor(temp.path()), None);
    }
}
