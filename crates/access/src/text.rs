//! The character rules of names and scopes.

/// `scope-token` characters (RFC 6749, section 3.3): printable ASCII without space, `"` and `\`.
pub(crate) fn is_scope_character(c: char) -> bool {
    matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e')
}

/// Names of clusters, plugins and workspaces: they must not be mistaken for another part of a scope.
pub(crate) fn is_plain_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}
