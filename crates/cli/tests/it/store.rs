use crate::program::Home;
use crate::provider::Provider;
use crate::proxy;

#[tokio::test]
async fn files_that_others_can_read_or_change_are_refused() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let home = Home::logged_in(&proxy, &provider).await;
    for (file, mode, words) in [
        ("token", 0o640, "others can read"),
        ("token", 0o604, "others can read"),
        ("token", 0o620, "others can change"),
        ("config.yaml", 0o622, "others can change"),
        ("", 0o777, "others can change"),
        ("", 0o730, "others can change"),
    ] {
        let before = home.mode(file);
        home.set_mode(file, mode);
        let said = home.run(&["token"]).await.failed(2);
        assert!(said.contains(words) && said.contains("chmod "), "{file} {mode:o}: {said}");
        assert!(!said.contains("access-token"), "{said}");
        home.set_mode(file, before);
    }
    home.set_mode("config.yaml", 0o644);
    home.run(&["token"]).await.ok();
}

#[tokio::test]
async fn files_that_are_not_as_expected_are_told_without_their_content() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let home = Home::logged_in(&proxy, &provider).await;
    let token = home.read("token").replace("\"user\"", "access-token-9");
    std::fs::write(home.file("token"), token).unwrap();
    let said = home.run(&["token"]).await.failed(3);
    assert!(said.contains("line") && !said.contains("access-token-9"), "{said}");
    std::fs::write(home.file("config.yaml"), "contexts: {main: {address: x}}\n").unwrap();
    let said = home.run(&["token"]).await.failed(2);
    assert!(said.contains("address"), "{said}");
    let mut homeless = Home::new();
    homeless.variable("HOME", "");
    homeless.run(&["status"]).await.failed(2);
}
