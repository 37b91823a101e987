#![expect(clippy::ref_option_ref, reason = "serde passes references to the fields")]

use jiff::Timestamp;
use serde::Serialize;

use crate::clip;

/// What a verified token says of whoever presents it, but for the client.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Claimed<'a, T: AsRef<str>> {
    /// The user for whom the client acts.
    #[serde(serialize_with = "clip::some_text", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<&'a str>,
    /// The token's `sub` claim. It means something only together with `issuer`.
    #[serde(serialize_with = "clip::text")]
    pub subject: &'a str,
    /// The token's `iss` claim.
    #[serde(serialize_with = "clip::text")]
    pub issuer: &'a str,
    /// The configured provider that vouches for the token.
    #[serde(serialize_with = "clip::text")]
    pub provider: &'a str,
    /// The token's `jti` claim. Never the token.
    #[serde(serialize_with = "clip::some_text", skip_serializing_if = "Option::is_none")]
    pub token_id: Option<&'a str>,
    /// The token's scopes.
    #[serde(serialize_with = "clip::list", skip_serializing_if = "<[T]>::is_empty")]
    pub scopes: &'a [T],
    /// The groups that the token puts the caller in.
    #[serde(serialize_with = "clip::list", skip_serializing_if = "<[T]>::is_empty")]
    pub groups: &'a [T],
    /// The token's `acr` claim: how the user was authenticated.
    #[serde(serialize_with = "clip::some_text", skip_serializing_if = "Option::is_none")]
    pub acr: Option<&'a str>,
    /// When the token was issued.
    #[serde(serialize_with = "clip::some_timestamp", skip_serializing_if = "Option::is_none")]
    pub token_issued_at: Option<Timestamp>,
}

/// [`Claimed`] as it stands in each record of a request with the same token: members of a JSON object.
#[derive(Clone, Debug)]
pub struct Caller(Box<str>);

impl Caller {
    /// Encodes it once for all of these records.
    pub fn new<T: AsRef<str>>(claimed: &Claimed<'_, T>) -> Self {
        // Texts and times can always be encoded.
        let object = serde_json::to_string(claimed).unwrap_or_default();
        let members = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        Self(members.unwrap_or_default().into())
    }

    /// The members, without the braces around them.
    pub(crate) fn members(&self) -> &str {
        &self.0
    }
}
