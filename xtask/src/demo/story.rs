//! The story: one agent, one log shipper, one tenant, and what each may do.

use std::fmt;

use http::StatusCode;
use serde_json::{Value, json};
use testbed::{Answer, KeycloakInfo, RestClient};

use super::call::{Call, quoted};
use super::ui;
use super::world::World;
use crate::{Result, XtaskError};

/// An agent that may read logs.
const AGENT: (&str, &str) = ("langchain-agent", "read:logs-*");
/// A log shipper that may write logs.
const SHIPPER: (&str, &str) = ("fluent-bit", "write:logs-app-*");
/// An agent of one tenant.
const TENANT: (&str, &str) = ("tenant-acme", "read:logs-*");

/// The names of the tokens in the commands that are shown.
const TOKEN: &str = "TOKEN";
const SHIPPER_TOKEN: &str = "SHIPPER_TOKEN";
const TENANT_TOKEN: &str = "TENANT_TOKEN";

/// Goes through all steps; the first that does not go as told ends the story.
pub(super) async fn tell(world: &World) -> Result<()> {
    let mut teller = Teller { world, number: 0, step: "" };
    let agent = teller.token("An agent gets a token from Keycloak, for reading logs", AGENT, TOKEN).await?;
    search(&mut teller, &agent).await?;
    refused_write(&mut teller, &agent).await?;
    refused_index(&mut teller, &agent).await?;
    refused_wildcard(&mut teller, &agent).await?;
    without_token(&mut teller).await?;
    let shipper = teller.token("A log shipper gets a token for writing", SHIPPER, SHIPPER_TOKEN).await?;
    write_only(&mut teller, &shipper).await?;
    let tenant = teller.token("An agent of the tenant acme gets a token", TENANT, TENANT_TOKEN).await?;
    own_documents(&mut teller, &tenant).await?;
    engine_audit(&mut teller, &agent).await?;
    proxy_audit(&mut teller)?;
    metrics(&mut teller).await
}

async fn search(teller: &mut Teller<'_>, token: &str) -> Result<()> {
    let answer = teller
        .call(
            "The agent searches the logs",
            &Call::get("/logs-*/_search?size=1").with(token, TOKEN),
            StatusCode::OK,
        )
        .await?;
    let hits = &answer.body["hits"];
    let found = hits["total"]["value"].as_u64().unwrap_or_default();
    teller.require(found > 0, "no log was found")?;
    ui::outcome(&format!("200: {found} log records, such as"));
    ui::detail(&hits["hits"][0]["_source"].to_string());
    Ok(())
}

async fn refused_write(teller: &mut Teller<'_>, token: &str) -> Result<()> {
    let record = json!({"message": "written by an agent that may only read"});
    let call = Call::post("/logs-app-2026.11.24/_doc", record).with(token, TOKEN);
    teller.refused("It may not write", &call).await
}

async fn refused_index(teller: &mut Teller<'_>, token: &str) -> Result<()> {
    let call = Call::get("/pii-customers/_search").with(token, TOKEN);
    teller.refused("It may not read other indices", &call).await
}

async fn refused_wildcard(teller: &mut Teller<'_>, token: &str) -> Result<()> {
    let call = Call::get("/_search").with(token, TOKEN);
    teller.refused("Nor everything at once, though logs are a part of it", &call).await
}

async fn without_token(teller: &mut Teller<'_>) -> Result<()> {
    let call = Call::get("/logs-*/_search");
    let answer =
        teller.call("Without a token it is told where to get one", &call, StatusCode::UNAUTHORIZED).await?;
    let challenge = answer.headers.get(http::header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    let challenge = challenge.unwrap_or_default();
    teller.require(challenge.starts_with("Bearer"), "there is no Bearer challenge")?;
    ui::outcome(&format!("401, WWW-Authenticate: {challenge}"));
    Ok(())
}

async fn write_only(teller: &mut Teller<'_>, token: &str) -> Result<()> {
    let record = json!({"@timestamp": "2026-11-24T12:00:00Z", "level": "INFO", "message": "shipped"});
    let call = Call::post("/logs-app-2026.11.24/_doc", record).with(token, SHIPPER_TOKEN);
    teller.call("The shipper writes a record", &call, StatusCode::CREATED).await?;
    ui::outcome("201: written");
    let call = Call::get("/logs-app-*/_search").with(token, SHIPPER_TOKEN);
    teller.refused("But it may not read: writing does not include reading", &call).await
}

async fn own_documents(teller: &mut Teller<'_>, token: &str) -> Result<()> {
    let call = Call::get("/logs-tenant-*/_count").with(token, TENANT_TOKEN);
    let answer = teller
        .call("The engine shows it the documents of its own tenant only", &call, StatusCode::OK)
        .await?;
    let all = teller.engine(&Call::get("/logs-tenant-*/_count")).await?["count"].as_u64().unwrap_or_default();
    let seen = answer.body["count"].as_u64().unwrap_or_default();
    teller.require(seen > 0 && seen < all, &format!("{seen} of {all} documents were counted"))?;
    ui::outcome(&format!("200: {seen} of {all} documents, by document-level security on the claim `tenant`"));
    Ok(())
}

async fn engine_audit(teller: &mut Teller<'_>, token: &str) -> Result<()> {
    let audit = teller.world.info.engine.audit()?;
    let call = Call::get("/logs-web-2026.11.24/_count").with(token, TOKEN);
    teller.call("OpenSearch's own audit log names the real caller", &call, StatusCode::OK).await?;
    let ours = |record: &Value| {
        record["audit_category"] == "GRANTED_PRIVILEGES"
            && record["audit_trace_resolved_indices"].to_string().contains("logs-web-2026.11.24")
    };
    let record = audit.find(ours).await?.unwrap_or_default();
    let user = record["audit_request_effective_user"].as_str().unwrap_or_default().to_owned();
    teller.require(user.contains(AGENT.0), &format!("the engine saw the user `{user}`"))?;
    ui::outcome(&format!("the engine granted {} to {user}", record["audit_request_privilege"]));
    ui::detail(&teller.world.info.engine.audit_log.display().to_string());
    Ok(())
}

fn proxy_audit(teller: &mut Teller<'_>) -> Result<()> {
    teller.begin("The proxy has a record of each request, with the decision and the reason");
    let path = &teller.world.installation.audit;
    ui::command(&format!("tail -n 3 {}", path.display()));
    let text = std::fs::read_to_string(path)
        .map_err(|error| teller.failed(&format!("{} cannot be read: {error}", path.display())))?;
    let records: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let denied = records.iter().filter(|record| record["decision"] == "deny").count();
    teller.require(denied >= 5, &format!("{denied} refusals are recorded"))?;
    ui::outcome(&format!("{} records, {denied} of them refusals; the last refusal:", records.len()));
    if let Some(last) = records.iter().rev().find(|record| record["decision"] == "deny") {
        ui::detail(&last.to_string());
    }
    Ok(())
}

async fn metrics(teller: &mut Teller<'_>) -> Result<()> {
    teller.begin("And metrics for Prometheus");
    let address = format!("{}/metrics", teller.world.admin_url);
    ui::command(&format!("curl -s {address}"));
    let client = RestClient::new(&teller.world.admin_url, None, None)?;
    let text = client.expect(&http::Method::GET, "/metrics", None).await?;
    let text = text.as_str().unwrap_or_default();
    let requests: Vec<&str> =
        text.lines().filter(|line| !line.starts_with('#') && line.contains("requests_total")).collect();
    teller.require(!requests.is_empty(), "no requests are counted")?;
    ui::outcome(&format!("{} lines, such as", text.lines().count()));
    for line in requests.iter().take(4) {
        ui::detail(line);
    }
    Ok(())
}

/// What is up, and how to go on by hand.
pub(super) fn invite(world: &World) {
    ui::heading("Everything stays up until Ctrl-C");
    ui::detail(&format!("proxy       {}   metrics {}/metrics", world.url, world.admin_url));
    ui::detail(&format!("OpenSearch  {}", world.info.engine.url));
    let keycloak = &world.info.keycloak;
    ui::detail(&format!("Keycloak    {}   (admin / {})", keycloak.url, keycloak.admin_password));
    ui::detail(&format!("config      {}", world.installation.config.display()));
    ui::heading("Try it: copy these lines into another terminal");
    let (client, scope) = AGENT;
    anstream::println!("export CA={}", quoted(&world.installation.ca.display().to_string()));
    anstream::println!(
        "export {TOKEN}=$({} | sed -E 's/.*\"access_token\":\"([^\"]+)\".*/\\1/')",
        token_curl(keycloak, client, scope)
    );
    anstream::println!("{}", Call::get("/logs-*/_search?size=1&pretty").with("", TOKEN).curl(&world.url));
}

fn token_curl(keycloak: &KeycloakInfo, client: &str, scope: &str) -> String {
    format!(
        "curl -s -u {client}:{} -d grant_type=client_credentials --data-urlencode {} {}/protocol/openid-connect/token",
        KeycloakInfo::secret(client),
        quoted(&format!("scope={scope}")),
        keycloak.issuer
    )
}

/// Tells the steps one after the other, and knows at which one it is.
struct Teller<'a> {
    world: &'a World,
    number: usize,
    step: &'static str,
}

impl Teller<'_> {
    fn begin(&mut self, title: &'static str) {
        self.number += 1;
        self.step = title;
        ui::title(self.number, title);
    }

    /// A step that gets a token.
    async fn token(
        &mut self,
        title: &'static str,
        (client, scope): (&str, &str),
        name: &str,
    ) -> Result<String> {
        self.begin(title);
        let keycloak = &self.world.info.keycloak;
        ui::command(&token_curl(keycloak, client, scope));
        let token = keycloak.token(client, scope).await?;
        ui::outcome(&format!("a token of {client} with the scope {scope}, called ${name} below"));
        Ok(token)
    }

    /// A step that makes a call, which must be answered with `expected`.
    async fn call(&mut self, title: &'static str, call: &Call<'_>, expected: StatusCode) -> Result<Answer> {
        self.begin(title);
        ui::command(&call.curl(&self.world.url));
        let answer = call.make(self.world).await?;
        let met = answer.status == expected;
        self.require(
            met,
            &format!("{} was expected, the answer was {} {}", expected, answer.status, answer.body),
        )?;
        Ok(answer)
    }

    /// A step whose call the proxy refuses.
    async fn refused(&mut self, title: &'static str, call: &Call<'_>) -> Result<()> {
        let answer = self.call(title, call, StatusCode::FORBIDDEN).await?;
        ui::outcome(&format!("403: {}", Reason(&answer.body)));
        Ok(())
    }

    /// The same call made at the engine itself, by its administrator.
    async fn engine(&self, call: &Call<'_>) -> Result<Value> {
        Ok(self.world.info.engine.client()?.expect(&call.method, call.path, None).await?)
    }

    fn require(&self, met: bool, otherwise: &str) -> Result<()> {
        if met { Ok(()) } else { Err(self.failed(otherwise)) }
    }

    fn failed(&self, reason: &str) -> XtaskError {
        XtaskError::Step {
            step: self.step.to_owned(),
            reason: reason.to_owned(),
            logs: format!(
                "{}\n      {}\n      {}",
                self.world.installation.log.display(),
                self.world.info.engine.console_log.display(),
                self.world.info.keycloak.console_log.display()
            ),
        }
    }
}

/// The reason in the body of a refusal, wherever it stands; else the body.
struct Reason<'a>(&'a Value);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0["error"]["reason"].as_str() {
            Some(reason) => f.write_str(reason),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_refusal_is_found_or_all_is_shown() {
        assert_eq!(Reason(&json!({"error": {"reason": "why"}})).to_string(), "why");
        assert_eq!(Reason(&json!("text")).to_string(), "\"text\"");
    }
}
