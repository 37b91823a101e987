use crate::bus::Bus;
use crate::program::Home;
use crate::provider::Provider;
use crate::proxy;
use crate::server::Server;

const VARIABLE: &str = "DBUS_SESSION_BUS_ADDRESS";

/// A home with a context, on a bus.
async fn home_on(bus: &Bus, proxy: &Server) -> Home {
    let mut home = Home::with_context(proxy).await;
    home.variable(VARIABLE, &bus.address());
    home
}

fn choose(home: &Home, credentials: &str) {
    let config = home.read("config.yaml");
    let others = config.lines().filter(|line| !line.starts_with("credentials:"));
    let config: Vec<&str> = others.collect();
    std::fs::write(home.file("config.yaml"), format!("credentials: {credentials}\n{}\n", config.join("\n")))
        .unwrap();
}

#[tokio::test]
async fn a_login_lives_in_the_keyring_and_leaves_it() {
    let (provider, bus) = (Provider::start().await, Bus::with_keyring().await);
    let proxy = proxy::start(&provider.issuer()).await;
    let home = home_on(&bus, &proxy).await;
    let login = home.run(&["login"]).await;
    assert_eq!(login.err, "");
    assert_eq!(
        login.ok(),
        "🌐 Opening browser for authentication...\n\
         ✅ Authenticated as developer@example.com\n\
         Token stored in the system keyring (expires in 8h)\n\
         Scopes: read:logs-*, read:metrics-*\n"
    );
    assert_eq!(home.run(&["status"]).await.ok().lines().last().unwrap(), "Token: in the system keyring");
    let told = home.run(&["status", "--output", "json"]).await.json();
    assert_eq!((told["stored_in"].as_str(), told["refreshable"].as_bool()), (Some("keyring"), Some(true)));
    assert_eq!(home.run(&["token"]).await.ok(), "access-token-1\n");
    for secret in ["access-token", "refresh-token"] {
        assert!(!home.read("token").contains(secret), "{}", home.read("token"));
    }
    let items = bus.items().await;
    assert_eq!(items.len(), 1);
    assert!(items[0].0 == "main" && items[0].1.contains("refresh-token-1"), "{items:?}");

    // Another folder's login of the same name is another one.
    let other = home_on(&bus, &proxy).await;
    other.run(&["login"]).await.ok();
    assert_eq!(other.run(&["token"]).await.ok(), "access-token-2\n");
    assert_eq!(home.run(&["token"]).await.ok(), "access-token-1\n");
    other.run(&["contexts", "remove", "main"]).await.ok();
    assert_eq!(bus.items().await.len(), 1);

    assert_eq!(home.run(&["logout"]).await.ok(), "✅ Logged out\n");
    let revoked: Vec<_> =
        provider.server.seen_at("/revoke").iter().map(|seen| seen.field("token").unwrap()).collect();
    assert_eq!(revoked, ["refresh-token-1", "access-token-1"]);
    assert!(bus.items().await.is_empty());
    home.run(&["token"]).await.failed(4);
}

#[tokio::test]
async fn what_is_renewed_stays_in_the_keyring() {
    let (provider, bus) = (Provider::start().await, Bus::with_keyring().await);
    let proxy = proxy::start(&provider.issuer()).await;
    provider.set(|behaviour| behaviour.expires_in = 0);
    let home = home_on(&bus, &proxy).await;
    home.run(&["login"]).await.ok();
    assert_eq!(home.run(&["token"]).await.ok(), "access-token-2\n");
    provider.set(|behaviour| behaviour.expires_in = 600);
    let runs: Vec<_> = (0..4).map(|_| home.start(&["token"])).collect();
    for child in runs {
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "access-token-3\n", "{output:?}");
    }
    assert!(!home.read("token").contains("access-token"));
    let items = bus.items().await;
    assert!(items.len() == 1 && items[0].1.contains("access-token-3"), "{items:?}");

    // The item is for the address that it was made for, whatever the files say.
    let elsewhere = "https://elsewhere.example.com/";
    for file in ["config.yaml", "token"] {
        let text = home.read(file).replace(&proxy.url(), elsewhere.trim_end_matches('/'));
        std::fs::write(home.file(file), text).unwrap();
    }
    let said = home.run(&["token"]).await.failed(4);
    assert!(said.contains("does not hold the login"), "{said}");
}

#[tokio::test]
async fn a_session_moves_at_the_next_login() {
    let (provider, bus) = (Provider::start().await, Bus::with_keyring().await);
    let proxy = proxy::start(&provider.issuer()).await;
    let home = home_on(&bus, &proxy).await;
    choose(&home, "keyring");
    home.run(&["config", "check"]).await.ok();
    home.run(&["login"]).await.ok();
    choose(&home, "file");
    assert_eq!(home.run(&["token"]).await.ok(), "access-token-1\n", "it is still where it was");
    assert!(home.run(&["login"]).await.ok().contains("Token stored in ~/.opensearch/token"));
    assert!(bus.items().await.is_empty());
    assert_eq!(home.run(&["token"]).await.ok(), "access-token-2\n");
    choose(&home, "auto");
    assert_eq!(home.run(&["token"]).await.ok(), "access-token-2\n");
    assert!(home.run(&["login"]).await.ok().contains("Token stored in the system keyring"));
    assert!(!home.read("token").contains("access-token"));
}

#[tokio::test]
async fn a_locked_keyring_is_left_locked() {
    let (provider, bus) = (Provider::start().await, Bus::with_keyring().await);
    let proxy = proxy::start(&provider.issuer()).await;
    let home = home_on(&bus, &proxy).await;
    home.run(&["login"]).await.ok();
    bus.lock().await;
    let said = home.run(&["token"]).await.failed(3);
    assert!(said.contains("is locked") && said.contains("unlock it"), "{said}");
    home.run(&["status"]).await.ok();

    choose(&home, "keyring");
    let asked = provider.server.seen_at("/authorize").len();
    let said = home.run(&["login"]).await.failed(3);
    assert!(said.contains("is locked") && said.contains("credentials: file"), "{said}");
    assert_eq!(provider.server.seen_at("/authorize").len(), asked, "it is found out before the login");
    home.run(&["config", "check"]).await.failed(1);

    let said = home.run(&["logout"]).await.failed(3);
    assert!(said.contains("the tokens are left") && said.contains("is locked"), "{said}");
    home.run(&["status"]).await.failed(4);

    choose(&home, "auto");
    let login = home.run(&["login"]).await;
    assert!(login.err.contains("is locked; the login is kept in ~/.opensearch/token"), "{login:?}");
    assert!(login.ok().contains("Token stored in ~/.opensearch/token"));
    assert_eq!(home.mode("token"), 0o600);
    assert_eq!(home.run(&["token"]).await.ok(), "access-token-2\n");
}

#[tokio::test]
async fn without_a_keyring_the_file_is_used() {
    let (provider, bus) = (Provider::start().await, Bus::start().await);
    let proxy = proxy::start(&provider.issuer()).await;
    let mut home = home_on(&bus, &proxy).await;
    let login = home.run(&["login"]).await;
    assert_eq!(login.err, "", "a bus without a keyring is nothing to tell of");
    assert!(login.ok().contains("Token stored in ~/.opensearch/token"));
    choose(&home, "keyring");
    let said = home.run(&["login"]).await.failed(3);
    assert!(said.contains("is not there"), "{said}");

    choose(&home, "auto");
    home.variable(VARIABLE, "unix:path=/nowhere/bus");
    let login = home.run(&["login"]).await;
    assert!(login.err.contains("the login is kept in ~/.opensearch/token"), "{login:?}");
    login.ok();

    // Whoever connects to it is left waiting.
    let silent = home.path().join("silent");
    let _listener = std::os::unix::net::UnixListener::bind(&silent).unwrap();
    home.variable(VARIABLE, &format!("unix:path={}", silent.display()));
    let login = home.run(&["login"]).await;
    assert!(login.err.contains("has not answered"), "{login:?}");
    assert!(login.ok().contains("Token stored in ~/.opensearch/token"));
}
