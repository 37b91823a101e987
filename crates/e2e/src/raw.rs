use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::Client;

/// Sends `bytes` as they are on a connection of their own and reads until the proxy closes it.
///
/// To be used with requests after which the proxy closes: refused ones, or with `Connection: close`.
pub async fn raw(client: &Client, bytes: &[u8]) -> String {
    let mut connection = RawConnection::open(client).await;
    connection.send(bytes).await;
    connection.read_to_end().await
}

/// A connection on which every byte is the test's own.
#[derive(Debug)]
pub struct RawConnection(TlsStream<TcpStream>);

impl RawConnection {
    /// Opens one.
    pub async fn open(client: &Client) -> Self {
        Self(client.connect().await)
    }

    /// Sends bytes. That the other side has closed already shows when reading.
    pub async fn send(&mut self, bytes: &[u8]) {
        if self.0.write_all(bytes).await.is_ok() {
            let _ = self.0.flush().await;
        }
    }

    /// Reads until the text holds `mark` or the connection ends.
    pub async fn read_until(&mut self, mark: &str) -> String {
        let mut text = String::new();
        let mut buffer = [0; 4096];
        while !text.contains(mark) {
            match self.0.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(read) => text.push_str(&String::from_utf8_lossy(&buffer[..read])),
            }
        }
        text
    }

    /// Reads what comes next; nothing once the connection has ended, properly or not.
    pub async fn read_some(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 4096];
        let read = self.0.read(&mut buffer).await.unwrap_or_default();
        buffer.truncate(read);
        buffer
    }

    /// Reads until the connection ends, properly or not.
    pub async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        // A peer that leaves without a close_notify has still said what it said.
        let _ = self.0.read_to_end(&mut bytes).await;
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
