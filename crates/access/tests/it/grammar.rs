use access::{Glob, Grant, Scope, ScopeError};
use rest::Action;
use serde_json::json;

#[test]
fn scopes_are_read_and_written_back() {
    for text in [
        "read:logs-*",
        "write:app-logs-*",
        "manage:.kibana",
        "monitor:*",
        "admin:cluster",
        "read:dashboards",
        "write:dashboards/team-a",
        "read:plugin/ml",
        "monitor:tokens",
        "prod/admin:tokens",
        "read:tokens*",
        "monitor:decisions",
        "monitor:policies",
        "admin:policies",
        "read:decisions*",
        "role:logs_reader",
        "role:team:a/b",
        "prod/read:logs-*",
        "prod-eu.1/role:x",
        "read:other:logs-*",
        "read:*:*",
    ] {
        let scope: Scope = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(scope.to_string(), text);
    }
    let scope: Scope = "prod/write:a**b".parse().expect("a scope");
    assert_eq!((scope.cluster.as_deref(), scope.to_string().as_str()), (Some("prod"), "prod/write:a*b"));
    assert_eq!("monitor:cluster".parse::<Scope>().map(|s| s.grant), Ok(Grant::Cluster(Action::Monitor)));
}

#[test]
fn what_is_not_a_scope_says_how_to_write_one() {
    for (text, part) in [
        ("", "cannot be empty"),
        ("openid", "the action is missing"),
        ("read:", "cannot be empty"),
        (":logs", "is not an action"),
        ("READ:logs", "lower case"),
        ("delete:logs", "read, write, manage, monitor or admin"),
        ("read:a,b", "one scope for each"),
        ("read:a b", "RFC 6749"),
        ("read:a\"", "RFC 6749"),
        ("read:é", "RFC 6749"),
        ("read:_all", "cannot begin with '_'"),
        ("read:-a", "cannot begin with '-'"),
        ("read:a/b", "'/' cannot be part"),
        ("read:plugin", "plugin/<name>"),
        ("read:plugin/", "plugin/<name>"),
        ("read:plugin/a/b", "plugin/<name>"),
        ("read:plugin/*", "plugin/<name>"),
        ("read:dashboards/", "dashboards/<workspace"),
        ("read:dashboards/a/b", "dashboards/<workspace"),
        ("read:tokens", "monitor:tokens or admin:tokens, or read:tokens* for an index"),
        ("read:policies", "write monitor:policies or admin:policies, or read:policies* for an index"),
        ("admin:decisions", "write monitor:decisions, or admin:decisions* for an index"),
        ("role:", "role:<engine role>"),
        ("/read:a", "is not a cluster name"),
        ("a*/read:x", "is not a cluster name"),
        ("a/b/read:x", "is not an action"),
        ("read:a:b:c", "':' cannot be part"),
    ] {
        let error = text.parse::<Scope>().expect_err(text).to_string();
        assert!(error.contains(part), "{text:?}: {error}");
    }
    assert_eq!("x".parse::<Scope>(), Err(ScopeError::MissingColon));
}

#[test]
fn globs_match_whole_texts() {
    for (glob, text, expected) in [
        ("read:logs-*", "read:logs-*", true),
        ("read:logs-*", "read:logs-a", true),
        ("read:logs-*", "xread:logs-a", false),
        ("*", "", true),
        ("", "", true),
        ("", "a", false),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("a*b*c", "abbc", true),
        ("a*b*c", "acb", false),
        ("a*bc*c", "abc", false),
        ("*ops*", "team-ops-eu", true),
        ("a?c", "abc", false),
    ] {
        assert_eq!(Glob::new(glob).matches(text), expected, "{glob} on {text}");
    }
}

#[test]
fn serde_speaks_the_same_text() {
    let scope: Scope = serde_json::from_value(json!("prod/read:logs-*")).expect("a scope");
    assert_eq!(serde_json::to_value(scope).expect("a text"), json!("prod/read:logs-*"));
    let error = serde_json::from_value::<Scope>(json!("read:_all")).expect_err("no scope").to_string();
    assert!(error.contains("cannot begin with '_'"), "{error}");
}
