//! The table as a whole: each row can be reached, and the engine's precedence holds.

use std::collections::{BTreeMap, BTreeSet};

use rest::{Action, Operation, Place, Refusal, VariableKind, classify, operations};

/// A path that only this template should match.
fn sample(operation: &Operation) -> String {
    if operation.path == "/" {
        return "/".into();
    }
    let segments = operation.path[1..].split('/').enumerate().map(|(at, segment)| {
        match operation.variables.iter().find(|variable| variable.segment == at) {
            Some(variable) if variable.kind == VariableKind::Index => "some-index".to_owned(),
            Some(_) => "Some1".to_owned(),
            None => segment.to_owned(),
        }
    });
    format!("/{}", segments.collect::<Vec<_>>().join("/"))
}

#[test]
fn every_row_is_reached_by_a_sample_of_its_path() {
    for operation in operations() {
        let ask = classify(operation.method.as_str(), &sample(operation), None)
            .unwrap_or_else(|refusal| panic!("{} {}: {refusal}", operation.method, operation.path));
        assert_eq!(ask.operation, operation);
        assert!(!ask.needs.is_empty(), "{} {}", operation.method, operation.path);
    }
}

#[test]
fn every_plugin_row_with_an_older_prefix_is_reached_under_it() {
    let older = ["_security", "_ism", "_sql", "_ppl", "_knn", "_rollup", "_asynchronous_search"];
    let mut reached = 0;
    for operation in operations() {
        let path = sample(operation);
        let Some(rest) = path.strip_prefix("/_plugins/") else {
            continue;
        };
        if rest.split('/').next().is_some_and(|plugin| older.contains(&plugin)) {
            let ask = classify(operation.method.as_str(), &format!("/_opendistro/{rest}"), None)
                .unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
            assert_eq!(ask.operation, operation);
            reached += 1;
        }
    }
    assert!(reached > 100, "{reached} rows");
}

#[test]
fn no_two_rows_match_the_same_requests() {
    let mut seen = BTreeMap::new();
    for operation in operations() {
        let shape: Vec<&str> = operation
            .path
            .split('/')
            .map(|segment| if segment.starts_with('{') { "*" } else { segment })
            .collect();
        let other = seen.insert((operation.method, shape.join("/")), operation.path);
        assert_eq!(other, None, "{} {}", operation.method, operation.path);
    }
    assert!(seen.len() >= 715, "the table covers the API specification");
}

#[test]
fn what_names_an_index_in_the_path_is_judged() {
    for operation in operations() {
        for variable in operation.variables {
            let judged =
                operation.demands.iter().any(|demand| demand.on == Place::Path { segment: variable.segment });
            assert_eq!(
                judged,
                variable.kind == VariableKind::Index,
                "{} {}",
                operation.method,
                operation.path
            );
        }
        assert_eq!(operation.demands[0].action, operation.action);
        assert_eq!(operation.demands[0].on, operation.place);
    }
}

#[test]
fn the_security_api_is_never_reached_by_less_than_admin() {
    let open = ["/authinfo", "/whoami", "/dashboardsinfo", "/health"];
    for operation in operations().iter().filter(|operation| operation.path.contains("/_security/")) {
        let own_account = operation.name == "security.get_account_details";
        let greeting = own_account || open.iter().any(|end| operation.path.ends_with(end));
        let place = if greeting { Place::Greeting } else { Place::Plugin("security") };
        assert_eq!(operation.place, place, "{} {}", operation.method, operation.path);
        assert!(greeting || operation.action == Action::Admin);
    }
}

/// Operations that change documents or the cluster never count as reading.
#[test]
fn methods_that_only_change_things_never_only_read() {
    let reading_deletes = BTreeSet::from(["clear_scroll", "delete_pit"]);
    for operation in operations() {
        let changes = matches!(operation.method.as_str(), "PUT" | "PATCH" | "DELETE");
        if changes && !reading_deletes.contains(operation.name) {
            let looks = matches!(operation.action, Action::Read | Action::Monitor);
            assert!(!looks, "{} {}", operation.method, operation.path);
        }
    }
}

#[test]
fn literals_win_over_variables_as_in_the_engine() {
    for (method, path, template) in [
        ("GET", "/_cat/indices", "/_cat/indices"),
        ("GET", "/_cat/indices/x", "/_cat/indices/{index}"),
        ("GET", "/_nodes/stats", "/_nodes/stats"),
        ("GET", "/_nodes/n1/stats", "/_nodes/{node_id}/stats"),
        ("GET", "/_nodes/n1", "/_nodes/{node_id_or_metric}"),
        ("GET", "/_nodes/stats/jvm", "/_nodes/stats/{metric}"),
        ("GET", "/_nodes/n1/jvm", "/_nodes/{node_id}/{metric}"),
        ("GET", "/_search/scroll", "/_search/scroll"),
        ("GET", "/_data_stream/_stats", "/_data_stream/_stats"),
        ("GET", "/_plugins/_ml/models/_search", "/_plugins/_ml/models/_search"),
        ("POST", "/_plugins/_ml/models/meta", "/_plugins/_ml/models/meta"),
        ("GET", "/_plugins/_replication/leader_stats", "/_plugins/_replication/leader_stats"),
        ("GET", "/_plugins/_replication/leader_stats/_status", "/_plugins/_replication/{index}/_status"),
        ("GET", "/_snapshot/r/s", "/_snapshot/{repository}/{snapshot}"),
        ("GET", "/_snapshot/r/_status", "/_snapshot/{repository}/_status"),
        ("POST", "/_tasks/_cancel", "/_tasks/_cancel"),
        ("GET", "/x/_mapping/field/f", "/{index}/_mapping/field/{fields}"),
        ("GET", "/*/_mapping", "/{index}/_mapping"),
        ("GET", "/_ltr/_feature", "/_ltr/_feature"),
        ("GET", "/_scripts/painless", "/_scripts/{id}"),
        ("GET", "/_plugins/_ml/memory/message", "/_plugins/_ml/memory/{memory_id}"),
        ("GET", "/_ltr/s/_feature", "/_ltr/{store}/_feature"),
    ] {
        let ask = classify(method, path, None).unwrap_or_else(|refusal| panic!("{method} {path}: {refusal}"));
        assert_eq!(ask.operation.path, template, "{method} {path}");
    }
}

#[test]
fn parameters_that_move_no_target_change_no_need() {
    let query = "pretty&human=true&q=x&routing=a&preference=_local&size=1&timeout=1s&filter_path=a.b&h=index";
    for operation in operations() {
        let (method, path) = (operation.method.as_str(), sample(operation));
        let needs = |query| classify(method, &path, query).map(|ask| ask.needs);
        assert_eq!(needs(None), needs(Some(query)), "{method} {path}");
    }
}

#[test]
fn a_method_that_is_not_of_the_path_names_those_that_are() {
    let refusal = classify("DELETE", "/logs/_count", None).expect_err("no such method");
    assert_eq!((refusal.status(), refusal.allow()), (405, Some("GET, HEAD, POST")));
    assert!(refusal.to_string().contains("GET, HEAD, POST"));
    let refusal = classify("OPTIONS", "/_reindex", None).expect_err("no such method");
    assert_eq!(refusal.allow(), Some("POST"));
    assert_eq!(classify("GET", "/a/b/c/d/e/f/g/h/i/j/k/l", None).unwrap_err(), Refusal::UnknownOperation);
}

#[test]
fn refusals_carry_a_cure_and_never_the_secret() {
    let refusal = classify("GET", "/x/_search", Some("access_token=s3cret")).unwrap_err();
    assert!(refusal.to_string().contains("Authorization header"));
    assert!(!format!("{refusal:?}{refusal}").contains("s3cret"));
    let long = format!("/{}<x/_search", "a".repeat(5000)).replace('<', "%3C");
    let refusal = classify("GET", &long, None).unwrap_err();
    assert!(refusal.to_string().len() < 400, "client text is cut: {}", refusal.to_string().len());
}
