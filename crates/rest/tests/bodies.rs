//! Request bodies, case by case: `tests/bodies/*.txt`.
//!
//! A case begins with `===` and what it is about. The next line has the method, the target and the media type (`-`
//! for none). Then comes the body, up to a line that begins with `->` and says what must come of it: the needs in
//! order (of the request line, then of the body), or the reason of a refusal. A need is `action:resource`, with
//! `[origin]` where neither the path nor the body names the resource. In the body `⟨ef bb bf⟩` stands for raw
//! bytes. NDJSON gets a final line feed unless the last line is `⟨end⟩`. Lines that begin with `#` outside of
//! bodies are comments.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod shared;

use shared::{CORPUS, Case, cases, judge};

#[test]
fn every_case_comes_out_as_written() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (file, text) in CORPUS {
        for case in cases(file, text) {
            count += 1;
            let found = judge(&case, &[case.body.len()]);
            if found != case.expected {
                let Case { about, request, expected, .. } = &case;
                wrong.push(format!(
                    "{file}: {about}\n    {request}\n    found    {found}\n    expected {expected}"
                ));
            }
        }
    }
    assert!(count >= 150, "the corpus is there: {count}");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_pieces_in_which_a_body_comes_do_not_matter() {
    for (file, text) in CORPUS {
        for case in cases(file, text) {
            let bytes: Vec<usize> = vec![1; case.body.len()];
            assert_eq!(judge(&case, &bytes), case.expected, "{file}: {}: byte by byte", case.about);
            for first in 1..case.body.len().min(200) {
                let found = judge(&case, &[first, case.body.len() - first]);
                assert_eq!(found, case.expected, "{file}: {}: cut after {first}", case.about);
            }
        }
    }
}
