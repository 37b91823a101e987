use access::{
    BackendUserConflict, Condition, Granted, Mapper, MapperError, Mapping, Permit, Rights, TenantConflict,
};
use rest::classify;
use serde_json::json;

use crate::subject::{Token, group_is, mapper, mapping, one_of_many, only_cluster, scope_is, texts};

fn permit(rights: &Rights, method: &str, path: &str) -> Option<Permit> {
    rights.decide(&classify(method, path, None).expect("a known request")).ok()
}

fn roles(rights: &Rights, method: &str, path: &str) -> Option<Vec<String>> {
    permit(rights, method, path).map(|permit| permit.roles.iter().map(ToString::to_string).collect())
}

#[test]
fn any_scope_string_can_be_mapped() {
    let mapper = mapper(vec![
        mapping(scope_is("logs.reader"), "read:logs-*", "logs_reader", None),
        mapping(scope_is("api://os/*"), "monitor:cluster", "", None),
    ]);
    let rights = mapper.rights(&Token::with_scopes("openid logs.reader api://os/x"));
    assert_eq!(rights.scopes().map(|s| &**s).collect::<Vec<_>>(), ["read:logs-*", "monitor:cluster"]);
    assert_eq!(roles(&rights, "GET", "/logs-a/_search"), Some(vec!["logs_reader".into()]));
    assert_eq!(roles(&rights, "GET", "/_cluster/health"), Some(vec![]));
    assert!(mapper.rights(&Token::with_scopes("logs.readers")).is_empty());
}

/// Whoever maps `read:logs-*` to a user means tokens with that scope, not those with a narrower one.
#[test]
fn a_condition_in_the_scope_grammar_means_that_scope_alone() {
    let mapper = mapper(vec![
        mapping(scope_is("read:*"), "read:*", "everything", Some("root")),
        mapping(scope_is("read:logs-*"), "", "logs", None),
    ]);
    let narrow = mapper.rights(&Token::with_scopes("read:logs-1"));
    assert_eq!(narrow.scopes().map(|s| &**s).collect::<Vec<_>>(), ["read:logs-1"]);
    assert_eq!(roles(&narrow, "GET", "/logs-1/_search"), Some(vec![]));
    assert_eq!(permit(&narrow, "GET", "/logs-2/_search"), None);
    let own = mapper.rights(&Token::with_scopes("read:logs-*"));
    assert_eq!(roles(&own, "GET", "/logs-1/_search"), Some(vec!["logs".into()]));
    assert_eq!(permit(&own, "GET", "/pii/_search"), None);
    let wide = mapper.rights(&Token::with_scopes("read:*"));
    assert_eq!(roles(&wide, "GET", "/pii/_search"), Some(vec!["everything".into()]));
}

#[test]
fn roles_follow_the_scope_that_allows() {
    let mapper = mapper(vec![
        mapping(scope_is("read:logs-*"), "", "logs_reader", None),
        mapping(scope_is("write:app-*"), "", "app_writer", None),
        mapping(group_is("oncall"), "", "everyone_on_call", None),
    ]);
    let mut token = Token::with_scopes("read:logs-* write:app-*");
    let rights = mapper.rights(&token);
    assert_eq!(roles(&rights, "GET", "/logs-a/_search"), Some(vec!["logs_reader".into()]));
    assert_eq!(roles(&rights, "POST", "/app-a/_doc"), Some(vec!["app_writer".into()]));
    token.groups = vec!["oncall".into()];
    let rights = mapper.rights(&token);
    let expected = vec!["logs_reader".to_owned(), "everyone_on_call".to_owned()];
    assert_eq!(roles(&rights, "GET", "/logs-a/_search"), Some(expected));
    assert_eq!(texts(rights.roles()), ["everyone_on_call"]);
}

#[test]
fn roles_alone_allow_nothing() {
    let roles_only = mapper(vec![
        mapping(group_is("*"), "", "all_access", None),
        mapping(scope_is("role:*"), "", "named_role", None),
    ]);
    let token = Token { groups: vec!["x".into()], ..Token::with_scopes("role:admin openid") };
    assert!(roles_only.rights(&token).is_empty());
    assert_eq!(permit(&roles_only.rights(&token), "GET", "/"), None);
    let with_scopes = mapper(vec![mapping(scope_is("role:logs_reader"), "read:logs-*", "logs_reader", None)]);
    let rights = with_scopes.rights(&Token::with_scopes("role:logs_reader"));
    assert_eq!(roles(&rights, "GET", "/logs-a/_search"), Some(vec!["logs_reader".into()]));
    assert!(with_scopes.rights(&Token::with_scopes("role:other")).is_empty());
}

#[test]
fn native_scopes_count_only_where_that_is_wanted() {
    let mapped = vec![mapping(scope_is("read:logs-*"), "read:logs-public", "", None)];
    let strict = Mapper::new(mapped, only_cluster(), false).expect("a mapping");
    let rights = strict.rights(&Token::with_scopes("read:logs-* admin:*"));
    assert_eq!(rights.scopes().map(|s| &**s).collect::<Vec<_>>(), ["read:logs-public"]);
}

#[test]
fn conditions_read_scopes_groups_and_claims() {
    let all = |conditions| Condition::All(conditions);
    let claim = |path: &str, equals: &str| Condition::Claim {
        path: path.parse().expect("a path"),
        equals: equals.into(),
    };
    let token = Token {
        scopes: vec!["a".into(), "b".into()],
        groups: vec!["team-ops".into()],
        claims: json!({"tenant": "acme", "level": 3, "o": {"r": ["x", "y"]}}).as_object().cloned().unwrap(),
        ..Token::default()
    };
    for (condition, holds) in [
        (scope_is("a"), true),
        (scope_is("c"), false),
        (group_is("team-*"), true),
        (group_is("ops"), false),
        (claim("tenant", "acme"), true),
        (claim("tenant", "ac*"), false),
        (claim("level", "3"), true),
        (claim("o.r", "y"), true),
        (claim("o.r", "z"), false),
        (all(vec![scope_is("a"), group_is("team-ops"), claim("tenant", "acme")]), true),
        (all(vec![scope_is("a"), group_is("other")]), false),
        (all(vec![]), false),
        (all(vec![all(vec![])]), false),
    ] {
        let shown = format!("{condition:?}");
        let rights = mapper(vec![mapping(condition, "read:x", "", None)]).rights(&token);
        assert_eq!(!rights.is_empty(), holds, "{shown}");
    }
}

#[test]
fn a_scope_counts_on_its_cluster_only() {
    for (scopes, audiences, own_audience, counted) in [
        ("prod/read:a", "", None, "prod/read:a"),
        ("stage/read:a", "", None, ""),
        ("read:a", "", None, ""),
        ("read:a", "os-prod", Some("os-prod"), "read:a"),
        ("read:a", "os-stage", Some("os-prod"), ""),
        ("read:a", "", Some("os-prod"), ""),
        ("stage/read:a prod/read:b", "os-prod", Some("os-prod"), "prod/read:b"),
        ("read:a", "os-prod", None, ""),
    ] {
        let mapper = Mapper::new(vec![], one_of_many(own_audience), true).expect("no mappings");
        let audiences = audiences.split_whitespace().map(Into::into).collect();
        let token = Token { audiences, ..Token::with_scopes(scopes) };
        let rights = mapper.rights(&token);
        let found: Vec<&str> = rights.scopes().map(|scope| &**scope).collect();
        assert_eq!(found.join(" "), counted, "{scopes} for {audiences:?}", audiences = token.audiences);
    }
    let other = mapper(vec![]).rights(&Token::with_scopes("stage/admin:* read:a"));
    assert_eq!(other.scopes().map(|s| &**s).collect::<Vec<_>>(), ["read:a"], "also on the only cluster");
}

#[test]
fn a_mapping_counts_on_its_clusters_only() {
    for (clusters, scope, role, counted) in [
        (Some(vec!["prod"]), "read:a", "r", true),
        (Some(vec!["stage", "prod"]), "read:a", "r", true),
        (Some(vec!["stage"]), "read:a", "r", false),
        (Some(vec!["stage"]), "prod/read:a", "r", false),
        (Some(vec!["prod"]), "stage/read:a", "r", false),
        (Some(vec![]), "read:a", "r", false),
        (None, "read:a", "r", false),
        (None, "prod/read:a", "r", true),
    ] {
        let clusters: Option<Vec<Box<str>>> =
            clusters.map(|names| names.into_iter().map(Into::into).collect());
        let mapping = Mapping { clusters: clusters.clone(), ..mapping(group_is("g"), scope, role, None) };
        let mapper = Mapper::new(vec![mapping], one_of_many(None), true).expect("a mapping");
        let token = Token { groups: vec!["g".into()], ..Token::default() };
        assert_eq!(!mapper.rights(&token).is_empty(), counted, "{clusters:?} {scope}");
    }
    let roles_only =
        Mapping { clusters: Some(vec!["stage".into()]), ..mapping(group_is("g"), "", "r", None) };
    let mapper = Mapper::new(vec![roles_only], one_of_many(None), true).expect("a mapping");
    let token = Token { groups: vec!["g".into()], ..Token::with_scopes("prod/read:a") };
    assert_eq!(roles(&mapper.rights(&token), "GET", "/a/_search"), Some(vec![]));
}

#[test]
fn the_backend_user_is_of_the_scope_that_allows() {
    let mapper = mapper(vec![
        mapping(scope_is("read:logs-*"), "", "", Some("logs_reader")),
        mapping(scope_is("w"), "write:app-*", "", Some("app_writer")),
        mapping(scope_is("r"), "read:app-*", "", Some("app_reader")),
        mapping(scope_is("same"), "read:both write:both", "", Some("both")),
    ]);
    let rights = mapper.rights(&Token::with_scopes("read:logs-* w r same read:free"));
    let user = |method, path| {
        let permit = permit(&rights, method, path).expect("allowed");
        permit.backend_user().map(|user| user.map(ToString::to_string))
    };
    assert_eq!(user("GET", "/logs-a/_search"), Ok(Some("logs_reader".into())));
    assert_eq!(user("POST", "/app-a/_doc"), Ok(Some("app_writer".into())));
    assert_eq!(user("POST", "/both/_update/1"), Ok(Some("both".into())));
    assert_eq!(user("GET", "/free/_search"), Ok(None));
    assert_eq!(
        user("POST", "/app-a/_update/1"),
        Err(BackendUserConflict::Several("app_writer, app_reader".into()))
    );
    let missing = user("GET", "/logs-a,free/_search").expect_err("one scope has no user");
    assert!(missing.to_string().contains("read:free") && missing.to_string().contains("logs_reader"));
}

#[test]
fn two_mappings_of_one_scope_add_their_roles_and_can_conflict() {
    let mapper = mapper(vec![
        mapping(scope_is("a"), "read:x", "r1", Some("u1")),
        mapping(group_is("g"), "read:x", "r2 r1", Some("u2")),
    ]);
    let token = Token { groups: vec!["g".into()], ..Token::with_scopes("a") };
    let permit = permit(&mapper.rights(&token), "GET", "/x/_search").expect("allowed");
    assert_eq!((texts(&permit.scopes), texts(&permit.roles)), (vec!["read:x"], vec!["r1", "r2"]));
    assert!(matches!(permit.backend_user(), Err(BackendUserConflict::Several(_))));
}

#[test]
fn the_tenant_of_dashboards_follows_the_scope_that_allows() {
    let to = |tenant: &str, mapping: Mapping| Mapping {
        grant: Granted { tenant: Some(tenant.into()), ..mapping.grant },
        ..mapping
    };
    let mapper = mapper(vec![
        to("analysts", mapping(scope_is("look"), "read:dashboards", "", None)),
        to("board", mapping(scope_is("deploy"), "write:dashboards", "", None)),
        to("everybody", mapping(group_is("all"), "", "", None)),
        to("others", mapping(scope_is("also"), "read:dashboards", "", None)),
        mapping(scope_is("free"), "monitor:dashboards", "", None),
    ]);
    let tenant = |scopes: &str, groups: &[&str], action| {
        let groups = groups.iter().map(|&group| group.into()).collect();
        let rights = mapper.rights(&Token { groups, ..Token::with_scopes(scopes) });
        let on = rest::Resource::Dashboards { workspace: None };
        let need = rest::Need { action, on, origin: rest::Origin::Path };
        let operation = &rest::operations()[0];
        let ask = rest::Ask { operation, needs: [need].into_iter().collect() };
        rights.decide(&ask).expect("allowed").tenant().map(ToString::to_string)
    };
    let (read, write, monitor) = (rest::Action::Read, rest::Action::Write, rest::Action::Monitor);
    assert_eq!(tenant("look deploy", &[], read), Ok("analysts".into()));
    assert_eq!(tenant("look deploy", &[], write), Ok("board".into()));
    assert_eq!(tenant("free", &["all"], monitor), Ok("everybody".into()));
    assert_eq!(tenant("free", &[], monitor), Err(TenantConflict::None));
    assert_eq!(
        tenant("look", &["all"], read),
        Ok("analysts".into()),
        "what is said of the scope counts first"
    );
    assert_eq!(tenant("look also", &[], read), Err(TenantConflict::Several("analysts, others".into())));
}

#[test]
fn mappings_without_effect_are_refused() {
    let refused = |mapping| Mapper::new(vec![mapping], only_cluster(), true).expect_err("no effect");
    let nothing = Mapping { when: group_is("g"), clusters: None, grant: Granted::default() };
    assert_eq!(refused(nothing), MapperError::GrantsNothing { at: 0 });
    assert_eq!(
        refused(mapping(group_is("g"), "role:x", "", None)),
        MapperError::GrantsRoleScope { at: 0, scope: "role:x".into() }
    );
    assert_eq!(
        refused(mapping(group_is("g"), "", "r", Some("u"))),
        MapperError::BackendUserWithoutScope { at: 0 }
    );
}

#[test]
fn the_mappings_that_a_token_meets_are_those_that_its_rights_come_from() {
    let elsewhere = Mapping {
        clusters: Some(vec!["elsewhere".into()]),
        ..mapping(scope_is("read:x"), "monitor:cluster", "", None)
    };
    let claim = Condition::Claim { path: "team.name".parse().expect("a path"), equals: "search".into() };
    let mapper = mapper(vec![
        mapping(scope_is("logs.*"), "read:logs-*", "", None),
        mapping(Condition::All(vec![group_is("sre"), claim]), "admin:*", "", None),
        elsewhere,
        mapping(scope_is("read:x"), "", "x", None),
    ]);
    let mut token = Token::with_scopes("logs.reader read:x");
    token.groups = vec!["sre".into()];
    let met = |token: &Token| mapper.met(token).map(|mapping| mapping.when.to_string()).collect::<Vec<_>>();
    assert_eq!(met(&token), ["scope logs.*", "scope read:x"]);
    token.claims = json!({"team": {"name": "search"}}).as_object().expect("an object").clone();
    assert_eq!(met(&token), ["scope logs.*", "group sre and claim team.name = search", "scope read:x"]);
    let asked = &mapper.mappings()[1].when;
    assert_eq!(asked.claims().iter().map(ToString::to_string).collect::<Vec<_>>(), ["team.name"]);
    assert!(asked.names_group() && !mapper.mappings()[0].when.names_group());
}
