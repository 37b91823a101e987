//! Who is told that a token waits.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use e2e::eventually;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{exchange, issued, start};

type Received = Arc<Mutex<Vec<(String, Bytes)>>>;

/// Takes notifications; the first is answered as if something were broken. Where, and what came with which signature.
async fn receiver() -> (String, Received) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let received = Received::default();
    let keeping = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let keeping = Arc::clone(&keeping);
            let service = service_fn(move |request: Request<Incoming>| {
                let keeping = Arc::clone(&keeping);
                async move {
                    let signature = request.headers().get("x-signature-256").cloned();
                    let signature =
                        signature.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let mut kept = keeping.lock().unwrap();
                    kept.push((signature, body));
                    let mut response = Response::new(Full::<Bytes>::default());
                    if kept.len() == 1 {
                        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    }
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (url, received)
}

#[tokio::test]
async fn whoever_approves_is_told_what_waits_and_what_became_of_it() {
    let (url, received) = receiver().await;
    let world = start(&format!(
        "  notify: {{url: \"{url}\", secret: \"literal:hook\"}}\n  policies:\n    - {{name: slow, scopes: [\"read:*\"], approval: required}}\n"
    ))
    .await;
    let (secret, id) =
        issued(&exchange(&world, &world.provider.token("read:logs-*"), &[("name", "try")]).await);
    let lead = world
        .anonymous()
        .with_token(world.provider.build_token().claim("sub", "lead").claim("scope", "admin:tokens").sign());
    let approved = lead.json(Method::POST, &format!("/oauth/requests/{id}/approve"), &json!({})).await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.text());
    let told = eventually("both are told, the first again", async || {
        let told = received.lock().unwrap().clone();
        (told.len() == 3).then_some(told)
    })
    .await;
    let key = Key::new(HMAC_SHA256, b"hook");
    let events: Vec<Value> = told
        .iter()
        .map(|(signature, body)| {
            assert_eq!(*signature, format!("sha256={}", HEXLOWER.encode(sign(&key, body).as_ref())));
            assert!(!String::from_utf8_lossy(body).contains(&secret[5..]), "no secret is told");
            serde_json::from_slice(body).unwrap()
        })
        .collect();
    let summary: Vec<_> = events
        .iter()
        .map(|event| (&event["event"], &event["token"]["token_id"], &event["token"]["status"]))
        .collect();
    let (requested, pending) = (json!("token.requested"), json!("pending"));
    let id = json!(id);
    assert_eq!(
        summary,
        [
            (&requested, &id, &pending),
            (&requested, &id, &pending),
            (&json!("token.approved"), &id, &json!("active")),
        ]
    );
}
