//! End-to-end tests against a real engine and a real identity provider.
//!
//! The library is what the tests share: a proxy that runs inside the test ([`RunningProxy`]), clients that speak HTTP or
//! raw bytes to it ([`Client`], [`raw`]), and, for what a real system cannot be made to do, stand-ins that say so in
//! their names ([`StandInProvider`], [`StandInEngine`]). [`Chromium`] is a real browser.
//!
//! Tests that need the real systems call [`testbed::TestbedInfo::from_env`], which fails with the cure when there is none:
//! `cargo xtask test` starts them once for all.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot be set up fails with its reason"
)]

mod browser;
mod chromium;
mod client;
mod eventually;
mod frames;
mod proxy;
mod raw;
mod real;
mod session;
mod stand_in;

pub use browser::{Browser, Page};
pub use chromium::Chromium;
pub use client::{Client, Reply, plain};
pub use eventually::eventually;
pub use frames::Frames;
pub use proxy::{ProxyFiles, RunningProxy};
pub use raw::{RawConnection, raw};
pub use real::{Real, RealConfig};
pub use session::Session;
pub use stand_in::{
    DashboardsOptions, SeenRequest, SeenUse, StandInDashboards, StandInEngine, StandInProvider,
    StandInTokenEngine, StandIns, TokenBuilder, stand_in_config,
};
