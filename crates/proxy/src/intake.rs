//! From what arrived to a request that has one meaning: framing, host, cluster, and headers that may pass.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Version, header,
    uri::{Authority, PathAndQuery},
};
use hyper::body::Incoming;
use smallvec::SmallVec;

use crate::{
    body::Watched,
    buffered::Buffered,
    headers::{self, ConnectionNames},
    snapshot::{Cluster, Destination, Route, Snapshot},
    tenancy::TENANT,
};

/// Why a request has no single meaning.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The framing guard refused the request's bytes.
    #[error("{0}")]
    Framing(wire::Violation),
    /// A method that no server behind us has.
    #[error("the method {0} is not served here")]
    Method(Method),
    /// Neither a Host header nor an authority.
    #[error("the request names no host; send one Host header")]
    NoHost,
    /// More than one Host, or one that differs from the request target's authority.
    #[error("the request names different hosts")]
    HostsDiffer,
    /// The Host header does not parse.
    #[error("the Host header is not a host")]
    BadHost,
    /// The target is neither a path nor an absolute URL.
    #[error("the request target is not a path")]
    NoPath,
    /// No cluster is configured for the host and path.
    #[error(
        "no cluster is served at this host and path; see `clusters[].hosts` and `clusters[].path_prefix`"
    )]
    NoCluster,
    /// The Connection header names what it must not.
    #[error(transparent)]
    Connection(#[from] ConnectionNames),
    /// A form body: `curl -d` without a content type, or an attempt at `access_token` in a form (RFC 6750 §2.2).
    #[error(
        "the body is declared as a form, which OpenSearch does not take and in which no token is read; send \
         `Content-Type: application/json` (with curl: -H 'Content-Type: application/json')"
    )]
    Form,
}

impl IntakeError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Framing(violation) => violation.reason(),
            Self::Method(_) => "method_not_served",
            Self::NoHost | Self::HostsDiffer | Self::BadHost => "host",
            Self::NoPath => "request_target",
            Self::NoCluster => "unknown_cluster",
            Self::Connection(_) => "connection_header",
            Self::Form => "form_body",
        }
    }
}

/// A request of one meaning for one cluster; nothing in its headers can speak for the proxy.
#[derive(Debug)]
pub struct Received {
    /// The cluster addressed.
    pub cluster: Arc<Cluster>,
    /// What of it: the engine, or Dashboards.
    pub destination: Destination,
    /// The method.
    pub method: Method,
    /// Path and query as they are judged and as the engine will get them: raw, without the path prefix. Dashboards gets
    /// them under its base path.
    pub target: PathAndQuery,
    /// Cleaned headers; never holds `Authorization`.
    pub headers: HeaderMap,
    /// Every `Authorization` header that came, for authentication alone.
    pub authorization: SmallVec<[HeaderValue; 1]>,
    /// The tenants of Dashboards that the client names, for whoever decides on them.
    pub tenants: SmallVec<[HeaderValue; 1]>,
    /// The body, untouched.
    pub body: Buffered,
}

/// Reads a request for a cluster.
pub fn receive(request: Request<Incoming>, snapshot: &Snapshot) -> Result<Received, IntakeError> {
    let (mut parts, body) = request.into_parts();
    if parts.method.as_str() == wire::REFUSED_METHOD {
        let reason = parts.uri.path().trim_start_matches('/');
        return Err(wire::Violation::from_reason(reason)
            .map_or(IntakeError::Method(parts.method), IntakeError::Framing));
    }
    if !matches!(
        parts.method,
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE
    ) {
        return Err(IntakeError::Method(parts.method));
    }
    let host = host(&parts.headers, parts.uri.authority(), parts.version)?;
    let path = parts
        .uri
        .path_and_query()
        .filter(|target| target.as_str().starts_with('/'))
        .ok_or(IntakeError::NoPath)?;
    let Route { cluster, destination, target } = snapshot.route(&host, path).ok_or(IntakeError::NoCluster)?;

    let trailers = headers::wants_trailers(&parts.headers);
    let authorization = parts.headers.get_all(header::AUTHORIZATION).iter().cloned().collect();
    let tenants = parts.headers.get_all(TENANT).iter().cloned().collect();
    headers::remove_hop_by_hop(&mut parts.headers, cluster.reserved())?;
    headers::remove_trusted(&mut parts.headers, cluster.reserved());
    if is_form(&parts.headers) {
        return Err(IntakeError::Form);
    }
    if trailers {
        parts.headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    // Ours to answer, not the engine's: hyper sends 100 as soon as the body is first asked for, which is after the
    // request was allowed.
    parts.headers.remove(header::EXPECT);
    parts.headers.remove(header::HOST);
    // Framing of the request to the engine follows from the body, never from what a client wrote: HTTP/2 requests may
    // lack a length, and hyper adds `chunked` where it is needed.
    Ok(Received {
        cluster,
        destination,
        method: parts.method,
        target,
        headers: parts.headers,
        authorization,
        tenants,
        body: Buffered::new(Watched::new(body, snapshot.limits().body_idle)),
    })
}

/// The one host the request is for, from the Host header and the request target (RFC 9112 §3.2, RFC 9113 §8.3.1).
pub fn host(
    headers: &HeaderMap,
    authority: Option<&Authority>,
    version: Version,
) -> Result<Authority, IntakeError> {
    let mut values = headers.get_all(header::HOST).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(IntakeError::HostsDiffer);
    }
    let named = first
        .map(|value| {
            let host = Authority::try_from(value.as_bytes()).map_err(|_| IntakeError::BadHost)?;
            // User information has no place in a Host header and could make two readers see two hosts.
            if host.as_str().contains('@') { Err(IntakeError::BadHost) } else { Ok(host) }
        })
        .transpose()?;
    match (named, authority) {
        (Some(named), Some(authority)) if named != *authority => Err(IntakeError::HostsDiffer),
        (_, Some(authority)) if authority.as_str().contains('@') => Err(IntakeError::BadHost),
        (Some(named), _) => Ok(named),
        (None, Some(authority)) if version >= Version::HTTP_2 => Ok(authority.clone()),
        (None, _) => Err(IntakeError::NoHost),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    const FORM: &[u8] = b"application/x-www-form-urlencoded";
    headers.get_all(header::CONTENT_TYPE).iter().any(|value| {
        let media_type = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
        media_type.trim_ascii().eq_ignore_ascii_case(FORM)
    })
}

/// `X-Request-Id` of our own; a client's is not trusted to be unique, and `X-Opaque-Id` is there for its own.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_or_none() {
        type Case =
            (&'static [&'static str], Option<&'static str>, Version, Result<&'static str, &'static str>);
        let table: [Case; 8] = [
            (&["a.example"], None, Version::HTTP_11, Ok("a.example")),
            (&["a.example"], Some("a.example"), Version::HTTP_11, Ok("a.example")),
            (&["a.example"], Some("b.example"), Version::HTTP_11, Err("host")),
            (&["a.example", "a.example"], None, Version::HTTP_11, Err("host")),
            (&["u@a.example"], None, Version::HTTP_11, Err("host")),
            (&[], None, Version::HTTP_11, Err("host")),
            (&[], Some("a.example"), Version::HTTP_2, Ok("a.example")),
            (&["a.example"], Some("b.example"), Version::HTTP_2, Err("host")),
        ];
        for (hosts, authority, version, expected) in table {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
            }
            let authority = authority.map(|text| text.parse::<Authority>().unwrap());
            let outcome = host(&headers, authority.as_ref(), version);
            let outcome = outcome.as_ref().map(Authority::as_str).map_err(IntakeError::reason);
            assert_eq!(outcome, expected, "{hosts:?} {authority:?}");
        }
    }
}
