use std::path::Path;
use std::process::Stdio;

use e2e::{Browser, Real};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::KeycloakInfo;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const REALM: &str = "/realms/opensearch/clients";

/// Somebody with a home folder, who knows the proxy as a context. The program is known to Keycloak as a client of its
/// own: its tokens live eight hours and name the user by e-mail.
pub(crate) struct Person {
    home: TempDir,
    keycloak: KeycloakInfo,
    client_id: String,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    async fn of(command: &mut Command) -> Self {
        let output = command.output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.out
    }

    /// Standard output of a run that ended with this code.
    #[track_caller]
    pub(crate) fn failed_with_output(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self.out
    }

    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self.err
    }
}

impl Person {
    pub(crate) async fn new(real: &Real) -> Self {
        let home = TempDir::new().unwrap();
        let unique = home.path().file_name().unwrap().to_str().unwrap().trim_start_matches('.').to_owned();
        let keycloak = real.testbed.keycloak.clone();
        let person = Self { home, client_id: format!("cli-{unique}"), keycloak };
        let (status, answer) =
            person.keycloak.admin(&Method::POST, REALM, Some(&person.client())).await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let url = format!("https://localhost:{}", real.proxy.address.port());
        let provider = format!("keycloak={}", person.keycloak.issuer);
        let (ca, client) = (real.proxy.ca(), &person.client_id);
        let arguments = ["contexts", "add", "main", "--url", &url, "--ca", ca.to_str().unwrap()];
        let login =
            ["--provider", &provider, "--client-id", client, "--scopes", "read:logs-* read:metrics-*"];
        person.run(&[&arguments[..], &login].concat()).await.ok();
        person
    }

    fn client(&self) -> Value {
        json!({
            "clientId": self.client_id,
            "protocol": "openid-connect",
            "publicClient": true,
            "standardFlowEnabled": true,
            "fullScopeAllowed": false,
            "redirectUris": ["http://127.0.0.1/*"],
            "attributes": {
                "pkce.code.challenge.method": "S256",
                "oauth2.device.authorization.grant.enabled": "true",
                "access.token.lifespan": "28800",
            },
            "defaultClientScopes": ["basic", "opensearch-audience"],
            "optionalClientScopes": ["read:logs-*", "read:metrics-*", "monitor:cluster"],
            "protocolMappers": [{
                "name": "email",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-usermodel-attribute-mapper",
                "config": {
                    "user.attribute": "email", "claim.name": "email", "jsonType.label": "String",
                    "id.token.claim": "true",
                },
            }],
        })
    }

    /// The home folder.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_opensearch-auth-under-test"));
        command.args(arguments).env_clear().env("HOME", self.home.path()).env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(arguments)).await
    }

    /// With more in its environment.
    pub(crate) async fn run_with(&self, variable: (&str, &str), arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).env(variable.0, variable.1)).await
    }

    /// Logs in as this user of Keycloak.
    pub(crate) async fn log_in(&self, user: &str, scopes: &str) {
        let mut login = self.start(&["login", "--no-browser", "--scopes", scopes]);
        let address = login.address().await;
        Browser::new().log_in(&address, user).await;
        login.end().await;
    }

    /// Starts a login, which waits for somebody.
    pub(crate) fn start(&self, arguments: &[&str]) -> Waiting {
        Waiting::of(&mut self.command(arguments))
    }

    /// With more in its environment.
    pub(crate) fn start_with(&self, variable: (&str, &str), arguments: &[&str]) -> Waiting {
        Waiting::of(self.command(arguments).env(variable.0, variable.1))
    }

    /// Makes the stored token one that has ended.
    pub(crate) fn let_the_token_end(&self) {
        let path = self.home.path().join(".opensearch/token");
        let mut stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        stored["sessions"]["main"]["expires_at"] = json!("2026-01-01T00:00:00Z");
        std::fs::write(&path, stored.to_string()).unwrap();
    }

    /// Takes the client away again.
    pub(crate) async fn leave(self) {
        let found = format!("{REALM}?clientId={}", self.client_id);
        let (_, clients) = self.keycloak.admin(&Method::GET, &found, None).await.unwrap();
        let id = clients[0]["id"].as_str().unwrap();
        let (status, _) = self.keycloak.admin(&Method::DELETE, &format!("{REALM}/{id}"), None).await.unwrap();
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
}

/// A login under way.
pub(crate) struct Waiting {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Waiting {
    fn of(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The address of another device's login, and the code to enter there.
    pub(crate) async fn code(&mut self) -> (String, String) {
        let line = self.lines.next_line().await.unwrap().unwrap();
        let (address, code) = line
            .strip_prefix("🌐 Open ")
            .and_then(|rest| rest.split_once(" on any device and enter the code "))
            .unwrap();
        (address.to_owned(), code.to_owned())
    }

    /// The address to open: the only thing on its line, or after `or open`.
    pub(crate) async fn address(&mut self) -> String {
        while let Some(line) = self.lines.next_line().await.unwrap() {
            let line = line.trim();
            if let Some(address) = line.strip_prefix("or open ").or(line.starts_with("http").then_some(line))
            {
                return address.to_owned();
            }
        }
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
        panic!("no address was shown: {said}")
    }

    /// What is printed until it ends well.
    pub(crate) async fn end(mut self) -> String {
        let mut told = String::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            told.push_str(&line);
            told.push('\n');
        }
        let output = self.child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        told
    }

    /// What it complains of, ending with this code.
    pub(crate) async fn failed(self, code: i32) -> String {
        drop(self.lines);
        let output = self.child.wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}
