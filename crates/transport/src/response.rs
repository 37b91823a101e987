//! A response held in memory.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::HttpError;

/// A complete response. The body may hold secrets, so `Debug` shows its length only.
pub struct HttpResponse {
    /// The status; redirects and errors are returned like any other.
    pub status: StatusCode,
    /// The headers as received.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    pub(crate) url: String,
}

impl HttpResponse {
    /// The body as JSON, whatever the status and the media type. The error shows where, but no content.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        serde_json::from_slice(&self.body).map_err(|error| HttpError::Json {
            url: self.url.clone(),
            line: error.line(),
            column: error.column(),
            category: match error.classify() {
                Category::Io | Category::Syntax => "syntax",
                Category::Data => "data",
                Category::Eof => "unexpected end",
            },
        })
    }

    /// The URL called, without credentials and query.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl std::fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
