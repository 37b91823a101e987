use access::{Condition, Grant, Scope};
use proptest::prelude::*;
use rest::{Action, Ask, Need, Resource, Target, classify};
use serde_json::json;

use crate::subject::{Token, group_is, mapper, mapping, native, scope_is};

fn actions() -> impl Strategy<Value = Action> {
    prop::sample::select(Action::ALL.to_vec())
}

fn resources() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[ab.]{0,2}[*]?[ab]{0,1}".prop_filter("a name", |name| name.parse::<Target>().is_ok()),
        1 => Just("*".to_owned()),
        1 => Just(".*".to_owned()),
        1 => Just("cluster".to_owned()),
        1 => Just("plugin/ml".to_owned()),
        1 => Just("dashboards".to_owned()),
        1 => Just("r:a*".to_owned()),
    ]
}

pub(crate) fn scopes() -> impl Strategy<Value = String> {
    (prop_oneof![4 => Just(""), 1 => Just("prod/"), 1 => Just("stage/")], actions(), resources())
        .prop_map(|(cluster, action, resource)| format!("{cluster}{action}:{resource}"))
}

pub(crate) fn asks() -> impl Strategy<Value = Ask> {
    let requests = prop::sample::select(vec![
        ("GET", "/{}/_search"),
        ("POST", "/{}/_update/1"),
        ("PUT", "/{}/_doc/1"),
        ("DELETE", "/{}"),
        ("GET", "/{}/_stats"),
        ("POST", "/{}/_clone/ab"),
        ("GET", "/_search"),
        ("POST", "/_bulk"),
        ("GET", "/_cluster/health"),
        ("GET", "/_plugins/_ml/models/x"),
        ("GET", "/"),
    ]);
    let names = prop::collection::vec("[ab.]{0,2}[*]?[ab]{0,1}", 1..3).prop_map(|names| names.join(","));
    (requests, names, any::<bool>()).prop_filter_map("a request", |((method, path), names, hidden)| {
        let query = hidden.then_some("expand_wildcards=all");
        classify(method, &path.replace("{}", &names), query).ok()
    })
}

/// Conditions over short texts, so that many are met.
fn conditions() -> impl Strategy<Value = Condition> {
    let claim = ("[ab]([.][ab])?", "[ab]{1,2}").prop_map(|(path, equals)| Condition::Claim {
        path: path.parse().expect("a path"),
        equals: equals.into(),
    });
    let single = prop_oneof![
        2 => "[ab]{0,2}[*]?[ab]{0,1}[*]?".prop_map(|glob| scope_is(&glob)),
        1 => scopes().prop_map(|scope| scope_is(&scope)),
        2 => "[ab]{0,2}[*]?[ab]{0,1}".prop_map(|glob| group_is(&glob)),
        2 => claim,
    ];
    single.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..4).prop_map(Condition::All))
}

fn tokens() -> impl Strategy<Value = Token> {
    let texts = || prop::collection::vec("[ab]{0,3}", 0..3);
    let value = prop_oneof![
        texts().prop_map(|texts| json!(texts)),
        "[ab]{1,2}".prop_map(|text| json!(text)),
        "[ab]{1,2}".prop_map(|text| json!({"a": text, "b": [text]})),
    ];
    let claims = prop::collection::vec(("[ab]", value), 0..3).prop_map(|claims| claims.into_iter().collect());
    (texts(), prop::collection::vec(scopes(), 0..2), texts(), claims).prop_map(
        |(mut texts, scopes, groups, claims)| {
            texts.extend(scopes);
            Token { scopes: texts, groups, claims, ..Token::default() }
        },
    )
}

/// What a scope covers, written down again from the rules: enumerates the names instead of comparing patterns.
fn covers(scope: &str, need: &Need) -> bool {
    let scope: Scope = scope.parse().expect("a scope");
    if scope.cluster.is_some_and(|cluster| &*cluster != "prod") {
        return false;
    }
    let enough = |held: Action| held == Action::Admin || held == need.action;
    match (scope.grant, &need.on) {
        (_, Resource::Greeting) => true,
        (Grant::Cluster(action), Resource::Cluster) => enough(action),
        (Grant::Plugin { action, name }, Resource::Plugin(asked)) => enough(action) && *name == **asked,
        (Grant::Index { action, target }, Resource::Index(asked)) => {
            enough(action)
                && target.remote.is_some() == asked.remote.is_some()
                && names().filter(|name| visible(asked, name)).all(|name| visible(&target, &name))
        }
        _ => false,
    }
}

fn visible(target: &Target, name: &str) -> bool {
    let dots = name.starts_with('.') && !target.index.as_str().starts_with('.');
    !dots && target.index.matches(name)
}

/// Names up to six letters; `z` occurs in no pattern.
fn names() -> impl Iterator<Item = String> {
    let letters = ['a', 'b', '.', 'z'];
    let mut words = vec![String::new()];
    let mut at = 0;
    while words.len() < 1400 {
        let longer: Vec<String> = letters.map(|letter| format!("{}{letter}", words[at])).into();
        words.extend(longer);
        at += 1;
    }
    words.into_iter()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_decision_is_what_the_rules_say(held in prop::collection::vec(scopes(), 0..4), ask in asks()) {
        let rights = native(&held.join(" "));
        let allowed = ask.needs.iter().all(|need| held.iter().any(|scope| covers(scope, need)));
        match rights.decide(&ask) {
            Ok(permit) => {
                prop_assert!(allowed, "{:?} allowed by {:?}", ask.needs, permit.scopes);
                for scope in &permit.scopes {
                    prop_assert!(ask.needs.iter().any(|need| covers(scope, need)), "{} is used", scope);
                }
                for need in &ask.needs {
                    prop_assert!(permit.scopes.iter().any(|scope| covers(scope, need)), "{} is covered", need);
                }
            }
            Err(denial) => {
                prop_assert!(!allowed, "{} denied", denial);
                prop_assert!(denial.would_allow.allows(&denial.need), "{}", denial);
            }
        }
    }

    /// Which mappings are met is found without asking each of them whether it is.
    #[test]
    fn no_mapping_that_is_met_is_passed_over(
        conditions in prop::collection::vec(conditions(), 0..8),
        token in tokens(),
    ) {
        let mapper = mapper(conditions.into_iter().map(|when| mapping(when, "read:x", "", None)).collect());
        let met: Vec<_> = mapper.met(&token).collect();
        let asked: Vec<_> = mapper.mappings().iter().filter(|mapping| mapping.when.is_met_by(&token)).collect();
        prop_assert_eq!(met, asked);
    }

    #[test]
    fn one_more_scope_never_takes_away(
        held in prop::collection::vec(scopes(), 0..4),
        more in scopes(),
        ask in asks(),
    ) {
        let before = native(&held.join(" ")).decide(&ask);
        let after = native(&format!("{} {more}", held.join(" "))).decide(&ask);
        prop_assert!(before.is_err() || after.is_ok(), "{:?} with {}", before, more);
    }

    #[test]
    fn the_order_of_scopes_changes_nothing(held in prop::collection::vec(scopes(), 0..5), ask in asks()) {
        let forward = native(&held.join(" ")).decide(&ask);
        let backward = native(&held.iter().rev().cloned().collect::<Vec<_>>().join(" ")).decide(&ask);
        prop_assert_eq!(forward, backward);
    }

    /// No scope that allows a need lies strictly inside the one that is chosen for it.
    #[test]
    fn the_chosen_scope_is_the_narrowest(held in prop::collection::vec(scopes(), 1..5), ask in asks()) {
        prop_assume!(ask.needs.len() == 1);
        let Ok(permit) = native(&held.join(" ")).decide(&ask) else { return Ok(()) };
        let chosen: Scope = permit.scopes[0].parse().expect("a canonical scope");
        for other in held.iter().filter(|other| covers(other, &ask.needs[0])) {
            let other: Scope = other.parse().expect("a scope");
            if let (Grant::Index { action, target }, Grant::Index { action: held, target: wide }) =
                (&other.grant, &chosen.grant)
                && action == held
            {
                let narrower = wide.covers(target) && !target.covers(wide);
                prop_assert!(!narrower, "{} lies inside {}", other, chosen);
            }
        }
    }

    #[test]
    fn canonical_texts_round_trip(text in scopes()) {
        let scope: Scope = text.parse().expect("a scope");
        let canonical = scope.to_string();
        prop_assert_eq!(canonical.parse::<Scope>(), Ok(scope));
    }

    #[test]
    fn parsing_never_panics(text in any::<String>()) {
        if let Ok(scope) = text.parse::<Scope>() {
            prop_assert_eq!(scope.to_string().parse::<Scope>(), Ok(scope));
        }
    }

    #[test]
    fn without_rights_everything_is_denied(ask in asks(), groups in prop::collection::vec("[a-z]{1,3}", 0..3)) {
        let token = Token { groups, ..Token::default() };
        let roles_only = mapper(vec![mapping(group_is("*"), "", "all_access", None)]);
        prop_assert!(roles_only.rights(&token).decide(&ask).is_err());
    }
}
