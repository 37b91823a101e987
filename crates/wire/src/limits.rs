use std::time::Duration;

/// What a request may take up on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Longest head: request line, fields and the empty line, in bytes.
    pub head_bytes: usize,
    /// Most fields in a head.
    pub fields: usize,
    /// Longest chunk extension of one chunk, in bytes.
    pub chunk_extension_bytes: usize,
    /// Longest chunk extensions of one body together, in bytes.
    pub chunk_extensions_total: usize,
    /// Longest trailer section, in bytes.
    pub trailer_bytes: usize,
    /// How long a head may take to arrive: from the start of the connection for the first, from its first byte for
    /// any other. `None` for no limit; otherwise the guard must be polled inside a Tokio runtime with its timer.
    ///
    /// The guard holds a head back until it is whole, so the parser behind it cannot time this.
    pub head_timeout: Option<Duration>,
    /// Whether a connection may open with the HTTP/2 preface. The guard then passes everything on it unseen.
    pub http2: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            fields: 100,
            chunk_extension_bytes: 256,
            chunk_extensions_total: 8 * 1024,
            trailer_bytes: 4 * 1024,
            head_timeout: Some(Duration::from_secs(30)),
            http2: true,
        }
    }
}
