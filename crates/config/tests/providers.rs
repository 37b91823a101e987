//! Every configuration in the guide to providers loads, without a warning.

#[path = "support/plenty.rs"]
mod support;

use std::path::Path;

use support::Plenty;

const GUIDE: &str = include_str!("../../../docs/providers.md");

/// The blocks of YAML, each with the heading that it is under.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let sections = GUIDE.split("\n## ").skip(1);
    let yaml =
        |text: &'static str| text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    sections
        .flat_map(|section| {
            yaml(section).map(move |block| (section.lines().next().unwrap_or_default(), block))
        })
        .collect()
}

#[test]
fn every_block_is_a_whole_configuration() {
    let mut headings = Vec::new();
    for (heading, block) in blocks() {
        headings.push(heading);
        match config::parse(block, Path::new("proxy.yml"), &Plenty) {
            Ok(loaded) => assert!(loaded.warnings.is_empty(), "{heading}\n{}", loaded.warnings.render(false)),
            Err(diagnostics) => panic!("{heading}\n{}", diagnostics.render(false)),
        }
    }
    for provider in
        ["Keycloak", "Auth0", "Okta", "Microsoft Entra", "Dex", "a provider that issues opaque tokens"]
    {
        assert!(
            headings.contains(&format!("Connect {provider}").as_str()),
            "{provider} is missing: {headings:?}"
        );
    }
}

/// Links within the guide lead to headings, by the anchors that Markdown renderers make of them.
#[test]
fn links_lead_somewhere() {
    let anchors: Vec<String> = GUIDE
        .lines()
        .filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    let mut links = 0;
    for link in GUIDE.split("](#").skip(1).map(|rest| rest.split(')').next().expect("a link ends")) {
        links += 1;
        assert!(anchors.iter().any(|anchor| anchor == link), "#{link} is none of {anchors:?}");
    }
    assert!(links > 0);
}
