//! Requests with a token of their own each.

use std::{net::SocketAddr, time::Instant};

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use super::{
    load::Outcome,
    scenario::{MANY, PATH},
};

/// Sends one request with each of `tokens` over [`MANY`] connections without TLS. Fails if anything is answered with another
/// status than `expected`.
pub(super) async fn send(
    tokens: &[String],
    expected: &'static str,
    to: SocketAddr,
) -> Result<Outcome, String> {
    let begun = Instant::now();
    let mut connections = JoinSet::new();
    for share in tokens.chunks(tokens.len().div_ceil(MANY)) {
        let share: Vec<Vec<u8>> = share.iter().map(|token| request(token).into_bytes()).collect();
        connections.spawn(async move { send_all(&share, expected, to).await });
    }
    while let Some(ended) = connections.join_next().await {
        ended.map_err(|error| error.to_string())??;
    }
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let rate = tokens.len() as f64 / begun.elapsed().as_secs_f64();
    Ok(Outcome { answered: tokens.len() as u64, rate, delays: Vec::new() })
}

fn request(token: &str) -> String {
    format!("GET {PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n")
}

async fn send_all(requests: &[Vec<u8>], expected: &str, to: SocketAddr) -> Result<(), String> {
    let mut connection = None;
    for request in requests {
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => TcpStream::connect(to).await.map_err(|error| error.to_string())?,
        };
        stream.write_all(request).await.map_err(|error| error.to_string())?;
        let answer = read(&mut stream).await.map_err(|error| error.to_string())?;
        if answer.status != expected {
            return Err(format!("answered with {}", answer.status));
        }
        connection = answer.keeps.then_some(stream);
    }
    Ok(())
}

struct Answer {
    status: String,
    /// Whether the connection can be used again.
    keeps: bool,
}

/// Reads one answer to its end.
async fn read(stream: &mut TcpStream) -> std::io::Result<Answer> {
    let mut bytes = Vec::with_capacity(4096);
    loop {
        let ended = stream.read_buf(&mut bytes).await? == 0;
        if let Some(head) = memmem::find(&bytes, b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let length: Option<usize> = field("content-length:").and_then(|length| length.parse().ok());
            let whole = match length {
                Some(length) => bytes.len() >= head + 4 + length,
                None => field("transfer-encoding:").is_some() && bytes.ends_with(b"0\r\n\r\n"),
            };
            if whole || ended {
                let status = text.split(' ').nth(1).unwrap_or_default().to_owned();
                let keeps = whole && field("connection:") != Some("close");
                return Ok(Answer { status, keeps });
            }
        }
        if ended {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
