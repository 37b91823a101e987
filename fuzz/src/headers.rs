//! What cleans the headers of a request, over any bytes. Panics when a promise is broken.

use http::{HeaderMap, HeaderName, HeaderValue, Version, uri::Authority};
use opensearch_oauth_proxy::{
    headers::{Reserved, remove_hop_by_hop, remove_trusted},
    intake, trace,
};

/// Parts of names that an engine could take as the word of the proxy, however they are written.
const TRUSTED: [&str; 8] = [
    "authorization",
    "xforwardedfor",
    "xforwardedhost",
    "xproxyuser",
    "xproxyroles",
    "securitytenant",
    "opendistrosecurity",
    "sslclientverify",
];

/// The first byte chooses version and authority; then come fields, each on a line, as `name:value`.
pub fn run(bytes: &[u8]) {
    let [choice, lines @ ..] = bytes else { return };
    let mut headers = HeaderMap::new();
    for line in lines.split(|&byte| byte == b'\n').take(64) {
        let at = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let value = line.get(at + 1..).unwrap_or_default();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..at]), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    host(*choice, &headers);
    trace::take_context(&mut headers);
    let parents: Vec<_> = headers.get_all("traceparent").iter().cloned().collect();
    assert!(parents.len() < 2, "two parents of a trace passed");
    if let Some(parent) = parents.first().and_then(|parent| parent.to_str().ok()) {
        let read = trace::TraceParent::parse(parent);
        assert_eq!(read.map(|read| read.text()).as_deref(), Some(parent), "a parent of two readings passed");
    }
    let reserved = Reserved::new(["x-of-this-engine"], ["x-also-of"]);
    if remove_hop_by_hop(&mut headers, &reserved).is_err() {
        return;
    }
    remove_trusted(&mut headers, &reserved);
    for name in headers.keys() {
        let folded = name.as_str().replace(['-', '_', '.'], "");
        let speaks =
            TRUSTED.contains(&folded.as_str()) || folded == "xofthisengine" || folded.starts_with("xalsoof");
        assert!(!speaks, "{name} passed");
        let of_one_hop = ["connection", "transfer-encoding", "upgrade", "te", "keep-alive"];
        assert!(!of_one_hop.contains(&name.as_str()), "{name} passed");
    }
}

/// The one host that a request is for is the one that every reader finds.
fn host(choice: u8, headers: &HeaderMap) {
    let version = if choice.is_multiple_of(2) { Version::HTTP_11 } else { Version::HTTP_2 };
    let authority = (choice & 2 != 0).then(|| Authority::from_static("a.example:8443"));
    let Ok(host) = intake::host(headers, authority.as_ref(), version) else { return };
    assert!(!host.as_str().contains('@'), "a host with a user passed");
    let named: Vec<_> = headers.get_all("host").iter().collect();
    assert!(named.len() < 2, "two hosts passed");
    let read = |text: &[u8]| Authority::try_from(text).ok();
    assert!(named.first().is_none_or(|named| read(named.as_bytes()).as_ref() == Some(&host)), "another host");
    assert!(authority.is_none_or(|authority| authority == host), "another host than the target says");
}
