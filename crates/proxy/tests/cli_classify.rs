//! `classify` as a person or a script runs it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

/// Runs `classify` with the arguments, and with `input` on standard input.
fn classify(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_opensearch-oauth-proxy"))
        .arg("classify")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().unwrap();
    // The program may end before it has read everything, or anything.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The exit code and the report.
fn report(arguments: &[&str], input: &str) -> (Option<i32>, Value) {
    let output = classify(&[arguments, &["--output", "json"]].concat(), input.as_bytes());
    let report = serde_json::from_slice(&output.stdout).expect("the report is JSON");
    (output.status.code(), report)
}

/// `action on resource (origin)`, with what the scopes say.
fn needs(report: &Value) -> Vec<String> {
    let needs = report["needs"].as_array().unwrap().iter();
    let need = |need: &Value| {
        let text = |key: &str| need[key].as_str().unwrap_or_default().to_owned();
        let verdict = match (need["allowed_by"].as_str(), need["would_allow"].as_str()) {
            (Some(scope), None) => format!(" +{scope}"),
            (None, Some(scope)) => format!(" !{scope}"),
            _ => String::new(),
        };
        format!("{} {} {}{verdict}", text("action"), text("resource"), text("origin"))
    };
    needs.map(need).collect()
}

fn file(dir: &TempDir, content: &[u8]) -> String {
    let path: PathBuf = dir.path().join("body");
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_request_to_dashboards_is_explained() {
    let line = ["--dashboards", "POST", "/w/ops/api/saved_objects/_import"];
    let scopes = ["--scope", "write:dashboards/ops"];
    let objects = "{\"type\":\"dashboard\"}\n{\"exportedCount\":1}\n";
    let (code, allowed) = report(&[&line[..], &["-"], &scopes].concat(), objects);
    assert_eq!(
        (code, &allowed["operation"]["name"]),
        (Some(0), &"dashboards.objects.import".into()),
        "{allowed}"
    );
    // Of the types only policies have a say.
    let expected =
        ["write dashboards/ops path +write:dashboards/ops", "write dashboards/ops:dashboard in_body"];
    assert_eq!(needs(&allowed), expected);

    let planted = "{\"type\":\"dashboard\"}\n{\"type\":\"data-source\"}\n";
    let (code, denied) = report(&[&line[..], &["-"], &scopes].concat(), planted);
    assert_eq!(code, Some(1), "{denied}");
    assert!(needs(&denied).contains(&"admin dashboards in_body !admin:dashboards".to_owned()), "{denied}");

    // Of a body that is not given, anything could come.
    let (code, unknown) = report(&[&line[..], &scopes].concat(), "");
    assert_eq!((code, &unknown["body"]["state"]), (Some(1), &"not_given".into()), "{unknown}");

    let console =
        ["--dashboards", "POST", "/api/console/proxy?method=GET&path=%2Flogs-1%2F_search", "/dev/null"];
    let (code, engine) = report(&[&console[..], &["--scope", "read:logs-*"]].concat(), "");
    assert_eq!(
        (code, needs(&engine)),
        (Some(0), vec!["read logs-1 path +read:logs-*".to_owned()]),
        "{engine}"
    );
}

#[test]
fn a_request_line_is_explained() {
    let cases: [(&[&str], &str, &[&str], &str); 8] = [
        (&["GET", "/logs-*/_search?size=1"], "search", &["read logs-* path"], "not_given"),
        (&["GET", "/_search"], "search", &["read * no_index_named"], "not_given"),
        (&["POST", "/_bulk"], "bulk", &["write * body"], "not_given"),
        (&["POST", "/_search/scroll"], "scroll", &["read * handle"], "not_needed"),
        (&["GET", "/_cluster/health"], "cluster.health", &["monitor cluster path"], "not_needed"),
        (&["POST", "/_plugins/_sql"], "sql.query", &["read * query_language"], "not_given"),
        (&["GET", "/"], "info", &["read greeting path"], "not_needed"),
        (&["POST", "/a/_doc?pipeline=p"], "index", &["write a path", "write * query"], "not_needed"),
    ];
    for (arguments, operation, expected, body) in cases {
        let (code, report) = report(arguments, "");
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(report["operation"]["name"], operation);
        assert_eq!(needs(&report), expected, "{report}");
        assert_eq!(report["allowed"], Value::Null);
        assert_eq!(report["body"]["state"], body, "{report}");
    }
}

/// Nothing is known of a body that is not given; an empty one names nothing.
#[test]
fn an_empty_body_is_a_body() {
    let (_, unknown) = report(&["PUT", "/logs-new"], "");
    assert_eq!(needs(&unknown), ["manage logs-new path", "manage * body"]);
    let (_, empty) = report(&["PUT", "/logs-new", "/dev/null"], "");
    assert_eq!(needs(&empty), ["manage logs-new path"], "{empty}");
    assert_eq!(empty["body"]["bytes"], 0);
}

#[test]
fn scopes_are_judged_need_by_need() {
    let inside = ["GET", "/logs-1,logs-2/_search", "--scope", "read:*", "--scope", "read:logs-*"];
    let (code, found) = report(&inside, "");
    assert_eq!((code, &found["allowed"]), (Some(0), &Value::Bool(true)));
    assert_eq!(needs(&found), ["read logs-1 path +read:logs-*", "read logs-2 path +read:logs-*"]);

    let partly = ["POST", "/a/_clone/b", "--scope", "manage:b read:a"];
    let (code, found) = report(&partly, "");
    assert_eq!((code, &found["allowed"]), (Some(1), &Value::Bool(false)));
    let needs = needs(&found);
    assert!(needs.iter().any(|need| need.ends_with(" path +read:a")), "{needs:?}");
    assert!(needs.iter().any(|need| need.ends_with(" path !manage:a")), "{needs:?}");

    let (code, found) = report(&["GET", "/", "--scope", "role:analyst"], "");
    assert_eq!((code, &found["allowed"]), (Some(1), &Value::Bool(false)), "a role grants nothing: {found}");
}

#[test]
fn a_scope_with_a_cluster_counts_on_that_cluster() {
    let asked = ["GET", "/logs-1/_search", "--scope", "prod/read:logs-*"];
    let unclear = classify(&asked, b"");
    assert_eq!(unclear.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unclear.stderr).contains("--cluster"));
    for (cluster, code) in [("prod", 0), ("test", 1)] {
        let output = classify(&[&asked[..], &["--cluster", cluster]].concat(), b"");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
}

#[test]
fn a_body_is_read_for_what_it_names() {
    let lines =
        "{\"index\":{\"_index\":\"app-1\"}}\n{\"a\":1}\n{\"delete\":{\"_index\":\"other\",\"_id\":\"1\"}}\n";
    let (code, found) = report(&["POST", "/_bulk", "-", "--scope", "write:app-*"], lines);
    assert_eq!(code, Some(1));
    assert_eq!(needs(&found), ["write app-1 in_body +write:app-*", "write other in_body !write:other"]);
    assert_eq!(found["body"]["state"], "read");
    assert_eq!(found["body"]["bytes"], lines.len());

    let terms = r#"{"query":{"terms":{"user":{"index":"secret","id":"1","path":"ids"}}}}"#;
    let dir = TempDir::new().unwrap();
    let body = file(&dir, terms.as_bytes());
    let (code, found) = report(&["POST", "/logs/_search", &body], "");
    assert_eq!(code, Some(0));
    assert_eq!(needs(&found), ["read logs path", "read secret in_body"]);

    let (code, found) = report(&["POST", "/_plugins/_sql", "-"], r#"{"query":"SELECT x FROM orders"}"#);
    assert_eq!(code, Some(0));
    assert_eq!(needs(&found), ["read orders in_query_text"]);

    let (code, found) = report(&["POST", "/logs/_search", "-"], r#"{"query":{"telepathy":{}}}"#);
    assert_eq!((code, &found["body"]["not_understood"]), (Some(0), &"telepathy".into()), "{found}");
    assert!(needs(&found).contains(&"read * query_not_understood".to_owned()), "{found}");
}

#[test]
fn a_body_that_cannot_matter_is_not_read() {
    let broken = "{";
    let (code, found) = report(&["POST", "/_bulk", "-", "--scope", "admin:*"], broken);
    assert_eq!((code, &found["body"]["state"]), (Some(0), &"covered".into()), "{found}");
    let (code, found) = report(&["POST", "/logs/_doc", "-"], broken);
    assert_eq!((code, &found["body"]["state"]), (Some(0), &"not_needed".into()), "{found}");
    // Nothing of this scope could allow any line.
    let (code, found) = report(&["POST", "/_aliases", "-", "--scope", "monitor:logs"], r#"{"actions":[]}"#);
    assert_eq!((code, &found["allowed"]), (Some(1), &Value::Bool(false)), "{found}");
}

#[test]
fn refusals_have_a_code_and_a_cure() {
    let cases: [(&[&str], &str, &str, u16); 7] = [
        (&["GET", "/logs//_search"], "", "path_not_canonical", 400),
        (&["GET", "/_search?index=a"], "", "target_in_query", 400),
        (&["GET", "/_plugins/_alerting/monitors"], "", "unknown_operation", 403),
        (&["DELETE", "/_search"], "", "method_not_allowed", 405),
        (&["POST", "/_search", "-"], "{\"query\":{},\"query\":{}}", "body_not_canonical", 400),
        (&["POST", "/_bulk", "-"], "{\"index\":{\"_index\":\"a\"}}\n{}", "body_line", 400),
        (&["POST", "/_search", "-", "--content-type", "application/cbor"], "{}", "body_media_type", 415),
    ];
    for (arguments, body, reason, status) in cases {
        let (code, found) = report(&[arguments, &["--scope", "read:x"]].concat(), body);
        assert_eq!(code, Some(1), "{found}");
        let refusal = &found["refusal"];
        assert_eq!((&refusal["reason"], &refusal["status"]), (&reason.into(), &status.into()), "{found}");
        assert_eq!(found["allowed"], false);
        let text = told(&classify(arguments, body.as_bytes()));
        assert!(text.contains(reason) && text.contains(refusal["detail"].as_str().unwrap()), "{text}");
    }
}

#[test]
fn the_text_says_it_in_words() {
    let lines = "{\"index\":{\"_index\":\"app-1\"}}\n{}\n{\"index\":{\"_index\":\"x\"}}\n{}\n";
    let output = classify(&["POST", "/_bulk", "-", "--scope", "write:app-*"], lines.as_bytes());
    let expected = "\
operation  bulk (POST /_bulk)
action     write
needs
  + write on app-1, because the body names it; allowed by write:app-*
  ! write on x, because the body names it; outside, write:x would allow it
body       read, 60 bytes
denied
";
    assert_eq!(told(&output), expected);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn usage_and_files() {
    assert_eq!(classify(&["GET"], b"").status.code(), Some(2));
    let scope = classify(&["GET", "/", "--scope", "logs"], b"");
    assert_eq!(scope.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&scope.stderr).contains("action:resource"), "{scope:?}");
    let missing = classify(&["POST", "/_bulk", "/nowhere/body"], b"");
    assert_eq!(missing.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nowhere/body"), "{missing:?}");
    let folder = classify(&["POST", "/_bulk", "/"], b"");
    assert_eq!(folder.status.code(), Some(3), "{folder:?}");
    let help = told(&classify(&["--help"], b""));
    for word in ["Examples:", "Exit codes:", "--content-type", "read_bodies"] {
        assert!(help.contains(word), "{word} in {help}");
    }
}

/// A body of many pieces: names at both ends and in between are found, and more than can be listed are counted.
#[test]
fn a_body_larger_than_a_piece() {
    let document = format!("{{\"text\":\"{}\"}}\n", "x".repeat(1000));
    let pairs: Vec<String> =
        (0..300).map(|n| format!("{{\"index\":{{\"_index\":\"i-{n}\"}}}}\n{document}")).collect();
    let lines = pairs.concat();
    let dir = TempDir::new().unwrap();
    let body = file(&dir, lines.as_bytes());
    let (code, found) = report(&["POST", "/_bulk", &body, "--scope", "write:i-299"], "");
    assert_eq!((code, &found["body"]["bytes"]), (Some(1), &lines.len().into()));
    let needs = needs(&found);
    assert_eq!(needs.first().unwrap(), "write i-0 in_body !write:i-0");
    assert_eq!(needs.last().unwrap(), "write i-299 in_body +write:i-299");
    assert_eq!(found["unlisted"].as_u64().unwrap() + needs.len() as u64, 300);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever is asked, the answer is a report and exit code 0 or 1; never a crash.
    #[test]
    fn whatever_is_asked_is_answered(path in "/[ -~]{0,24}", body in prop::collection::vec(any::<u8>(), 0..64)) {
        let output = classify(&["POST", &path, "-", "--output", "json"], &body);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        prop_assert_eq!(output.status.code(), Some(i32::from(report.get("refusal").is_some())));
    }
}
