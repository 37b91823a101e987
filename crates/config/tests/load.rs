//! Loading from real files.
#![expect(clippy::expect_used, reason = "a test ends at the first thing that is not as it should be")]
#![cfg(unix)]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use claims::ClaimPath;
use config::{
    Severity, load,
    model::{AuditSink, Identity},
    value::{ByteSize, Duration},
};

const FILE: &str = r#"
listen:
  address: 127.0.0.1:8443
  tls: { certificate: tls/server.pem, private_key: tls/server.key }
public_url: https://localhost:8443
providers:
  - name: main
    issuer: https://id.example.com
    audiences: [opensearch]
    ca: /nowhere/../CA
    introspection: { client_id: proxy, client_secret: "${file:secret.txt}" }
clusters:
  - name: main
    nodes: [https://node.example.com:9200]
    identity: { signed_jwt: { private_key: tls/server.key, attributes: { team: '"https://example.com/team"' } } }
  - name: users
    path_prefix: /users
    audience: users
    nodes: [https://node.example.com:9200]
    identity: { backend_user: { users: { reader: "${env:READER}" } } }
mappings:
  - scope: logs.read
    grant: { scopes: ["main/read:logs-*"] }
audit: { sink: { file: { path: logs/audit.jsonl, max_size: 1048576 } } }
limits: { header_timeout: 250ms }
"#;

/// A folder with a configuration and all that it refers to.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("tls")).expect("tls");
    fs::create_dir(at("logs")).expect("logs");
    for (name, text) in [
        ("tls/server.pem", "certificate"),
        ("tls/server.key", "key"),
        ("ca.pem", "ca"),
        ("secret.txt", "hunter2\r\n"),
    ] {
        fs::write(at(name), text).expect("the file can be written");
        mode(&at(name), 0o600);
    }
    let text = FILE
        .replace("/nowhere/../CA", at("ca.pem").to_str().expect("text"))
        .replace("- name: main\n    nodes", "- name: main\n    audience: opensearch\n    nodes")
        .replace("audiences: [opensearch]", "audiences: [opensearch, users]\n    native_scopes: false");
    fs::write(at("proxy.yml"), text).expect("the configuration can be written");
    folder
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode can be set");
}

fn variables(name: &str) -> Option<String> {
    (name == "READER").then(|| "hunter3".to_owned())
}

#[test]
fn everything_is_resolved() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let loaded = load(&at("proxy.yml"), &variables).unwrap_or_else(|error| panic!("{}", error.render(false)));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    assert_eq!(loaded.path, at("proxy.yml"));
    let mut watched =
        ["ca.pem", "proxy.yml", "secret.txt", "tls/server.key", "tls/server.pem"].map(at).to_vec();
    watched.sort();
    assert_eq!(loaded.watched, watched);

    let config = &loaded.config;
    assert_eq!(config.listen.tls.as_ref().expect("tls").certificate, folder.path().join("tls/server.pem"));
    let introspection = config.providers[0].introspection.as_ref().expect("introspection");
    assert_eq!(introspection.client_secret.expose(), "hunter2");
    assert!(!format!("{loaded:?}").contains("hunter"));
    let Identity::BackendUser(backend) = &config.clusters[1].identity else { panic!("not backend_user") };
    assert_eq!(backend.users["reader"].expose(), "hunter3");
    let Identity::SignedJwt(jwt) = &config.clusters[0].identity else { panic!("not signed_jwt") };
    assert_eq!(jwt.attributes["team"], ClaimPath::member("https://example.com/team"));
    let AuditSink::File(file) = &config.audit.sink else { panic!("not a file") };
    assert_eq!(file.path, folder.path().join("logs/audit.jsonl"));
    assert_eq!(file.max_size, ByteSize::from_mib(1));
    assert_eq!(config.limits.header_timeout, Duration::from_millis(250));
    assert_eq!(config.limits.max_headers, 100);
}

#[test]
fn permissions_of_keys_and_secrets() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    for (file, bits, expected) in [
        ("tls/server.key", 0o640, None),
        ("tls/server.key", 0o604, Some(Severity::Error)),
        ("tls/server.key", 0o620, Some(Severity::Error)),
        ("tls/server.key", 0o400, None),
        ("tls/server.pem", 0o644, None),
        ("secret.txt", 0o440, None),
        ("secret.txt", 0o444, Some(Severity::Warning)),
    ] {
        mode(&at(file), bits);
        let found = match load(&at("proxy.yml"), &variables) {
            Ok(loaded) => loaded.warnings,
            Err(diagnostics) => diagnostics,
        };
        assert_eq!(found.iter().map(|one| one.severity).max(), expected, "{file} {bits:o}\n{found}");
        mode(&at(file), 0o600);
    }
}

#[test]
fn files_that_cannot_be_read() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let problem = |name: &str| {
        let diagnostics = load(&at(name), &variables).expect_err("must be refused");
        assert_eq!(diagnostics.len(), 1, "{diagnostics}");
        assert!(diagnostics.has_errors());
        diagnostics.to_string()
    };
    let told = problem("nothing.yml");
    assert!(
        told.contains("nothing.yml: error: the configuration file ")
            && told.contains("nothing.yml cannot be read"),
        "{told}"
    );
    assert!(problem("tls").contains("tls cannot be read"));
    fs::write(at("latin.yml"), b"listen: \xe4").expect("written");
    assert!(problem("latin.yml").contains("UTF-8"));
    fs::File::create(at("large.yml")).and_then(|file| file.set_len(5 << 20)).expect("made");
    assert!(problem("large.yml").contains("larger than 4 MiB"));
}

#[test]
fn a_secret_file_has_a_limit() {
    let folder = folder();
    fs::write(folder.path().join("secret.txt"), vec![b'x'; 65 * 1024]).expect("written");
    let diagnostics = load(&folder.path().join("proxy.yml"), &variables).expect_err("must be refused");
    assert!(diagnostics.to_string().contains("client_secret"), "{diagnostics}");
}

#[test]
fn diagnostics_as_json() {
    let folder = folder();
    let path = folder.path().join("proxy.yml");
    let text = fs::read_to_string(&path).expect("read").replace("header_timeout", "header_timeot");
    fs::write(&path, text).expect("written");
    let diagnostics = load(&path, &variables).expect_err("must be refused");
    assert_eq!(
        serde_json::to_value(&diagnostics).expect("JSON"),
        serde_json::json!([{
            "severity": "error",
            "file": path,
            "line": diagnostics[0].position.expect("a position").line,
            "column": 11,
            "key": "limits.header_timeot",
            "message": "unknown key",
            "cure": "did you mean `header_timeout`?",
        }])
    );
}
