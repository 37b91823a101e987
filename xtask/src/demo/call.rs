//! A call of the proxy: made, and shown as the curl command that does the same.

use std::fmt::Write as _;

use http::Method;
use serde_json::Value;
use testbed::Answer;

use super::world::World;
use crate::Result;

/// A call that is not made yet. What is shown and what is done come from the same place, so they cannot differ.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: &'a str,
    /// The token, and the shell variable that stands for it.
    pub(super) token: Option<(&'a str, &'static str)>,
    pub(super) body: Option<Value>,
}

impl<'a> Call<'a> {
    pub(super) fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, token: None, body: None }
    }

    pub(super) fn post(path: &'a str, body: Value) -> Self {
        Self { method: Method::POST, path, token: None, body: Some(body) }
    }

    /// With the token, which is shown as the variable `name`.
    pub(super) fn with(self, token: &'a str, name: &'static str) -> Self {
        Self { token: Some((token, name)), ..self }
    }

    /// Makes the call through the proxy.
    pub(super) async fn make(&self, world: &World) -> Result<Answer> {
        let client = match self.token {
            Some((token, _)) => world.client.bearer(token)?,
            None => world.client.clone(),
        };
        Ok(client.call(&self.method, self.path, self.body.as_ref()).await?)
    }

    /// The curl command. `$CA` is the proxy's authority.
    pub(super) fn curl(&self, proxy: &str) -> String {
        let mut command = "curl -s --cacert $CA".to_owned();
        if let Some((_, name)) = self.token {
            // Writing to a string cannot fail.
            let _ = write!(command, " -H \"Authorization: Bearer ${name}\"");
        }
        if let Some(body) = &self.body {
            let _ = write!(command, " --json {}", quoted(&body.to_string()));
        }
        let implied = if self.body.is_some() { Method::POST } else { Method::GET };
        if self.method != implied {
            let _ = write!(command, " -X {}", self.method);
        }
        let _ = write!(command, " {}", quoted(&format!("{proxy}{}", self.path)));
        command
    }
}

/// `text` as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn curl_shows_the_variable_and_never_the_token() {
        let call = Call::get("/logs-*/_search?size=1").with("eyJ.secret", "TOKEN");
        assert_eq!(
            call.curl("https://127.0.0.1:8443"),
            "curl -s --cacert $CA -H \"Authorization: Bearer $TOKEN\" 'https://127.0.0.1:8443/logs-*/_search?size=1'"
        );
    }

    #[test]
    fn a_body_implies_post_and_quotes_are_kept() {
        let call = Call::post("/a/_doc", json!({"m": "it's"}));
        assert_eq!(call.curl("p"), "curl -s --cacert $CA --json '{\"m\":\"it'\\''s\"}' 'p/a/_doc'");
        let put = Call { method: Method::PUT, ..call };
        assert!(put.curl("p").contains(" -X PUT "));
    }
}
