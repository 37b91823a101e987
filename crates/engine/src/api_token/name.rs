//! Names of tokens: `<prefix>-<instance>-<random>`.
//!
//! The engine looks a token's permissions up by its name, so two tokens of one name share one's permissions. A name is therefore
//! never used twice, and nobody can make one beforehand: 128 bits of it are random.

use aws_lc_rs::rand;
use data_encoding::HEXLOWER;

use super::ApiTokenError;

/// Hexadecimal digits of the instance, and of the random part.
const INSTANCE: usize = 16;
const RANDOM: usize = 32;

/// Names the tokens of one proxy process and tells them from those of others.
#[derive(Debug)]
pub(super) struct Names {
    /// With the hyphen after it.
    family: String,
    /// Family and instance, with the hyphen after it.
    own: String,
}

/// Whose a name is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Owner {
    /// This process.
    Own,
    /// Another proxy with the same prefix, alive or not.
    Family,
    /// Somebody else.
    Foreign,
}

impl Names {
    /// A new instance.
    pub(super) fn new(prefix: &str) -> Result<Self, ApiTokenError> {
        let family = format!("{prefix}-");
        let own = format!("{family}{}-", random::<{ INSTANCE / 2 }>()?);
        Ok(Self { family, own })
    }

    /// A name that was never used.
    pub(super) fn next(&self) -> Result<String, ApiTokenError> {
        Ok(format!("{}{}", self.own, random::<{ RANDOM / 2 }>()?))
    }

    /// Whose `name` is.
    pub(super) fn owner(&self, name: &str) -> Owner {
        let hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let parts = name.strip_prefix(&self.family).and_then(|rest| rest.split_once('-'));
        match parts {
            Some((instance, unique)) if hex(instance, INSTANCE) && hex(unique, RANDOM) => {
                if name.starts_with(&self.own) { Owner::Own } else { Owner::Family }
            }
            _ => Owner::Foreign,
        }
    }
}

fn random<const BYTES: usize>() -> Result<String, ApiTokenError> {
    let mut bytes = [0; BYTES];
    rand::fill(&mut bytes).map_err(|_| ApiTokenError::Random)?;
    Ok(HEXLOWER.encode(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_whose_they_are() {
        let (here, there) = (Names::new("oauth-proxy").unwrap(), Names::new("oauth-proxy").unwrap());
        let longer = Names::new("oauth-proxy-2").unwrap();
        let name = here.next().unwrap();
        assert!(name.starts_with("oauth-proxy-"));
        assert_ne!(name, here.next().unwrap());
        assert_eq!(here.owner(&name), Owner::Own);
        assert_eq!(there.owner(&name), Owner::Family);
        assert_eq!(longer.owner(&name), Owner::Foreign);
        assert_eq!(here.owner(&longer.next().unwrap()), Owner::Foreign);
        for foreign in ["oauth-proxy", "oauth-proxy-", "oauth-proxy-ci-deploy", "oauth-proxy-12-34", ""] {
            assert_eq!(here.owner(foreign), Owner::Foreign, "{foreign}");
        }
        // What the engine takes for a name.
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
    }
}
