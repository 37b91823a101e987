//! Stand-ins with a token service, and the requests that the tests send it.

use bytes::Bytes;
use e2e::{Client, Reply, StandIns};
use http::{Method, StatusCode};

pub(crate) const TOKENS: &str = "tokens:\n  store: {embedded: {path: tokens.redb}}\n";
pub(crate) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub(crate) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

pub(crate) fn basic(client: &str, secret: &str) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(format!("{client}:{secret}").as_bytes()))
}

pub(crate) async fn form(
    client: &Client,
    path: &str,
    authorization: Option<&str>,
    fields: &[(&str, &str)],
) -> Reply {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
    headers.extend(authorization.map(|value| ("authorization", value)));
    client.send(Method::POST, path, &headers, Bytes::from(body)).await
}

/// The token of a client by its credentials.
pub(crate) async fn issue(world: &StandIns, fields: &[(&str, &str)]) -> Reply {
    let mut all = vec![("grant_type", "client_credentials")];
    all.extend(fields);
    form(&world.anonymous(), "/oauth/token", Some(&basic("agent", "s3cret")), &all).await
}

/// Exchanges a provider's token.
pub(crate) async fn exchange(world: &StandIns, token: &str, fields: &[(&str, &str)]) -> Reply {
    let mut all =
        vec![("grant_type", EXCHANGE), ("subject_token", token), ("subject_token_type", ACCESS_TOKEN)];
    all.extend(fields);
    form(&world.anonymous(), "/oauth/token", None, &all).await
}

/// Secret and id of an issued token.
pub(crate) fn issued(reply: &Reply) -> (String, String) {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let answer = reply.json();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("access_token"), text("token_id"))
}

pub(crate) async fn start(extra: &str) -> StandIns {
    let world = StandIns::start_with(&format!("{TOKENS}{extra}")).await;
    world.provider.add_client("agent", "s3cret", &["read:logs-*", "read:metrics-*"]);
    world
}

/// What became of a request with this token: status, and the reason code where it is refused.
pub(crate) async fn search(world: &StandIns, token: &str, index: &str) -> (u16, String) {
    let reply = world.anonymous().with_token(token).get(&format!("/{index}/_search")).await;
    let code = if reply.status.is_success() { String::new() } else { reply.code() };
    (reply.status.as_u16(), code)
}

pub(crate) fn passes() -> (u16, String) {
    (200, String::new())
}

pub(crate) fn refused(reason: &str) -> (u16, String) {
    (401, reason.to_owned())
}
