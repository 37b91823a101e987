//! A stand-in for an engine that costs as little as it can: it answers what the path says, and keeps nothing.

use std::{io, net::SocketAddr, sync::Arc};

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Bytes of the usual answer.
const USUAL: usize = 1024;
/// Bytes of the answer for [`LARGE_PATH`].
pub(super) const LARGE: usize = 2 * 1024 * 1024;
/// Its answer is large.
pub(super) const LARGE_PATH: &str = "/logs-large/_search";

#[derive(Debug)]
struct Answers {
    usual: Vec<u8>,
    large: Vec<u8>,
}

/// Serves on a free port for as long as the runtime runs.
pub(super) async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let answers = Arc::new(Answers { usual: answer(USUAL), large: answer(LARGE) });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answers = Arc::clone(&answers);
            // A peer closes its connections as it likes.
            tokio::spawn(async move { serve(stream, &answers).await });
        }
    });
    Ok(address)
}

fn answer(size: usize) -> Vec<u8> {
    let (before, after) = (r#"{"took":1,"text":""#, r#""}"#);
    let text = "x".repeat(size - before.len() - after.len());
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=UTF-8\r\ncontent-length: {size}");
    format!("{head}\r\n\r\n{before}{text}{after}").into_bytes()
}

async fn serve(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 * 1024];
    let mut filled = 0;
    loop {
        let head = loop {
            if let Some(end) = memmem::find(&buffer[..filled], b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut buffer[filled..]).await? {
                0 => return Ok(()),
                count => filled += count,
            }
        };
        let large = memmem::find(&buffer[..head], LARGE_PATH.as_bytes()).is_some();
        let framing = Framing::of(&buffer[..head]);
        filled = read_body(&mut stream, &mut buffer, head, filled, framing).await?;
        stream.write_all(if large { &answers.large } else { &answers.usual }).await?;
    }
}

enum Framing {
    Length(usize),
    Chunked,
}

impl Framing {
    fn of(head: &[u8]) -> Self {
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        match field("content-length:").and_then(|length| length.parse().ok()) {
            Some(length) => Self::Length(length),
            None if field("transfer-encoding:").is_some() => Self::Chunked,
            None => Self::Length(0),
        }
    }
}

/// Throws the body away that begins at `head`; what is left in the buffer comes after it. Bodies here hold no line
/// `0`, so that of a chunked one only the end is looked for.
async fn read_body(
    stream: &mut TcpStream,
    buffer: &mut [u8],
    head: usize,
    filled: usize,
    framing: Framing,
) -> io::Result<usize> {
    buffer.copy_within(head..filled, 0);
    let mut filled = filled - head;
    match framing {
        Framing::Length(mut left) => loop {
            let here = left.min(filled);
            left -= here;
            buffer.copy_within(here..filled, 0);
            filled -= here;
            if left == 0 {
                return Ok(filled);
            }
            filled = some(stream.read(buffer).await?)?;
        },
        Framing::Chunked => {
            const END: &[u8] = b"0\r\n\r\n";
            while !buffer[..filled].ends_with(END) {
                let kept = filled.min(END.len());
                buffer.copy_within(filled - kept..filled, 0);
                filled = kept + some(stream.read(&mut buffer[kept..]).await?)?;
            }
            Ok(0)
        }
    }
}

fn some(count: usize) -> io::Result<usize> {
    if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(count) }
}
