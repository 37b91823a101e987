//! What tells that files changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Files by their content. Times and inodes lie on some file systems.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Files(BTreeMap<PathBuf, Option<Content>>);

/// SHA-256 of a file.
type Content = [u8; 32];

fn content(path: &Path) -> Option<Content> {
    let bytes = std::fs::read(path).ok()?;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    hash.as_ref().try_into().ok()
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

    /// The folders they are in.
    pub(super) fn folders(&self) -> BTreeSet<PathBuf> {
        self.0.keys().filter_map(|path| path.parent().map(Path::to_owned)).collect()
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
