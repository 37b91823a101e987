//! Whole exchanges: what an answer tells is used by the next request, by whoever it was told to.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use handles::{Caller, Key, Keys, Kind, Line, Owner, RewriteError, UnknownHandle, UsedHandles, Wrapping};
use serde_json::{Value, json};

fn keys() -> Keys {
    Key::derive(b"0123456789abcdef0123456789abcdef").unwrap().into()
}

fn owner(subject: &str) -> Owner {
    Owner::new(b"keycloak", subject.as_bytes(), Some(b"app"), None)
}

/// A request as it reaches the engine.
#[derive(Debug, PartialEq)]
struct Sent {
    target: String,
    body: String,
    needs: Vec<String>,
    raw: bool,
}

#[derive(Debug, PartialEq)]
enum Refused {
    Unknown,
    Body(String),
}

struct Exchange {
    sent: Sent,
    told: Value,
}

/// One request of `subject`, which the engine answers with `answer`.
fn exchange(
    subject: &str,
    method: &str,
    target: &str,
    body: &str,
    answer: &Value,
) -> Result<Exchange, Refused> {
    let (keys, owner) = (keys(), owner(subject));
    let caller = Caller { keys: &keys, cluster: "main", owner: &owner };
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let asked = rest::inquire(method, path, query, Some("application/json")).unwrap();
    let mut used = UsedHandles::default();
    let line =
        caller.line(asked.operation, path, query, &mut used).map_err(|UnknownHandle| Refused::Unknown)?;
    let mut needs = asked.needs.to_vec();
    let mut rewritten = body.to_owned();
    if !body.is_empty() {
        if let Some(plan) = asked.body {
            let mut reader = plan.reader(rest::BodyLimits::default());
            reader.feed(body.as_bytes(), &mut needs).unwrap();
            reader.finish(&mut needs).unwrap();
        }
        if Caller::reads_body(asked.operation) {
            let bytes =
                caller.body(asked.operation, body.as_bytes(), &mut used).map_err(|error| match error {
                    RewriteError::Handle(UnknownHandle) => Refused::Unknown,
                    problem @ RewriteError::Json { .. } => Refused::Body(problem.to_string()),
                })?;
            rewritten = String::from_utf8(bytes).unwrap();
        }
    }
    let needs = used.needs(asked.operation, needs);
    let raw = used.has_raw();
    let sent = Sent {
        target: match line {
            Line { path, query: None } => path,
            Line { path, query: Some(query) } => format!("{path}?{query}"),
        },
        body: rewritten,
        needs: needs.iter().map(ToString::to_string).collect(),
        raw,
    };
    let text = answer.to_string();
    let told = match Wrapping::new(&keys, "main", &owner, asked.operation.name, query, used) {
        None => text,
        Some(mut wrapping) => {
            wrapping.made_by(&needs);
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(5) {
                wrapping.feed(piece, &mut out).unwrap();
            }
            wrapping.finish().unwrap();
            String::from_utf8(out).unwrap()
        }
    };
    Ok(Exchange { sent, told: serde_json::from_str(&told).unwrap() })
}

fn told(subject: &str, method: &str, target: &str, body: &str, answer: &Value, key: &str) -> String {
    let exchange = exchange(subject, method, target, body, answer).unwrap();
    exchange.told[key].as_str().unwrap().to_owned()
}

fn sent(subject: &str, method: &str, target: &str, body: &str) -> Result<Sent, Refused> {
    exchange(subject, method, target, body, &json!({})).map(|exchange| exchange.sent)
}

#[test]
fn a_scroll_goes_on_for_its_owner() {
    let answer =
        json!({ "_scroll_id": "RnI==", "hits": { "hits": [{ "_source": { "_scroll_id": "mine" } }] } });
    let search = exchange("alice", "GET", "/logs-*/_search?scroll=1m", "", &answer).unwrap();
    let id = search.told["_scroll_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("oph1.") && id.ends_with(".RnI=="), "{id}");
    assert_eq!(search.told["hits"], answer["hits"]);

    let needs = vec!["read on logs-*".to_owned()];
    let encoded = id.replace('=', "%3D");
    for (method, target, body, as_sent, as_body) in [
        (
            "POST",
            "/_search/scroll".to_owned(),
            json!({ "scroll": "1m", "scroll_id": id }).to_string(),
            "/_search/scroll",
            r#"{"scroll":"1m","scroll_id":"RnI=="}"#,
        ),
        (
            "GET",
            format!("/_search/scroll/{id}?scroll=1m"),
            String::new(),
            "/_search/scroll/RnI%3D%3D?scroll=1m",
            "",
        ),
        ("GET", format!("/_search/scroll/{encoded}"), String::new(), "/_search/scroll/RnI%3D%3D", ""),
        (
            "GET",
            format!("/_search/scroll?scroll_id={encoded}&scroll=1m"),
            String::new(),
            "/_search/scroll?scroll_id=RnI%3D%3D&scroll=1m",
            "",
        ),
        (
            "DELETE",
            format!("/_search/scroll/{id},{id}"),
            String::new(),
            "/_search/scroll/RnI%3D%3D,RnI%3D%3D",
            "",
        ),
        (
            "DELETE",
            "/_search/scroll".to_owned(),
            json!({ "scroll_id": [id] }).to_string(),
            "/_search/scroll",
            r#"{"scroll_id":["RnI=="]}"#,
        ),
    ] {
        let found = sent("alice", method, &target, &body).unwrap();
        assert_eq!(
            found,
            Sent { target: as_sent.into(), body: as_body.into(), needs: needs.clone(), raw: false },
            "{target}"
        );
        assert_eq!(sent("bob", method, &target, &body), Err(Refused::Unknown), "{target}");
    }
    // The next page comes with a new id, under the same reach; or with the same one.
    let body = json!({ "scroll_id": id }).to_string();
    let next = told("alice", "POST", "/_search/scroll", &body, &json!({ "_scroll_id": "new" }), "_scroll_id");
    assert_eq!(sent("alice", "GET", &format!("/_search/scroll/{next}"), "").unwrap().needs, needs);
    assert_eq!(
        told("alice", "POST", "/_search/scroll", &body, &json!({ "_scroll_id": "RnI==" }), "_scroll_id"),
        id
    );
}

#[test]
fn a_search_of_a_point_in_time_needs_what_that_stands_for() {
    let made = json!({ "pit_id": "48a5" });
    let id = told("alice", "POST", "/logs-1,logs-2/_search/point_in_time?keep_alive=1m", "", &made, "pit_id");
    let body = json!({ "pit": { "id": id }, "query": { "terms": { "user": { "index": "vips", "id": "1", "path": "ids" } } } });
    let found = sent("alice", "POST", "/_search", &body.to_string()).unwrap();
    assert_eq!(found.needs, ["read on vips", "read on logs-1", "read on logs-2"]);
    assert!(found.body.contains(r#""pit":{"id":"48a5"}"#), "{}", found.body);
    assert_eq!(sent("bob", "POST", "/_search", &body.to_string()), Err(Refused::Unknown));

    // What is freed is told by the name that it was given.
    let freed = json!({ "pits": [{ "successful": true, "pit_id": "48a5" }] });
    let delete = json!({ "pit_id": [id] }).to_string();
    let deleted = exchange("alice", "DELETE", "/_search/point_in_time", &delete, &freed).unwrap();
    assert_eq!(deleted.told["pits"][0]["pit_id"], id);
    assert_eq!(deleted.sent.needs, ["read on logs-1", "read on logs-2"]);
}

#[test]
fn a_search_without_a_handle_needs_what_it_did() {
    let found = sent("alice", "POST", "/_search", r#"{"query":{"match_all":{}}}"#).unwrap();
    assert_eq!(found.needs, ["read on *"]);
    let plain =
        exchange("alice", "GET", "/a/_search", "", &json!({ "_scroll_id": "x", "pit_id": "y" })).unwrap();
    assert_eq!(plain.told, json!({ "_scroll_id": "x", "pit_id": "y" }));
    assert_eq!(sent("alice", "DELETE", "/_search/point_in_time", "").unwrap().needs, ["read on *"]);
}

/// It needs what it would without all this, and is told from what everybody may name.
#[test]
fn a_handle_as_the_engine_names_it_needs_everything() {
    for (method, target, body) in [
        ("GET", "/_search/scroll/RnI", ""),
        ("GET", "/_search/scroll?scroll_id=RnI", ""),
        ("POST", "/_search/scroll", r#"{"scroll_id":"RnI"}"#),
        ("POST", "/_search", r#"{"pit":{"id":"48a5"}}"#),
        ("DELETE", "/_search/point_in_time", r#"{"pit_id":["_all"]}"#),
        ("GET", "/_plugins/_asynchronous_search/abc", ""),
        ("POST", "/_plugins/_sql", r#"{"cursor":"d:abc"}"#),
    ] {
        let sent = sent("alice", method, target, body).unwrap();
        assert!(sent.raw && sent.needs.contains(&"read on *".to_owned()), "{target}: {sent:?}");
        assert_eq!((&*sent.target, &*sent.body), (target, body));
    }
    for (method, target, needs) in [
        ("GET", "/_tasks/node:12", ["monitor on cluster", "read on *"].as_slice()),
        ("DELETE", "/_search/scroll/_all", &["read on *"]),
    ] {
        let sent = sent("alice", method, target, "").unwrap();
        assert_eq!(
            (sent.raw, sent.needs.as_slice()),
            (false, needs.iter().map(|need| (*need).to_owned()).collect::<Vec<_>>().as_slice()),
            "{target}"
        );
    }
    // One of them beside a handle of one's own changes nothing.
    let made = json!({ "_scroll_id": "RnI" });
    let id = told("alice", "GET", "/logs/_search?scroll=1m", "", &made, "_scroll_id");
    for (other, raw) in [("_all", false), ("RnI", true)] {
        let sent = sent("alice", "DELETE", &format!("/_search/scroll/{id},{other}"), "").unwrap();
        assert_eq!(
            (sent.needs.as_slice(), sent.raw),
            (["read on *", "read on logs"].map(str::to_owned).as_slice(), raw)
        );
    }
}

/// What is not read could name the handle of anybody.
#[test]
fn beside_a_part_that_is_not_read_a_handle_changes_nothing() {
    let (keys, owner) = (keys(), owner("alice"));
    let caller = Caller { keys: &keys, cluster: "main", owner: &owner };
    let made = json!({ "_scroll_id": "RnI" });
    let id = told("alice", "GET", "/logs/_search?scroll=1m", "", &made, "_scroll_id");
    let path = format!("/_search/scroll/{id}");
    let asked = rest::inquire("POST", &path, None, Some("application/yaml")).unwrap();
    let mut used = UsedHandles::default();
    caller.line(asked.operation, &path, None, &mut used).unwrap();
    used.note_unread();
    let needs: Vec<_> = used.needs(asked.operation, asked.needs).iter().map(ToString::to_string).collect();
    assert_eq!(needs, ["read on *", "read on logs"]);
}

#[test]
fn a_task_is_of_who_started_it() {
    let made = json!({ "task": "node:12" });
    let body = r#"{"source":{"index":"from"},"dest":{"index":"to"}}"#;
    let id = told("alice", "POST", "/_reindex?wait_for_completion=false", body, &made, "task");
    let found = sent("alice", "GET", &format!("/_tasks/{id}"), "").unwrap();
    assert_eq!(found.target, "/_tasks/node%3A12");
    assert!(found.needs.contains(&"monitor on cluster".to_owned()), "{:?}", found.needs);
    assert!(found.needs.contains(&"read on from".to_owned()), "{:?}", found.needs);
    assert!(found.needs.contains(&"write on to".to_owned()), "{:?}", found.needs);
    assert!(!found.needs.contains(&"read on *".to_owned()), "{:?}", found.needs);
    assert_eq!(sent("bob", "GET", &format!("/_tasks/{id}"), ""), Err(Refused::Unknown));
    // Waited for, there is no task.
    let waited = exchange("alice", "POST", "/_reindex", body, &made).unwrap();
    assert_eq!(waited.told, made);
}

#[test]
fn a_cursor_goes_on_under_its_tables() {
    let made = json!({ "schema": [], "datarows": [], "cursor": "d:eyJh+/=" });
    let cursor = told(
        "alice",
        "POST",
        "/_plugins/_sql",
        r#"{"query":"SELECT a FROM logs","fetch_size":5}"#,
        &made,
        "cursor",
    );
    let body = json!({ "cursor": cursor }).to_string();
    for target in ["/_plugins/_sql", "/_plugins/_sql/close"] {
        let found = sent("alice", "POST", target, &body).unwrap();
        assert_eq!(found.body, r#"{"cursor":"d:eyJh+/="}"#, "{target}");
        assert_eq!(found.needs, ["read on logs"], "{target}");
        assert_eq!(sent("bob", "POST", target, &body), Err(Refused::Unknown));
    }
}

#[test]
fn one_kind_does_not_pass_for_another() {
    let id = told("alice", "GET", "/logs/_search?scroll=1m", "", &json!({ "_scroll_id": "x" }), "_scroll_id");
    let body = json!({ "pit": { "id": id } }).to_string();
    assert_eq!(sent("alice", "POST", "/_search", &body), Err(Refused::Unknown));
    assert_eq!(sent("alice", "GET", &format!("/_tasks/{id}"), ""), Err(Refused::Unknown));
}

#[test]
fn a_body_that_cannot_be_followed_is_refused() {
    for body in ["scroll_id=x", r#"{"scroll_id":7}"#, r#"{"scroll_id":"x"} x"#, "scroll_id: x"] {
        assert!(matches!(sent("alice", "POST", "/_search/scroll", body), Err(Refused::Body(_))), "{body}");
    }
}

#[test]
fn a_handle_without_a_reach_passes_as_it_is() {
    let (keys, owner) = (keys(), owner("alice"));
    let used = UsedHandles::default();
    assert!(!used.has(Kind::Task));
    let query = Some("pretty&wait_for_completion=f%61lse");
    let mut wrapping = Wrapping::new(&keys, "main", &owner, "indices.forcemerge", query, used).unwrap();
    let mut out = Vec::new();
    wrapping.feed(br#"{"task":"n:1"}"#, &mut out).unwrap();
    assert_eq!(out, br#"{"task":"n:1"}"#);
}
