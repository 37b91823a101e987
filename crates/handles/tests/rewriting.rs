//! JSON passes through byte for byte, but for the handles in it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::convert::Infallible;

use handles::{Field, Kind, Problem, RewriteError, Rewriter, rewrite};
use proptest::prelude::*;
use serde_json::Value;

const FIELDS: [Field; 4] = [
    Field { path: &["_scroll_id"], kind: Kind::Scroll },
    Field { path: &["pit_id"], kind: Kind::Pit },
    Field { path: &["pit", "id"], kind: Kind::Pit },
    Field { path: &["pits", "pit_id"], kind: Kind::Pit },
];

type Outcome = Result<String, RewriteError<Infallible>>;

#[expect(clippy::unnecessary_wraps, reason = "the signature of what replaces a handle")]
fn wrapped(kind: Kind, text: &str) -> Result<Option<String>, Infallible> {
    Ok(Some(format!("<{kind}:{text}>")))
}

/// As an answer, cut into pieces of this length.
fn in_pieces(
    text: &[u8],
    length: usize,
    replace: &mut impl FnMut(Kind, &str) -> Result<Option<String>, Infallible>,
) -> Outcome {
    let mut rewriter = Rewriter::new(FIELDS);
    let mut out = Vec::new();
    for piece in text.chunks(length) {
        rewriter.feed(piece, &mut out, replace)?;
    }
    rewriter.finish()?;
    Ok(String::from_utf8(out).unwrap())
}

fn as_answer(text: &str) -> Outcome {
    let whole = in_pieces(text.as_bytes(), usize::MAX, &mut wrapped);
    for length in 1..text.len().min(12) {
        assert_eq!(in_pieces(text.as_bytes(), length, &mut wrapped), whole, "{text} by {length}");
    }
    whole
}

fn as_request(text: &str) -> Outcome {
    rewrite(FIELDS, text.as_bytes(), &mut wrapped).map(|out| String::from_utf8(out).unwrap())
}

#[test]
fn handles_are_replaced_where_they_stand_and_nothing_else_is() {
    for (before, after) in [
        ("{}", "{}"),
        (r#"{"_scroll_id":"a"}"#, r#"{"_scroll_id":"<scroll:a>"}"#),
        (
            " {\n\"took\" : 1 ,\t\"_scroll_id\" : \"a\" }\r\n",
            " {\n\"took\" : 1 ,\t\"_scroll_id\" : \"<scroll:a>\" }\r\n",
        ),
        (r#"{"_scroll_id":["a","b",[]],"x":[]}"#, r#"{"_scroll_id":["<scroll:a>","<scroll:b>",[]],"x":[]}"#),
        (
            r#"{"_scroll_id":"a","_scroll_id":"b"}"#,
            r#"{"_scroll_id":"<scroll:a>","_scroll_id":"<scroll:b>"}"#,
        ),
        // An escaped key is the same key; what is in a handle is decoded and written anew.
        (r#"{"\u005fscroll_id":"a\/\u00e9\"\\"}"#, r#"{"\u005fscroll_id":"<scroll:a/é\"\\>"}"#),
        (
            r#"{"pit":{"keep_alive":"1m","id":"a"},"id":"b"}"#,
            r#"{"pit":{"keep_alive":"1m","id":"<pit:a>"},"id":"b"}"#,
        ),
        (
            r#"{"pits":[{"pit_id":"a","ok":true},{"pit_id":"b"}]}"#,
            r#"{"pits":[{"pit_id":"<pit:a>","ok":true},{"pit_id":"<pit:b>"}]}"#,
        ),
        (r#"{"pits":[{"x":{"pit_id":"a"}}],"pit":"id"}"#, r#"{"pits":[{"x":{"pit_id":"a"}}],"pit":"id"}"#),
        // Only at its place: not in a document, not as a text, not under a longer or shorter key.
        (
            r#"{"hits":{"hits":[{"_source":{"_scroll_id":"a"}}]}}"#,
            r#"{"hits":{"hits":[{"_source":{"_scroll_id":"a"}}]}}"#,
        ),
        (
            r#"{"q":"\",\"_scroll_id\":\"a\"","_scroll_ids":"a","_scroll_i":"b","":"c"}"#,
            r#"{"q":"\",\"_scroll_id\":\"a\"","_scroll_ids":"a","_scroll_i":"b","":"c"}"#,
        ),
        (
            r#"{"a":"_scroll_id","b":["_scroll_id","x"],"c":[[{"]":"}"}]]}"#,
            r#"{"a":"_scroll_id","b":["_scroll_id","x"],"c":[[{"]":"}"}]]}"#,
        ),
        (
            r#"{"_scroll_id":null,"pit_id":1.5e-3,"pit":true}"#,
            r#"{"_scroll_id":null,"pit_id":1.5e-3,"pit":true}"#,
        ),
        (r#"{"a":1,"a":2,"b":1e999,"c":"\ud800"}"#, r#"{"a":1,"a":2,"b":1e999,"c":"\ud800"}"#),
    ] {
        assert_eq!(as_answer(before).as_deref(), Ok(after), "{before}");
    }
    let deep = format!("{{\"a\":{}{},\"pit_id\":\"x\"}}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(in_pieces(deep.as_bytes(), 7, &mut wrapped).unwrap(), deep.replace("\"x\"", "\"<pit:x>\""));
}

#[test]
fn a_request_is_rewritten_likewise() {
    for (before, after) in [
        (r#"{"pit_id":["a","b"]}"#, r#"{"pit_id":["<pit:a>","<pit:b>"]}"#),
        (
            r#"{"query":{"match_all":{}},"pit":{"id":"a"}}"#,
            r#"{"query":{"match_all":{}},"pit":{"id":"<pit:a>"}}"#,
        ),
    ] {
        assert_eq!(as_request(before).as_deref(), Ok(after));
    }
}

#[test]
fn what_is_no_json_is_an_error() {
    for (text, at, problem) in [
        ("", 0, Problem::NotAnObject),
        ("  ", 2, Problem::NotAnObject),
        ("[]", 0, Problem::NotAnObject),
        ("_scroll_id=a", 0, Problem::NotAnObject),
        ("\u{feff}{}", 0, Problem::NotAnObject),
        ("{", 1, Problem::Incomplete),
        (r#"{"pit_id":"a"#, 12, Problem::Incomplete),
        (r#"{"a":[{"b":1}"#, 13, Problem::Incomplete),
        ("{}{}", 2, Problem::Trailing),
        ("{pit_id:1}", 1, Problem::Unexpected),
        ("{'pit_id':1}", 1, Problem::Unexpected),
        ("{/*\"*/}", 1, Problem::Unexpected),
        ("{\"a\":1//\"\n,\"pit_id\":\"x\"}", 6, Problem::Unexpected),
        ("{\"a\":[1,#\"\n2]}", 8, Problem::Unexpected),
        (r#"{"a" "b"}"#, 5, Problem::Unexpected),
        (r#"{"a":1 "pit_id":"x"}"#, 7, Problem::Unexpected),
        (r#"{"a":1,}"#, 7, Problem::Unexpected),
        (r#"{"a":}"#, 5, Problem::Unexpected),
        (r#"{"pit_id":["a",]}"#, 15, Problem::Unexpected),
        (r#"{"pit_id":["a"}"#, 14, Problem::Unexpected),
        (r#"{"a":NaN}"#, 5, Problem::Unexpected),
        (r#"{"pit_id":"\q"}"#, 13, Problem::Text),
        (r#"{"pit_id":"\ud800"}"#, 17, Problem::Text),
        ("{\"pit_id\":\"a\nb\"}", 14, Problem::Text),
    ] {
        let error = Err(RewriteError::Json { at, problem });
        assert_eq!(as_answer(text), error, "{text}");
        assert_eq!(as_request(text), error, "{text}");
    }
}

#[test]
fn a_request_must_show_its_handles() {
    for (text, at) in [
        (r#"{"pit_id":1}"#, 10),
        (r#"{"pit_id":null}"#, 10),
        (r#"{"pit_id":{"a":"b"}}"#, 10),
        (r#"{"pit_id":["a",["b"]]}"#, 15),
        (r#"{"pit":[[{"id":"a"}]]}"#, 8),
    ] {
        assert_eq!(as_request(text), Err(RewriteError::Json { at, problem: Problem::NotText }), "{text}");
    }
    for (text, at) in [
        (r#"{"pit":{"id":"a"},"pit":null}"#, 22),
        (r#"{"pit_id":"a","\u0070it_id":"b"}"#, 26),
        (r#"{"pits":[{"pit_id":"a"},{"pit_id":"b"}]}"#, 32),
    ] {
        assert_eq!(
            as_request(text),
            Err(RewriteError::Json { at, problem: Problem::DuplicateKey }),
            "{text}"
        );
    }
    // An overlong encoding of the first letter of a key.
    let overlong = b"{\"\xC1\xB0it_id\":\"a\"}";
    let error = rewrite(FIELDS, overlong, &mut wrapped).unwrap_err();
    assert_eq!(error, RewriteError::Json { at: 2, problem: Problem::NotUtf8 });
}

#[test]
fn a_handle_has_a_bounded_length_and_other_texts_have_not() {
    let long = "x".repeat(300 * 1024);
    let other = format!("{{\"a\":\"{long}\",\"{long}\":1}}");
    assert_eq!(in_pieces(other.as_bytes(), 1000, &mut wrapped).unwrap(), other);
    let handle = format!("{{\"pit_id\":\"{long}\"}}");
    let error = in_pieces(handle.as_bytes(), 1000, &mut wrapped).unwrap_err();
    assert!(matches!(error, RewriteError::Json { problem: Problem::LongText, .. }), "{error}");
}

#[test]
fn an_error_of_the_replacement_ends_it() {
    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("no such handle")]
    struct Unknown;
    let outcome = rewrite(FIELDS, br#"{"pit_id":"a"}"#, &mut |_, _| Err::<Option<String>, _>(Unknown));
    assert_eq!(outcome, Err(RewriteError::Handle(Unknown)));
}

/// Objects in which the keys of the fields are frequent, at every depth.
fn object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a\"\\\\{}\\[\\],:\u{e9}\u{1f600}\n]{0,6}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        proptest::sample::select(vec!["_scroll_id", "pit_id", "pit", "pits", "id", "a\"b"])
            .prop_map(str::to_owned),
        "\\PC{0,4}",
    ];
    let members = move |value: BoxedStrategy<Value>| {
        proptest::collection::vec((key.clone(), value), 0..5)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    };
    let object = members.clone();
    let value = leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            object(inner.boxed())
        ]
    });
    members(value.boxed())
}

/// What the rewriter should do, on the parsed document.
fn replace(value: &mut Value, trail: &[&str], in_array: bool) {
    match value {
        Value::String(text) => {
            if let Some(field) = FIELDS.iter().find(|field| field.path == trail) {
                *text = wrapped(field.kind, text).unwrap().unwrap();
            }
        }
        Value::Array(elements) if !in_array && !trail.is_empty() => {
            for element in elements {
                replace(element, trail, true);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                let trail: Vec<&str> = trail.iter().copied().chain([key.as_str()]).collect();
                if FIELDS.iter().any(|field| field.path.starts_with(&trail)) {
                    replace(member, &trail, false);
                }
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn the_rest_stays_as_it_is(document in object(), length in 1usize..40, pretty: bool) {
        let text = if pretty { format!("{document:#}") } else { document.to_string() };
        prop_assert_eq!(in_pieces(text.as_bytes(), length, &mut |_, _| Ok(None)).unwrap(), text);
    }

    #[test]
    fn handles_are_found_wherever_the_text_is_cut(document in object(), length in 1usize..40) {
        let out = in_pieces(document.to_string().as_bytes(), length, &mut wrapped).unwrap();
        let mut expected = document;
        replace(&mut expected, &[], false);
        prop_assert_eq!(out, expected.to_string());
    }

    #[test]
    fn a_request_shows_all_its_handles_or_is_refused(document in object()) {
        let text = document.to_string();
        let mut expected = document.clone();
        replace(&mut expected, &[], false);
        match rewrite(FIELDS, text.as_bytes(), &mut wrapped) {
            Ok(out) => prop_assert_eq!(String::from_utf8(out).unwrap(), expected.to_string()),
            Err(RewriteError::Json { problem, .. }) => {
                let doubtful = matches!(problem, Problem::NotText | Problem::DuplicateKey);
                let known = ["_scroll_id", "pit_id", "pit", "pits"].iter().any(|key| document.get(key).is_some());
                prop_assert!(doubtful && known, "{}: {}", problem, text);
            }
        }
    }

    #[test]
    fn any_bytes_give_the_same_outcome_however_they_are_cut(
        text in "[{}\\[\\]\",:\\\\ a1]{0,40}|\\{\"pit_id\":[{}\\[\\]\",:\\\\ a1]{0,20}\\}", length in 1usize..8,
    ) {
        let whole = in_pieces(text.as_bytes(), usize::MAX, &mut wrapped);
        prop_assert_eq!(in_pieces(text.as_bytes(), length, &mut wrapped), whole);
    }

    #[test]
    fn what_is_json_to_a_parser_is_followed(text in "\\{\"pit_id\":[{}\\[\\]\",:\\\\ a1]{0,12}\\}") {
        if serde_json::from_str::<Value>(&text).is_ok() {
            prop_assert!(in_pieces(text.as_bytes(), usize::MAX, &mut wrapped).is_ok(), "{}", text);
        }
    }
}
