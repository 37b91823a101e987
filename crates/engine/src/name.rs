//! The name under which the engine knows a caller.

/// The engine user of a caller: `<provider>:<principal>`.
///
/// The name is always prefixed, because the engine's role mappings may grant by user name: without the prefix, whoever
/// can choose a name at the provider could become the engine's `admin` or `kibanaserver`.
///
/// Letters, digits and `-._~@+=` stay as they are; every other byte is percent-encoded. The encoding is injective: two
/// callers never share a name, and the first `:` always ends the provider. What it keeps out, and why:
///
/// - `|` and `,` separate fields and roles in the engine's serialised user, which plugins split again;
/// - `"`, `\`, `$`, `{`, `}` would be substituted unescaped where a document-level query uses `${user.name}`;
/// - `*`, `?`, `/` would widen an index pattern that uses it;
/// - control characters, spaces and non-ASCII letters cannot travel in a header or are trimmed by the engine.
pub fn engine_user_name(provider: &str, principal: &str) -> String {
    let mut name = encoded(provider);
    name.push(':');
    encode_into(&mut name, principal, is_plain);
    name
}

/// `text` as it may stand in a user name.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 24);
    encode_into(&mut out, text, is_plain);
    out
}

/// Appends `text` with every byte that is not `kept` percent-encoded. `kept` must not keep `%`.
pub(crate) fn encode_into(out: &mut String, text: &str, kept: fn(u8) -> bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text.as_bytes() {
        if kept(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 0x0f)]));
        }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~@+=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names() {
        for (provider, principal, expected) in [
            ("keycloak", "alice", "keycloak:alice"),
            ("keycloak", "admin", "keycloak:admin"),
            ("keycloak", "langchain-agent", "keycloak:langchain-agent"),
            ("okta", "alice@example.com", "okta:alice@example.com"),
            ("okta", "auth0|5f7c", "okta:auth0%7C5f7c"),
            ("okta", "a,b", "okta:a%2Cb"),
            ("okta", "a:b", "okta:a%3Ab"),
            ("okta", "100%", "okta:100%25"),
            ("okta", "José García", "okta:Jos%C3%A9%20Garc%C3%ADa"),
            ("okta", "${user.roles}", "okta:%24%7Buser.roles%7D"),
            ("okta", "*", "okta:%2A"),
            ("okta", "\"}}", "okta:%22%7D%7D"),
            ("okta", "a\r\nb\0", "okta:a%0D%0Ab%00"),
            ("a:b", "c", "a%3Ab:c"),
        ] {
            assert_eq!(engine_user_name(provider, principal), expected);
        }
    }

    proptest! {
        #[test]
        fn the_encoding_is_injective_and_plain(a in ".{0,12}", b in ".{0,12}", c in ".{0,12}", d in ".{0,12}") {
            let (left, right) = (engine_user_name(&a, &b), engine_user_name(&c, &d));
            prop_assert_eq!((&a, &b) == (&c, &d), left == right);
            prop_assert!(left.bytes().all(|byte| is_plain(byte) || byte == b'%' || byte == b':'));
            prop_assert_eq!(left.matches(':').count(), 1);
        }
    }
}
