//! The configuration file: model, JSON schema, diagnostics, secrets and reload.
