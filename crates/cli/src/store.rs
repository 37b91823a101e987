//! What is kept between two runs: `~/.opensearch/config.yaml`, `~/.opensearch/token`, and items of the system keyring.

mod config;
mod home;
mod keyring;
mod sessions;
mod vault;
mod yaml;

pub(crate) use config::{Config, Context, Provider, is_name};
pub(crate) use home::{Home, Lock, PrivateFile, TOKEN_FILE};
pub(crate) use sessions::{Kept, Session, Sessions, Tokens};
pub(crate) use vault::{Credentials, Place, Vault};
