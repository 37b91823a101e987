//! Measures a built proxy between stand-ins: `cargo xtask bench` builds the proxy and runs this.
//!
//! The proxy is a process of its own, so that its CPU time and memory can be read from /proc (Linux only). Everything
//! stays on the loopback interface.

#![expect(clippy::expect_used, reason = "a measurement that cannot run should say so at once")]

mod peers;
mod usage;

use std::{
    convert::Infallible,
    fmt::Write as _,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use e2e::{Client, ProxyFiles, StandInProvider, stand_in_config};
use http_body_util::{BodyExt as _, Full};
use hyper::{Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use usage::Tree;

/// What the proxy may use at most, whatever passes through it.
const MEMORY_LIMIT_KIB: u64 = 64 * 1024;
const PIECE: usize = 64 * 1024;
const ROUNDS: usize = 5;
/// The larger number of connections.
const MANY: usize = 16;
const SCOPES: &str = "write:app-logs-* read:logs-*";
const START_LIMIT: Duration = Duration::from_secs(30);
const BODY_LIMIT: Duration = Duration::from_mins(9);

/// The process that is measured; it ends with the measurement.
struct Measured(Child);

impl Drop for Measured {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Measured {
    fn usage(&self) -> Tree {
        Tree::of(self.0.id())
    }
}

/// An engine that reads bodies to their end, keeps nothing, and answers `{}`.
async fn swallow() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: http::Request<Incoming>| async move {
                let mut body = request.into_body();
                while let Some(Ok(_)) = body.frame().await {}
                let answer = Response::builder().header("content-type", "application/json");
                Ok::<_, Infallible>(answer.body(Full::<Bytes>::from("{}")).expect("a response"))
            });
            // Its end is the proxy's to choose.
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

async fn start(program: &Path, files: &ProxyFiles, config: &str) -> (Measured, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let config = config.replacen("address: 127.0.0.1:0", &format!("address: {address}"), 1);
    files.write("config.yml", &config);
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(files.path("config.yml"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let measured = Measured(command.spawn().expect("the proxy can be run"));
    let until = Instant::now() + START_LIMIT;
    while TcpStream::connect(address).await.is_err() {
        assert!(Instant::now() < until, "the proxy does not listen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (measured, address)
}

/// About 4 MB of a bulk: documents of 200 bytes to 1 KiB, for a month of daily indices.
fn block() -> Vec<u8> {
    let mut text = String::new();
    let mut random: u64 = 0x9E37_79B9_7F4A_7C15;
    while text.len() < 4_000_000 {
        // xorshift64: the same documents in every run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let day = random % 28 + 1;
        let _ = writeln!(text, r#"{{"index":{{"_index":"app-logs-2026.01.{day:02}"}}}}"#);
        let start = text.len();
        let size = 200 + usize::try_from(random >> 40).unwrap_or_default() % 824;
        let _ = write!(
            text,
            r#"{{"@timestamp":"2026-01-{day:02}T12:00:00Z","level":"INFO","trace":{{"id":"{random:016x}"}},"#
        );
        text.push_str(r#""service":"checkout","message":"said \"done\" after "#);
        while text.len() - start < size - 3 {
            let _ = write!(text, "{} ms, ", random % 997);
        }
        text.push_str("\"}\n");
    }
    text.into_bytes()
}

async fn send_bulk(client: &Client, token: &str, bytes: u64, chunked: bool) -> u64 {
    let block = block();
    let blocks = bytes.div_ceil(block.len() as u64);
    let total = blocks * block.len() as u64;
    let framing =
        if chunked { "transfer-encoding: chunked".to_owned() } else { format!("content-length: {total}") };
    let mut stream = client.connect().await;
    let head = format!(
        "POST /_bulk HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/x-ndjson\r\n{framing}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("the head is sent");
    for _ in 0..blocks {
        for piece in block.chunks(PIECE) {
            if chunked {
                let size = format!("{:x}\r\n", piece.len());
                stream.write_all(size.as_bytes()).await.expect("the proxy takes the body");
            }
            stream.write_all(piece).await.expect("the proxy takes the body");
            if chunked {
                stream.write_all(b"\r\n").await.expect("the proxy takes the body");
            }
        }
    }
    if chunked {
        stream.write_all(b"0\r\n\r\n").await.expect("the proxy takes the body");
    }
    stream.flush().await.expect("the proxy takes the body");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("there is an answer");
    assert_eq!(&answer, b"HTTP/1.1 200", "the bulk is allowed");
    total
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
async fn bodies(proxy: &Measured, client: &Client, token: &str, gigabytes: u64) -> ExitCode {
    println!("resident before: {:.1} MiB", proxy.usage().resident() as f64 / 1024.0);
    for (name, chunked) in [("chunked", true), ("content-length", false)] {
        let (cpu, begin) = (proxy.usage().cpu(), Instant::now());
        let sending = send_bulk(client, token, gigabytes * 1_000_000_000, chunked);
        let sent =
            tokio::time::timeout(BODY_LIMIT, sending).await.expect("the bulk ends in time") as f64 / 1e9;
        let (wall, cpu) = (begin.elapsed().as_secs_f64(), proxy.usage().cpu() - cpu);
        println!(
            "{name:<15} {sent:.2} GB  {:>6.0} MB/s  {:.2} CPU s/GB  resident {:.1} MiB, peak {:.1} MiB",
            sent * 1e3 / wall,
            cpu / sent,
            proxy.usage().resident() as f64 / 1024.0,
            proxy.usage().peak() as f64 / 1024.0,
        );
    }
    if proxy.usage().peak() > MEMORY_LIMIT_KIB {
        println!("the peak is over {} MiB", MEMORY_LIMIT_KIB / 1024);
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Searches with one token on 1 and on [`MANY`] connections, then with another token each.
async fn requests(proxy: &Measured, provider: &StandInProvider, client: &Client, count: usize) -> ExitCode {
    for connections in [1, MANY] {
        let each = count.div_ceil(connections);
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(round(proxy, vec![vec![client.clone(); each]; connections]).await);
        }
        tell(&format!("{connections:>2} connections"), each * connections, rounds);
    }
    let each = count.div_ceil(MANY);
    let mut rounds = Vec::new();
    for number in 0..ROUNDS {
        let fresh = |at: usize| {
            let token = provider.build_token().claim("scope", SCOPES).claim("jti", format!("{number}-{at}"));
            client.clone().with_token(token.sign())
        };
        let clients: Vec<Client> = (0..each * MANY).map(fresh).collect();
        rounds.push(round(proxy, clients.chunks(each).map(<[Client]>::to_vec).collect()).await);
    }
    tell(&format!("{MANY:>2} connections, a new token each"), each * MANY, rounds);
    ExitCode::SUCCESS
}

fn tell(what: &str, count: usize, mut rounds: Vec<f64>) {
    rounds.sort_by(f64::total_cmp);
    println!(
        "{what}, {ROUNDS} rounds of {count} requests: CPU µs a request min {:.0}, median {:.0}, max {:.0}",
        rounds[0],
        rounds[ROUNDS / 2],
        rounds[ROUNDS - 1],
    );
}

/// Searches as each of the clients, one list of them after the other on a connection; the CPU time of a request in µs.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
async fn round(proxy: &Measured, clients: Vec<Vec<Client>>) -> f64 {
    let count: usize = clients.iter().map(Vec::len).sum();
    let cpu = proxy.usage().cpu();
    let mut running = tokio::task::JoinSet::new();
    for clients in clients {
        running.spawn(async move { search(&clients).await });
    }
    running.join_all().await;
    (proxy.usage().cpu() - cpu) * 1e6 / count as f64
}

async fn search(clients: &[Client]) {
    let Some(first) = clients.first() else { return };
    let io = TokioIo::new(first.connect().await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.expect("a connection");
    tokio::spawn(connection);
    for client in clients {
        sender.ready().await.expect("the connection is kept");
        let request = client.request(http::Method::GET, "/logs-1/_search");
        let request = request.body(Full::<Bytes>::default()).expect("a request");
        let response = sender.send_request(request).await.expect("there is an answer");
        assert_eq!(response.status(), http::StatusCode::OK, "the search is allowed");
        response.into_body().collect().await.expect("the answer is whole");
    }
}

/// Adds providers that are there and not used, and mappings of which none is met.
fn crowd(config: &str, others: &[StandInProvider], mappings: usize) -> String {
    let mut providers = String::from("providers:\n");
    for (number, other) in others.iter().enumerate() {
        let _ = writeln!(
            providers,
            "  - {{name: other-{number}, issuer: \"{}\", audiences: [opensearch-proxy]}}",
            other.issuer()
        );
    }
    let mut config = config.replacen("providers:\n", &providers, 1);
    if mappings > 0 {
        config.push_str("mappings:\n");
    }
    for number in 0..mappings {
        let _ = writeln!(config, "  - {{scope: team-{number}, grant: {{scopes: [\"read:of-{number}-*\"]}}}}");
    }
    config
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, program, count, more @ ..] = &arguments[..] else {
        eprintln!(
            "usage: measure bodies PROGRAM GIGABYTES | measure requests PROGRAM COUNT PROVIDERS MAPPINGS | \
             measure peers PROGRAM SECONDS ROUNDS PEERS [PAGE]"
        );
        return ExitCode::from(2);
    };
    if let ("peers", [rounds, folder, page @ ..]) = (what.as_str(), more) {
        let plan = peers::Plan {
            proxy: program.into(),
            seconds: count.parse().expect("a number"),
            rounds: rounds.parse().expect("a number"),
            peers: folder.into(),
            page: page.first().map(Into::into),
        };
        return peers::run(&plan).await;
    }
    let count: usize = count.parse().expect("a number");
    let (provider, engine, files) = (StandInProvider::start().await, swallow().await, ProxyFiles::new());
    let config = stand_in_config(&files, &provider, &[&format!("http://{engine}")]);
    let mut others = Vec::new();
    let mut config = config;
    if let [providers, mappings] = more {
        for _ in 1..providers.parse::<usize>().expect("a number") {
            others.push(StandInProvider::start().await);
        }
        config = crowd(&config, &others, mappings.parse().expect("a number"));
    }
    let (proxy, address) = start(Path::new(program), &files, &config).await;
    let token = provider.token(SCOPES);
    let client = Client::new(address, &files.ca()).with_token(&token);
    // The first requests may come before the provider's keys and the engine's health are known.
    let until = Instant::now() + START_LIMIT;
    while client.get("/logs-1/_search").await.status != http::StatusCode::OK {
        assert!(Instant::now() < until, "the proxy does not serve");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    match what.as_str() {
        "bodies" => bodies(&proxy, &client, &token, count as u64).await,
        _ => requests(&proxy, &provider, &client, count).await,
    }
}
