use rest::{Action, Ask, Need, Origin, Resource, classify};
use smallvec::smallvec;

use crate::subject::{Token, mapper, native, one_of_many, texts};

fn ask(method: &str, target: &str) -> Ask {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    classify(method, path, query).unwrap_or_else(|refusal| panic!("{method} {target}: {refusal}"))
}

fn on_dashboards(action: Action, workspace: Option<&str>) -> Ask {
    let on = Resource::Dashboards { workspace: workspace.map(Into::into) };
    let operation = ask("GET", "/").operation;
    Ask { operation, needs: smallvec![Need { action, on, origin: Origin::Path }] }
}

#[test]
fn scopes_allow_what_they_contain_and_no_more() {
    for (scopes, method, target, allowed_by) in [
        ("read:logs-*", "GET", "/logs-*/_search", "read:logs-*"),
        ("read:logs-*", "GET", "/logs-2026/_search", "read:logs-*"),
        ("read:logs-*", "GET", "/logs-a,logs-b/_count", "read:logs-*"),
        ("read:logs-*", "GET", "/logs-*,-logs-secret/_search", "read:logs-*"),
        ("read:logs-*", "GET", "/%3Clogs-%7Bnow%2Fd%7D%3E/_search", "read:logs-*"),
        ("read:logs-*", "GET", "/log*/_search", ""),
        ("read:logs-*", "GET", "/_search", ""),
        ("read:logs-*", "GET", "/_all/_search", ""),
        ("read:logs-*", "GET", "/logs-a,secret/_search", ""),
        ("read:logs-*", "GET", "/other:logs-a/_search", ""),
        ("read:other:logs-*", "GET", "/other:logs-a/_search", "read:other:logs-*"),
        ("read:logs-*", "PUT", "/logs-a/_doc/1", ""),
        ("write:app-logs-*", "POST", "/app-logs-1/_doc", "write:app-logs-*"),
        ("write:app-logs-*", "GET", "/app-logs-1/_search", ""),
        ("write:app-logs-*", "POST", "/app-logs-1/_update/1", ""),
        ("write:a read:a", "POST", "/a/_update/1", "write:a read:a"),
        ("read:a read:b", "GET", "/a,b/_search", "read:a read:b"),
        ("read:a read:b", "GET", "/*/_search", ""),
        ("read:*", "GET", "/_search", "read:*"),
        ("read:*", "GET", "/.kibana/_search", ""),
        ("read:*", "GET", "/*/_search?expand_wildcards=all", ""),
        ("read:* read:.*", "GET", "/*/_search?expand_wildcards=all", "read:* read:.*"),
        ("read:.kibana*", "GET", "/.kibana_1/_search", "read:.kibana*"),
        ("write:*", "POST", "/_bulk", "write:*"),
        ("write:logs-*", "POST", "/_bulk", ""),
        ("write:logs-*", "POST", "/logs-a/_bulk", ""),
        ("write:logs", "POST", "/logs/_doc?pipeline=p", ""),
        ("admin:logs-*", "GET", "/logs-a/_search", "admin:logs-*"),
        ("admin:logs-*", "DELETE", "/logs-a", "admin:logs-*"),
        ("admin:logs-*", "GET", "/_cluster/health", ""),
        ("admin:cluster", "GET", "/_cluster/health", "admin:cluster"),
        ("admin:cluster", "PUT", "/_cluster/settings", "admin:cluster"),
        ("admin:cluster", "GET", "/logs/_search", ""),
        ("monitor:cluster", "GET", "/_cluster/health", "monitor:cluster"),
        ("monitor:cluster", "PUT", "/_cluster/settings", ""),
        ("monitor:cluster", "GET", "/_cluster/state", ""),
        ("manage:cluster", "GET", "/_cluster/health", ""),
        ("admin:plugin/security", "GET", "/_plugins/_security/api/roles", "admin:plugin/security"),
        ("admin:* admin:cluster", "GET", "/_plugins/_security/api/roles", ""),
        ("read:plugin/ml", "GET", "/_plugins/_ml/models/m1", "read:plugin/ml"),
        ("read:plugin/ml", "GET", "/_plugins/_knn/models/m1", ""),
        ("read:dashboards", "GET", "/", "read:dashboards"),
        ("role:all_access", "GET", "/", ""),
        ("role:all_access", "GET", "/logs/_search", ""),
        ("openid profile", "GET", "/", ""),
        ("", "GET", "/", ""),
    ] {
        let decision = native(scopes).decide(&ask(method, target));
        let found = decision.map(|permit| texts(&permit.scopes).join(" ")).unwrap_or_default();
        assert_eq!(found, allowed_by, "{method} {target} with {scopes:?}");
    }
}

#[test]
fn dashboards_scopes_cover_all_workspaces_or_one() {
    for (scopes, workspace, allowed) in [
        ("read:dashboards", None, true),
        ("read:dashboards", Some("a"), true),
        ("read:dashboards/a", Some("a"), true),
        ("read:dashboards/a", Some("b"), false),
        ("read:dashboards/a", None, false),
        ("admin:dashboards/a", Some("a"), true),
        ("write:dashboards", Some("a"), false),
        ("read:*", None, false),
    ] {
        let decision = native(scopes).decide(&on_dashboards(Action::Read, workspace));
        assert_eq!(decision.is_ok(), allowed, "{workspace:?} with {scopes}");
    }
}

#[test]
fn the_narrowest_scope_counts_whatever_the_order() {
    for scopes in [
        "admin:* read:* read:logs-* read:logs-a* read:logs-ab",
        "read:logs-ab read:logs-a* read:logs-* read:* admin:*",
        "read:logs-* admin:* read:logs-ab read:* read:logs-a*",
    ] {
        let rights = native(scopes);
        for (target, scope) in [
            ("/logs-ab/_search", "read:logs-ab"),
            ("/logs-ac/_search", "read:logs-a*"),
            ("/logs-c/_search", "read:logs-*"),
            ("/c/_search", "read:*"),
        ] {
            let permit = rights.decide(&ask("GET", target)).expect("allowed");
            assert_eq!(texts(&permit.scopes), [scope], "{target} with {scopes}");
        }
        let permit = rights.decide(&ask("DELETE", "/logs-ab")).expect("allowed");
        assert_eq!(texts(&permit.scopes), ["admin:*"]);
    }
}

#[test]
fn denials_say_what_why_and_what_would_allow() {
    for (scopes, method, target, would_allow, said) in [
        ("read:logs-*", "GET", "/logs-a,secret/_search", "read:secret", "read on secret is outside"),
        ("read:logs-*", "GET", "/_search", "read:*", "the path names no index"),
        ("read:logs-*", "GET", "/_msearch", "read:*", "the body can name any index"),
        ("read:logs", "GET", "/_search/scroll/x", "read:*", "the handle can stand for any index"),
        ("write:logs", "POST", "/logs/_doc?pipeline=p", "write:*", "a query parameter can bring it in"),
        ("read:logs", "PUT", "/_cluster/settings", "admin:cluster", "admin on cluster"),
        ("read:logs", "GET", "/_plugins/_security/api/roles", "admin:plugin/security", "plugin/security"),
        ("read:logs", "GET", "/cluster/_search", "read:cluster*", "read on cluster is outside"),
        ("read:logs admin:tokens", "GET", "/tokens/_search", "read:tokens*", "read on tokens is outside"),
        ("admin:tokens", "GET", "/", "monitor:cluster", "the token holds no right on cluster prod"),
        ("read:logs", "GET", "/a%C3%A9b/_search", "read:a*b", "read on aéb is outside"),
        ("", "GET", "/logs/_search", "read:logs", "no scope of the token counts on cluster prod"),
        ("openid", "GET", "/", "monitor:cluster", "no scope of the token counts on cluster prod"),
    ] {
        let denial = native(scopes).decide(&ask(method, target)).expect_err(target);
        assert_eq!(denial.would_allow.to_string(), would_allow, "{target}");
        let text = denial.to_string();
        assert!(text.contains(said) && text.contains(would_allow), "{target}: {text}");
        let permitted = native(&format!("{scopes} {}", denial.would_allow)).decide(&ask(method, target));
        let still_denied = permitted.err().map(|next| next.need);
        assert_ne!(still_denied, Some(denial.need), "the scope that is named does allow the need");
    }
}

#[test]
fn among_many_clusters_the_scope_to_ask_for_names_this_one() {
    let mapper = access::Mapper::new(vec![], one_of_many(None), true).expect("no mappings");
    let denial = mapper.rights(&Token::with_scopes("read:logs")).decide(&ask("GET", "/logs/_search"));
    assert_eq!(denial.expect_err("denied").would_allow.to_string(), "prod/read:logs");
}

#[test]
fn an_ask_without_needs_is_not_a_way_in() {
    let nothing = Ask { operation: ask("GET", "/").operation, needs: smallvec![] };
    assert!(native("").decide(&nothing).is_err());
    assert!(native("read:x").decide(&nothing).is_ok());
    assert!(native("").is_empty());
    assert!(mapper(vec![]).rights(&Token::default()).decide(&ask("GET", "/")).is_err());
}
