//! End-to-end tests against a real engine and a real identity provider.
