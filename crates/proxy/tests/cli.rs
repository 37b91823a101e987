//! The program as a person runs it: help, exit codes, files, signals.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_opensearch-oauth-proxy"))
        .args(arguments)
        .env_remove("OPENSEARCH_OAUTH_PROXY_CONFIG")
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with a configuration that can be served: no TLS, since the listener is on loopback.
fn folder(listen: &str) -> TempDir {
    let dir = TempDir::new().expect("a folder");
    let key = dir.path().join("signing.pem");
    let made = program(&["keygen", "--out", key.to_str().unwrap()]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let config = format!(
        "\
listen: {{address: \"{listen}\", plaintext: true}}
public_url: http://127.0.0.1:8443
admin: {{address: \"127.0.0.1:0\"}}
providers:
  - {{name: company, issuer: \"http://127.0.0.1:1/realm\", audiences: [opensearch]}}
clusters:
  - name: main
    nodes: [\"http://127.0.0.1:1\"]
    identity: {{signed_jwt: {{private_key: signing.pem}}}}
audit: {{sink: {{file: {{path: audit.log}}}}}}
"
    );
    fs::write(dir.path().join("config.yml"), config).unwrap();
    dir
}

fn config_of(dir: &Path) -> String {
    dir.join("config.yml").to_str().unwrap().to_owned()
}

#[test]
fn help_teaches() {
    let help = text(&program(&["--help"]).stdout);
    for word in
        ["serve", "check-config", "engine-setup", "keygen", "classify", "completions", "man", "Exit codes:"]
    {
        assert!(help.contains(word), "{word} in {help}");
    }
    assert!(text(&program(&["serve", "--help"]).stdout).contains("SIGHUP"));
    assert!(text(&program(&["--version"]).stdout).contains(env!("CARGO_PKG_VERSION")));
    assert_eq!(program(&["no-such-command"]).status.code(), Some(2));
    assert!(!help.contains('\u{1b}'), "no colour but on a terminal");
}

#[test]
fn check_config_says_yes_or_everything_that_is_wrong() {
    let dir = folder("127.0.0.1:0");
    let config = config_of(dir.path());
    let good = program(&["check-config", "--config", &config]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stdout));

    let faulty =
        fs::read_to_string(&config).unwrap().replace("audiences: [opensearch]", "audience: opensearch");
    let faulty = faulty.replace("plaintext: true", "plaintext: perhaps");
    fs::write(&config, faulty).unwrap();
    let bad = program(&["check-config", "--config", &config]);
    assert_eq!(bad.status.code(), Some(1));
    let said = text(&bad.stdout);
    for word in ["providers[0].audience", "listen.plaintext", "config.yml:1:", "config.yml:5:"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    let json = program(&["check-config", "--config", &config, "--output", "json"]);
    assert_eq!(json.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let keys: Vec<&str> =
        report["diagnostics"].as_array().unwrap().iter().filter_map(|found| found["key"].as_str()).collect();
    assert!(keys.contains(&"providers[0].audience") && keys.contains(&"listen.plaintext"), "{keys:?}");
    assert!(report["diagnostics"].as_array().unwrap().iter().all(|found| found["cure"].is_string()));
    let missing = program(&["check-config", "--config", "/nowhere/config.yml"]);
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn keygen_makes_a_private_file_and_overwrites_nothing() {
    let dir = TempDir::new().unwrap();
    for kind in ["rsa2048", "p256"] {
        let path = dir.path().join(kind);
        let arguments = ["keygen", "--kind", kind, "--out", path.to_str().unwrap()];
        assert_eq!(program(&arguments).status.code(), Some(0));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let before = fs::read(&path).unwrap();
        assert!(text(&before).starts_with("-----BEGIN PRIVATE KEY-----"));
        let again = program(&arguments);
        assert_eq!(again.status.code(), Some(3));
        assert!(text(&again.stderr).contains("never overwritten"), "{}", text(&again.stderr));
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn completions_manual_and_schema() {
    for shell in ["bash", "zsh", "fish"] {
        let script = program(&["completions", shell]);
        assert!(script.status.success() && text(&script.stdout).contains("engine-setup"), "{shell}");
    }
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("man");
    assert!(program(&["man", "--out", out.to_str().unwrap()]).status.success());
    let page = fs::read_to_string(out.join("opensearch-oauth-proxy.1")).unwrap();
    assert!(page.contains("check\\-config"), "{page}");
    let schema: serde_json::Value = serde_json::from_slice(&program(&["config-schema"]).stdout).unwrap();
    assert_eq!(schema, config::schema());
}

#[test]
fn engine_setup_prints_what_the_engine_needs() {
    let dir = folder("127.0.0.1:0");
    let config = config_of(dir.path());
    let printed = program(&["engine-setup", "--config", &config]);
    let said = text(&printed.stdout);
    assert!(printed.status.success() && said.contains("BEGIN PUBLIC KEY"), "{said}{}", text(&printed.stderr));
    let json = program(&["engine-setup", "--config", &config, "--output", "json"]);
    assert!(serde_json::from_slice::<serde_json::Value>(&json.stdout).is_ok());
    let unknown = program(&["engine-setup", "--config", &config, "--cluster", "other"]);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(text(&unknown.stderr).contains("main"), "{}", text(&unknown.stderr));
    let nobody = program(&["engine-setup", "--config", &config, "--check"]);
    assert_eq!(nobody.status.code(), Some(3));
    assert!(text(&nobody.stderr).contains("--admin-user"), "{}", text(&nobody.stderr));
}

#[test]
fn a_taken_port_is_told_with_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = folder(&taken.local_addr().unwrap().to_string());
    let outcome = program(&["serve", "--config", &config_of(dir.path())]);
    assert_eq!(outcome.status.code(), Some(3));
    let said = text(&outcome.stderr);
    assert!(said.contains("listen.address") && said.contains("cannot listen"), "{said}");
}

/// A running server whose log can be waited on. Killed when dropped.
struct Serving {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    address: String,
}

impl Serving {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_opensearch-oauth-proxy"))
            .args(["serve", "--config", &config_of(dir)])
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut serving = Self { child, log, address: String::new() };
        let line = serving.wait_for("serving");
        let (_, after) = line.split_once(" address=").unwrap();
        after.split_whitespace().next().unwrap().clone_into(&mut serving.address);
        serving
    }

    /// Reads the log up to the first line with `word`.
    fn wait_for(&mut self, word: &str) -> String {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "the log ended before `{word}`");
        }
        line
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It has ended already, where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn signals_reload_and_stop() {
    let dir = folder("127.0.0.1:0");
    let mut serving = Serving::start(dir.path());

    serving.signal("HUP");
    serving.wait_for("configuration reloaded");

    let config = config_of(dir.path());
    let good = fs::read_to_string(&config).unwrap();
    fs::write(&config, good.replace("audiences: [opensearch]", "audiences: []")).unwrap();
    serving.signal("HUP");
    serving.wait_for("configuration not reloaded");

    // Without a signal: the change of the file is enough.
    fs::write(&config, format!("{good}drain_timeout: 30s\n")).unwrap();
    serving.wait_for("configuration reloaded");

    serving.signal("TERM");
    serving.wait_for("stopped");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_server_that_runs_out_of_file_descriptors_goes_on_when_there_are_some_again() {
    let dir = folder("127.0.0.1:0");
    let mut serving = Serving::start(dir.path());
    let pid = serving.child.id().to_string();
    // What it has now differs with the number of cores.
    let most = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() + 20;
    let limited = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={most}:{most}")]).status();
    assert!(limited.unwrap().success());

    let connect = || TcpStream::connect(&serving.address).unwrap();
    let ask = |mut stream: TcpStream| {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    };
    let first = connect();
    let others: Vec<TcpStream> = (0..100).map(|_| connect()).collect();
    serving.wait_for("cannot accept a connection");
    // Whoever was let in is served meanwhile, and all others after.
    ask(first);
    drop(others);
    ask(TcpStream::connect(&serving.address).unwrap());
    serving.signal("TERM");
    serving.wait_for("stopped");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    let trail = fs::read_to_string(dir.path().join("audit.log")).unwrap();
    assert_eq!(trail.lines().count(), 2, "{trail}");
}
