//! What would have allowed a refused request, and who can bring that about.

use serde::{Deserialize, Serialize};

use crate::{Explanation, Layer, Need, TokenKind};

/// One way to be allowed.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Cure {
    /// What it takes.
    pub what: String,
    /// Who can bring it about, or what to do.
    pub ask: String,
    /// Whether it tells of the configuration what only operators should read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub for_operators: bool,
}

const OPERATORS: &str = "the operators of the proxy";

impl Cure {
    /// A way that anybody may know of.
    pub fn new(what: impl Into<String>, ask: impl Into<String>) -> Self {
        Self { what: what.into(), ask: ask.into(), for_operators: false }
    }

    /// A way that only operators should know of.
    pub fn for_operators(what: impl Into<String>) -> Self {
        Self { what: what.into(), ask: OPERATORS.to_owned(), for_operators: true }
    }
}

impl Explanation {
    /// What would have allowed it, worked out from the rest. Empty for what was allowed, and for a layer that is not known.
    pub fn cures(&self) -> Vec<Cure> {
        let detail = || self.detail.clone().unwrap_or_else(|| "another request".to_owned());
        match self.refused_by() {
            None => Vec::new(),
            Some(Layer::Request) => vec![Cure::new(
                format!("the request, asked in another way: {}", detail()),
                "nobody: no permission is missing",
            )],
            Some(Layer::Token) => vec![self.better_token(&detail())],
            Some(Layer::RateLimit) => vec![Cure::new(
                "the same request later, or fewer of them",
                format!("{OPERATORS}, if the limit is too narrow"),
            )],
            Some(Layer::Scope) => self.wider_scope(detail()),
            Some(Layer::Policy) => self.other_policy(),
            Some(Layer::Identity) => {
                vec![Cure::new(format!("an identity at the engine: {}", detail()), OPERATORS)]
            }
            Some(Layer::Engine) => vec![self.engine_role(&detail())],
        }
    }

    fn is_failure(&self) -> bool {
        self.status.is_some_and(|status| status >= 500)
    }

    fn better_token(&self, detail: &str) -> Cure {
        if self.is_failure() {
            return Cure::new(format!("the same request a little later: {detail}"), OPERATORS);
        }
        Cure::new(
            format!("a token that is accepted here: {detail}"),
            "nobody at first: log in again, or have the client fetch a new token",
        )
    }

    /// Who can give this caller a scope.
    fn who_gives_scopes(&self) -> String {
        let Some(token) = &self.token else { return OPERATORS.to_owned() };
        let provider = token.provider.as_deref().unwrap_or("that issued the token");
        let whom = match (&token.user_id, &token.client_id) {
            (Some(user), _) => format!("the user {user}"),
            (None, Some(client)) => format!("the client {client}"),
            (None, None) => "the caller".to_owned(),
        };
        let by_provider =
            format!("who manages {whom} at the provider {provider}, or {OPERATORS} (`mappings`)");
        match token.kind {
            TokenKind::Provider => by_provider,
            TokenKind::Managed => format!(
                "whoever the token {} was made from, for a new token with that scope; where they do not hold it themselves, {by_provider}",
                token.id.as_deref().unwrap_or("of the proxy")
            ),
        }
    }

    fn wider_scope(&self, detail: String) -> Vec<Cure> {
        if self.is_failure() {
            return vec![Cure::new(format!("the same request a little later: {detail}"), OPERATORS)];
        }
        let mut missing: Vec<&str> = Vec::new();
        for scope in self.needs.iter().filter_map(|need| need.would_allow.as_deref()) {
            if !missing.contains(&scope) {
                missing.push(scope);
            }
        }
        if missing.is_empty() {
            return vec![Cure::new(detail, self.who_gives_scopes())];
        }
        let what = match missing.as_slice() {
            [one] => format!("the scope {one}, or a wider one"),
            several => format!("the scopes {}, or wider ones", several.join(", ")),
        };
        vec![Cure::new(what, self.who_gives_scopes())]
    }

    fn other_policy(&self) -> Vec<Cure> {
        let writers = "whoever writes the policies of the proxy";
        if self.reason.as_deref() == Some("policy_failed") {
            return vec![Cure::new("policies that can be evaluated for this request", writers)];
        }
        let policies = self.policies.clone().unwrap_or_default();
        let asked = policies.refused.clone().unwrap_or_else(|| self.needed());
        let quoted = |ids: &[String]| ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
        if !policies.forbidden_by.is_empty() {
            let ids = quoted(&policies.forbidden_by);
            return vec![Cure::new(
                format!("an exception from {ids}: no permit counts against a forbid"),
                writers,
            )];
        }
        let mut cures = vec![Cure::new(format!("a policy that permits {asked}"), writers)];
        if !policies.near.is_empty() {
            let ids = quoted(&policies.near);
            cures.push(Cure::new(
                format!("or the same elsewhere, or under other circumstances, as {ids} would permit"),
                writers,
            ));
        }
        cures
    }

    fn needed(&self) -> String {
        let needs: Vec<String> = self.needs.iter().map(Need::to_string).collect();
        if needs.is_empty() { "the request".to_owned() } else { needs.join(", ") }
    }

    fn engine_role(&self, detail: &str) -> Cure {
        if self.is_failure() {
            return Cure::new(format!("an engine that answers: {detail}"), OPERATORS);
        }
        let engine = self.engine.clone().unwrap_or_default();
        let permissions = engine.message.as_deref().and_then(missing_permissions);
        let role = match permissions {
            Some(permissions) => format!("an engine role with {permissions} for {}", self.needed()),
            None => format!("an engine role that allows {}", self.needed()),
        };
        let holder = match (engine.roles.as_slice(), &engine.user) {
            ([], Some(user)) => format!(", mapped to the user {user}"),
            ([], None) => String::new(),
            (roles, _) => format!(", mapped to the backend role {}", roles.join(" or ")),
        };
        Cure::new(
            format!("{role}{holder}"),
            "the engine's administrators; `opensearch-oauth-proxy engine-setup --check` compares the engine's roles with the scopes",
        )
    }
}

/// What stands between `no permissions for [` and `]`, where the security plugin names what is missing.
fn missing_permissions(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("no permissions for [")?;
    let (permissions, _) = rest.split_once(']')?;
    (!permissions.is_empty()).then_some(permissions)
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.action, self.on)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Engine, Explanation, Need, Policies, Token, TokenKind, Verdict};

    fn refused(layer: &str) -> Explanation {
        Explanation {
            decision: Verdict::Deny,
            layer: Some(layer.to_owned()),
            detail: Some("the detail".to_owned()),
            status: Some(403),
            token: Some(Token {
                provider: Some("keycloak".to_owned()),
                client_id: Some("agent".to_owned()),
                ..Token::default()
            }),
            needs: vec![Need { action: "read".to_owned(), on: "logs-1".to_owned(), ..Need::default() }],
            ..Explanation::default()
        }
    }

    fn told(explanation: &Explanation) -> String {
        let cures = explanation.cures();
        cures.iter().map(|cure| format!("{} <- {}", cure.what, cure.ask)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn each_layer_has_its_cure() {
        let ids = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut scope = refused("scope");
        scope.needs[0].would_allow = Some("read:logs-1".to_owned());
        let mut user = scope.clone();
        user.token.as_mut().unwrap().user_id = Some("ann".to_owned());
        let mut managed = scope.clone();
        managed.token =
            Some(Token { kind: TokenKind::Managed, id: Some("tok_a".to_owned()), ..Token::default() });
        let mut forbidden = refused("policy");
        forbidden.policies = Some(Policies {
            forbidden_by: ids(&["no pii"]),
            near: ids(&["elsewhere"]),
            ..Policies::default()
        });
        let mut unpermitted = refused("policy");
        unpermitted.policies = Some(Policies { near: ids(&["elsewhere"]), ..Policies::default() });
        let mut engine = refused("engine");
        engine.engine = Some(Engine {
            message: Some("no permissions for [indices:data/read/search] and User [name=x]".to_owned()),
            roles: ids(&["read:logs-*"]),
            ..Engine::default()
        });
        let mut silent = refused("engine");
        silent.engine = Some(Engine { user: Some("agent".to_owned()), ..Engine::default() });
        let away = Explanation { status: Some(503), ..refused("engine") };
        let table = [
            (
                &scope,
                "the scope read:logs-1, or a wider one <- who manages the client agent at the provider keycloak",
            ),
            (&user, "who manages the user ann at the provider keycloak"),
            (&managed, "whoever the token tok_a was made from, for a new token with that scope"),
            (&forbidden, "an exception from `no pii`"),
            (&unpermitted, "a policy that permits read on logs-1 <- whoever writes the policies"),
            (&unpermitted, "as `elsewhere` would permit"),
            (
                &engine,
                "an engine role with indices:data/read/search for read on logs-1, mapped to the backend role read:logs-*",
            ),
            (&silent, "an engine role that allows read on logs-1, mapped to the user agent"),
            (&away, "an engine that answers: the detail"),
            (&refused("request"), "no permission is missing"),
            (&refused("token"), "a token that is accepted here: the detail"),
            (&refused("rate_limit"), "later"),
            (&refused("identity"), "an identity at the engine: the detail <- the operators"),
        ];
        for (explanation, expected) in table {
            let told = told(explanation);
            assert!(told.contains(expected), "{:?}: {told}", explanation.layer);
        }
        assert_eq!(told(&Explanation { layer: None, ..refused("") }), "");
        assert_eq!(told(&refused("a layer of later")), "");
    }

    #[test]
    fn what_is_for_operators_is_not_told_to_callers() {
        let mut explanation = refused("engine");
        explanation.cause = Some("connection refused by 10.0.0.7".to_owned());
        explanation.engine =
            Some(Engine { node: Some("https://10.0.0.7:9200".to_owned()), ..Engine::default() });
        explanation.would_allow =
            vec![super::Cure::for_operators("the mapping `group sre`"), super::Cure::new("a", "b")];
        let told = serde_json::to_string(&explanation.for_caller()).unwrap();
        assert!(!told.contains("10.0.0.7") && !told.contains("sre") && told.contains("\"a\""), "{told}");
    }
}
