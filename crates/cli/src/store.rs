//! What is kept between two runs: `~/.opensearch/config.yaml` and `~/.opensearch/token`.

mod config;
mod home;
mod sessions;
mod yaml;

pub(crate) use config::{Config, Context, Provider, is_name};
pub(crate) use home::{Home, PrivateFile, TOKEN_FILE};
pub(crate) use sessions::{Session, Sessions};
