//! A strict reader in front of the HTTP/1 parser that refuses ambiguous framing.
