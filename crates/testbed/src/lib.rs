//! A real OpenSearch with its security plugin and a real Keycloak, for the tests and the demo.
//!
//! Both are assembled once from their published Maven artifacts into a [`Cache`] by calling `mvn`, so the user's own
//! Maven configuration decides where they come from. [`Testbed::start`] boots both side by side and yields a
//! [`TestbedInfo`]: everything a test needs to reach them. Tests read it with [`TestbedInfo::from_env`].
//!
//! Nothing here is hardened: passwords of the identity provider are fixed, heaps are small, every listener is bound
//! to 127.0.0.1.

mod cache;
mod certs;
mod engine;
mod error;
mod info;
mod keycloak;
mod maven;
mod ports;
mod process;
mod progress;
mod requirements;
mod rest_client;
mod sample;
mod testbed;

pub use cache::Cache;
pub use certs::Certificates;
pub use engine::{AuditLog, Engine, EngineConfig, EngineInfo, SecurityFiles};
pub use error::TestbedError;
pub use info::{INFO_VARIABLE, TestbedInfo};
pub use keycloak::{Keycloak, KeycloakConfig, KeycloakInfo};
pub use ports::{PortOwner, ensure_port_free, free_ports, port_owner};
pub use process::{Process, ProcessId};
pub use progress::{Progress, Task};
pub use requirements::{Jdk, Requirements};
pub use rest_client::{Answer, RestClient};
pub use sample::{SAMPLE_INDICES, sample_data};
pub use testbed::{Testbed, TestbedOptions};

/// The result of everything that can fail here.
pub type Result<T, E = TestbedError> = std::result::Result<T, E>;
