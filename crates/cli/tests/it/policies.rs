mod changes;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::program::{Home, Run};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The blocks of a language in a page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(project(page)).unwrap();
    let begin = format!("```{language}\n");
    text.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

impl Home {
    fn put(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    async fn policy(&self, arguments: &[&str]) -> Run {
        self.run(&[&["policy"], arguments].concat()).await
    }
}

const OPEN: &str = "permit(principal, action, resource);\n";

#[tokio::test]
async fn the_example_holds_and_is_what_the_documentation_shows() {
    let home = Home::new();
    let (policies, cases) =
        (project("examples/policies/agents.cedar"), project("examples/policies/cases.yml"));
    let (policies, cases) = (policies.to_str().unwrap(), cases.to_str().unwrap());
    assert_eq!(home.policy(&["check", policies]).await.ok(), "✅ 2 policies\n");
    assert_eq!(home.policy(&["test", cases]).await.ok(), "✅ 4 cases are decided as expected\n");
    assert_eq!(home.policy(&["fmt", "--check", policies]).await.ok(), "✅ all is formatted\n");

    let shown = blocks("docs/policies.md", "cedar");
    assert_eq!(shown[0], std::fs::read_to_string(policies).unwrap());
    for (number, block) in shown.iter().enumerate() {
        let name = format!("{number}.cedar");
        home.put(&name, block);
        home.policy(&["check", &name]).await.ok();
    }
    let text = std::fs::read_to_string(cases).unwrap();
    assert!(blocks("docs/policies.md", "yaml").contains(&text), "docs/policies.md does not show {text}");

    // A policy that nobody would miss would not be tested.
    let without = text.split("\n\n").count();
    home.put(
        "without/agents.cedar",
        &std::fs::read_to_string(policies).unwrap().replace("logs-pii-*", "pii-*"),
    );
    home.put("without/cases.yml", &text);
    let run = home.policy(&["test", "without/cases.yml"]).await;
    assert!(run.out.contains("nor by a pattern that could touch it"), "{run:?}");
    let page = std::fs::read_to_string(project("docs/policies.md")).unwrap();
    for line in run.out.lines().take(2) {
        let line = line.replace("without/", "");
        assert!(page.contains(&line), "docs/policies.md does not show {line}");
    }
    assert!(run.failed(1).contains(&format!("2 of {without} cases are decided otherwise")));
}

#[tokio::test]
async fn faults_are_shown_in_their_line() {
    let home = Home::new();
    home.put("good.cedar", OPEN);
    home.put(
        "policies/bad.cedar",
        "permit(principal, action, resource);\n\npermit(principal, actoin, resource);\n",
    );
    let run = home.policy(&["check", "good.cedar", "policies/bad.cedar"]).await;
    assert_eq!(
        run.out,
        "❌ policies/bad.cedar:3:19: found an invalid variable in the policy scope: actoin\n   \
         3 | permit(principal, actoin, resource);\n     \
         |                   ^\n   \
         policy scopes must contain a `principal`, `action`, and `resource` element in that order\n"
    );
    assert!(run.failed(1).contains("1 fault was found"));

    let run = home.policy(&["check", "good.cedar", "policies/bad.cedar", "--output", "json"]).await;
    let told: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(told["faults"][0]["file"], "policies/bad.cedar");
    assert_eq!((&told["faults"][0]["line"], &told["faults"][0]["column"]), (&json!(3), &json!(19)));
    let error: Value = serde_json::from_str(&run.failed(1)).unwrap();
    assert_eq!(error["error"]["kind"], "refused");
    let told = home.policy(&["check", "good.cedar", "--output", "json"]).await.json();
    assert_eq!(told, json!({"policies": 1, "faults": []}));
    assert!(
        home.policy(&["check", "missing.cedar"]).await.failed(3).contains("missing.cedar cannot be read")
    );
    home.policy(&["check"]).await.failed(2);
}

#[tokio::test]
async fn each_kind_of_fault_has_its_place() {
    let table = [
        ("permit(principal, action == Action::\"serach\", resource);", "x.cedar:1:29: unrecognized action"),
        (
            "// one\n@id(\"two\")\npermit(principal, action, resource) when { (resource in Index::\"a\") == true };",
            "x.cedar:2:1: policy `two`: it cannot be told",
        ),
        (
            "permit(principal, action, resource); forbid(principal, action, resource in Index::\"a,b\");",
            "x.cedar:1:38: policy `x.cedar#2`",
        ),
        (
            "@id(\"a\") permit(principal, action, resource);\n@id(\"a\") permit(principal, action, resource);",
            "x.cedar:2:1: two policies have this id",
        ),
        ("permit(principal == ?principal, action, resource);", "x.cedar:1:1: a policy with ?principal"),
        ("permit(principal, action == Action::\"serach\", resource);", "did you mean `search`?"),
        (
            "permit(principal, action == Action::\"indices.delte\", resource);",
            "did you mean `indices.delete`?",
        ),
        (
            "permit(principal, action, resource) when { context.clustr == \"x\" };",
            "x.cedar:1:44: attribute `clustr` in context not found\n",
        ),
    ];
    let home = Home::new();
    for (text, expected) in table {
        home.put("x.cedar", text);
        let run = home.policy(&["check", "x.cedar"]).await;
        assert!(run.out.contains(expected), "{text}\n{expected}\n{run:#?}");
        assert!(run.failed(1).contains("1 fault was found"), "{text}");
    }
    // Files of one name in two folders, with one fault each, and an id in both.
    home.put("a/x.cedar", "permit(principal, actoin, resource);");
    home.put("b/x.cedar", "permit(principal, actoin, resource);");
    let run = home.policy(&["check", "a/x.cedar", "b/x.cedar"]).await;
    assert!(run.out.contains("a/x.cedar:1:19") && run.out.contains("b/x.cedar:1:19"), "{run:#?}");
    assert!(run.failed(1).contains("2 faults"));
    home.put("a/x.cedar", OPEN);
    home.put("b/x.cedar", OPEN);
    let run = home.policy(&["check", "a/x.cedar", "b/x.cedar"]).await;
    assert!(run.out.contains("b/x.cedar:1:1: the policy `x.cedar#1` is in a/x.cedar too"), "{run:#?}");
    run.failed(1);
}

#[tokio::test]
async fn differences_are_told_with_the_policies_that_decide() {
    let home = Home::new();
    home.put("a.cedar", "@id(\"readers\") permit(principal in Group::\"readers\", action in Action::\"read\", resource in Index::\"logs-*\");");
    home.put("b.cedar", "@id(\"no secrets\") forbid(principal, action, resource in Index::\"*-secret\");");
    let case = |on: &str, rest: &str| {
        format!("  - who: {{agent: x, groups: readers}}\n    operation: search\n    on: {on}\n    {rest}\n")
    };
    let text = [
        case("{index: logs-1}", "expect: deny"),
        case("{index: logs-secret}", "expect: allow"),
        case("{index: other}", "expect: allow"),
        case("{index: logs-1}", "{expect: allow, by: no secrets}")
            .replace("{expect: allow, by: no secrets}", "expect: allow\n    by: no secrets"),
        case("{index: [logs-1, logs-secret]}", "expect: allow"),
        case("{index: [logs-1, logs-2]}", "expect: allow\n    by: readers"),
        case("cluster", "expect: deny"),
    ];
    home.put("cases.yml", &format!("cases:\n{}", text.concat()));
    let run = home.policy(&["test", "cases.yml"]).await;
    assert_eq!(
        run.out,
        "❌ cases.yml:2: agent x, search on logs-1: expected deny\n   permitted by `readers`\n\
         ❌ cases.yml:6: agent x, search on logs-secret: expected allow\n   forbidden by `no secrets`\n\
         ❌ cases.yml:10: agent x, search on other: expected allow\n   no policy permits it; elsewhere or under other circumstances `readers` would\n\
         ❌ cases.yml:14: agent x, search on logs-1: expected allow by `no secrets`\n   permitted by `readers`\n\
         ❌ cases.yml:19: agent x, search on logs-1, logs-secret: expected allow\n   forbidden by `no secrets`\n"
    );
    assert!(run.failed(1).contains("5 of 7 cases are decided otherwise than expected"));

    let run = home.policy(&["test", "cases.yml", "--output", "json"]).await;
    let told: Value = serde_json::from_str(&run.out).unwrap();
    let expected: Vec<&Value> =
        told["cases"].as_array().unwrap().iter().map(|case| &case["as_expected"]).collect();
    assert_eq!(json!(expected), json!([false, false, false, false, false, true, true]));
    assert_eq!(told["cases"][1]["policies"], json!(["no secrets"]));
    assert_eq!(told["cases"][2]["near"], json!(["readers"]));
    // Only the policies that are named.
    let run = home.policy(&["test", "cases.yml", "a.cedar"]).await;
    assert!(!run.out.contains("no secrets` forbids") && !run.out.contains("cases.yml:6"), "{run:#?}");
    run.failed(1);
    home.put("alone/cases.yml", &home.text("cases.yml"));
    assert!(home.policy(&["test", "alone/cases.yml"]).await.failed(2).contains("no `*.cedar`"));
}

#[tokio::test]
async fn cases_say_who_asks_for_what_and_under_which_circumstances() {
    let home = Home::new();
    let policies = r#"
permit(principal, action, resource);
@id("address") forbid(principal, action, resource) unless { context.source.isInRange(ip("10.0.0.0/8")) };
@id("mfa") forbid(principal is User, action in Action::"manage", resource) unless { context has acr && context.acr == "mfa" };
@id("age") forbid(principal, action, resource) when { context.token_age > 3600 };
@id("time") forbid(principal, action, resource) when { context.time > datetime("2030-01-01") };
@id("scope") forbid(principal, action in Action::"write", resource) unless { context.scopes.contains("write:*") };
@id("cluster") forbid(principal, action, resource in Cluster::"other");
@id("client") forbid(principal, action, resource) when { context.client == "bad" };
@id("provider") forbid(principal, action, resource) when { principal.provider == "strange" };
@id("plugin") forbid(principal, action, resource in Plugin::"ml");
@id("dashboards") forbid(principal, action in Action::"write", resource in Dashboards::"dashboards");
@id("workspace") forbid(principal, action, resource == Workspace::"w1");
@id("settings") forbid(principal, action, resource in ResourceType::"config");
@id("tenant") forbid(principal, action, resource) when { context has tenant && context.tenant == "private" };
@id("cluster itself") forbid(principal, action in Action::"monitor", resource == Cluster::"main");
@id("reading of a reindex") forbid(principal, action in Action::"read", resource in Index::"secret");
"#;
    home.put("p.cedar", policies);
    let table = [
        ("{agent: x}", "search", "{index: logs}", "", None),
        ("{agent: x}", "search", "{index: logs}", "source: 192.0.2.1", Some("address")),
        ("{user: a}", "indices.delete", "{index: logs}", "", Some("mfa")),
        ("{user: a}", "indices.delete", "{index: logs}", "acr: mfa", None),
        ("{agent: x}", "indices.delete", "{index: logs}", "", None),
        ("{agent: x}", "search", "{index: logs}", "token_age: 3600", None),
        ("{agent: x}", "search", "{index: logs}", "token_age: 3601", Some("age")),
        ("{agent: x}", "search", "{index: logs}", "token_age: 2h", Some("age")),
        ("{agent: x}", "search", "{index: logs}", "time: 2031-01-01T00:00:00Z", Some("time")),
        ("{agent: x}", "index", "{index: logs}", "", Some("scope")),
        ("{agent: x}", "index", "{index: logs}", "scopes: [read:*, write:*]", None),
        ("{agent: x}", "search", "{index: logs}", "cluster: other", Some("cluster")),
        ("{agent: x}", "search", "{index: logs}", "client: bad", Some("client")),
        ("{agent: bad}", "search", "{index: logs}", "", Some("client")),
        ("{user: bad}", "search", "{index: logs}", "", None),
        ("{agent: x, provider: strange}", "search", "{index: logs}", "", Some("provider")),
        ("{agent: x}", "ml.get_model", "{plugin: ml}", "", Some("plugin")),
        ("{agent: x}", "dashboards.objects.find\n    action: read", "dashboards", "", None),
        (
            "{agent: x}",
            "dashboards.objects.create\n    action: write",
            "dashboards",
            "scopes: write:*",
            Some("dashboards"),
        ),
        ("{agent: x}", "dashboards.objects.find\n    action: read", "{workspace: w1}", "", Some("workspace")),
        ("{agent: x}", "cluster.health", "cluster", "", Some("cluster itself")),
        ("{agent: x}", "get", "{type: dashboard, workspace: w2}", "", None),
        ("{agent: x}", "get", "{type: config, workspace: w2}", "", Some("settings")),
        // Of any type: it could be that one.
        ("{agent: x}", "get", "{type: \"*\", workspace: w2}", "", Some("settings")),
        ("{agent: x}", "get", "{type: dashboard, workspace: w2}", "tenant: private", Some("tenant")),
        ("{agent: x}", "reindex", "{index: secret}", "scopes: write:*", None),
        (
            "{agent: x}",
            "reindex\n    action: read",
            "{index: secret}",
            "scopes: write:*",
            Some("reading of a reindex"),
        ),
    ];
    let mut cases = vec!["cases:\n".to_owned()];
    for (who, operation, on, context, by) in table {
        let source = if context.starts_with("source") { "" } else { "source: 10.1.2.3" };
        let both: Vec<&str> = [source, context].into_iter().filter(|part| !part.is_empty()).collect();
        let expect = by.map_or("expect: allow".to_owned(), |by| format!("expect: deny\n    by: {by}"));
        let context = both.join(", ");
        cases.push(format!(
            "  - who: {who}\n    operation: {operation}\n    on: {on}\n    context: {{{context}}}\n    {expect}\n"
        ));
    }
    home.put("cases.yml", &cases.concat());
    let run = home.policy(&["test", "cases.yml"]).await;
    assert_eq!(run.ok(), format!("✅ {} cases are decided as expected\n", table.len()));
}

#[tokio::test]
async fn faults_of_the_cases_have_line_and_key() {
    let good = "cases:\n  - who: {agent: x}\n    operation: search\n    on: {index: a}\n    expect: allow\n";
    let replaced = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to)
    };
    let table = [
        (String::new(), "cases.yml:1:1: the file is empty"),
        ("cases: []\n".to_owned(), "cases.yml:1:8: `cases`: this must be a list of cases"),
        ("- x\n".to_owned(), "cases.yml:1:1: this must be a mapping"),
        ("cases: [\n".to_owned(), "cases.yml:2:"),
        (format!("{good}---\n{good}"), "there is more than one document"),
        (replaced("expect:", "expected:"), "cases.yml:5:5: there is no key `expected` here"),
        (replaced("    expect: allow\n", ""), "cases.yml:2:5: the key `expect` is missing"),
        (replaced("allow", "yes"), "cases.yml:5:13: `expect`: this must be `allow` or `deny`"),
        (replaced("search", "serach"), "cases.yml:3:16: `operation`: `serach` is no operation"),
        (replaced("search", "indices.health"), "there is `cat.health`, `cluster.health`"),
        (replaced("search", "dashboards.objects.find"), "the key `action` says what it does"),
        (replaced("search", "search\n    action: reads"), "`action`: \"reads\" is not an action"),
        (
            replaced("{agent: x}", "{agent: x, user: y}"),
            "cases.yml:2:10: `who`: this must have one of the keys",
        ),
        (replaced("{agent: x}", "{agent: 7}"), "cases.yml:2:18: `agent`: this must be a text"),
        (replaced("{agent: x}", "{agent: x, agent: y}"), "cases.yml:2:"),
        (replaced("{index: a}", "everything"), "cases.yml:4:9: `on`: this is nothing"),
        (replaced("{index: a}", "{index: a, plugin: ml}"), "exactly one key"),
        (replaced("{index: a}", "{index: []}"), "`index`: no index is named"),
        (replaced("{index: a}", "{index: 'a,b'}"), "`a,b` is no index"),
        (replaced("{index: a}", "{plugin: mll}"), "no operation is for a plugin `mll`"),
        (
            replaced("expect", "context: {source: here}\n    expect"),
            "cases.yml:5:23: `source`: this is no IP address",
        ),
        (replaced("expect", "context: {time: noon}\n    expect"), "`time`: write it as"),
        (replaced("expect", "context: {token_age: old}\n    expect"), "`token_age`: write it in seconds"),
        (replaced("expect", "context: {tenants: x}\n    expect"), "there is no key `tenants` here"),
    ];
    let home = Home::new();
    home.put("p.cedar", OPEN);
    home.put("cases.yml", good);
    home.policy(&["test", "cases.yml"]).await.ok();
    for (text, expected) in table {
        home.put("cases.yml", &text);
        let run = home.policy(&["test", "cases.yml"]).await;
        assert!(run.out.contains(expected), "{text}\n{expected}\n{run:#?}");
        run.failed(1);
    }
    // All of both files at once.
    home.put(
        "cases.yml",
        &format!("{}{}", replaced("allow", "yes"), &replaced("search", "serach")["cases:\n".len()..]),
    );
    home.put("p.cedar", "permit(principal, actoin, resource);");
    let run = home.policy(&["test", "cases.yml"]).await;
    for expected in ["p.cedar:1:19", "cases.yml:5:13", "cases.yml:7:16"] {
        assert!(run.out.contains(expected), "{expected}: {run:#?}");
    }
    assert!(run.failed(1).contains("3 faults"));
}

#[tokio::test]
async fn formatting_keeps_every_comment_and_the_mode() {
    let home = Home::new();
    let text = r#"// head
@id("a") // after the id
permit(principal,// whoever
  // before
  action in [Action::"read", // first
  Action::"write"], resource)
when { // open
  context.cluster == "a//b" && // and
  !(context has acr) // end
}; // done
// the end"#;
    home.put("x.cedar", text);
    std::fs::set_permissions(home.path().join("x.cedar"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let run = home.policy(&["fmt", "--check", "x.cedar"]).await;
    assert_eq!(run.out, "❌ x.cedar is not formatted\n");
    assert!(run.failed(1).contains("1 file is not formatted"));
    assert_eq!(home.text("x.cedar"), text);

    std::os::unix::fs::symlink("x.cedar", home.path().join("link.cedar")).unwrap();
    assert_eq!(home.policy(&["fmt", "link.cedar"]).await.ok(), "✅ link.cedar\n");
    let formatted = home.text("x.cedar");
    for comment in [
        "// head",
        "// after the id",
        "// whoever",
        "// before",
        "// first",
        "// open",
        "// and",
        "// end",
        "// done",
        "// the end",
    ] {
        assert!(formatted.contains(comment), "{comment}: {formatted}");
    }
    assert_ne!(formatted, text);
    let mode = std::fs::metadata(home.path().join("x.cedar")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert!(home.path().join("link.cedar").is_symlink());
    home.policy(&["check", "x.cedar"]).await.ok();
    home.policy(&["fmt", "--check", "x.cedar"]).await.ok();

    for text in ["", "// only a comment\n"] {
        home.put("y.cedar", text);
        home.policy(&["fmt", "y.cedar"]).await.ok();
        assert_eq!(home.text("y.cedar"), text);
    }
    home.put("y.cedar", "permit(principal /* who */, action, resource);");
    let run = home.policy(&["fmt", "x.cedar", "y.cedar"]).await;
    assert!(run.out.contains("y.cedar:1:18"), "{run:#?}");
    run.failed(1);
}

#[tokio::test]
async fn the_schema_is_printed_and_needs_no_home() {
    let mut home = Home::new();
    home.variable("HOME", "");
    let schema = home.policy(&["schema"]).await.ok();
    assert!(schema.contains("entity User in [Group]") && schema.contains("action \"search\" in [\"read\"]"));
    let told = home.policy(&["schema", "--output", "json"]).await.json();
    assert_eq!(told["schema"].as_str().unwrap().trim_end(), schema.trim_end());
}
