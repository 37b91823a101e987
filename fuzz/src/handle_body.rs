//! What replaces handles in bodies, over any bytes. Panics when a promise is broken.

use std::convert::Infallible;

use handles::{Field, Kind, Rewriter, rewrite};

const FIELDS: [Field; 3] = [
    Field { path: &["_scroll_id"], kind: Kind::Scroll },
    Field { path: &["scroll_id"], kind: Kind::Scroll },
    Field { path: &["pits", "pit_id"], kind: Kind::Pit },
];

/// The first byte says where a body with handles in it is cut.
pub fn run(bytes: &[u8]) {
    let [cut, body @ ..] = bytes else { return };
    let kept = pass(&[body], |_| None);
    // What is not replaced comes out as it went in, as far as it can be followed.
    assert!(body.starts_with(&kept.0) && (!kept.1 || kept.0 == body), "a byte changed on its way");
    let whole = shouted(&[body]);
    let (first, second) = body.split_at(usize::from(*cut) % (body.len() + 1));
    let single: Vec<&[u8]> = body.chunks(1).collect();
    for (pieces, passed) in [("two", shouted(&[first, second])), ("single", shouted(&single))] {
        assert_eq!(whole.1, passed.1, "{pieces} pieces of a body matter");
        // What breaks breaks in some piece, and those before it are out.
        assert!(passed == whole || !whole.1, "{pieces} pieces of a body matter");
    }
    if let Ok(read) = rewrite(FIELDS, body, &mut |_, _| Ok::<_, Infallible>(None)) {
        assert_eq!(read, body, "a request changed on its way");
        let json: Result<serde_json::Value, _> = serde_json::from_slice(body);
        assert!(json.map_or(true, |json| json.is_object()), "what is no object was rewritten");
    }
}

/// With other handles, longer ones.
fn shouted(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    pass(pieces, |handle| Some(format!("<{handle}>")))
}

/// What comes out, and whether the body could be followed to its end.
fn pass(pieces: &[&[u8]], replace: impl Fn(&str) -> Option<String>) -> (Vec<u8>, bool) {
    let mut rewriter = Rewriter::new(FIELDS);
    let mut out = Vec::new();
    let mut new = |_, handle: &str| Ok::<_, Infallible>(replace(handle));
    for piece in pieces {
        if rewriter.feed(piece, &mut out, &mut new).is_err() {
            return (out, false);
        }
    }
    (out, rewriter.finish::<Infallible>().is_ok())
}
