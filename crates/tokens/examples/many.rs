//! What very many tokens cost: `cargo run --release -p tokens --example many -- 100000`.
//!
//! Writes that many records to an embedded store in a temporary folder, opens it as a proxy would, and tells the time to open, the
//! memory that the process gained, and the time of one lookup by secret.

use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use tokens::{
    Change, Claims, EmbeddedStore, Party, Presented, Record, Secret, Settings, State, Store, TokenId, Tokens,
};

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    runtime.block_on(measure(count))
}

async fn measure(count: usize) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("tokens.redb");
    let now = Timestamp::now();
    let secrets: Vec<Secret> = (0..count).map(|_| Secret::generate()).collect::<Result<_, _>>()?;
    let store = EmbeddedStore::open(&path)?;
    for (at, part) in secrets.chunks(10_000).enumerate() {
        let records = part.iter().enumerate().map(|(place, secret)| record(secret, at * 10_000 + place, now));
        let changes = records.map(|record| Ok(Change::Put { record: Box::new(record?), expected: None }));
        store.commit(changes.collect::<Result<_, Box<dyn Error>>>()?).await?;
    }
    drop(store);

    let (before, began) = (resident()?, Instant::now());
    let tokens = Tokens::open(Arc::new(EmbeddedStore::open(&path)?), Settings::default()).await?;
    println!("{count} tokens in a file of {} MB", fs::metadata(&path)?.len() / 1_000_000);
    println!("opened in {:?}, memory grew by {} MB", began.elapsed(), (resident()? - before) / 1000);
    let began = Instant::now();
    for secret in &secrets {
        tokens.admit(secret, now)?;
    }
    let each = began.elapsed() / u32::try_from(count)?;
    println!("one lookup: {each:?}");
    Ok(())
}

/// With claims as Keycloak issues them for a user.
fn record(secret: &Secret, number: usize, now: Timestamp) -> Result<Record, Box<dyn Error>> {
    let subject = format!("6f1c7c52-7a0b-4b7e-9d57-{number:012}");
    let claims = json!({
        "exp": 1_700_000_300, "iat": 1_700_000_000, "jti": format!("onrtac:4b7e9d57-0000-4000-8000-{number:012}"),
        "iss": "https://id.example.com/realms/company", "aud": ["opensearch", "account"], "sub": subject, "typ": "Bearer",
        "azp": "console", "sid": format!("c52f1c76-7a0b-4b7e-9d57-{number:012}"), "acr": "1",
        "realm_access": {"roles": ["default-roles-company", "offline_access", "uma_authorization", "analyst"]},
        "resource_access": {"account": {"roles": ["manage-account", "manage-account-links", "view-profile"]}},
        "scope": "openid profile email read:logs-* write:app-logs-*", "email_verified": true, "name": "Alice Example",
        "preferred_username": "alice", "given_name": "Alice", "family_name": "Example", "email": "alice@example.com",
        "groups": ["sre", "on-call", "platform"]
    });
    let party = Party {
        provider: "company".into(),
        issuer: "https://id.example.com/realms/company".into(),
        subject: subject.into(),
        client_id: Some("console".into()),
        user: Some("alice@example.com".into()),
    };
    Ok(Record {
        id: TokenId::generate()?,
        digest: secret.digest(),
        name: Some("nightly export".into()),
        description: Some("reads the logs of the night and sends a report".into()),
        metadata: [("ticket".into(), "OPS-1234".into())].into(),
        owner: party.clone(),
        act: None,
        claims: Claims::new(claims.as_object().ok_or("claims are an object")?)?,
        presented: Presented { jti: None, issued_at: Some(now) },
        scopes: vec!["read:logs-*".parse()?, "write:app-logs-*".parse()?],
        clusters: vec![],
        through: None,
        policy: None,
        created_at: now,
        created_by: party,
        expires_at: now + Duration::from_secs(3600),
        state: State::Active { approval: None },
        line_since: now,
        rotated_from: None,
        rotated_to: None,
    })
}

/// In kilobytes, as Linux tells it.
fn resident() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}
