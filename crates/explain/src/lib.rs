//! The answer to "why was I refused?": all that was decided about one request, layer by layer.
//!
//! The proxy makes an [`Explanation`] when a request has ended, keeps it for a while and answers with it as JSON; the command line
//! reads it and tells it to people. Both have this crate, so that they mean the same. What would have allowed a refused request is
//! worked out by [`Explanation::cures`] from the rest, and so can be told of an audit record, too, as far as that goes.
//!
//! Nothing in it is a secret: of a token its id and the claims that mappings ask for, and never the token.

mod cures;
mod layer;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use cures::Cure;
pub use layer::Layer;

/// What became of a request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The proxy let it through; the engine may still have refused it.
    Allow,
    /// It was refused.
    Deny,
    /// Nothing could be decided, because something failed.
    #[default]
    Error,
}

/// All that was decided about one request.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Explanation {
    /// The id that a refused client is told.
    pub decision_id: String,
    /// The id of the request.
    pub request_id: String,
    /// When the request's head had been read.
    pub at: Option<Timestamp>,
    /// What was decided.
    pub decision: Verdict,
    /// The layer that refused or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The stable reason code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What lies behind it. For operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The status sent to the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What was asked.
    pub request: Request,
    /// The verified token; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// The claims that mappings ask for, with the values of this token.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, Vec<String>>,
    /// The mappings that this token met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mappings: Vec<Mapping>,
    /// The scopes.
    pub scopes: Scopes,
    /// What the request needed, as far as it was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// What the policies said; absent when they were not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Policies>,
    /// The engine's part; absent when it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// What would have allowed it; empty for what was allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub would_allow: Vec<Cure>,
    /// Whom to ask first, as the operators of the proxy say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

/// What was asked.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path, without a query.
    pub path: String,
    /// The cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// `engine` or `dashboards`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The operation, such as `search`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// What it mainly does, such as `read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The client's address and port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A token, and never its secret.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Token {
    /// Whose token it is.
    pub kind: TokenKind,
    /// `jti`, or the id of a managed token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The provider that vouches for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// `iss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// `sub`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The user; absent when the client acts for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// When it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Whose token it is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// Of an OpenID Connect provider.
    #[default]
    Provider,
    /// Issued by the proxy itself.
    Managed,
}

/// A mapping that the token met.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Mapping {
    /// Its condition, as in `group admins`.
    pub when: String,
    /// The scopes that it grants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The engine roles that go with them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The engine user that goes with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_user: Option<String>,
    /// The tenant of Dashboards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// The scopes of a request.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Scopes {
    /// As the token has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token: Vec<String>,
    /// That count on the cluster, by themselves or by mappings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
    /// That allowed the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permitted_by: Vec<String>,
}

/// One thing that the request needed.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Need {
    /// What is done.
    pub action: String,
    /// To what.
    pub on: String,
    /// Why this was concluded, in words that complete "because …".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The scope that allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_by: Option<String>,
    /// For what no scope allows: the narrowest that would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_allow: Option<String>,
}

/// What the policies said.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Policies {
    /// What they refused, as in `read on logs-pii-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Ids of those that permitted something of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permitted_by: Vec<String>,
    /// Ids of those that forbid it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forbidden_by: Vec<String>,
    /// Ids of permits for the same caller and action that hold elsewhere or under other circumstances.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<String>,
    /// What those on trial would have refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_deny: Option<String>,
}

/// The engine's part.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Engine {
    /// The kind of credential, such as `signed_jwt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The user that the engine sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The backend roles that the engine sees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The status of its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Its own words about what it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The node asked. For operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

impl Explanation {
    /// Whether the request got what it asked for, as far as permissions go.
    pub fn is_allowed(&self) -> bool {
        self.decision == Verdict::Allow && self.layer.is_none()
    }

    /// As the caller may see it: without what is for operators only.
    #[must_use]
    pub fn for_caller(mut self) -> Self {
        self.cause = None;
        if let Some(engine) = &mut self.engine {
            engine.node = None;
        }
        self.would_allow.retain(|cure| !cure.for_operators);
        self
    }
}
