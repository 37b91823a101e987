use jiff::Timestamp;

use crate::json::Object;

/// What a verified token says of whoever presents it, but for the client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claimed<'a, T: AsRef<str>> {
    /// The user for whom the client acts.
    pub user_id: Option<&'a str>,
    /// The token's `sub` claim. It means something only together with `issuer`.
    pub subject: &'a str,
    /// The token's `iss` claim.
    pub issuer: &'a str,
    /// The configured provider that vouches for the token.
    pub provider: &'a str,
    /// The token's `jti` claim. Never the token.
    pub token_id: Option<&'a str>,
    /// The token's scopes.
    pub scopes: &'a [T],
    /// The groups that the token puts the caller in.
    pub groups: &'a [T],
    /// The token's `acr` claim: how the user was authenticated.
    pub acr: Option<&'a str>,
    /// When the token was issued.
    pub token_issued_at: Option<Timestamp>,
}

/// [`Claimed`] as it stands in each record of a request with the same token: members of a JSON object.
#[derive(Clone, Debug)]
pub struct Caller(Box<[u8]>);

impl Caller {
    /// Encodes it once for all of these records.
    pub fn new<T: AsRef<str>>(claimed: &Claimed<'_, T>) -> Self {
        let Claimed { user_id, subject, issuer, provider, token_id, scopes, groups, acr, token_issued_at } =
            *claimed;
        let mut buffer = Vec::new();
        let mut object = Object::begin(&mut buffer);
        object.some_text("user_id", user_id);
        object.text("subject", subject);
        object.text("issuer", issuer);
        object.text("provider", provider);
        object.some_text("token_id", token_id);
        object.list("scopes", scopes);
        object.list("groups", groups);
        object.some_text("acr", acr);
        if let Some(time) = token_issued_at {
            object.time("token_issued_at", time);
        }
        object.end();
        Self(buffer[1..buffer.len() - 1].into())
    }

    /// The members, without the braces around them.
    pub(crate) fn members(&self) -> &[u8] {
        &self.0
    }
}
