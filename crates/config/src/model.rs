//! The configuration as the user writes it.
//!
//! Every struct here is both the parser's target and, through `schemars`, the published JSON schema: the doc
//! comments are what an editor shows beside a key. Unknown keys are refused everywhere.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use claims::ClaimPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

mod api_token;
mod authorization;
mod dashboards;
mod decisions;

pub use self::api_token::{ApiToken, Fallback, TokenAdmin, TokenAdminUser};
pub use self::authorization::{TokenAuthorization, TokenClient, TokenClientGrant, TokenLogin};
pub use self::dashboards::{
    Dashboards, DashboardsHealth, FixedTenant, Tenant, TenantChoice, TenantClaim, TenantMapping,
};
pub use self::decisions::Decisions;
use crate::value::{ByteSize, ClaimPathForm, Duration, MasterSecret, Secret};

mod policies;
mod rate_limits;
mod tokens;

pub use policies::{Policies, PolicyMode, PolicySet, PolicySetRef, PrincipalIds};
pub use rate_limits::{FailedAuthentications, RateLimit, RateLimits, RatePartition};
pub use tokens::{
    EmbeddedStore, OpenSearchStore, TokenApproval, TokenCondition, TokenNotify, TokenPolicy, TokenStore,
    Tokens,
};

/// Form of the names of providers and clusters: they are parts of scopes, user names and metric labels.
const NAME: &str = "^[a-z0-9][a-z0-9_-]*$";
const NAME_FORM: &str = "a name of lower-case letters, digits, `-` and `_`, such as `main`";

/// The whole file.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where clients connect.
    pub listen: Listen,
    /// The URL under which clients know this proxy; it is the `resource` of RFC 9728 and must be https
    /// unless its host is loopback.
    pub public_url: Url,
    /// Metrics, liveness and readiness, on a listener of their own.
    #[serde(default)]
    pub admin: Admin,
    /// The OpenID Connect providers whose tokens are accepted.
    #[schemars(length(min = 1))]
    pub providers: Vec<Provider>,
    /// The OpenSearch clusters behind this proxy.
    #[schemars(length(min = 1))]
    pub clusters: Vec<Cluster>,
    /// What scopes, groups and claims of the providers mean here. Without a mapping, a token's own scopes of the
    /// form `action:resource` count as they are; everything else is refused.
    #[serde(default)]
    #[schemars(extend("default" = serde_json::json!([])))]
    pub mappings: Vec<Mapping>,
    /// Tokens that the proxy issues itself; without it, there are none, and nothing below `/oauth/` is served.
    pub tokens: Option<Tokens>,
    /// Cedar policies on top of the scopes; without it, scopes alone decide.
    pub policies: Option<Policies>,
    /// How many requests whoever is known may make; without it, any number.
    pub rate_limits: Option<RateLimits>,
    /// Why requests were refused, kept for those who ask; without it, only the audit trail tells.
    pub decisions: Option<Decisions>,
    /// The audit trail.
    pub audit: Audit,
    /// Limits on what clients may send and how long they may take.
    #[serde(default)]
    pub limits: Limits,
    /// The verified-token cache.
    #[serde(default)]
    pub token_cache: TokenCache,
    /// Logs and traces.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// How long running requests may take to end after SIGTERM before they are cut.
    #[serde(default = "defaults::drain")]
    #[schemars(extend("x-min" = "0s", "x-max" = "10m"))]
    pub drain_timeout: Duration,
}

/// The public listener.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address and port, for example `0.0.0.0:8443`.
    #[schemars(extend("format" = "socket-address"))]
    pub address: SocketAddr,
    /// The server's certificate. Reloaded when the files change.
    pub tls: Option<ServerTls>,
    /// Serve without TLS. Bearer tokens then travel in the clear: only for a loopback address, or behind a sidecar
    /// that ends TLS on the same host.
    #[serde(default)]
    pub plaintext: bool,
}

/// A certificate and its key, PEM.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// Certificate chain, leaf first.
    #[schemars(extend("x-file" = "read"))]
    pub certificate: PathBuf,
    /// Private key: PKCS#8, PKCS#1 or SEC1.
    #[schemars(extend("x-file" = "private"))]
    pub private_key: PathBuf,
}

/// The admin listener.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address and port. Anything but loopback needs `allow_remote: true`.
    #[schemars(extend("format" = "socket-address"))]
    pub address: SocketAddr,
    /// Permit a non-loopback address (a scraper on another host). The listener has no authentication.
    pub allow_remote: bool,
}

/// One OpenID Connect provider.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, as the file has them")]
pub struct Provider {
    /// A short name, unique here: it prefixes user names in the engine and labels metrics.
    #[schemars(length(max = 63), extend("pattern" = NAME, "x-form" = NAME_FORM))]
    pub name: String,
    /// The issuer, exactly as in the tokens' `iss` claim.
    #[schemars(length(min = 1))]
    pub issuer: String,
    /// A token is accepted when its `aud` holds at least one of these.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub audiences: Vec<String>,
    /// Signature algorithms accepted from this issuer.
    #[serde(default = "defaults::algorithms")]
    #[schemars(length(min = 1))]
    pub algorithms: Vec<Algorithm>,
    /// Tolerated clock difference for `exp`, `nbf` and `iat`.
    #[serde(default = "defaults::leeway")]
    #[schemars(extend("x-min" = "0s", "x-max" = "5m"))]
    pub leeway: Duration,
    /// Accepted values of the token's `typ` header.
    #[serde(default = "defaults::token_types")]
    #[schemars(inner(length(min = 1)))]
    pub token_types: Vec<String>,
    /// Accept tokens without a `typ` header.
    #[serde(default)]
    pub allow_missing_type: bool,
    /// Refuse tokens that are recognisably ID tokens: those are for the client that signed a person in, not for an API.
    /// Only for a provider whose access tokens cannot be told from its ID tokens, turn this off.
    #[serde(default = "defaults::yes")]
    pub reject_id_tokens: bool,
    /// Accept tokens without `sub` if they name their client, which then counts as the subject.
    #[serde(default)]
    pub allow_missing_subject: bool,
    /// Claims that a token must have besides `iss`, `aud`, `exp` and `sub`; null does not count.
    #[serde(default)]
    #[schemars(with = "Vec<ClaimPathForm>")]
    pub required_claims: Vec<ClaimPath>,
    /// How a token is verified.
    #[serde(default)]
    pub verify_by: VerifyBy,
    /// Where the keys are, for a provider without discovery.
    pub jwks_uri: Option<Url>,
    /// Where this provider puts what the proxy reads.
    #[serde(default)]
    pub claims: Claims,
    /// Let scopes of the form `action:resource` in this provider's tokens count as they are, without a mapping.
    #[serde(default = "defaults::yes")]
    pub native_scopes: bool,
    /// CA certificates (PEM) for connections to this provider; without it, those of the platform.
    #[schemars(extend("x-file" = "read"))]
    pub ca: Option<PathBuf>,
    /// An HTTP proxy (CONNECT) through which the provider is reached.
    pub http_proxy: Option<Url>,
    /// Hosts that are reached without `http_proxy`: domains, which include their subdomains, addresses and networks such as
    /// `10.0.0.0/8`.
    #[serde(default)]
    pub no_proxy: Vec<String>,
    /// How long one call to the provider may take.
    #[serde(default = "defaults::provider_timeout")]
    #[schemars(extend("x-min" = "100ms", "x-max" = "1m"))]
    pub timeout: Duration,
    /// Permit plain http to a provider that is not on loopback.
    #[serde(default)]
    pub allow_http: bool,
    /// How often keys are fetched anew when the provider's `Cache-Control` says nothing shorter.
    #[serde(default = "defaults::refresh")]
    #[schemars(extend("x-min" = "1m", "x-max" = "1d"))]
    pub refresh: Duration,
    /// The least time between two fetches caused by unknown key ids.
    #[serde(default = "defaults::min_refetch")]
    #[schemars(extend("x-min" = "1s", "x-max" = "10m"))]
    pub min_refetch_interval: Duration,
    /// How old keys may get while the provider cannot be reached. Beyond, its tokens are refused with 503 until it can,
    /// since nobody would notice that a key was withdrawn. Longer than `refresh`.
    #[serde(default = "defaults::max_stale")]
    #[schemars(extend("x-min" = "1m", "x-max" = "30d"))]
    pub max_stale: Duration,
    /// Ask the provider about opaque tokens (RFC 7662).
    pub introspection: Option<Introspection>,
}

/// A JWS algorithm (RFC 7518, RFC 8037). Symmetric algorithms and `none` cannot be configured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Deserialize, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are those of the JOSE registry")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// How the tokens of a provider are verified.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerifyBy {
    /// By their signature; opaque tokens by introspection, if that is configured.
    #[default]
    Signature,
    /// By introspection, JWTs too. No keys are fetched.
    Introspection,
}

/// Claim paths: names joined by dots, a name that itself holds a dot or a slash in double quotes
/// (`"https://example.com/groups"`, `realm_access.roles`). The first path that yields a value is used; for scopes and
/// groups the values of all paths are joined.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Claims {
    /// Scopes: a space-separated string or an array.
    #[schemars(with = "Vec<ClaimPathForm>")]
    pub scopes: Vec<ClaimPath>,
    /// Groups or roles.
    #[schemars(with = "Vec<ClaimPathForm>")]
    pub groups: Vec<ClaimPath>,
    /// The name of the person. Tokens that a client got for itself have none.
    #[schemars(with = "Vec<ClaimPathForm>")]
    pub user: Vec<ClaimPath>,
    /// The client.
    #[schemars(with = "Vec<ClaimPathForm>")]
    pub client: Vec<ClaimPath>,
}

/// RFC 7662 introspection of opaque tokens.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// The endpoint; without it, the one of the discovery document.
    pub endpoint: Option<Url>,
    /// The proxy's own client at the provider.
    #[schemars(length(min = 1))]
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// How long an answer counts at most.
    #[serde(default = "defaults::introspection_cache")]
    #[schemars(extend("x-min" = "0s", "x-max" = "1h"))]
    pub cache: Duration,
    /// How long "not active" counts at most.
    #[serde(default = "defaults::introspection_negative")]
    #[schemars(extend("x-min" = "0s", "x-max" = "10m"))]
    pub negative_cache: Duration,
    /// Ask about JWTs too, so that the provider's revocations count.
    #[serde(default)]
    pub introspect_jwt: bool,
    /// Accept answers without `aud`, which RFC 7662 leaves optional. Any token of this provider then counts as meant for
    /// this proxy.
    #[serde(default)]
    pub allow_missing_audience: bool,
}

/// One OpenSearch cluster.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// A short name, unique here: the prefix of scopes for this cluster, and a label in audit and metrics.
    #[schemars(length(max = 63), extend("pattern" = NAME, "x-form" = NAME_FORM))]
    pub name: String,
    /// Host names by which clients address this cluster. Empty: any.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// A path prefix by which clients address this cluster, for example `/prod`; removed before forwarding.
    pub path_prefix: Option<String>,
    /// The token audience that makes unprefixed scopes count on this cluster. Needed when there are several clusters.
    #[schemars(length(min = 1))]
    pub audience: Option<String>,
    /// The nodes' URLs.
    #[schemars(length(min = 1))]
    pub nodes: Vec<Url>,
    /// Permit plain http to nodes that are not on loopback. The proxy's credential for the engine, and all data, then
    /// travel in the clear.
    #[serde(default)]
    pub allow_http: bool,
    /// CA certificates (PEM) of the nodes; without it, those of the platform.
    #[schemars(extend("x-file" = "read"))]
    pub ca: Option<PathBuf>,
    /// The proxy's own certificate towards the nodes.
    pub client_certificate: Option<ServerTls>,
    /// As whom the proxy speaks to the engine.
    pub identity: Identity,
    /// The OpenSearch Dashboards of this cluster. Without it, Dashboards is not served.
    pub dashboards: Option<Dashboards>,
    /// Scopes that the provider's own tokens bring, for which `engine-setup` prepares engine roles. Scopes that mappings
    /// name are known without being listed here. They grant nothing.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Node health checks.
    #[serde(default)]
    pub health: Health,
    /// Read request bodies for the indices that they name (`_bulk`, `_msearch`, `_mget`, query bodies, SQL and PPL), so
    /// that such requests are judged by what they touch. Off, routes whose targets stand in the body need their action
    /// over `*`, and the bodies of other requests are passed on unread, left to the engine's own roles. Those of managed
    /// tokens are always read, since no role of the engine knows what was granted of their owner's scopes.
    #[serde(default = "defaults::yes")]
    pub read_bodies: bool,
    /// Send a request that only looks, and asks for more than its token holds, as the request for what the token holds: under
    /// `read:logs-*`, `GET /_search` then searches `logs-*`. Where that cannot be said exactly the request is refused. Off, it
    /// is always refused.
    #[serde(default)]
    pub narrow: bool,
    /// Bind handles (scroll ids, points in time, ids of tasks and asynchronous searches, cursors of SQL) to whoever made them, so
    /// that each token can use its own and no other. Without it, a handle can only be used by a token that holds its action on `*`.
    pub handles: Option<Handles>,
    /// Know what names stand for on this cluster, so that a request which names an alias is judged by the indices behind it. Off,
    /// every name counts by itself. `{}` turns it on; `engine-setup` gives the proxy the engine role that it needs.
    pub catalogue: Option<Catalogue>,
    /// How long connecting to a node may take before the next is tried.
    #[serde(default = "defaults::connect_timeout")]
    #[schemars(extend("x-min" = "100ms", "x-max" = "1m"))]
    pub connect_timeout: Duration,
    /// How long the engine may take until its response begins; none by default, since searches may be long.
    #[schemars(extend("x-min" = "1s", "x-max" = "1d"))]
    pub response_timeout: Option<Duration>,
    /// Idle connections kept for each node.
    #[serde(default = "defaults::max_idle")]
    #[schemars(range(max = 100_000))]
    pub max_idle_connections: usize,
    /// How long an idle connection is kept.
    #[serde(default = "defaults::idle_timeout")]
    #[schemars(extend("x-min" = "1s", "x-max" = "1h"))]
    pub idle_timeout: Duration,
}

/// Settings of `handles`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handles {
    /// What handles are bound with: 32 bytes or more, the same on every replica. `openssl rand -base64 48` makes one.
    pub secret: MasterSecret,
    /// Further secrets under which handles are taken, but not given. To change the secret without losing handles: add the new one
    /// here on every replica, then exchange the two, and remove the old one when no handle made under it lives any more.
    #[serde(default)]
    #[schemars(extend("default" = serde_json::json!([])))]
    pub other_secrets: Vec<MasterSecret>,
}

/// As whom the proxy speaks to the engine; exactly one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Identity {
    /// A JWT of a few minutes signed by the proxy, for the engine's `jwt` domain.
    SignedJwt(SignedJwt),
    /// API tokens of the engine (3.7 and later), which the proxy makes, renews and revokes.
    ApiToken(ApiToken),
    /// Users created in the engine beforehand, by basic authentication.
    BackendUser(BackendUsers),
    /// The engine's `proxy` or `extended-proxy` domain.
    ProxyHeaders(ProxyHeaders),
    /// The caller's own token, unchanged. The engine must itself accept the provider's tokens.
    Forward(Forward),
}

/// Settings of `signed_jwt`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedJwt {
    /// The proxy's private key (PEM, PKCS#8): RSA of 2048 bits or more, or EC P-256. `keygen` makes one.
    #[schemars(extend("x-file" = "private"))]
    pub private_key: PathBuf,
    /// `iss` of the tokens; the engine may require it.
    #[serde(default = "defaults::jwt_issuer")]
    #[schemars(length(min = 1))]
    pub issuer: String,
    /// `aud` of the tokens; the engine requires it when `engine-setup` is applied.
    #[serde(default = "defaults::jwt_audience")]
    #[schemars(length(min = 1))]
    pub audience: String,
    /// Lifetime of a token.
    #[serde(default = "defaults::jwt_lifetime")]
    #[schemars(extend("x-min" = "30s", "x-max" = "1h"))]
    pub lifetime: Duration,
    /// Claims of the caller's token that the engine sees as `${attr.jwt.<name>}`: name in the engine to claim path.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ClaimPathForm>")]
    pub attributes: BTreeMap<String, ClaimPath>,
}

/// Settings of `backend_user`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackendUsers {
    /// The users that mappings may name, with their passwords.
    #[schemars(extend("minProperties" = 1))]
    pub users: BTreeMap<String, Secret>,
}

/// Settings of `proxy_headers`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyHeaders {
    /// The engine's `user_header`.
    pub user_header: String,
    /// The engine's `roles_header`.
    pub roles_header: String,
    /// The engine's `attr_header_prefix`.
    pub attribute_prefix: String,
    /// Attribute name to claim path of the caller's token.
    #[schemars(with = "BTreeMap<String, ClaimPathForm>")]
    pub attributes: BTreeMap<String, ClaimPath>,
}

/// Settings of `forward`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Forward {}

/// Settings of `catalogue`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Catalogue {
    /// How often the engine is asked for its names. After a change that went through this proxy it is asked at once.
    #[schemars(extend("x-min" = "100ms", "x-max" = "10m"))]
    pub refresh: Duration,
    /// How old its answer may be. Beyond, aliases count by their own name again, or, with `judge_aliases`, requests for indices are
    /// refused with 503. Longer than `refresh`.
    #[schemars(extend("x-min" = "200ms", "x-max" = "1h"))]
    pub stale: Duration,
    /// Refuse a request that a scope allows by the name or pattern of an alias, unless the indices behind the alias are allowed too. So
    /// whoever may make aliases inside a pattern does not open other indices to those who hold the pattern.
    pub judge_aliases: bool,
    /// The user of `identity.backend_user.users` as whom the engine is asked. Needed with that identity, and only there; the other
    /// identities have a name of the proxy's own.
    #[schemars(length(min = 1))]
    pub user: Option<String>,
}

/// Node health checks.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// What is asked of a node. The default needs no credentials and leaves no trace in the engine's audit log; any
    /// answer below 500 counts as healthy.
    pub path: String,
    /// Time between checks of one node.
    #[schemars(extend("x-min" = "100ms", "x-max" = "10m"))]
    pub interval: Duration,
    /// How long a check may take.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1m"))]
    pub timeout: Duration,
    /// Failures in a row after which a node is passed over.
    #[schemars(range(min = 1, max = 100))]
    pub failures: u32,
}

/// What a scope, group or claim of a provider means here. All conditions given must hold.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// A scope string of the token. One of the form `action:resource` means itself, whatever its pattern; in any other, `*`
    /// stands for any characters.
    #[schemars(length(min = 1))]
    pub scope: Option<String>,
    /// A group of the token; `*` stands for any characters.
    #[schemars(length(min = 1))]
    pub group: Option<String>,
    /// A claim of the token.
    pub claim: Option<ClaimCondition>,
    /// Only tokens of this provider.
    pub provider: Option<String>,
    /// Only on these clusters; without it, on all.
    #[schemars(length(min = 1))]
    pub clusters: Option<Vec<String>>,
    /// What it gives.
    pub grant: Grant,
}

/// A claim and the value it must have (or, for an array, contain).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimCondition {
    /// Claim path, as under `claims`.
    #[schemars(with = "ClaimPathForm")]
    pub path: ClaimPath,
    /// The value.
    pub equals: String,
}

/// What a mapping gives.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grant {
    /// Scopes of the form `[cluster/]action:resource`.
    pub scopes: Vec<String>,
    /// Engine backend roles that requests allowed by these scopes carry.
    pub roles: Vec<String>,
    /// The engine user for requests allowed by these scopes (identity `backend_user`).
    pub backend_user: Option<String>,
    /// The tenant of OpenSearch Dashboards that requests allowed by these scopes are for, on clusters whose
    /// `dashboards.tenant` is `mapping`.
    #[schemars(length(min = 1))]
    pub tenant: Option<String>,
}

/// The audit trail.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Where records go.
    pub sink: AuditSink,
    /// Records that may wait to be written.
    #[serde(default = "defaults::audit_queue")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub queue: usize,
    /// What happens when the queue is full.
    #[serde(default)]
    pub when_full: WhenFull,
}

/// Where audit records go; exactly one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum AuditSink {
    /// JSON lines in a file.
    File(AuditFile),
    /// JSON lines on standard output.
    Stdout(Stdout),
}

/// No settings.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stdout {}

/// An audit file.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditFile {
    /// The file; made with mode 0600. Reopened on SIGHUP.
    #[schemars(extend("x-file" = "write"))]
    pub path: PathBuf,
    /// The file is rotated when it would grow beyond this.
    #[serde(default = "defaults::audit_size")]
    #[schemars(extend("x-min" = "4KiB", "x-max" = "64GiB"))]
    pub max_size: ByteSize,
    /// Rotated files kept.
    #[serde(default = "defaults::audit_keep")]
    #[schemars(range(min = 1, max = 10_000))]
    pub keep: u32,
}

/// What happens when the audit queue is full.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// Requests wait until their record fits. Nothing is lost.
    #[default]
    Wait,
    /// The record is dropped and counted; the next record written says how many are missing.
    Count,
}

/// Limits on clients.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections open at once; more wait in the kernel's queue.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: usize,
    /// Bytes of request line and headers.
    #[schemars(extend("x-min" = "4KiB", "x-max" = "1MiB"))]
    pub max_header_size: ByteSize,
    /// Number of headers.
    #[schemars(range(min = 10, max = 1000))]
    pub max_headers: usize,
    /// Bytes of one bearer token.
    #[schemars(extend("x-min" = "256B", "x-max" = "1MiB"))]
    pub max_token_size: ByteSize,
    /// How long a client may take to send the head of a request (and the TLS handshake).
    #[schemars(extend("x-min" = "100ms", "x-max" = "5m"))]
    pub header_timeout: Duration,
    /// How long a body may stand still in either direction.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1h"))]
    pub body_idle_timeout: Duration,
    /// How long a connection may idle between requests.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1h"))]
    pub keep_alive_timeout: Duration,
    /// Requests at once on one HTTP/2 connection.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_concurrent_streams: u32,
}

/// The verified-token cache.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenCache {
    /// Tokens remembered at most.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub capacity: usize,
    /// How long a verdict counts at most; the token's own expiry if sooner.
    #[schemars(extend("x-min" = "0s", "x-max" = "1h"))]
    pub max_age: Duration,
}

/// Logs and traces.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Log format.
    pub log_format: LogFormat,
    /// Log filter, as in `info` or `info,oidc=debug`.
    #[schemars(length(min = 1))]
    pub log_level: Option<String>,
    /// Send spans to an OpenTelemetry collector.
    pub otlp: Option<Otlp>,
}

/// Log format.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// An OpenTelemetry collector.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    /// The collector's OTLP/HTTP URL, for example `http://127.0.0.1:4318/v1/traces`.
    pub endpoint: Url,
    /// The share of requests traced when the caller did not decide, 0 to 1.
    #[serde(default = "defaults::sample_ratio")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample_ratio: f64,
    /// `service.name` of the spans.
    #[serde(default = "defaults::service_name")]
    #[schemars(length(min = 1))]
    pub service_name: String,
}

impl Default for Admin {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 9600)), allow_remote: false }
    }
}

impl Default for Claims {
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|name| ClaimPath::member(name)).collect();
        Self {
            scopes: list(&["scope", "scp"]),
            groups: list(&["groups"]),
            user: list(&["preferred_username", "email", "sub"]),
            client: list(&["client_id", "azp", "cid", "appid"]),
        }
    }
}

impl Default for ProxyHeaders {
    fn default() -> Self {
        Self {
            user_header: "x-proxy-user".to_owned(),
            roles_header: "x-proxy-roles".to_owned(),
            attribute_prefix: "x-proxy-ext-".to_owned(),
            attributes: BTreeMap::new(),
        }
    }
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(10),
            stale: Duration::from_secs(60),
            judge_aliases: false,
            user: None,
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self {
            path: "/_plugins/_security/health".to_owned(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(3),
            failures: 2,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_header_size: ByteSize::from_kib(64),
            max_headers: 100,
            max_token_size: ByteSize::from_kib(16),
            header_timeout: Duration::from_secs(10),
            body_idle_timeout: Duration::from_secs(60),
            keep_alive_timeout: Duration::from_secs(75),
            max_concurrent_streams: 128,
        }
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self { capacity: 10_000, max_age: Duration::from_secs(300) }
    }
}

/// Values used where the file says nothing.
mod defaults {
    use super::{Algorithm, ByteSize, Duration};

    pub(super) fn yes() -> bool {
        true
    }
    pub(super) fn drain() -> Duration {
        Duration::from_secs(30)
    }
    pub(super) fn algorithms() -> Vec<Algorithm> {
        vec![Algorithm::RS256]
    }
    pub(super) fn leeway() -> Duration {
        Duration::from_secs(30)
    }
    pub(super) fn token_types() -> Vec<String> {
        ["at+jwt", "application/at+jwt", "JWT"].map(str::to_owned).to_vec()
    }
    pub(super) fn refresh() -> Duration {
        Duration::from_secs(15 * 60)
    }
    pub(super) fn min_refetch() -> Duration {
        Duration::from_secs(10)
    }
    pub(super) fn max_stale() -> Duration {
        Duration::from_secs(24 * 60 * 60)
    }
    pub(super) fn provider_timeout() -> Duration {
        Duration::from_secs(5)
    }
    pub(super) fn introspection_cache() -> Duration {
        Duration::from_secs(60)
    }
    pub(super) fn introspection_negative() -> Duration {
        Duration::from_secs(10)
    }
    pub(super) fn connect_timeout() -> Duration {
        Duration::from_secs(3)
    }
    pub(super) fn max_idle() -> usize {
        256
    }
    pub(super) fn idle_timeout() -> Duration {
        Duration::from_secs(60)
    }
    pub(super) fn jwt_issuer() -> String {
        "opensearch-oauth-proxy".to_owned()
    }
    pub(super) fn jwt_audience() -> String {
        "opensearch".to_owned()
    }
    pub(super) fn jwt_lifetime() -> Duration {
        Duration::from_secs(300)
    }
    pub(super) fn audit_queue() -> usize {
        8192
    }
    pub(super) fn audit_size() -> ByteSize {
        ByteSize::from_mib(256)
    }
    pub(super) fn audit_keep() -> u32 {
        8
    }
    pub(super) fn sample_ratio() -> f64 {
        0.01
    }
    pub(super) fn service_name() -> String {
        "opensearch-oauth-proxy".to_owned()
    }
}
