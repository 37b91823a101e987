use serde::{Deserialize, Serialize};

/// Somebody or something that a provider vouched for.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
pub struct Party {
    /// The configured name of the provider.
    pub provider: Box<str>,
    /// The issuer.
    pub issuer: Box<str>,
    /// The subject, unique within the issuer only.
    pub subject: Box<str>,
    /// The client that acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Box<str>>,
    /// The user on whose behalf it acts; `None`: the client acts for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Box<str>>,
}

impl Party {
    /// Whether both are one subject of one issuer, through whichever client.
    pub fn is_same_subject(&self, other: &Self) -> bool {
        self.issuer == other.issuer && self.subject == other.subject
    }

    /// Whether both could be one person. Wider than [`Self::is_same_subject`], for rules that ask for two people: some
    /// providers give one user another subject at each client.
    pub fn could_be_same_person(&self, other: &Self) -> bool {
        let user = self.user.is_some() && self.user == other.user;
        self.issuer == other.issuer && (self.subject == other.subject || user)
    }
}
