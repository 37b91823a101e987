//! Requests to Dashboards: the table and the corpus beside this file, case by case, and whatever else may come.
//!
//! A case of `bodies.txt` begins with `===` and what it is about. The next line has the method, the target and the media
//! type (`-` for none). Then comes the body, up to a line that begins with `->` and says what must come of it: the
//! distinct needs in order (of the request line, then of the body), or the reason of a refusal after `!`. A form's lines end
//! with CR LF, others with LF. `⟨lf⟩` stands for a line feed and `⟨end⟩` for the end of the body right there.
//!
//! To add a case, add a line or a block.

#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use dashboards::inquire;
use proptest::prelude::*;
use rest::{BodyLimits, Inquiry, Need, Refusal, Resource};

fn ask(method: &str, target: &str, media: &str) -> Result<Inquiry, Refusal> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    inquire(method, path, query, (media != "-").then_some(media))
}

/// Distinct needs in words, in order: those that scopes have a say in.
fn words<'n>(needs: impl IntoIterator<Item = &'n Need>) -> String {
    distinct(needs.into_iter().filter(|need| !matches!(need.on, Resource::SavedObject { .. })))
}

/// The needs of saved objects.
fn objects<'n>(needs: impl IntoIterator<Item = &'n Need>) -> String {
    distinct(needs.into_iter().filter(|need| matches!(need.on, Resource::SavedObject { .. })))
}

fn distinct<'n>(needs: impl Iterator<Item = &'n Need>) -> String {
    let mut words: Vec<String> = Vec::new();
    for need in needs {
        let need = need.to_string();
        if !words.contains(&need) {
            words.push(need);
        }
    }
    words.join(", ")
}

#[test]
fn request_lines_need_what_the_table_says() {
    let rows = include_str!("requests.tsv").lines().filter(|line| !line.starts_with('#')).skip(1);
    for row in rows {
        let [method, target, media, expected] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("not a row: {row:?}");
        };
        let outcome = match ask(method, target, media) {
            Ok(inquiry) => words(&inquiry.needs) + if inquiry.body.is_some() { " +body" } else { "" },
            Err(refusal) => format!("! {}", refusal.reason()),
        };
        assert_eq!(outcome, expected, "{row}");
    }
}

struct Case {
    about: &'static str,
    method: &'static str,
    target: &'static str,
    media: &'static str,
    body: Vec<u8>,
    expected: &'static str,
}

fn cases() -> Vec<Case> {
    include_str!("bodies.txt").split("\n=== ").skip(1).map(case).collect()
}

fn case(block: &'static str) -> Case {
    let (about, rest) = block.split_once('\n').expect("a name");
    let (request, rest) = rest.split_once('\n').expect("a request");
    let (body, expected) = rest.split_once("-> ").expect("an expectation");
    let (method, request) = request.split_once(' ').expect("a method");
    let (target, media) = request.split_once(' ').expect("a media type");
    let line_end = if media.starts_with("multipart") { "\r\n" } else { "\n" };
    let body = body.replace('\n', line_end).replace("⟨lf⟩", "\n");
    let body = body.split("⟨end⟩").next().unwrap_or_default().as_bytes().to_vec();
    Case { about, method, target, media, body, expected: expected.trim_end() }
}

/// What comes of a case whose body arrives in these pieces.
fn outcome<'b>(case: &Case, pieces: impl IntoIterator<Item = &'b [u8]>) -> Result<String, String> {
    let inquiry =
        ask(case.method, case.target, case.media).map_err(|refusal| format!("! {}", refusal.reason()))?;
    let plan = inquiry.body.expect("the body of a case is read");
    let mut needs = inquiry.needs.to_vec();
    let mut reader = plan.reader(BodyLimits::default());
    let read = pieces.into_iter().try_for_each(|piece| reader.feed(piece, &mut needs));
    match read.and_then(|()| reader.finish(&mut needs)) {
        Ok(()) => Ok(words(&needs)),
        Err(refusal) => Err(refusal.to_string()),
    }
}

#[test]
fn bodies_need_what_the_corpus_says() {
    for case in cases() {
        let inquiry = ask(case.method, case.target, case.media).expect(case.about);
        let plan = inquiry.body.expect(case.about);
        let mut needs = inquiry.needs.to_vec();
        let mut reader = plan.reader(BodyLimits::default());
        let read = reader.feed(&case.body, &mut needs).and_then(|()| reader.finish(&mut needs));
        let found = match read {
            Ok(()) => words(&needs),
            Err(refusal) => format!("! {}", refusal.reason()),
        };
        assert_eq!(found, case.expected, "{}", case.about);
    }
}

#[test]
fn saved_objects_are_told_by_type_and_workspace() {
    let (json, form) = ("application/json", "multipart/form-data; boundary=x");
    let file = |lines: &str| {
        format!(
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.ndjson\"\r\n\r\n{lines}\r\n--x--\r\n"
        )
    };
    let two = "[{\"type\":\"dashboard\"},{\"type\":\"config\"},{\"type\":\"dashboard\"}]";
    let table = [
        ("GET /api/saved_objects/dashboard/d1", "-", String::new(), "read on dashboards:dashboard"),
        // By an id an object is reached in any workspace.
        ("PUT /w/ops/api/saved_objects/search/s", json, String::new(), "write on dashboards:search"),
        ("GET /api/saved_objects/unheard-of/x", "-", String::new(), "read on dashboards:*"),
        (
            "GET /api/saved_objects/_find?type=dashboard&type=search&workspaces=ops",
            "-",
            String::new(),
            "read on dashboards/ops:dashboard, read on dashboards/ops:search",
        ),
        ("GET /api/saved_objects/_find", "-", String::new(), "read on dashboards:*"),
        (
            "POST /api/saved_objects/_bulk_get",
            json,
            two.into(),
            "read on dashboards:dashboard, read on dashboards:config",
        ),
        (
            "POST /w/ops/api/saved_objects/_bulk_create",
            json,
            two.into(),
            "write on dashboards/ops:dashboard, write on dashboards/ops:config",
        ),
        ("POST /api/saved_objects/_bulk_create", json, "[]".into(), "write on dashboards:*"),
        (
            "POST /api/saved_objects/_bulk_create",
            json,
            "[{\"type\":\"odd\"}]".into(),
            "write on dashboards:*",
        ),
        ("POST /api/saved_objects/dashboard/d", json, "{}".into(), "write on dashboards:dashboard"),
        ("POST /w/ops/api/saved_objects/dashboard", json, "{}".into(), "write on dashboards/ops:dashboard"),
        (
            "POST /w/ops/api/saved_objects/dashboard",
            json,
            "{\"workspaces\":[\"dev\",\"test\"]}".into(),
            "write on dashboards/dev:dashboard, write on dashboards/test:dashboard",
        ),
        (
            "POST /w/ops/api/saved_objects/_import",
            form,
            file("{\"type\":\"dashboard\"}\n{\"type\":\"odd\"}"),
            "write on dashboards/ops:dashboard, write on dashboards/ops:*",
        ),
        (
            "POST /api/saved_objects/_export",
            json,
            "{\"type\":[\"dashboard\",\"search\"]}".into(),
            "read on dashboards:dashboard, read on dashboards:search",
        ),
        ("GET /api/opensearch-dashboards/dashboards/export", "-", String::new(), "read on dashboards:*"),
        ("GET /app/home", "-", String::new(), ""),
    ];
    for (line, media, body, expected) in table {
        let (method, target) = line.split_once(' ').expect("a method");
        let inquiry = ask(method, target, media).expect(line);
        let mut needs = inquiry.needs.to_vec();
        if let Some(plan) = &inquiry.body
            && !body.is_empty()
        {
            let mut reader = plan.reader(BodyLimits::default());
            reader.feed(body.as_bytes(), &mut needs).and_then(|()| reader.finish(&mut needs)).expect(line);
        }
        assert_eq!(objects(&needs), expected, "{line} {body}");
        // A body that is not read could have any.
        if inquiry.body.is_some() {
            assert!(objects(&inquiry.unread().needs).contains("dashboards:*"), "{line}");
        }
    }
}

#[test]
fn a_body_means_the_same_byte_by_byte() {
    for case in cases() {
        assert_eq!(outcome(&case, case.body.chunks(1)), outcome(&case, [&case.body[..]]), "{}", case.about);
    }
}

#[test]
fn whoever_holds_everything_is_asked_for_no_more_by_the_body() {
    for case in cases() {
        let Ok(found) = outcome(&case, [&case.body[..]]) else { continue };
        let inquiry = ask(case.method, case.target, case.media).expect(case.about).unread();
        for need in found.split(", ").filter(|need| need.ends_with("dashboards")) {
            assert!(words(&inquiry.needs).contains(need), "{}: {need}", case.about);
        }
    }
}

#[test]
fn what_belongs_to_dashboards_is_told_by_its_first_segment() {
    let owned = [
        "/api/status",
        "/internal/search/opensearch",
        "/app/home",
        "/w/x/app/home",
        "/8467/bundles/x.js",
        "/goto/x",
    ];
    for path in owned {
        assert!(dashboards::is_dashboards_path(path), "{path}");
    }
    for path in ["/", "", "/logs/_search", "/_search", "/8467/_search", "/apis/x", "/API/status"] {
        assert!(!dashboards::is_dashboards_path(path), "{path}");
    }
}

proptest! {
    #[test]
    fn a_body_means_the_same_however_it_is_cut(
        which in any::<prop::sample::Index>(),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let cases = cases();
        let case = which.get(&cases);
        cuts.sort_unstable_by_key(|cut| cut.index(case.body.len() + 1));
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            let to = cut.index(case.body.len() + 1).max(from);
            pieces.push(&case.body[from..to]);
            from = to;
        }
        pieces.push(&case.body[from..]);
        prop_assert_eq!(outcome(case, pieces), outcome(case, [&case.body[..]]));
    }

    /// A changed body is refused, or found to need at least what its lines with types say.
    #[test]
    fn no_change_hides_a_type(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let case = cases().into_iter().find(|case| case.about.contains("plants")).expect("the case");
        let mut body = case.body.clone();
        let at = at.index(body.len());
        body[at] = byte;
        if let Ok(found) = outcome(&case, [&body[..]]) {
            let text = String::from_utf8_lossy(&body);
            prop_assert!(found.contains("admin on dashboards") || !text.contains(r#""type":"data-source""#), "{}", text);
        }
    }

    /// Whatever comes after the head of a form means the same however it is cut, and is judged or refused.
    #[test]
    fn any_form_means_the_same_however_it_is_cut(
        pieces in prop::collection::vec(
            prop_oneof![
                Just("\r\n--x"), Just("\r\n"), Just("--"), Just("\r"), Just("\n"), Just("--x\r\n"), Just("-"),
                Just(r#"{"type":"dashboard"}"#), Just(r#"{"type":"data-source"}"#), Just(r#"{"exportedCount":1}"#),
                Just("Content-Disposition: form-data; name=\"retries\"\r\n\r\n"),
                Just("Content-Disposition: form-data; name=\"file\"; filename=\"b\"\r\n\r\n"),
            ],
            0..12,
        ),
        at in any::<prop::sample::Index>(),
    ) {
        let head = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
        let body = [head, &pieces.concat()].concat().into_bytes();
        let case = Case {
            about: "",
            method: "POST",
            target: "/api/saved_objects/_import",
            media: "multipart/form-data; boundary=x",
            body,
            expected: "",
        };
        let whole = outcome(&case, [&case.body[..]]);
        let (left, right) = case.body.split_at(at.index(case.body.len()));
        prop_assert_eq!(outcome(&case, [left, right]), whole.clone());
        prop_assert_eq!(outcome(&case, case.body.chunks(1)), whole);
    }

    #[test]
    fn any_request_line_is_judged_or_refused(method in "[A-Z]{3,6}", target in "/(api|internal|w|app)/[ -~]{0,40}") {
        if let Ok(inquiry) = ask(&method, &target, "-") {
            prop_assert!(!inquiry.needs.is_empty() || inquiry.body.is_some());
        }
    }
}
