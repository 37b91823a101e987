//! The catalogue against the real engine's own resolution.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeSet;

use catalogue::{Catalogue, Entry, Wildcards};
use e2e::{Real, RealConfig};
use http::Method;
use serde_json::{Value, json};

/// The names in an answer of `/_resolve/index`.
fn names(answer: &Value) -> BTreeSet<String> {
    ["indices", "aliases", "data_streams"]
        .iter()
        .flat_map(|list| answer[list].as_array().unwrap())
        .map(|thing| thing["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn expressions_mean_to_the_catalogue_what_they_mean_to_the_engine() {
    // Takes the engine's turn: nobody else makes indices meanwhile.
    let real = Real::start(&RealConfig::default()).await;
    let engine = real.testbed.engine.client().unwrap();
    let made = "/catalogue-a,catalogue-b,.catalogue-c,.catalogue-d,catalogue-closed?ignore_unavailable=true";
    for (path, template) in [("/_data_stream/catalogue-stream", false), ("/_index_template/catalogue", true)]
    {
        let (status, _) = engine.rest(&Method::DELETE, path, None).await.unwrap();
        assert!(status.is_success() || status == 404, "{template}");
    }
    engine.rest(&Method::DELETE, made, None).await.unwrap();
    let hidden = json!({"settings": {"hidden": true}});
    let template = json!({"index_patterns": ["catalogue-stream*"], "data_stream": {}});
    let actions = json!({"actions": [
        {"add": {"index": "catalogue-a", "alias": "catalogue-alias"}},
        {"add": {"index": "pii-customers", "alias": "catalogue-alias"}},
    ]});
    for (method, path, body) in [
        (Method::PUT, "/_index_template/catalogue", Some(&template)),
        (Method::PUT, "/_data_stream/catalogue-stream", None),
        (Method::PUT, "/catalogue-a", None),
        (Method::PUT, "/catalogue-b", Some(&hidden)),
        (Method::PUT, "/.catalogue-c", None),
        (Method::PUT, "/.catalogue-d", Some(&hidden)),
        (Method::PUT, "/catalogue-closed", None),
        (Method::POST, "/catalogue-closed/_close", None),
        (Method::POST, "/_aliases", Some(&actions)),
    ] {
        engine.expect(&method, path, body).await.unwrap();
    }
    let listing = engine.expect(&Method::GET, "/_resolve/index/*?expand_wildcards=all", None).await.unwrap();
    let catalogue = Catalogue::from_resolve_index(listing.to_string().as_bytes()).unwrap();
    assert_eq!(catalogue.behind("catalogue-alias"), ["catalogue-a", "pii-customers"]);
    let backing = catalogue.behind("catalogue-stream");
    assert!(
        matches!(catalogue.get(backing[0]), Some(Entry::Index { hidden: true, data_stream: Some(stream), .. }) if &**stream == "catalogue-stream"),
        "{backing:?}"
    );

    let reaches = [
        ("", Wildcards::default()),
        ("?expand_wildcards=all", Wildcards::ALL),
        ("?expand_wildcards=open,hidden", Wildcards { hidden: true, closed: false }),
        ("?expand_wildcards=open,closed", Wildcards { hidden: false, closed: true }),
    ];
    // Not `_all`: this API of the engine's, unlike all others, takes it for a name.
    let elements = [
        "*",
        ".*",
        "cat*",
        ".cat*",
        "*-a",
        "*a*",
        "catalogue-a",
        "catalogue-alias",
        "catalogue-b",
        "catalogue-stream",
    ];
    let narrowing = ["", ",-catalogue-a", ",-*-a", ",-.cat*", ",catalogue-b", ",.cat*", ",-cat*,catalogue-a"];
    let mut compared = 0;
    for element in elements {
        for rest in narrowing {
            // The engine takes an exclusion after no wildcard for a name.
            if !element.contains('*') && rest.contains(",-") {
                continue;
            }
            let expression = format!("{element}{rest}");
            for (query, wildcards) in reaches {
                let path = format!("/_resolve/index/{expression}{query}");
                let answer = engine.expect(&Method::GET, &path, None).await.unwrap();
                let resolved = catalogue.resolve(&expression, wildcards).unwrap();
                let here: BTreeSet<String> = resolved.names.iter().map(ToString::to_string).collect();
                assert_eq!(here, names(&answer), "{path}");
                compared += 1;
            }
        }
    }
    assert!(compared > 150, "{compared}");

    for path in ["/_data_stream/catalogue-stream", "/_index_template/catalogue", made] {
        engine.expect(&Method::DELETE, path, None).await.unwrap();
    }
}
