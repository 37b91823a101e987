//! What is granted of an owner's scopes holds in bodies too, where those of the owner are not read.

use e2e::{Client, StandIns};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{TOKENS, issue, issued};

/// A search that looks documents up in another index.
fn looking_up(index: &str) -> Value {
    json!({"query": {"terms": {"user": {"index": index, "id": "1", "path": "followers"}}}})
}

async fn search(client: &Client, path: &str, body: &Value) -> StatusCode {
    client.json(Method::POST, path, body).await.status
}

#[tokio::test]
async fn a_managed_token_is_held_to_its_scopes_in_bodies_that_are_not_read_otherwise() {
    let world = StandIns::start_with(&format!("    read_bodies: false\n    narrow: true\n{TOKENS}")).await;
    world.provider.add_client("agent", "s3cret", &["read:logs-*"]);
    let (secret, _) = issued(&issue(&world, &[("scope", "read:logs-a"), ("name", "narrow")]).await);
    let (narrow, owner) = (world.anonymous().with_token(secret), world.client("read:logs-*"));

    // The second is narrowed to what is held, and its body judged as well.
    for path in ["/logs-a/_search", "/_search"] {
        assert_eq!(search(&narrow, path, &looking_up("logs-a")).await, StatusCode::OK, "{path}");
        let seen = world.engine.seen().len();
        assert_eq!(search(&narrow, path, &looking_up("logs-b")).await, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(world.engine.seen().len(), seen, "{path}");
        assert_eq!(search(&owner, path, &looking_up("logs-b")).await, StatusCode::OK, "{path}");
    }

    let names = |index: &str| json!({"docs": [{"_index": index, "_id": "1"}]});
    assert_eq!(search(&narrow, "/_mget", &names("logs-a")).await, StatusCode::OK);
    assert_eq!(search(&narrow, "/_mget", &names("logs-b")).await, StatusCode::FORBIDDEN);
    assert_eq!(search(&owner, "/_mget", &names("logs-b")).await, StatusCode::FORBIDDEN, "needs `*`, unread");
}
