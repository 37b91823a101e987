//! Sample logs and metrics: always the same ones.

use std::fmt::Write as _;

use http::Method;
use serde_json::{Value, json};

use crate::{EngineInfo, RestClient, Result};

/// The indices of the sample data and how many documents each holds.
pub const SAMPLE_INDICES: [(&str, u32); 7] = [
    ("logs-app-2026.11.22", 300),
    ("logs-app-2026.11.23", 300),
    ("logs-app-2026.11.24", 300),
    ("logs-web-2026.11.24", 300),
    ("metrics-host-2026.11.24", 240),
    ("pii-customers", 120),
    ("logs-tenant-2026.11.24", 200),
];

const LEVELS: [&str; 8] = ["INFO", "INFO", "INFO", "INFO", "DEBUG", "WARN", "WARN", "ERROR"];
const SERVICES: [&str; 4] = ["checkout", "inventory", "payments", "search"];
const HOSTS: [&str; 4] = ["node-a", "node-b", "node-c", "node-d"];
const MESSAGES: [&str; 6] = [
    "request completed",
    "cache miss, asking the database",
    "connection pool is nearly used up",
    "order accepted",
    "timeout while waiting for the payment service",
    "retrying after a failed attempt",
];
const PATHS: [&str; 5] = ["/", "/cart", "/cart/checkout", "/products/4711", "/search?q=lamp"];
const STATUSES: [u16; 8] = [200, 200, 200, 200, 304, 404, 500, 503];
const TENANTS: [&str; 2] = ["acme", "globex"];
const CITIES: [&str; 4] = ["Aarhus", "Ghent", "Lyon", "Turku"];
const NAMES: [&str; 6] = ["Ada", "Chidi", "Ingrid", "Mateo", "Noor", "Yuki"];

/// Creates the index template and the indices of [`SAMPLE_INDICES`] and fills them. In `logs-tenant-2026.11.24` every
/// second document belongs to the tenant `acme`, the others to `globex`. Ids are `0`, `1`, …
pub async fn sample_data(engine: &EngineInfo) -> Result<()> {
    let client = engine.client()?;
    client.expect(&Method::PUT, "/_index_template/sample", Some(&template())).await?;
    let customers = json!({
        "settings": {"number_of_shards": 1, "number_of_replicas": 0},
        "mappings": {"properties": {
            "name": {"type": "text"}, "email": {"type": "keyword"}, "city": {"type": "keyword"},
            "card": {"type": "keyword"}, "since": {"type": "date"}
        }}
    });
    client.expect(&Method::PUT, "/pii-customers", Some(&customers)).await?;
    for (index, count) in SAMPLE_INDICES {
        fill(&client, index, count).await?;
    }
    client.expect(&Method::POST, "/_refresh", None).await.map(drop)
}

fn template() -> Value {
    json!({
        "index_patterns": ["logs-*", "metrics-*"],
        "priority": 10,
        "template": {
            "settings": {"number_of_shards": 1, "number_of_replicas": 0},
            "mappings": {"properties": {
                "@timestamp": {"type": "date"}, "level": {"type": "keyword"}, "service": {"type": "keyword"},
                "host": {"type": "keyword"}, "message": {"type": "text"}, "duration_ms": {"type": "integer"},
                "tenant": {"type": "keyword"}, "trace_id": {"type": "keyword"},
                "http": {"properties": {
                    "method": {"type": "keyword"}, "path": {"type": "keyword"}, "status": {"type": "short"}
                }},
                "client": {"type": "ip"}, "cpu": {"type": "half_float"}, "memory": {"type": "half_float"}
            }}
        }
    })
}

async fn fill(client: &RestClient, index: &str, count: u32) -> Result<()> {
    client.bulk(&format!("/{index}/_bulk"), documents(index, count)).await
}

/// The `_bulk` lines of an index.
fn documents(index: &str, count: u32) -> String {
    let mut random = Sequence::of(index);
    let mut lines = String::new();
    for id in 0..count {
        let document = document(index, id, count, &mut random);
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{{\"index\":{{\"_id\":\"{id}\"}}}}\n{document}");
    }
    lines
}

fn document(index: &str, id: u32, count: u32, random: &mut Sequence) -> Value {
    let day = index.rsplit_once('-').map_or("2026.11.24", |(_, day)| day).replace('.', "-");
    let second = u64::from(id) * 86_400 / u64::from(count);
    let timestamp = format!("{day}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
    if index.starts_with("pii") {
        let name = random.pick(&NAMES);
        return json!({
            "name": format!("{name} Example {id}"),
            "email": format!("{}.{id}@example.org", name.to_lowercase()),
            "city": random.pick(&CITIES),
            "card": format!("0000-0000-0000-{:04}", random.below(10_000)),
            "since": format!("20{:02}-0{}-1{}", 10 + random.below(16), 1 + random.below(9), random.below(10)),
        });
    }
    if index.starts_with("metrics") {
        return json!({
            "@timestamp": timestamp,
            "host": HOSTS[id as usize % HOSTS.len()],
            "cpu": f64::from(random.below(1000)) / 1000.0,
            "memory": f64::from(300 + random.below(600)) / 1000.0,
        });
    }
    let mut log = json!({
        "@timestamp": timestamp,
        "level": random.pick(&LEVELS),
        "service": random.pick(&SERVICES),
        "host": random.pick(&HOSTS),
        "message": random.pick(&MESSAGES),
        "duration_ms": 1 + random.below(900),
        "trace_id": format!("{:016x}", random.next()),
    });
    if index.starts_with("logs-web") {
        let method = if random.below(5) == 0 { "POST" } else { "GET" };
        log["http"] =
            json!({"method": method, "path": random.pick(&PATHS), "status": random.pick(&STATUSES)});
        log["client"] = json!(format!("192.0.2.{}", 1 + random.below(254)));
    }
    if index.starts_with("logs-tenant") {
        log["tenant"] = json!(TENANTS[id as usize % TENANTS.len()]);
    }
    log
}

/// Numbers that look random and are the same in every run (xorshift64*, Marsaglia 2003, Vigna 2016).
struct Sequence(u64);

impl Sequence {
    fn of(name: &str) -> Self {
        let seed = name.bytes().fold(0x9E37_79B9_7F4A_7C15, |seed: u64, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u32) -> u32 {
        // The high half of the product of 32 random bits and the bound: below the bound, so it fits.
        let bits = self.next() >> 32;
        u32::try_from((bits * u64::from(bound)) >> 32).unwrap_or_default()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let index = self.below(u32::try_from(from.len()).unwrap_or(1));
        from[index as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_the_same_in_every_run_and_differ_by_index() {
        let [a, b] = [SAMPLE_INDICES[0].0, SAMPLE_INDICES[1].0];
        assert_eq!(documents(a, 50), documents(a, 50));
        assert_ne!(documents(a, 50), documents(b, 50));
    }

    #[test]
    fn every_line_is_json_with_what_its_index_promises() {
        for (index, count) in SAMPLE_INDICES {
            let lines = documents(index, count);
            assert_eq!(lines.lines().count(), 2 * count as usize);
            for document in lines.lines().skip(1).step_by(2) {
                let document: Value = serde_json::from_str(document).unwrap();
                if index.starts_with("pii") {
                    assert!(document["email"].is_string());
                } else {
                    let day = index.rsplit('-').next().unwrap().replace('.', "-");
                    assert!(document["@timestamp"].as_str().unwrap().starts_with(&day));
                }
            }
        }
    }

    #[test]
    fn half_of_the_tenant_logs_belong_to_each() {
        let lines = documents("logs-tenant-2026.11.24", 200);
        assert_eq!(lines.matches("\"tenant\":\"acme\"").count(), 100);
        assert_eq!(lines.matches("\"tenant\":\"globex\"").count(), 100);
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut random = Sequence::of("x");
        assert!((0..10_000).all(|_| random.below(7) < 7));
    }
}
