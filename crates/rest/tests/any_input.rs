//! Whatever comes, `classify` answers; and what it lets through is canonical.

use proptest::prelude::*;
use rest::{Resource, Target, classify};

/// Paths near the real ones: pieces that mean something to some parser.
fn nearly_paths() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/".to_owned()),
        Just("_search".to_owned()),
        Just("_all".to_owned()),
        Just("logs-*".to_owned()),
        Just("%2C".to_owned()),
        Just("%2A".to_owned()),
        Just("%3C".to_owned()),
        Just("%7Bnow%2Fd%7D".to_owned()),
        Just("%3E".to_owned()),
        Just("%25".to_owned()),
        Just("..".to_owned()),
        Just("-".to_owned()),
        Just(":".to_owned()),
        Just(",".to_owned()),
        Just("_doc".to_owned()),
        "[ -~]{0,3}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn encode(target: &str) -> String {
    target
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~*".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn classify_never_panics(method in "[A-Z]{0,7}", path in any::<String>(), query in any::<Option<String>>()) {
        let _ = classify(&method, &path, query.as_deref());
    }

    #[test]
    fn near_misses_never_panic_and_what_passes_has_no_second_reading(path in nearly_paths(), query in "[ -~]{0,12}") {
        if let Ok(ask) = classify("GET", &path, Some(&query)) {
            prop_assert!(!ask.needs.is_empty());
            prop_assert!(path.is_ascii() && !path.contains("//") && !path.contains(['\\', ';', '#', '?']));
            prop_assert!(!path.contains("/../") && !path.contains("/./"));
            prop_assert!(path == "/" || !path.ends_with('/'));
        }
    }

    /// However a client encodes what must or may be encoded, the same target is judged.
    #[test]
    fn encoding_does_not_change_the_targets(names in prop::collection::vec("[a-z][a-z0-9*.-]{0,6}[a-z0-9*]", 1..4)) {
        let list = names.join(",");
        let targets: Vec<Resource> = names
            .iter()
            .map(|name| Resource::Index(name.parse::<Target>().expect("a target")))
            .collect();
        for path in [format!("/{list}/_search"), format!("/{}/_search", encode(&list))] {
            let ask = classify("GET", &path, None).expect("a plain list of names");
            let found: Vec<Resource> = ask.needs.into_iter().map(|need| need.on).collect();
            prop_assert_eq!(&found, &targets);
        }
    }

    /// The target concluded from date maths holds every name that it can become.
    #[test]
    fn date_maths_is_never_narrower_than_its_names(before in "[a-z]{1,4}", date in "[0-9.]{1,6}", after in "[a-z-]{0,4}") {
        let maths = format!("<{before}{{now/d{{'{date}'}}}}{after}>");
        let ask = classify("GET", &format!("/{}/_search", encode(&maths)), None).expect("date maths");
        let became: Target = format!("{before}{date}{after}").parse().expect("a name");
        let Resource::Index(target) = &ask.needs[0].on else { panic!("an index") };
        prop_assert!(target.covers(&became), "{} covers {}", target, became);
    }
}
