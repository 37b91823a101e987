//! The provider of which answers are read.

use std::sync::LazyLock;

use oidc::ProviderConfig;

pub(crate) const ISSUER: &str = "https://fuzz.invalid/realms/a";
pub(crate) const AUDIENCE: &str = "fuzz";

pub(crate) static CONFIG: LazyLock<ProviderConfig> =
    LazyLock::new(|| ProviderConfig::new("fuzz", ISSUER, vec![AUDIENCE.to_owned()]));
