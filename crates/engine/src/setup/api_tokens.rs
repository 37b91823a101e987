//! The engine's side of the identity `api_token`: tokens switched on, and what the fallback needs.

use config::model::{ApiToken, Cluster, Config, Fallback, Forward, Identity, TokenAdmin};
use serde_json::{Value, json};

use super::{RestCall, Setup, SetupError, rest_calls::CONFIG};

/// Where the engine keeps whether it accepts tokens, in its security configuration.
const ENABLED: &str = "/config/dynamic/api_tokens/enabled";

/// As of the fallback, and tokens switched on.
pub(super) fn setup(config: &Config, cluster: &Cluster, settings: &ApiToken) -> Result<Setup, SetupError> {
    let fallback = settings.fallback.as_ref().map(Fallback::identity);
    let has_fallback = fallback.is_some();
    let identity = fallback.unwrap_or(Identity::Forward(Forward {}));
    let mut setup = super::setup(config, &Cluster { identity, ..cluster.clone() })?;
    if !has_fallback {
        // Nothing else is to be made, and what was said of `forward` does not hold.
        setup.notes.clear();
    }
    setup.api_tokens = true;
    setup.notes.extend(notes(settings, has_fallback));
    Ok(setup)
}

fn notes(settings: &ApiToken, has_fallback: bool) -> Vec<String> {
    let admin = match &settings.admin {
        TokenAdmin::User(user) => format!(
            "User `{}` makes and revokes the tokens: give it a role of `plugins.security.restapi.roles_enabled` (no permission such as \
             `restapi:admin/apitokens` does), and no rights on indices. Whoever has its password can make a token for everything. It \
             cannot free the places of ended tokens: at `api_tokens.max_tokens` the engine makes no more until somebody deletes their \
             documents with an administrator's certificate.",
            user.name
        ),
        TokenAdmin::Certificate(_) => "The certificate under `admin` must be one of `plugins.security.authcz.admin_dn`. Whoever has its \
             key may do everything on this engine: keep it readable by the proxy only."
            .to_owned(),
    };
    let mut notes = vec![
        admin,
        format!(
            "Tokens carry the permissions of their scopes themselves, so no role is made for them{}. `api_tokens.max_tokens` (100 by \
             default) counts the tokens of everybody, ended ones too; allow {} for this proxy, and those that were replaced.",
            if has_fallback { "; the roles here are for the fallback" } else { "" },
            settings.max_tokens
        ),
        "Under a token the engine answers 500 to `_update` and to `update` in a bulk, and knows neither document-level security nor the \
         caller. Where `*` is asked for, set `do_not_fail_on_forbidden: true` or `privileges_evaluation_type: v4`."
            .to_owned(),
    ];
    if !has_fallback {
        notes.push(
            "There is no fallback: what a token cannot say (roles of mappings, Dashboards, plugins) and what comes when the engine has \
             no place left is refused."
                .to_owned(),
        );
    }
    notes
}

/// Whether the running configuration has tokens switched on.
pub(super) fn are_enabled(config: &Value) -> bool {
    config["config"]["dynamic"]["api_tokens"]["enabled"] == true
}

/// The call that switches tokens on. `add`, since the engine does not store a value that is false, and so has none to replace.
pub(super) fn enable() -> RestCall {
    let body = json!([{ "op": "add", "path": ENABLED, "value": true }]);
    RestCall { method: "PATCH", path: CONFIG, body }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::setup::tests::set_up;

    fn with(fallback: &serde_json::Value) -> crate::Setup {
        let admin = json!({ "user": { "name": "tokens", "password": "x" } });
        let mut identity = json!({ "api_token": { "admin": admin } });
        if !fallback.is_null() {
            identity["api_token"]["fallback"] = fallback.clone();
        }
        set_up(&identity, &["read:logs-*"], &json!([])).unwrap()
    }

    #[test]
    fn without_a_fallback_tokens_are_switched_on_and_no_role_is_made() {
        let setup = with(&json!(null));
        assert!(setup.domain.is_none() && setup.roles.is_empty());
        let calls = setup.to_rest_calls();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].body[0]["path"], "/config/dynamic/api_tokens/enabled");
        let text = setup.render();
        assert!(text.contains("api_tokens:") && text.contains("There is no fallback"), "{text}");
        assert!(!text.contains("Identity `forward`"), "{text}");
    }

    #[test]
    fn with_a_fallback_it_gets_what_it_needs() {
        let setup = with(&json!({ "proxy_headers": {} }));
        assert_eq!(setup.domain.as_ref().unwrap().authenticator, "extended-proxy");
        assert!(setup.roles.contains_key("oauth_read:logs-*"));
        let text = setup.render();
        assert!(text.contains("api_tokens:") && text.contains("extended-proxy"), "{text}");
    }
}
