//! The inputs that are kept.

use std::fs;
use std::path::{Path, PathBuf};

use crate::REPOSITORY;

/// What is kept for a target, in the order of names: first what was written by hand, then what the fuzzer found.
pub(crate) fn kept(target: &str) -> Vec<Vec<u8>> {
    let folder = |kind: &str| Path::new(REPOSITORY).join("fuzz").join(kind).join(target);
    let (seeds, corpus) = (files(&folder("seeds")), files(&folder("corpus")));
    assert!(!seeds.is_empty(), "{target} has no seed");
    seeds.iter().chain(&corpus).map(|path| fs::read(path).unwrap()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
