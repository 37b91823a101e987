//! Whatever this server reads, another must read as the same requests.

use proptest::prelude::*;

use crate::{
    script::{End, chunked_body, pass},
    served::to_hyper,
};

/// Parts of requests, good and bad, that mean something at the seams.
const PARTS: &[&str] = &[
    "GET /a HTTP/1.1\r\n",
    "POST /b HTTP/1.1\r\n",
    "GET http://a/c HTTP/1.1\r\n",
    "host: a\r\n",
    "host: a\r\n\r\n",
    "content-length: 3\r\n",
    "content-length: 0\r\n\r\n",
    "content-length: 3\r\n\r\n",
    "transfer-encoding: chunked\r\n",
    "transfer-encoding: chunked\r\n\r\n",
    "transfer-encoding: chunked, chunked\r\n",
    "x: y\r\n",
    "\r\n",
    "abc",
    "3\r\nabc\r\n",
    "3;x=y\r\nabc\r\n",
    "0\r\n\r\n",
    "0\r\nx-trailer: y\r\n\r\n",
    "a\r\n0\r\n\r\n0123\r\n",
];

const NASTY: &[u8] = b"\r\n\t\0 :;#,+-x0159aGH/*\"\x7f\xe9";

const SENTINEL: &str = "GET /sentinel HTTP/1.1\r\nhost: a\r\n\r\n";

/// A small change to a stream.
#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, u8),
    Replace(usize, u8),
    Remove(usize),
    Repeat(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let byte = proptest::sample::select(NASTY);
    prop_oneof![
        (any::<usize>(), byte.clone()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        (any::<usize>(), byte).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        any::<usize>().prop_map(Edit::Remove),
        (any::<usize>(), 1_usize..30).prop_map(|(at, length)| Edit::Repeat(at, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, edit: &Edit) {
    let length = bytes.len();
    match *edit {
        Edit::Insert(at, byte) => bytes.insert(at % (length + 1), byte),
        Edit::Replace(at, byte) if length > 0 => bytes[at % length] = byte,
        Edit::Remove(at) if length > 0 => drop(bytes.remove(at % length)),
        Edit::Repeat(at, count) if length > 0 => {
            let start = at % length;
            let copy = bytes[start..length.min(start + count)].to_vec();
            bytes.splice(start..start, copy);
        }
        _ => {}
    }
}

fn requests() -> impl Strategy<Value = Vec<u8>> {
    let whole = prop_oneof![
        Just("GET /a HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        (0_usize..20).prop_map(|length| format!(
            "POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{}",
            "(".repeat(length)
        )),
        proptest::collection::vec(1_usize..20, 0..3).prop_map(|chunks| {
            let data = [b'('; 20];
            let chunks = chunked_body(chunks.iter().map(|length| &data[..*length]));
            format!("POST /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}")
        }),
    ];
    let part = proptest::sample::select(PARTS).prop_map(str::to_owned);
    let piece = prop_oneof![3 => whole, 1 => part];
    (proptest::collection::vec(piece, 1..6), proptest::collection::vec(edit(), 0..3)).prop_map(
        |(pieces, edits)| {
            let mut bytes = pieces.concat().into_bytes();
            for edit in &edits {
                apply(&mut bytes, edit);
            }
            bytes.extend_from_slice(SENTINEL.as_bytes());
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn another_server_reads_the_same_requests(bytes in requests()) {
        let passed = pass(&bytes);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let exchange = runtime.block_on(to_hyper(&bytes));
        for (ours, other) in passed.requests.iter().zip(&exchange.seen) {
            prop_assert_eq!(
                (&ours.method, &ours.target, &ours.headers),
                (&other.method, &other.target, &other.headers)
            );
            // What breaks off here may have an end for a reader that repairs it, but never the other way round.
            if ours.whole {
                prop_assert_eq!(Some(&ours.body), other.body.as_ref());
            }
        }
        let (ours, other) = (passed.requests.len(), exchange.seen.len());
        // The other may be stricter in what does not concern the framing, and say so.
        let rejected = ["400", "413", "414", "431"]
            .iter()
            .any(|status| exchange.response.contains(&format!("HTTP/1.1 {status} ")));
        let agree = match passed.end {
            End::Eof | End::Close => ours == other,
            // Only what is refused here can be a request there.
            End::Refused(_) | End::Broken(_) => ours <= other,
        };
        prop_assert!(
            agree || (other < ours && rejected),
            "{:?}\n{:?}\n{}\n{}",
            passed, exchange.seen, bytes.escape_ascii(), exchange.response
        );
    }
}
