//! `keygen`

use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _};

use super::{Complaint, Failure, print};
use crate::cli::{KeyKind, Keygen};

pub(super) fn run(arguments: &Keygen) -> Result<(), Failure> {
    let kind = match arguments.kind {
        KeyKind::Rsa2048 => engine::KeyKind::Rsa2048,
        KeyKind::Rsa4096 => engine::KeyKind::Rsa4096,
        KeyKind::P256 => engine::KeyKind::P256,
    };
    let pem = engine::generate_key(kind)?;
    let path = &arguments.out;
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
            let cure = if error.kind() == std::io::ErrorKind::AlreadyExists {
                "; a key is never overwritten, choose another name"
            } else {
                ""
            };
            Complaint(format!("cannot create {}: {error}{cure}", path.display()))
        })?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    print(&format!(
        "private key written to {}; `engine-setup` prints what the engine needs to trust it",
        path.display()
    ))
}
