//! Many tokens with keys that nobody has: each could make the proxy ask the provider.

use std::collections::BTreeSet;

use e2e::{Client, ProxyFiles, RunningProxy, StandInEngine, StandInProvider, stand_in_config};
use http::StatusCode;

#[tokio::test]
async fn tokens_of_made_up_keys_make_the_proxy_ask_nobody() {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    let foreign = StandInProvider::start().await;
    let files = ProxyFiles::new();
    // So long that none of what follows may ask again.
    let config = stand_in_config(&files, &provider, &[&engine.url()])
        .replace("min_refetch_interval: 1s", "min_refetch_interval: 10m");
    let proxy = RunningProxy::start(files, &config).await;
    let client = Client::new(proxy.address, &proxy.ca());
    let honest = provider.token("read:logs-*");
    assert_eq!(client.clone().with_token(&honest).get("/logs-a/_search").await.status, StatusCode::OK);
    let fetches = provider.fetches();
    let tokens: BTreeSet<String> = (0..200)
        .map(|number| {
            let builder = foreign.build_token().claim("iss", provider.issuer()).claim("scope", "read:logs-*");
            builder.header(|header| header.kid = Some(format!("made-up-{number}"))).sign()
        })
        .collect();
    assert_eq!(tokens.len(), 200);
    let asked: Vec<_> = tokens
        .into_iter()
        .map(|token| {
            let client = client.clone().with_token(token);
            tokio::spawn(async move { client.get("/logs-a/_search").await.status })
        })
        .collect();
    for answer in asked {
        assert_eq!(answer.await.unwrap(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(provider.fetches(), fetches, "the provider is not asked");
    // Those who are known go on meanwhile.
    assert_eq!(
        client.with_token(provider.token("read:logs-*")).get("/logs-a/_search").await.status,
        StatusCode::OK
    );
    assert_eq!(provider.fetches(), fetches);
    assert!(engine.seen().iter().all(|seen| seen.target == "/logs-a/_search"));
    assert_eq!(engine.seen().len(), 2);
}
