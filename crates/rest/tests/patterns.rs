//! Containment and intersection against a brute-force model: the languages themselves, over a small alphabet.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rest::{Pattern, Target};

/// `z` occurs in no generated pattern: index names have endlessly many such letters.
const ALPHABET: [char; 4] = ['a', 'b', '.', 'z'];

/// All texts up to this length are tried. Any two generated patterns that differ as languages differ on one.
const LONGEST: usize = 6;

fn all_words() -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last = words.clone();
    for _ in 0..LONGEST {
        last = last.iter().flat_map(|word| ALPHABET.map(|letter| format!("{word}{letter}"))).collect();
        words.extend(last.iter().cloned());
    }
    words
}

/// Matches by definition: recursion over the pattern, apart from the implementation.
fn model_matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| model_matches(rest, &text[skip..])),
        Some((byte, rest)) => {
            text.split_first().is_some_and(|(t, left)| t == byte && model_matches(rest, left))
        }
    }
}

fn language<'w>(pattern: &Pattern, words: &'w [String]) -> BTreeSet<&'w str> {
    let matches = |word: &&str| model_matches(pattern.as_str().as_bytes(), word.as_bytes());
    words.iter().map(String::as_str).filter(matches).collect()
}

fn patterns() -> impl Strategy<Value = Pattern> {
    "[ab.*]{1,3}".prop_filter_map("not a name", |text| Pattern::parse(&text).ok())
}

fn visible<'w>(pattern: &Pattern, words: &'w [String]) -> BTreeSet<&'w str> {
    let dotted = pattern.as_str().starts_with('.');
    language(pattern, words).into_iter().filter(|word| dotted || !word.starts_with('.')).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn contains_is_inclusion_and_may_intersect_is_intersection(a in patterns(), b in patterns()) {
        let words = all_words();
        let (left, right) = (language(&a, &words), language(&b, &words));
        prop_assert_eq!(a.contains(&b), right.is_subset(&left), "{} contains {}", a, b);
        prop_assert_eq!(a.may_intersect(&b), !left.is_disjoint(&right), "{} meets {}", a, b);
        prop_assert_eq!(a.may_intersect(&b), b.may_intersect(&a));
    }

    #[test]
    fn covers_is_inclusion_of_the_visible_names(a in patterns(), b in patterns()) {
        let words = all_words();
        let (held, asked) = (visible(&a, &words), visible(&b, &words));
        let target = |pattern: &Pattern| Target { remote: None, index: pattern.clone() };
        prop_assert_eq!(target(&a).covers(&target(&b)), asked.is_subset(&held), "{} covers {}", a, b);
    }

    #[test]
    fn matches_is_the_model(pattern in patterns(), text in "[ab.z]{0,8}") {
        prop_assert_eq!(
            pattern.matches(&text),
            model_matches(pattern.as_str().as_bytes(), text.as_bytes())
        );
    }

    #[test]
    fn what_is_covered_meets(a in patterns(), b in patterns(), c in patterns()) {
        prop_assert!(a.contains(&a));
        prop_assert!(!a.contains(&b) || a.may_intersect(&b));
        prop_assert!(!(a.contains(&b) && b.contains(&c)) || a.contains(&c));
    }

    #[test]
    fn texts_round_trip(text in "[a-zA-Z0-9.*é_-]{1,12}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            prop_assert_eq!(Pattern::parse(pattern.as_str()), Ok(pattern));
        }
    }

    #[test]
    fn parsing_never_panics(text in any::<String>()) {
        let _ = Pattern::parse(&text);
        let _ = text.parse::<Target>();
    }
}

#[test]
fn remote_and_local_never_cover_each_other() {
    let target = |text: &str| text.parse::<Target>().expect("a target");
    for (held, asked, covers, meets) in [
        ("*", "logs", true, true),
        ("*", "r:logs", false, false),
        ("*:*", "r:logs", true, true),
        ("*:*", "logs", false, false),
        ("r:logs-*", "r:logs-a", true, true),
        ("r:logs-*", "s:logs-a", false, false),
        ("r:logs-*", "*:logs-a", false, true),
        ("*:*", "r:.x", false, true),
        ("*:.*", "r:.x", true, true),
        ("*", ".x", false, true),
        ("*", "*", true, true),
        (".*", "*", false, true),
        (".*", ".*", true, true),
    ] {
        assert_eq!(target(held).covers(&target(asked)), covers, "{held} covers {asked}");
        assert_eq!(target(held).may_intersect(&target(asked)), meets, "{held} meets {asked}");
    }
}

#[test]
fn names_that_no_index_can_have_are_refused() {
    for text in [
        "", "_x", "-x", "+x", ".", "..", "a b", "a,b", "a/b", "a\\b", "a?b", "a\"b", "a<b", "a#b", "a:b",
        "a\n",
    ] {
        assert!(Pattern::parse(text).is_err(), "{text:?}");
    }
    for (text, kept) in
        [("a**b", "a*b"), ("***", "*"), ("A", "A"), ("*_x", "*_x"), (".a", ".a"), ("a..b", "a..b")]
    {
        assert_eq!(Pattern::parse(text).map(|pattern| pattern.to_string()), Ok(kept.to_owned()));
    }
}
