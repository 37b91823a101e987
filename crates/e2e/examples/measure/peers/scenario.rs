//! What is measured.

use std::{
    fmt::Write as _,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use data_encoding::BASE64URL_NOPAD;
use e2e::StandInProvider;

use super::{peer::Peer, upstream::LARGE_PATH};

/// The request of most scenarios.
pub(super) const PATH: &str = "/logs-1/_search";
/// What the tokens allow: just what is asked.
pub(super) const SCOPE: &str = "read:logs-* write:app-logs-*";
/// The larger number of connections.
pub(super) const MANY: usize = 64;
/// Bytes of an upload.
const UPLOAD: usize = 10 * 1024 * 1024;
/// Checks of a signature for [`signature_cost`].
const CHECKS: u32 = 2_000;

/// The scenarios, in the order of the tables.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Scenario {
    One,
    Many,
    Tls,
    Http2,
    Cold,
    Forged,
    Upload,
    Download,
    Delay,
}

/// How a scenario is sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// One request over and over, as fast as it goes.
    Steady(Steady),
    /// At a rate.
    Delay,
    /// Each request with a good token that was not seen before.
    Cold,
    /// Each request with another token whose signature is wrong.
    Forged,
}

/// One request over and over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steady {
    pub(super) connections: usize,
    pub(super) streams: usize,
    pub(super) path: &'static str,
    pub(super) uploads: bool,
}

const fn gets(connections: usize) -> Steady {
    Steady { connections, streams: 1, path: PATH, uploads: false }
}

/// The request whose delay is measured.
pub(super) const DELAYED: Steady = gets(16);

impl Scenario {
    /// All of them.
    pub(super) const ALL: [Self; 9] = [
        Self::One,
        Self::Many,
        Self::Tls,
        Self::Http2,
        Self::Cold,
        Self::Forged,
        Self::Upload,
        Self::Download,
        Self::Delay,
    ];

    /// The heading of its column.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::One => "1 connection",
            Self::Many => "64 connections",
            Self::Tls => "64, TLS",
            Self::Http2 => "HTTP/2, TLS",
            Self::Cold => "new token each",
            Self::Forged => "forged token",
            Self::Upload => "10 MB upload",
            Self::Download => "2 MB answer",
            Self::Delay => "delay",
        }
    }

    pub(super) fn tls(self) -> bool {
        matches!(self, Self::Tls | Self::Http2)
    }

    pub(super) fn kind(self) -> Kind {
        let steady = match self {
            Self::Cold => return Kind::Cold,
            Self::Forged => return Kind::Forged,
            Self::Delay => return Kind::Delay,
            Self::One => gets(1),
            Self::Many | Self::Tls => gets(MANY),
            Self::Http2 => Steady { connections: 8, streams: 8, ..gets(8) },
            Self::Upload => Steady { path: "/app-logs-1/_bulk", uploads: true, ..gets(4) },
            Self::Download => Steady { path: LARGE_PATH, ..gets(4) },
        };
        Kind::Steady(steady)
    }

    /// Whether it says something about this peer.
    pub(super) fn suits(self, peer: Peer) -> bool {
        match self {
            Self::Forged => peer.judges(),
            // The stand-in speaks HTTP/1.1 without TLS.
            Self::Tls | Self::Http2 => peer != Peer::Direct,
            _ => true,
        }
    }
}

/// When tokens expire: after the longest run.
pub(super) fn expiry() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) + 7_200
}

/// Good tokens that nobody has seen.
pub(super) fn fresh_tokens(provider: &StandInProvider, round: usize, count: usize) -> Vec<String> {
    let expiry = expiry();
    let sign = |number: usize| {
        let token = provider.build_token().claim("scope", SCOPE).claim("exp", expiry);
        token.claim("jti", format!("fresh-{round}-{number}")).sign()
    };
    (0..count).map(sign).collect()
}

/// Tokens that say something else than what was signed, each something else again.
pub(super) fn forged_tokens(good: &str, round: usize, count: usize) -> Vec<String> {
    let mut parts = good.split('.');
    let (header, payload, signature) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let payload = BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap_or_default();
    let payload = String::from_utf8_lossy(&payload).into_owned();
    let forge = |number: usize| {
        let changed = payload.replace("\"token-1\"", &format!("\"forged-{round}-{number}\""));
        format!("{header}.{}.{signature}", BASE64URL_NOPAD.encode(changed.as_bytes()))
    };
    (0..count).map(forge).collect()
}

/// A bulk for one index, of documents of half a kilobyte.
pub(super) fn bulk() -> String {
    let mut bulk = String::with_capacity(UPLOAD + 1024);
    let text = "x".repeat(450);
    while bulk.len() < UPLOAD {
        let _ = writeln!(bulk, "{{\"index\":{{}}}}\n{{\"number\":{},\"message\":\"{text}\"}}", bulk.len());
    }
    bulk
}

/// What checking the signature of `token` costs by itself, in µs.
pub(super) fn signature_cost(provider: &StandInProvider, token: &str) -> Option<f64> {
    let jwk = provider.jwk();
    let part = |name: &str| BASE64URL_NOPAD.decode(jwk[name].as_str()?.as_bytes()).ok();
    let key = RsaPublicKeyComponents { n: part("n")?, e: part("e")? };
    let (message, signature) = token.rsplit_once('.')?;
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
    let begun = Instant::now();
    for _ in 0..CHECKS {
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature).ok()?;
    }
    Some(begun.elapsed().as_secs_f64() * 1e6 / f64::from(CHECKS))
}
