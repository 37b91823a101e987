use crate::corpus::{CORPUS, Case, cases, judge};

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
