//! Traces: the caller's is continued, the engine is told, a collector gets the spans.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use e2e::{StandIns, eventually};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinHandle};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{SPAN}-{flags}")
}

fn bytes_of(hex: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
}

/// A collector of spans that keeps what it is sent.
struct Collector {
    endpoint: String,
    exports: Arc<Mutex<Vec<Bytes>>>,
    accepting: JoinHandle<()>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let exports = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&exports);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let service = service_fn(move |request| keep(Arc::clone(&kept), request));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { endpoint, exports, accepting }
    }

    /// Whether a span with all these bytes has come.
    fn has(&self, parts: &[&[u8]]) -> bool {
        let exports = self.exports.lock().unwrap();
        exports
            .iter()
            .any(|export| parts.iter().all(|part| export.windows(part.len()).any(|window| window == *part)))
    }

    fn is_empty(&self) -> bool {
        self.exports.lock().unwrap().is_empty()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn keep(
    kept: Arc<Mutex<Vec<Bytes>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let right = request.method() == Method::POST
        && request.uri().path() == "/v1/traces"
        && request.headers()["content-type"] == "application/x-protobuf";
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    let mut response = Response::new(Full::default());
    match body {
        Ok(body) if right => kept.lock().unwrap().push(body),
        _ => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}

async fn world(collector: &Collector, ratio: f64) -> StandIns {
    let otlp = format!(
        "telemetry: {{otlp: {{endpoint: \"{}\", sample_ratio: {ratio}, service_name: proxy-under-test}}}}\n",
        collector.endpoint
    );
    StandIns::start_with(&otlp).await
}

/// The trace id, span id and flags that reached the engine.
fn seen(world: &StandIns) -> [String; 3] {
    let value = world.engine.last().headers["traceparent"].to_str().unwrap().to_owned();
    let parts: Vec<&str> = value.split('-').collect();
    assert_eq!((parts.len(), parts[0]), (4, "00"), "{value}");
    [parts[1], parts[2], parts[3]].map(ToOwned::to_owned)
}

async fn search(world: &StandIns, headers: &[(&str, &str)]) {
    let reply = world.client("read:logs-*").send(Method::GET, "/logs-a/_search", headers, Bytes::new()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
}

#[tokio::test]
async fn the_callers_trace_goes_on_through_a_span_of_our_own() {
    let collector = Collector::start().await;
    let world = world(&collector, 0.0).await;
    search(&world, &[("traceparent", &traceparent("01")), ("tracestate", "vendor=1")]).await;
    let [trace, span, flags] = seen(&world);
    assert_eq!((trace.as_str(), flags.as_str()), (TRACE, "01"), "the caller decides that it is recorded");
    assert_ne!(span, SPAN);
    assert_eq!(world.engine.last().headers["tracestate"], "vendor=1");
    assert_eq!(world.proxy.last_audit().await["trace_id"], TRACE);

    // Refused requests are spans too, with their status.
    let refused = world
        .client("read:logs-*")
        .send(Method::GET, "/secret/_search", &[("traceparent", &traceparent("01"))], Bytes::new())
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    world.proxy.audit().await;
    world.proxy.stop().await;
    let (trace, parent, own) = (bytes_of(TRACE), bytes_of(SPAN), bytes_of(&span));
    assert!(collector.has(&[&trace, &parent, &own]), "the span has its trace, its parent and itself");
    for word in ["proxy-under-test", "search", "http.request.method", "http.response.status_code", "main"] {
        assert!(collector.has(&[word.as_bytes()]), "{word}");
    }
    // Varints of the two statuses as OTLP has them: an int value, field 3.
    assert!(collector.has(&[&[0x18, 0xc8, 0x01]]), "200");
    assert!(collector.has(&[&[0x18, 0x93, 0x03]]), "403");
}

#[tokio::test]
async fn without_a_caller_the_ratio_decides() {
    let collector = Collector::start().await;
    let always = world(&collector, 1.0).await;
    search(&always, &[]).await;
    let [trace, _, flags] = seen(&always);
    assert_eq!(flags, "01");
    assert_eq!(always.proxy.last_audit().await["trace_id"], *trace);
    always.proxy.stop().await;
    assert!(collector.has(&[&bytes_of(&trace)]));

    let quiet = Collector::start().await;
    let never = world(&quiet, 0.0).await;
    search(&never, &[]).await;
    let [trace, _, flags] = seen(&never);
    assert_eq!(flags, "00", "the engine is told not to record either");
    assert_eq!(never.proxy.last_audit().await["trace_id"], *trace);
    search(&never, &[("traceparent", &traceparent("00"))]).await;
    assert_eq!(seen(&never)[0], TRACE);
    assert_eq!(seen(&never)[2], "00");
    never.proxy.stop().await;
    assert!(quiet.is_empty());
}

#[tokio::test]
async fn without_a_collector_the_callers_context_passes_as_it_is() {
    let world = StandIns::start().await;
    let context = traceparent("01");
    search(&world, &[("traceparent", &context), ("tracestate", "vendor=1")]).await;
    assert_eq!(world.engine.last().headers["traceparent"], context);
    assert_eq!(world.engine.last().headers["tracestate"], "vendor=1");
    assert_eq!(world.proxy.last_audit().await["trace_id"], TRACE);
    search(&world, &[]).await;
    assert!(!world.engine.last().headers.contains_key("traceparent"));
    assert!(world.proxy.last_audit().await.get("trace_id").is_none());
}

#[tokio::test]
async fn a_malformed_context_is_no_context() {
    let collector = Collector::start().await;
    let traced = world(&collector, 0.0).await;
    let plain = StandIns::start().await;
    let upper = traceparent("01").to_uppercase();
    let double = format!("{},{}", traceparent("01"), traceparent("01"));
    for bad in ["00-00000000000000000000000000000000-00f067aa0ba902b7-01", "garbage", &upper, &double] {
        for world in [&traced, &plain] {
            search(world, &[("traceparent", bad), ("tracestate", "vendor=1")]).await;
            let last = world.engine.last();
            assert!(!last.headers.contains_key("tracestate"), "{bad}");
            let told = last.headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned());
            assert!(told.is_none_or(|told| told != bad && !told.contains(TRACE)), "{bad}");
        }
    }
}

#[tokio::test]
async fn a_collector_that_is_away_costs_no_request() {
    let collector = Collector::start().await;
    let world = world(&collector, 1.0).await;
    drop(collector);
    for _ in 0..50 {
        search(&world, &[]).await;
    }
    let files = world.proxy.stop().await;
    assert_eq!(files.audit().len(), 50);
}

#[tokio::test]
async fn spans_come_while_it_runs() {
    let collector = Collector::start().await;
    let world = world(&collector, 1.0).await;
    search(&world, &[("traceparent", &traceparent("01"))]).await;
    let trace = bytes_of(TRACE);
    eventually("the span is exported", async || collector.has(&[&trace]).then_some(())).await;
}
