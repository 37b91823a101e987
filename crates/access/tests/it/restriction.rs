use access::{Grant, Rights, Scope};
use proptest::prelude::*;
use rest::classify;

use crate::properties::{asks, scopes};
use crate::subject::{Token, group_is, mapper, mapping, native, one_of_many, only_cluster, scope_is, texts};

fn parsed(scopes: &str) -> Vec<Scope> {
    scopes.split_whitespace().map(|scope| scope.parse().expect("a scope")).collect()
}

fn held(rights: &Rights) -> Vec<String> {
    rights.scopes().map(ToString::to_string).collect()
}

#[test]
fn a_granted_scope_lives_where_a_held_one_contains_it() {
    for (held_scopes, granted, left) in [
        ("read:logs-*", "read:logs-app-*", "read:logs-app-*"),
        ("read:logs-*", "read:logs-*", "read:logs-*"),
        ("read:logs-*", "read:*", ""),
        ("read:logs-*", "write:logs-1", ""),
        ("read:logs-*", "admin:logs-1", ""),
        ("admin:logs-*", "read:logs-1 write:logs-2", "read:logs-1 write:logs-2"),
        ("read:*", "read:.kibana", ""),
        ("read:*", "read:eu:logs-*", ""),
        ("read:eu:*", "read:eu:logs-*", "read:eu:logs-*"),
        ("monitor:cluster", "monitor:cluster", "monitor:cluster"),
        ("monitor:cluster", "monitor:*", ""),
        ("admin:plugin/ml", "read:plugin/ml read:plugin/sql", "read:plugin/ml"),
        ("read:dashboards", "read:dashboards/team", "read:dashboards/team"),
        ("read:dashboards/team", "read:dashboards", ""),
        ("read:logs-*", "prod/read:logs-1 stage/read:logs-2", "prod/read:logs-1"),
        ("admin:tokens read:*", "monitor:tokens", "monitor:tokens"),
        ("monitor:tokens admin:*", "admin:tokens", ""),
        ("admin:tokens admin:*", "monitor:decisions", ""),
        ("read:logs-*", "role:analyst", ""),
        ("read:a* read:*b", "read:acb read:a*b", "read:acb read:a*b"),
        ("read:a read:b", "read:*", ""),
        ("read:logs-*", "", ""),
    ] {
        let rights = native(held_scopes).restrict(&parsed(granted));
        assert_eq!(held(&rights).join(" "), left, "{granted} of {held_scopes}");
    }
}

#[test]
fn a_prefix_of_the_held_scope_does_not_matter_where_it_counts() {
    let rights = native("prod/read:logs-*").restrict(&parsed("read:logs-1"));
    assert_eq!(held(&rights), ["read:logs-1"]);
    let elsewhere = access::Mapper::new(vec![], one_of_many(None), true).expect("a mapper");
    let rights = elsewhere.rights(&Token::with_scopes("read:logs-*")).restrict(&parsed("prod/read:logs-1"));
    assert!(rights.is_empty(), "what does not count is not brought back by a prefix");
    assert_eq!(&*only_cluster().name, "prod");
}

#[test]
fn a_request_runs_as_it_would_with_what_is_held() {
    let mapper = mapper(vec![
        mapping(scope_is("read:logs-*"), "", "logs_role", Some("logs_user")),
        mapping(scope_is("read:*"), "", "all_role", Some("all_user")),
        mapping(group_is("sre"), "", "tenant", None),
    ]);
    let token = Token { groups: vec!["sre".into()], ..Token::with_scopes("read:logs-* read:*") };
    let rights = mapper.rights(&token).restrict(&parsed("read:logs-app"));
    let permit =
        rights.decide(&classify("GET", "/logs-app/_search", None).expect("a search")).expect("allowed");
    assert_eq!(texts(&permit.scopes), ["read:logs-*"], "the engine has a role for this one");
    assert_eq!(texts(&permit.roles), ["logs_role", "tenant"]);
    assert_eq!(permit.backend_user().expect("one user").map(|user| &**user), Some("logs_user"));

    let wide = mapper.rights(&token).restrict(&parsed("read:m* read:l*"));
    let permit = wide.decide(&classify("GET", "/metrics/_search", None).expect("a search")).expect("allowed");
    assert_eq!(texts(&permit.scopes), ["read:*"]);
    assert_eq!(texts(&permit.roles), ["all_role", "tenant"]);
    let permit = wide.decide(&classify("GET", "/logs-1/_search", None).expect("a search")).expect("allowed");
    assert_eq!(
        texts(&permit.scopes),
        ["read:logs-*"],
        "a wide grant does not lift a request over its narrow role"
    );
}

#[test]
fn a_denial_tells_what_was_granted_and_not_what_is_held() {
    let rights = native("read:logs-*").restrict(&parsed("read:logs-1"));
    let denial =
        rights.decide(&classify("GET", "/logs-2/_search", None).expect("a search")).expect_err("denied");
    assert_eq!(texts(&denial.held), ["read:logs-1"]);
}

#[test]
fn what_two_scopes_have_in_common() {
    for (one, two, common) in [
        ("read:logs-*", "read:logs-app", Some("read:logs-app")),
        ("read:*", "read:logs-*", Some("read:logs-*")),
        ("admin:logs-1", "read:logs-*", Some("read:logs-1")),
        ("admin:*", "write:logs-*", Some("write:logs-*")),
        ("read:logs-*", "write:logs-*", None),
        ("read:a*", "read:*b", None),
        ("read:*", "read:.kibana", None),
        ("read:*", "read:cluster", None),
        ("prod/read:logs-*", "read:logs-1", Some("prod/read:logs-1")),
        ("prod/read:logs-*", "stage/read:logs-*", None),
        ("admin:cluster", "monitor:cluster", Some("monitor:cluster")),
        ("manage:plugin/ml", "admin:plugin/ml", Some("manage:plugin/ml")),
        ("read:plugin/ml", "read:plugin/sql", None),
        ("read:dashboards", "admin:dashboards/team", Some("read:dashboards/team")),
        ("read:dashboards/a", "read:dashboards/b", None),
        ("role:analyst", "role:analyst", None),
    ] {
        let (one, two): (Scope, Scope) = (one.parse().expect("a scope"), two.parse().expect("a scope"));
        let expected = common.map(|text| text.parse::<Scope>().expect("a scope"));
        assert_eq!(one.common(&two), expected, "{one} and {two}");
        assert_eq!(two.common(&one), expected, "{two} and {one}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is allowed after is allowed by what was held, and under the same, and by what was granted.
    #[test]
    fn never_wider_than_either(
        held in prop::collection::vec(scopes(), 0..4),
        granted in prop::collection::vec(scopes(), 0..4),
        ask in asks(),
    ) {
        let full = native(&held.join(" "));
        let restricted = full.restrict(&parsed(&granted.join(" ")));
        if let Ok(permit) = restricted.decide(&ask) {
            prop_assert!(full.decide(&ask).is_ok(), "held {:?}", held);
            prop_assert!(native(&granted.join(" ")).decide(&ask).is_ok(), "granted {:?}", granted);
            prop_assert_eq!(&permit, &full.decide(&ask).expect("allowed"), "it runs as it would without");
        }
    }

    /// Restricting twice is restricting to both, and to what is held already changes no decision.
    #[test]
    fn restricting_again_only_narrows(
        held in prop::collection::vec(scopes(), 0..4),
        granted in prop::collection::vec(scopes(), 0..4),
        ask in asks(),
    ) {
        let full = native(&held.join(" "));
        let same: Vec<Scope> = full.scopes().map(|scope| scope.parse().expect("a scope")).collect();
        prop_assert_eq!(full.restrict(&same).decide(&ask).is_ok(), full.decide(&ask).is_ok());
        let once = full.restrict(&parsed(&granted.join(" ")));
        let twice = once.restrict(&same);
        prop_assert!(once.decide(&ask).is_ok() || twice.decide(&ask).is_err());
    }

    /// The permit for a body that is not read yet has every scope that a need of it could run under, held ones only.
    #[test]
    fn a_body_finds_its_scopes_in_the_permit(
        held in prop::collection::vec(scopes(), 0..4),
        granted in prop::collection::vec(scopes(), 0..4),
        names in prop::collection::vec("[ab]{1,3}", 1..3),
    ) {
        let full = native(&held.join(" "));
        let restricted = full.restrict(&parsed(&granted.join(" ")));
        let inquiry = rest::inquire("POST", "/_bulk", None, Some("application/x-ndjson")).expect("a bulk request");
        let Ok((permit, Some(_))) = restricted.decide_inquiry(&inquiry) else { return Ok(()) };
        for scope in &permit.scopes {
            prop_assert!(full.scopes().any(|known| known == scope), "{} is not held", scope);
        }
        for name in names {
            let write = classify("PUT", &format!("/{name}/_doc/1"), None).expect("a document");
            if let Ok(own) = restricted.decide(&write) {
                prop_assert!(permit.scopes.contains(&own.scopes[0]), "{:?} lacks {:?}", permit, own);
            }
        }
    }

    /// Whatever both scopes allow and can be said lies inside both.
    #[test]
    fn the_common_part_lies_inside_both(one in scopes(), two in scopes()) {
        let (one, two): (Scope, Scope) = (one.parse().expect("a scope"), two.parse().expect("a scope"));
        if let Some(common) = one.common(&two) {
            prop_assert!(common.grant.within(&one.grant) && common.grant.within(&two.grant));
            let role = |grant: &Grant| matches!(grant, Grant::Role(_));
            prop_assert!(!role(&common.grant));
        }
    }
}
