//! How fast requests are read: `cargo bench -p rest`.
//!
//! Each figure is the best of several rounds, so that whatever else the machine does disturbs it least. With an
//! argument only the figures whose name contains it are measured.

#![expect(clippy::expect_used, reason = "a measurement that cannot run should say so at once")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use rest::{BodyLimits, classify, inquire};

const ROUNDS: u32 = 20;
const JSON: Option<&str> = Some("application/json");
/// How a server reads bodies from its socket.
const PIECE: usize = 64 * 1024;

/// The best time for one of `count` runs.
fn best(count: u32, mut run: impl FnMut()) -> Duration {
    let round = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        for _ in 0..count {
            run();
        }
        start.elapsed() / count
    };
    (0..ROUNDS).map(|_| round(&mut run)).min().unwrap_or_default()
}

fn wanted(name: &str) -> bool {
    let mut filters = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    filters.peek().is_none() || filters.any(|filter| name.contains(&filter))
}

fn one(name: &str, run: impl FnMut()) {
    if wanted(name) {
        println!("{name:<44} {:>10.1} ns", best(10_000, run).as_secs_f64() * 1e9);
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn body(name: &str, path: &str, body: &[u8]) {
    if !wanted(name) {
        return;
    }
    let plan = inquire("POST", path, None, JSON).expect("a known request").body.expect("a body to read");
    let time = best(1, || {
        let mut reader = plan.reader(BodyLimits::default());
        let mut needs = Vec::new();
        for piece in body.chunks(PIECE) {
            reader.feed(piece, &mut needs).expect("a readable body");
        }
        reader.finish(&mut needs).expect("a whole body");
        black_box(needs);
    });
    let seconds = time.as_secs_f64();
    let rate = body.len() as f64 / seconds / 1e9;
    println!("{name:<44} {:>10.1} µs {rate:>7.2} GB/s", seconds * 1e6);
}

/// Ten megabytes of actions, each with a document of this many bytes.
fn bulk(document: usize, indices: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let filler = "x".repeat(document.saturating_sub(8));
    for at in 0.. {
        if body.len() >= 10_000_000 {
            break;
        }
        let line = format!(
            "{{\"index\":{{\"_index\":\"logs-{}\",\"_id\":\"{at:08}\"}}}}\n{{\"f\":\"{filler}\"}}\n",
            at % indices
        );
        body.extend_from_slice(line.as_bytes());
    }
    body
}

fn main() {
    one("classify GET /logs-*/_search", || {
        black_box(classify("GET", black_box("/logs-*/_search"), None)).expect("a search");
    });
    one("classify GET /logs-a,logs-b/_search?…", || {
        black_box(classify("GET", black_box("/logs-a,logs-b/_search"), Some("size=10&pretty")))
            .expect("a search");
    });
    one("inquire POST /logs-*/_search", || {
        black_box(inquire("POST", black_box("/logs-*/_search"), None, JSON)).expect("a search");
    });
    let query = br#"{"query":{"bool":{"must":[{"match":{"message":"error"}}],"filter":[{"range":{"@timestamp":{"gte":"now-1h"}}},{"term":{"host":"a"}}]}},"aggs":{"per_minute":{"date_histogram":{"field":"@timestamp","fixed_interval":"1m"}}},"sort":[{"@timestamp":"desc"}],"size":50}"#;
    let plan = inquire("POST", "/logs-*/_search", None, JSON).expect("a search").body.expect("a body");
    one("read a search body of 270 bytes", || {
        let mut reader = plan.reader(BodyLimits::default());
        let mut needs = Vec::new();
        reader.feed(black_box(query), &mut needs).expect("a readable body");
        reader.finish(&mut needs).expect("a whole body");
        black_box(needs);
    });
    body("bulk, documents of 200 bytes", "/_bulk", &bulk(200, 1));
    body("bulk, documents of 200 bytes, 8 indices", "/_bulk", &bulk(200, 8));
    body("bulk, documents of 200 bytes, 100 indices", "/_bulk", &bulk(200, 100));
    body("bulk, documents of 1 kB", "/_bulk", &bulk(1000, 1));
    body("bulk, documents of 1 kB, 8 indices", "/_bulk", &bulk(1000, 8));
    body("bulk, documents of 10 kB", "/_bulk", &bulk(10_000, 1));
    let vector: Vec<String> = (0..500_000).map(|at| format!("0.{at:06}")).collect();
    let vectors =
        format!("{{\"query\":{{\"knn\":{{\"v\":{{\"k\":5,\"vector\":[{}]}}}}}}}}", vector.join(","));
    body("search with a vector of 4.5 MB", "/logs/_search", vectors.as_bytes());
    let text = format!("{{\"query\":{{\"match\":{{\"f\":\"{}\"}}}}}}", "lorem ipsum ".repeat(500_000));
    body("search with a text of 6 MB", "/logs/_search", text.as_bytes());
}
