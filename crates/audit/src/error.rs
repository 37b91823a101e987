use std::{io, path::PathBuf};

/// Why the audit log could not be opened, flushed or closed.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The folder of the audit file is missing. It is not made, since its owner and mode are the operator's choice.
    #[error("the folder of the audit file {} does not exist; create it, writable for this service only", path.display())]
    NoFolder {
        /// The audit file.
        path: PathBuf,
    },
    /// The sink cannot be opened for appending.
    #[error("the audit sink {} cannot be opened for appending: {source}; check its owner and mode", path.display())]
    Open {
        /// The audit file, or `stdout`.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Rotation that keeps no file would delete records.
    #[error(
        "the audit file {} is to be rotated but keeps no rotated file, which would delete records; \
         keep at least 1, or set the size limit to 0 to leave rotation to another program",
        path.display()
    )]
    KeepsNothing {
        /// The audit file.
        path: PathBuf,
    },
    /// A queue without room holds no record.
    #[error("the audit queue has a capacity of {capacity}; it must be between 1 and {max}")]
    Capacity {
        /// The capacity asked for.
        capacity: usize,
        /// The largest possible capacity.
        max: usize,
    },
    /// The writer thread cannot be started.
    #[error("the audit writer thread cannot be started: {0}; check the limits on threads")]
    Thread(io::Error),
    /// The log was closed before.
    #[error("the audit log is closed; nothing can be written to it any more")]
    Closed,
    /// Records were written but the disk may not have them.
    #[error("audit records were written but could not be synced to the disk: {0}; check the disk")]
    NotSynced(String),
    /// The log was closed while its sink did not take the records, or while requests still held slots.
    #[error(
        "{records} audit records could not be written before the log had to close; last error: {last_error}"
    )]
    Lost {
        /// Lines accepted but not written.
        records: u64,
        /// The last write error, or `none`.
        last_error: String,
    },
}
