//! How the proxy speaks to the engine: identities and the security configuration they need.
