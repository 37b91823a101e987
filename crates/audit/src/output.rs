//! The sink: a file that is rotated, or standard output.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::{
        fd::AsFd,
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use crate::{AuditError, Sink};

/// Where lines are written.
#[derive(Debug)]
pub(crate) struct Output {
    file: File,
    /// Of a regular file with a path; pipes and standard output are neither rotated nor synced.
    place: Option<Place>,
    size: u64,
}

/// What opening a path anew led to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reopened {
    /// A line begun before is not there, or has been ended.
    Fresh,
    /// The same stream, in which a line begun before goes on: standard output, or a pipe.
    Same,
}

#[derive(Debug)]
struct Place {
    path: PathBuf,
    regular: bool,
    /// No rotation without.
    rotation: Option<Rotation>,
}

#[derive(Clone, Copy, Debug)]
struct Rotation {
    max_size: u64,
    keep: u32,
}

impl Output {
    pub(crate) fn open(sink: Sink) -> Result<Self, AuditError> {
        match sink {
            Sink::Stdout => {
                // A duplicate, since the handle of the standard library keeps back what it could not write.
                let file = io::stdout()
                    .as_fd()
                    .try_clone_to_owned()
                    .map_err(|source| AuditError::Open { path: "stdout".into(), source })?;
                Ok(Self { file: file.into(), place: None, size: 0 })
            }
            Sink::File { path, max_size, keep } => {
                if max_size > 0 && keep == 0 {
                    return Err(AuditError::KeepsNothing { path });
                }
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                if folder.is_some_and(|folder| !folder.is_dir()) {
                    return Err(AuditError::NoFolder { path });
                }
                match append_to(&path) {
                    Ok(Opened { file, size, regular }) => {
                        let rotation = (max_size > 0 && regular).then_some(Rotation { max_size, keep });
                        Ok(Self { file, place: Some(Place { path, regular, rotation }), size })
                    }
                    Err(source) => Err(AuditError::Open { path, source }),
                }
            }
        }
    }

    /// A sink that already is open, and what opens in its place.
    #[cfg(test)]
    pub(crate) fn with(file: File, path: Option<PathBuf>) -> Self {
        let place = path.map(|path| Place { path, regular: false, rotation: None });
        Self { file, place, size: 0 }
    }

    /// How many bytes may be written before the file must be rotated; `None` without bound.
    pub(crate) fn room(&self) -> Option<u64> {
        let rotation = self.place.as_ref()?.rotation?;
        Some(rotation.max_size.saturating_sub(self.size))
    }

    /// Whether anything has been written to the current file.
    pub(crate) fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// One write. May take less than `bytes`.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write(bytes)? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            n => {
                self.size += n as u64;
                Ok(n)
            }
        }
    }

    /// Puts what has been written onto the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match &self.place {
            Some(place) if place.regular => self.file.sync_data(),
            _ => Ok(()),
        }
    }

    /// Opens the path anew. On an error the old file stays in use.
    pub(crate) fn reopen(&mut self) -> io::Result<Reopened> {
        let Some(place) = &mut self.place else { return Ok(Reopened::Same) };
        let Opened { file, size, regular } = append_to(&place.path)?;
        let reopened = if regular || place.regular { Reopened::Fresh } else { Reopened::Same };
        place.regular = regular;
        self.file = file;
        self.size = size;
        Ok(reopened)
    }

    /// Moves the file to `path.1` and starts a new one; older ones move up and the oldest is replaced.
    pub(crate) fn rotate(&mut self) -> io::Result<()> {
        let Some(Place { path, rotation: Some(rotation), .. }) = &self.place else {
            return Ok(());
        };
        self.sync()?;
        // Somebody else may have moved our file away and put another in its place: that one is not ours to move.
        if same_file(&self.file, path)? {
            shift(path, rotation.keep)?;
        }
        // A file is rotated at the end of a line only, so there is none to begin again.
        self.reopen()?;
        if let Some(Place { path, .. }) = &self.place {
            sync_folder(path);
        }
        Ok(())
    }
}

struct Opened {
    file: File,
    size: u64,
    regular: bool,
}

/// Opens for appending. A file that ends inside a line, after a crash or a full disk, gets the line ended, so that the
/// torn record cannot spoil the next one.
fn append_to(path: &Path) -> io::Result<Opened> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let metadata = file.metadata()?;
    let regular = metadata.is_file();
    let mut size = if regular { metadata.len() } else { 0 };
    if size > 0 && !ends_with_newline(path).unwrap_or(false) {
        file.write_all(b"\n")?;
        size += 1;
    }
    Ok(Opened { file, size, regular })
}

fn ends_with_newline(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn same_file(open: &File, path: &Path) -> io::Result<bool> {
    let ours = open.metadata()?;
    match fs::metadata(path) {
        Ok(theirs) => Ok((ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Makes `path.1` free and moves `path` there.
///
/// Only files below the first gap move, so repeating a rotation that failed halfway loses nothing.
fn shift(path: &Path, keep: u32) -> io::Result<()> {
    let mut free = 1;
    while free < keep && numbered(path, free).try_exists()? {
        free += 1;
    }
    for number in (1..free).rev() {
        fs::rename(numbered(path, number), numbered(path, number + 1))?;
    }
    fs::rename(path, numbered(path, 1))
}

/// Makes the new names last. Not every file system can; the records themselves are safe without.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        tracing::debug!(%error, folder = %folder.display(), "the audit folder cannot be synced");
    }
}
