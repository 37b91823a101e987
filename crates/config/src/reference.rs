//! The reference documentation, made from the schema.
