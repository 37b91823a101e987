//! The commands that `docs/managed-tokens.md` tells, run as they stand there, with the curl of this machine.

use std::path::Path;

use e2e::StandIns;
use serde_json::Value;

use crate::world::{TOKENS, issue, issued, passes, refused, search, start};

/// The shell commands of the page that hold `part`, all of one block.
fn block(part: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/managed-tokens.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.find(|block| block.contains(part)).unwrap().to_owned()
}

/// Runs commands towards the proxy, with `id` for the id of a token, and answers what they printed.
async fn run(world: &StandIns, commands: &str, id: &str, variable: (&str, &str)) -> String {
    let files = world.proxy.files();
    // The page leaves out what has curl say that it was refused.
    files.write(".curlrc", "fail-with-body\nsilent\nshow-error\n");
    let address = format!("https://localhost:{}", world.proxy.address.port());
    let commands = commands.replace("https://search.example.com", &address).replace("tok_…", id);
    let commands = commands.replace("https://login.example.com", &world.provider.issuer());
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-ec", &commands]).env(variable.0, variable.1);
    shell.env("CURL_CA_BUNDLE", world.proxy.ca()).env("CURL_HOME", files.path("")).env("no_proxy", "*");
    let output = shell.output().await.unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{commands}\n{told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

#[tokio::test]
async fn a_token_for_a_nightly_job() {
    let world = start("").await;
    world.provider.add_client("nightly-job", "s3cret", &["read:logs-*"]);
    let told = run(&world, &block("-u nightly-job"), "", ("SECRET", "s3cret")).await;
    let answer: Value = serde_json::from_str(&told).unwrap();
    let (token, id) = (answer["access_token"].as_str().unwrap(), answer["token_id"].as_str().unwrap());
    assert_eq!((&answer["scope"], &answer["expires_in"]), (&"read:logs-*".into(), &86400.into()), "{told}");

    run(&world, &block("/logs-*/_search"), id, ("TOKEN", token)).await;
    assert_eq!(world.engine.seen().len(), 1, "the search came through");

    let job = world.provider.build_token().claim("sub", "nightly-job").claim("client_id", "nightly-job");
    let mine = job.claim("scope", "read:logs-*").sign();
    let told = run(&world, &block("/oauth/tokens\n"), id, ("MINE", &mine)).await;
    let list: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&list["tokens"][0]["name"], &list["tokens"][0]["metadata"]["ticket"]),
        (&"nightly report".into(), &"OPS-17".into()),
        "{told}"
    );
    assert_eq!(search(&world, token, "logs-a").await, refused("managed_token_revoked"));
}

#[tokio::test]
async fn somebody_elses_yes_and_the_end_of_a_providers_tokens() {
    let policies = "  policies:\n    - {name: careful, scopes: [\"read:logs-*\"], approval: required}\n";
    let world = StandIns::start_with(&format!("{TOKENS}{policies}")).await;
    world.provider.add_client("agent", "s3cret", &["read:logs-*"]);
    let (token, id) = issued(&issue(&world, &[("scope", "read:logs-*")]).await);
    assert_eq!(search(&world, &token, "logs-a").await, refused("managed_token_pending"));
    let lead = world.provider.token("admin:tokens");
    let told = run(&world, &block("/approve"), &id, ("LEAD", &lead)).await;
    assert!(told.contains(&id) && told.contains("\"reason\":\"OPS-17\""), "{told}");
    assert_eq!(search(&world, &token, "logs-a").await, passes());

    let told = run(&world, &block("/oauth/revocations"), "", ("ADMIN", &lead)).await;
    let revocation: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&revocation["subject"], &revocation["decided"]["reason"]),
        (&"5f3c…".into(), &"stolen laptop".into()),
        "{told}"
    );
}
