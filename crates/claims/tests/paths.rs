//! Paths as text, and what they find.
#![expect(clippy::panic, reason = "a test ends at the first thing that is not as it should be")]

use claims::{ClaimPath, ClaimPathError, Claims};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

fn path(text: &str) -> ClaimPath {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn paths_select_through_objects_and_arrays() {
    let claims = object(json!({
        "groups": ["a", "b"],
        "realm_access": { "roles": ["r"] },
        "resource_access": { "my.client": { "roles": ["x", ["y"]] } },
        "orgs": [{ "name": "o1" }, { "name": "o2" }, { "other": 1 }, "text"],
        "https://example.com/groups": "g",
        "a\"b": "quoted",
        "level": 3,
        "admin": true,
        "mixed": ["a", 4, null, { "x": 1 }, false],
        "nothing": null,
        "empty": [],
    }));
    for (text, expected) in [
        ("groups", vec!["a", "b"]),
        ("realm_access.roles", vec!["r"]),
        (r#""realm_access"."roles""#, vec!["r"]),
        (r#"resource_access."my.client".roles"#, vec!["x", "y"]),
        ("orgs.name", vec!["o1", "o2"]),
        (r#""https://example.com/groups""#, vec!["g"]),
        (r#""a""b""#, vec!["quoted"]),
        ("level", vec!["3"]),
        ("admin", vec!["true"]),
        ("mixed", vec!["a", "4", "false"]),
        ("mixed.x", vec!["1"]),
        ("groups.a", vec![]),
        ("groups.0", vec![]),
        ("realm_access", vec![]),
        ("nothing", vec![]),
        ("missing", vec![]),
        ("missing.x", vec![]),
        ("empty", vec![]),
        ("resource_access.my.client.roles", vec![]),
    ] {
        assert_eq!(path(text).texts(&claims), expected, "{text}");
    }
}

#[test]
fn a_name_is_the_first_string_that_holds_something() {
    let claims = object(json!({ "a": "x", "list": [1, "", "y", "z"], "number": 7, "blank": "" }));
    for (text, expected) in
        [("a", Some("x")), ("list", Some("y")), ("number", None), ("blank", None), ("none", None)]
    {
        assert_eq!(path(text).first_string(|name| claims.get(name)), expected, "{text}");
    }
}

#[test]
fn what_is_no_path_is_refused() {
    use ClaimPathError::{EmptyName, Quote, Slash};
    for (text, error) in [
        ("", EmptyName),
        (".", EmptyName),
        ("a.", EmptyName),
        (".a", EmptyName),
        ("a..b", EmptyName),
        (r#""""#, EmptyName),
        (r#""".a"#, EmptyName),
        (r#""a"#, Quote),
        (r#""a"b"#, Quote),
        (r#"a"b""#, Quote),
        (r#"a."b"c"#, Quote),
        (r#"a""b"#, Quote),
        (r#"""""#, Quote),
        ("/a/b", Slash),
        ("https://example.com/groups", Slash),
    ] {
        assert_eq!(text.parse::<ClaimPath>(), Err(error), "{text}");
    }
}

#[test]
fn members_at_the_top_are_told_from_longer_paths() {
    assert!(path("email").is_member("email"));
    assert!(path(r#""email""#).is_member("email"));
    assert!(!path("user.email").is_member("email"));
    assert!(!path("email").is_member("mail"));
    assert!(ClaimPath::member("a.b").is_member("a.b"));
}

#[test]
fn serde_speaks_the_same_text_and_names_what_is_wrong() {
    let read: ClaimPath = serde_json::from_value(json!(r#"a."b.c""#)).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), json!(r#"a."b.c""#));
    let error = serde_json::from_value::<ClaimPath>(json!("a..b")).unwrap_err().to_string();
    assert!(error.contains("`a..b` is not a claim path: a name in it is empty"), "{error}");
}

proptest! {
    #[test]
    fn the_text_of_a_path_parses_to_the_same_path(text in "[a-z.\"/: ]{0,20}") {
        if let Ok(path) = text.parse::<ClaimPath>() {
            prop_assert_eq!(path.to_string().parse::<ClaimPath>(), Ok(path));
        }
    }

    #[test]
    fn every_name_can_be_written_and_finds_its_member(name in "[a-c.\"/ é]{1,8}") {
        let path = ClaimPath::member(&name);
        prop_assert_eq!(path.to_string().parse::<ClaimPath>(), Ok(path.clone()));
        let claims = object(json!({ name: "found" }));
        prop_assert_eq!(path.texts(&claims), ["found"]);
    }

    #[test]
    fn any_text_is_read_without_harm(text in any::<String>()) {
        let _ = text.parse::<ClaimPath>();
    }
}

#[test]
fn claims_kept_as_text_say_the_same() {
    let text = r#"{"iss":"a","groups":["x",{"y":1.5}],"n":null}"#;
    let members: Map<String, Value> = serde_json::from_str(text).unwrap();
    for claims in [Claims::of_text(text.as_bytes()), Claims::from(members.clone())] {
        assert_eq!(*claims, members);
        assert_eq!(claims.clone(), claims);
        assert!(!format!("{claims:?}").contains("groups"));
    }
    for none in [Claims::default(), Claims::of_text(b"[]"), Claims::of_text(b"")] {
        assert!(none.is_empty());
    }
}
