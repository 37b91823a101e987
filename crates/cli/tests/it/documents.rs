use crate::program::Home;

#[tokio::test]
async fn completion_and_manual_pages() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completion", shell]).await.ok();
        assert!(script.contains("opensearch-auth") && script.contains("contexts"), "{shell}");
    }
    home.run(&["man", "--out", "pages"]).await.ok();
    let page = std::fs::read_to_string(home.path().join("pages/opensearch-auth-login.1")).unwrap();
    assert!(page.contains("device"), "{page}");
}

#[tokio::test]
async fn help_tells_the_exit_codes() {
    let help = Home::new().run(&["--help"]).await.ok();
    for line in ["First steps:", "Exit codes:", "4  login is needed", "NO_COLOR", "~/.opensearch/token"] {
        assert!(help.contains(line), "{line}: {help}");
    }
}
