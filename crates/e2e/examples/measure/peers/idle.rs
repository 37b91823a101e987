//! Connections that have had one request and stay open.

use std::{net::SocketAddr, time::Duration};

use e2e::Client;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::scenario::PATH;

/// How long a peer may take for one answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Opens connections by `ask` until `held` has `count`.
pub(super) async fn open<S>(
    held: &mut Vec<S>,
    count: usize,
    ask: &mut impl AsyncFnMut() -> Result<S, String>,
) -> Result<(), String> {
    while held.len() < count {
        held.push(ask().await.map_err(|why| format!("after {}: {why}", held.len()))?);
    }
    Ok(())
}

/// Opens a connection and has one request answered on it.
pub(super) async fn ask(to: SocketAddr, token: &str) -> Result<TcpStream, String> {
    let asking = async {
        let mut stream = TcpStream::connect(to).await.map_err(|error| error.to_string())?;
        exchange(&mut stream, token).await?;
        Ok(stream)
    };
    timeout(LIMIT, asking).await.map_err(|_| "no answer in time".to_owned())?
}

/// The same over TLS.
pub(super) async fn ask_tls(client: &Client, token: &str) -> Result<TlsStream<TcpStream>, String> {
    let asking = async {
        let mut stream = client.try_connect().await.map_err(|error| error.to_string())?;
        exchange(&mut stream, token).await?;
        Ok(stream)
    };
    timeout(LIMIT, asking).await.map_err(|_| "no answer in time".to_owned())?
}

async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), token: &str) -> Result<(), String> {
    let request = format!("GET {PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    // The stand-in's answer is one JSON object without another inside.
    while !answer.contains(&b'}') {
        let count = stream.read_buf(&mut answer).await.map_err(|error| error.to_string())?;
        if count == 0 {
            return Err("closed before the answer".into());
        }
        if !answer.starts_with(b"HTTP/1.1 200 ") && answer.len() > 13 {
            return Err(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned());
        }
    }
    Ok(())
}
