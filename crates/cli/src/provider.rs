//! The identity provider: what it says of itself, and the ways to get a token from it.

mod browser;
mod client;
mod device;
mod id_token;
mod loopback;
mod metadata;

pub(crate) use browser::{Browser, by_browser};
pub(crate) use client::{Grant, by_client_credentials, refresh, revoke};
pub(crate) use device::by_device;
pub(crate) use id_token::who;
pub(crate) use metadata::Metadata;
