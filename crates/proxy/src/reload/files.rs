//! What tells that files changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};

use crate::policies::cedar_files;

/// Files and folders of policies by their content. Times and inodes lie on some file systems.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Files(BTreeMap<PathBuf, Option<Content>>);

/// SHA-256 of a file, or of the names and contents of the policies in a folder.
type Content = [u8; 32];

fn content(path: &Path) -> Option<Content> {
    if !path.is_dir() {
        return Some(hash(&std::fs::read(path).ok()?));
    }
    let mut all = Vec::new();
    for file in cedar_files(path).ok()? {
        all.extend(hash(file.as_os_str().as_encoded_bytes()));
        all.extend(hash(&std::fs::read(&file).ok()?));
    }
    Some(hash(&all))
}

fn hash(bytes: &[u8]) -> Content {
    let mut content = [0; 32];
    content.copy_from_slice(digest(&SHA256, bytes).as_ref());
    content
}

impl Files {
    /// These files as they are now; one that cannot be read counts as absent.
    pub fn of(paths: &[PathBuf]) -> Self {
        Self(paths.iter().map(|path| (path.clone(), content(path))).collect())
    }

    /// The same files as they are now.
    pub(super) fn again(&self) -> Self {
        Self(self.0.keys().map(|path| (path.clone(), content(path))).collect())
    }

    /// These files as they were in `before`, for those it knows, and otherwise as they are now. With `before` taken
    /// ahead of loading, a change during the load still shows as a change afterwards.
    pub(super) fn since(paths: &[PathBuf], before: &Self) -> Self {
        let known = |path: &PathBuf| before.0.get(path).copied().unwrap_or_else(|| content(path));
        Self(paths.iter().map(|path| (path.clone(), known(path))).collect())
    }

    /// The files that differ between the two.
    pub(super) fn differing<'f>(&'f self, other: &'f Self) -> BTreeSet<&'f Path> {
        let mut all: BTreeSet<&Path> = self.0.keys().map(PathBuf::as_path).collect();
        all.extend(other.0.keys().map(PathBuf::as_path));
        all.retain(|path| self.0.get(*path) != other.0.get(*path));
        all
    }

    /// The folders they are in, or are.
    pub(super) fn folders(&self) -> BTreeSet<PathBuf> {
        let own = self.0.keys().filter(|path| path.is_dir()).cloned();
        own.chain(self.0.keys().filter_map(|path| path.parent().map(Path::to_owned))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_counts_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&a, "1").unwrap();
        let before = Files::of(&[a.clone(), b.clone()]);
        std::fs::write(&a, "1").unwrap();
        assert_eq!(before.again(), before);
        std::fs::write(&b, "").unwrap();
        assert_eq!(before.differing(&before.again()), [b.as_path()].into());
        assert_eq!(before.folders(), [dir.path().to_owned()].into());
    }

    #[test]
    fn a_folder_is_the_policies_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("policies");
        std::fs::create_dir(&folder).unwrap();
        let before = Files::of(std::slice::from_ref(&folder));
        std::fs::write(folder.join("audit.jsonl"), "1").unwrap();
        assert_eq!(before.again(), before);
        std::fs::write(folder.join("a.cedar"), "1").unwrap();
        let one = before.again();
        std::fs::rename(folder.join("a.cedar"), folder.join("b.cedar")).unwrap();
        let renamed = before.again();
        assert!(one != before && renamed != one && renamed != before);
        assert_eq!(before.folders(), [dir.path().to_owned(), folder].into());
    }

    #[test]
    fn a_change_while_loading_shows_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let (known, new) = (dir.path().join("known"), dir.path().join("new"));
        std::fs::write(&known, "old").unwrap();
        std::fs::write(&new, "1").unwrap();
        let before = Files::of(std::slice::from_ref(&known));
        std::fs::write(&known, "changed while it was read").unwrap();
        let loaded = Files::since(&[known.clone(), new], &before);
        assert_eq!(loaded.differing(&loaded.again()), [known.as_path()].into());
    }
}
