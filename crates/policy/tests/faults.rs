//! What is wrong with a policy is told with its place, and nothing of the set is taken.

#![expect(clippy::panic, reason = "a test that cannot be set up fails with its reason")]

use policy::{PolicySet, Source};

fn faults(text: &str) -> Vec<String> {
    let good = Source { name: "good.cedar".into(), text: "permit(principal, action, resource);".into() };
    match PolicySet::parse(&[good, Source { name: "bad.cedar".into(), text: text.into() }]) {
        Ok(set) => panic!("taken, {} policies:\n{text}", set.len()),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn each_fault_is_told_where_it_is() {
    let table = [
        ("permit(principal, action, resource)", "bad.cedar:1:36: unexpected end of input"),
        ("permit(principal, action, resource);\n\npermit(principal, actoin, resource);", "bad.cedar:3:"),
        (r#"permit(principal == Robot::"x", action, resource);"#, "Robot"),
        ("permit(\n  principal,\n  action == Action::\"serach\",\n  resource);", "bad.cedar:"),
        (r"permit(principal, action, resource) when { context.colour == 1 };", "colour"),
        (r"permit(principal, action, resource) when { context.cluster == 1 };", "bad.cedar:1:"),
        (r"permit(principal == ?principal, action, resource);", "template"),
        // Of these it cannot be told how a pattern is to be judged.
        (
            r#"permit(principal, action, resource) when { (resource in Index::"a") == true };"#,
            "on which side",
        ),
        (
            r#"permit(principal, action, resource) when { if resource in Index::"a" then true else context.cluster == "b" };"#,
            "on which side",
        ),
        (
            r#"permit(principal, action, resource) when { [resource in Index::"a"].contains(false) };"#,
            "on which side",
        ),
        (r#"permit(principal, action, resource in Index::"a,b");"#, "no index and no pattern"),
        (r#"permit(principal, action, resource in Index::"-a");"#, "no index and no pattern"),
        (
            "@id(\"x\") permit(principal, action, resource);\n@id(\"x\") forbid(principal, action, resource);",
            "two policies",
        ),
        // The type of the evaluation is not for those who write.
        (r#"forbid(principal, action, resource in IndexReach::"a");"#, "IndexReach"),
    ];
    for (text, expected) in table {
        let told = faults(text);
        assert!(told.iter().any(|fault| fault.contains(expected)), "{text}\n{expected}\n{told:#?}");
    }
}
