//! The section `decisions`: why requests were refused, kept for those who ask.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::value::ByteSize;

/// Why requests were refused, kept in memory for those who ask with the decision id that they were told. With this section the paths
/// below `/oauth/decisions/` are the proxy's own on every host. `{}` turns it on.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Decisions {
    /// How many are kept. Beyond, the oldest are forgotten, and no caller has more than a quarter.
    #[schemars(range(min = 4, max = 100_000))]
    pub keep: usize,
    /// How much memory they may take; one takes about 2 KiB.
    #[schemars(extend("x-min" = "64KiB", "x-max" = "1GiB"))]
    pub max_size: ByteSize,
    /// Keep requests that were allowed, too.
    pub allowed: bool,
    /// Answer `GET /decisions/<id>` on the admin listener, with everything, to whoever reaches it.
    pub admin: bool,
    /// Whom to ask, told with each refusal that is explained: an address, a channel, a page.
    #[schemars(length(min = 1, max = 256))]
    pub contact: Option<String>,
}

impl Default for Decisions {
    fn default() -> Self {
        Self { keep: 1000, max_size: ByteSize::from_mib(16), allowed: false, admin: false, contact: None }
    }
}
