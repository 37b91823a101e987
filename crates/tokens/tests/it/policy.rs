use access::{Condition, Glob, Rights, Scope};
use proptest::prelude::*;
use rest::classify;
use tokens::{Approval, Asked, Details, DetailsError, Field, Policies, Policy, PolicyError, Terms};

use crate::world::{Bearer, free, party, scopes, seconds};

fn policy(name: &str, group: Option<&str>, allowed: &str) -> Policy {
    Policy {
        name: name.into(),
        when: group.map(|group| Condition::Group(Glob::new(group))),
        scopes: scopes(allowed),
        max_lifetime: None,
        require: vec![],
        approval: Approval::NotNeeded,
        for_others: false,
    }
}

fn asked(text: &str) -> Asked {
    Asked { scopes: Some(scopes(text)), ..Asked::default() }
}

fn told(terms: &Terms) -> String {
    terms.scopes().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn judge(policies: &Policies, asked: Asked, bearer: &Bearer) -> Result<Terms, PolicyError> {
    policies.judge(asked, bearer, &[&bearer.rights("prod")])
}

#[test]
fn without_policies_what_is_held_and_asked_is_granted() {
    for (held, wanted, granted, narrowed) in [
        ("read:logs-*", "read:logs-app", "read:logs-app", ""),
        ("read:logs-*", "read:logs-*", "read:logs-*", ""),
        ("read:logs-*", "read:*", "read:logs-*", "read:*"),
        (
            "read:logs-* write:app-*",
            "read:logs-1 write:app-1 write:logs-1",
            "read:logs-1 write:app-1",
            "write:logs-1",
        ),
        ("admin:logs-*", "read:logs-1", "read:logs-1", ""),
        ("read:logs-* read:logs-app-*", "read:*", "read:logs-*", "read:*"),
        ("read:logs-*", "prod/read:logs-1 stage/read:logs-1", "prod/read:logs-1", "stage/read:logs-1"),
        ("prod/read:logs-*", "read:logs-1", "prod/read:logs-1", ""),
        ("monitor:cluster", "monitor:cluster", "monitor:cluster", ""),
    ] {
        let terms = judge(&free(), asked(wanted), &Bearer::with(held, "")).unwrap();
        assert_eq!(told(&terms), granted, "{wanted} of {held}");
        assert_eq!(terms.narrowed(), scopes(narrowed), "{wanted} of {held}");
        assert_eq!(
            (terms.lifetime(), terms.approval(), terms.policy()),
            (seconds(3600), Approval::NotNeeded, None)
        );
    }
    let all = judge(&free(), Asked::default(), &Bearer::with("read:a openid write:b", "")).unwrap();
    assert_eq!(told(&all), "read:a write:b", "none asked: all that is held");
}

#[test]
fn nothing_is_granted_out_of_nothing() {
    let held = Bearer::with("read:logs-*", "");
    let refused = |asked, bearer: &Bearer| judge(&free(), asked, bearer).unwrap_err();
    assert_eq!(refused(Asked::default(), &Bearer::with("openid", "")), PolicyError::NothingHeld);
    assert_eq!(refused(asked("write:logs-1"), &held), PolicyError::NotHeld { held: scopes("read:logs-*") });
    assert_eq!(refused(asked(""), &held), PolicyError::NotHeld { held: scopes("read:logs-*") });
    assert_eq!(refused(asked("role:admin"), &held), PolicyError::NotHeld { held: scopes("read:logs-*") });
    let many = Asked { scopes: Some(vec![scopes("read:logs-1").remove(0); 101]), ..Asked::default() };
    assert_eq!(refused(many, &held), PolicyError::TooManyScopes);
    let no_time = Asked { lifetime: Some(seconds(0)), ..Asked::default() };
    assert_eq!(refused(no_time, &held), PolicyError::NoLifetime);
    assert_eq!(
        refused(Asked { owner: Some(party("bob")), ..Asked::default() }, &held),
        PolicyError::ForOthers
    );
}

#[test]
fn the_first_policy_that_allows_all_decides_or_else_the_first_that_allows_a_part() {
    let policies = Policies {
        policies: vec![
            policy("readers", None, "read:*"),
            Policy { approval: Approval::Required, ..policy("writers", Some("dev"), "read:* write:app-*") },
            policy("operators", Some("ops"), "admin:*"),
        ],
        ..free()
    };
    let held = "read:logs-* write:app-* monitor:cluster";
    for (groups, wanted, result) in [
        ("", "read:logs-1", Ok(("readers", "read:logs-1"))),
        ("dev", "read:logs-1", Ok(("readers", "read:logs-1"))),
        ("dev", "write:app-1", Ok(("writers", "write:app-1"))),
        ("dev", "read:logs-1 write:app-1", Ok(("writers", "read:logs-1 write:app-1"))),
        ("ops", "write:app-1", Ok(("operators", "write:app-1"))),
        ("", "read:logs-1 write:app-1", Ok(("readers", "read:logs-1"))),
        ("", "write:app-1", Err(PolicyError::NotAllowed { allowed: scopes("read:*") })),
        ("dev", "monitor:cluster", Err(PolicyError::NotAllowed { allowed: scopes("read:* write:app-*") })),
    ] {
        let terms = judge(&policies, asked(wanted), &Bearer::with(held, groups));
        match (terms, result) {
            (Ok(terms), Ok((name, granted))) => {
                assert_eq!((terms.policy(), &*told(&terms)), (Some(name), granted), "{groups}: {wanted}");
            }
            (terms, result) => assert_eq!(terms.err(), result.err(), "{groups}: {wanted}"),
        }
    }
    let only_dev = Policies { policies: vec![policy("writers", Some("dev"), "write:*")], ..free() };
    let stranger = judge(&only_dev, Asked::default(), &Bearer::with(held, "ops"));
    assert_eq!(stranger, Err(PolicyError::NoPolicy));
}

#[test]
fn lifetimes_are_cut_to_what_policy_allows() {
    let with = |longest: Option<u64>| Policies {
        policies: vec![Policy { max_lifetime: longest.map(seconds), ..policy("all", None, "read:*") }],
        ..free()
    };
    for (longest, wanted, given) in [
        (None, None, 3600),
        (None, Some(100), 100),
        (None, Some(1_000_000), 86_400),
        (Some(600), None, 600),
        (Some(600), Some(60), 60),
        (Some(600), Some(601), 600),
        (Some(1_000_000), Some(1_000_000), 86_400),
    ] {
        let asked = Asked { lifetime: wanted.map(seconds), ..Asked::default() };
        let terms = judge(&with(longest), asked, &Bearer::with("read:a", "")).unwrap();
        assert_eq!(terms.lifetime(), seconds(given), "{longest:?} {wanted:?}");
    }
}

#[test]
fn what_a_policy_requires_must_be_given() {
    let fields = ["name", "description", "metadata.ticket"].map(|text| text.parse::<Field>().unwrap());
    let policies = Policies {
        policies: vec![Policy { require: fields.into(), ..policy("all", None, "read:*") }],
        ..free()
    };
    let bearer = Bearer::with("read:a", "");
    let ticket = |value: &str| [("ticket".to_owned(), value.to_owned())];
    let details = [
        (Details::default(), Some("name")),
        (Details::new(Some(""), Some("why"), []).unwrap(), Some("name")),
        (Details::new(Some("n"), None, []).unwrap(), Some("description")),
        (Details::new(Some("n"), Some("why"), []).unwrap(), Some("metadata.ticket")),
        (Details::new(Some("n"), Some("why"), ticket("")).unwrap(), Some("metadata.ticket")),
        (Details::new(Some("n"), Some("why"), ticket("OPS-1")).unwrap(), None),
    ];
    for (details, missing) in details {
        let result = judge(&policies, Asked { details, ..Asked::default() }, &bearer);
        let told = match result {
            Err(PolicyError::Missing { field, .. }) => Some(field.to_string()),
            other => other.map(|_| None).unwrap(),
        };
        assert_eq!(told.as_deref(), missing);
    }
    assert!("metadata.".parse::<Field>().is_err() && "owner".parse::<Field>().is_err());
}

#[test]
fn tokens_for_others_need_a_policy_that_says_so() {
    let policies = Policies {
        policies: vec![
            policy("own", None, "read:*"),
            Policy { for_others: true, ..policy("leads", Some("lead"), "read:logs-*") },
        ],
        ..free()
    };
    let for_bob = || Asked { owner: Some(party("bob")), ..asked("read:*") };
    let member = judge(&policies, for_bob(), &Bearer::with("read:*", ""));
    assert_eq!(member, Err(PolicyError::ForOthers));
    let lead = judge(&policies, for_bob(), &Bearer::with("read:*", "lead")).unwrap();
    assert_eq!((lead.policy(), &*told(&lead)), (Some("leads"), "read:logs-*"));
}

#[test]
fn notes_are_bounded_and_can_be_shown() {
    let long = "x".repeat(1025);
    let entries = |count: usize| (0..count).map(|at| (at.to_string(), String::new())).collect::<Vec<_>>();
    for (result, problem) in [
        (Details::new(Some(&long[..129]), None, []), "name"),
        (Details::new(None, Some(&long), []), "description"),
        (Details::new(None, None, [("k".into(), long.clone())]), "metadata.k"),
        (Details::new(Some("a\u{1b}[2J"), None, []), "name"),
        (
            Details::new(None, None, [("a\nb".into(), String::new()), ("\r".into(), String::new())]),
            "metadata",
        ),
        (Details::new(None, None, entries(33)), "32"),
        (Details::new(None, None, [(String::new(), String::new())]), "without a name"),
    ] {
        let error: DetailsError = result.unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
    }
    assert!(Details::new(Some("n"), Some("two\nlines"), entries(32)).is_ok());
}

fn texts() -> impl Strategy<Value = String> {
    let name = "[ab]{0,2}[*]?[ab]{0,1}".prop_filter("a name", |name| !name.is_empty());
    let action = prop::sample::select(vec!["read", "write", "admin"]);
    let cluster = prop_oneof![3 => Just(""), 1 => Just("prod/"), 1 => Just("stage/")];
    (cluster, action, name).prop_map(|(cluster, action, name)| format!("{cluster}{action}:{name}"))
}

fn native(scopes: &[Scope], cluster: &str) -> Rights {
    let text = scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    Bearer::with(&text, "").rights(cluster)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Never wider than what was asked, what is held, and what is allowed.
    #[test]
    fn granted_is_inside_all_three(
        held in prop::collection::vec(texts(), 1..4),
        wanted in prop::collection::vec(texts(), 1..4),
        allowed in prop::collection::vec(texts(), 1..4),
        name in "[ab]{1,3}",
        method in prop::sample::select(vec![("GET", "_search"), ("PUT", "_doc/1"), ("DELETE", "")]),
    ) {
        let bearer = Bearer::with(&held.join(" "), "");
        let policies = Policies { policies: vec![policy("p", None, &allowed.join(" "))], ..free() };
        let rights = bearer.rights("prod");
        let Ok(terms) = policies.judge(asked(&wanted.join(" ")), &bearer, &[&rights]) else { return Ok(()) };
        let (verb, rest) = method;
        let ask = classify(verb, format!("/{name}/{rest}").trim_end_matches('/'), None).unwrap();
        if rights.restrict(terms.scopes()).decide(&ask).is_ok() {
            prop_assert!(rights.decide(&ask).is_ok(), "held");
            prop_assert!(native(&scopes(&wanted.join(" ")), "prod").decide(&ask).is_ok(), "asked");
            prop_assert!(native(&scopes(&allowed.join(" ")), "prod").decide(&ask).is_ok(), "allowed");
        }
    }

    /// What is asked inside what is held, without a policy, is granted as it was asked.
    #[test]
    fn what_is_held_whole_is_granted_whole(held in texts(), wanted in texts(), name in "[ab]{1,3}") {
        let bearer = Bearer::with(&held, "");
        let rights = bearer.rights("prod");
        let (wide, narrow): (Scope, Scope) = (held.parse().unwrap(), wanted.parse().unwrap());
        let here = narrow.cluster.as_deref() != Some("stage") && rights.held_scopes().count() == 1;
        if !here || !narrow.grant.within(&wide.grant) {
            return Ok(());
        }
        let terms = policies_free(&bearer, &rights, &wanted);
        let ask = classify("GET", &format!("/{name}/_search"), None).unwrap();
        let granted = rights.restrict(terms.scopes()).decide(&ask).is_ok();
        prop_assert_eq!(granted, native(&[narrow], "prod").decide(&ask).is_ok());
        prop_assert!(terms.narrowed().is_empty());
    }
}

fn policies_free(bearer: &Bearer, rights: &Rights, wanted: &str) -> Terms {
    free().judge(asked(wanted), bearer, &[rights]).unwrap()
}
