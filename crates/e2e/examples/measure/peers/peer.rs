//! The proxies that are compared: how each is told to do the same.

use std::{
    fmt::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

/// Where everything is.
#[derive(Debug)]
pub(super) struct World {
    /// A folder with certificates and keys, in which the configurations are written.
    pub(super) folder: PathBuf,
    /// The proxy's own program.
    pub(super) proxy: PathBuf,
    /// Where programs are that no package manager puts into the path.
    pub(super) peers: PathBuf,
    /// Port of the engine's stand-in.
    pub(super) engine: u16,
    /// The provider's issuer.
    pub(super) issuer: String,
}

/// What is compared.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Peer {
    /// No proxy at all.
    Direct,
    /// This proxy: token, scopes, classification, bodies read, signed engine identity, audit to a file, metrics.
    Ours,
    /// nginx, which forwards and looks at no token.
    Nginx,
    /// HAProxy with `jwt_verify`, issuer, audience and expiry.
    Haproxy,
    /// Envoy with `jwt_authn`.
    Envoy,
    /// Apache with `mod_auth_openidc` as an OAuth 2.0 resource server.
    Apache,
    /// oauth2-proxy with `skip-jwt-bearer-tokens`.
    Oauth2Proxy,
}

/// Whether clients speak TLS.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Mode {
    Clear,
    Tls,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Ours => "this proxy",
            Self::Nginx => "nginx, no token",
            Self::Haproxy => "HAProxy",
            Self::Envoy => "Envoy",
            Self::Apache => "Apache",
            Self::Oauth2Proxy => "oauth2-proxy",
        })
    }
}

impl Peer {
    /// In the order of the tables.
    pub(super) const ALL: [Self; 7] =
        [Self::Direct, Self::Ours, Self::Nginx, Self::Haproxy, Self::Envoy, Self::Apache, Self::Oauth2Proxy];

    /// Whether it looks at tokens.
    pub(super) fn judges(self) -> bool {
        !matches!(self, Self::Direct | Self::Nginx)
    }

    fn program(self, world: &World) -> Option<PathBuf> {
        match self {
            Self::Direct => None,
            Self::Ours => Some(world.proxy.clone()),
            Self::Nginx => found("nginx"),
            Self::Haproxy => found("haproxy"),
            Self::Envoy => Some(world.peers.join("envoy/envoy/_bin/envoy")).filter(|path| path.exists()),
            Self::Apache => Some("/usr/lib/apache2/modules/mod_auth_openidc.so".into())
                .filter(|path: &PathBuf| path.exists())
                .and_then(|_| found("apache2")),
            Self::Oauth2Proxy => Some(world.peers.join("oauth2-proxy")).filter(|path| path.exists()),
        }
    }

    /// The command that serves on `port`, its configuration written. `Err` tells why there is none.
    pub(super) fn command(self, world: &World, mode: Mode, port: u16) -> Result<Command, String> {
        let program = self.program(world).ok_or("not installed; `cargo xtask bench peers --install` does")?;
        let config = match self {
            Self::Direct => String::new(),
            Self::Ours => ours(world, mode, port),
            Self::Nginx => nginx(world, mode, port),
            Self::Haproxy => haproxy(world, mode, port),
            Self::Envoy => envoy(world, mode, port),
            Self::Apache => apache(world, mode, port),
            Self::Oauth2Proxy => oauth2_proxy(world, mode, port),
        };
        // Envoy goes by the ending.
        let path = world.folder.join(format!("{self:?}-{port}.yaml"));
        std::fs::write(&path, config).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut command = Command::new(program);
        match self {
            Self::Direct => return Err("there is nothing to run".into()),
            Self::Ours => command.args(["serve", "--config"]).arg(path),
            Self::Nginx => command.arg("-c").arg(path),
            Self::Haproxy => command.arg("-f").arg(path),
            Self::Envoy => command
                .args(["--concurrency", "2", "--disable-hot-restart", "--log-level", "error", "-c"])
                .arg(path),
            Self::Apache => command.args(["-D", "FOREGROUND", "-f"]).arg(path),
            Self::Oauth2Proxy => command.arg("--config").arg(path),
        };
        Ok(command)
    }
}

fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|program| program.exists())
}

fn ours(world: &World, mode: Mode, port: u16) -> String {
    let listen = match mode {
        Mode::Clear => "plaintext: true",
        Mode::Tls => "tls: {certificate: proxy.pem, private_key: proxy-key.pem}",
    };
    format!(
        "\
listen: {{address: 127.0.0.1:{port}, {listen}}}
public_url: https://localhost:{port}
admin: {{address: 127.0.0.1:0}}
audit: {{sink: {{file: {{path: audit-{port}.log}}}}}}
limits: {{max_connections: 20000}}
providers:
  - name: stand-in
    issuer: {}
    audiences: [opensearch-proxy]
clusters:
  - name: main
    nodes: [http://127.0.0.1:{}]
    identity: {{signed_jwt: {{private_key: signing.pem}}}}
",
        world.issuer, world.engine
    )
}

fn nginx(world: &World, mode: Mode, port: u16) -> String {
    let folder = world.folder.display();
    let (flags, tls) = match mode {
        Mode::Clear => ("", String::new()),
        Mode::Tls => (
            " ssl http2",
            format!("ssl_certificate {folder}/proxy.pem; ssl_certificate_key {folder}/proxy-key.pem;"),
        ),
    };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("  {name}_temp_path {folder}/nginx-{name};\n"))
        .concat();
    format!(
        "\
daemon off;
worker_processes 2;
error_log {folder}/nginx-error.log;
pid {folder}/nginx-{port}.pid;
events {{ worker_connections 12000; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_max_body_size 0;
{temporary}
  upstream engine {{
    server 127.0.0.1:{};
    keepalive 128;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port}{flags};
    {tls}
    location / {{
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }}
  }}
}}
",
        world.engine
    )
}

fn haproxy(world: &World, mode: Mode, port: u16) -> String {
    let folder = world.folder.display();
    let tls = match mode {
        Mode::Clear => String::new(),
        Mode::Tls => format!(" ssl crt {folder}/proxy-both.pem alpn h2,http/1.1"),
    };
    format!(
        "\
global
  maxconn 12000
  no strict-limits
  nbthread 2
defaults
  mode http
  timeout connect 5s
  timeout client 120s
  timeout server 120s
frontend clients
  bind 127.0.0.1:{port}{tls}
  http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')
  http-request set-var(txn.exp) http_auth_bearer,jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless {{ var(txn.alg) -m str RS256 }}
  http-request deny deny_status 401 unless {{ http_auth_bearer,jwt_payload_query('$.iss') -m str {} }}
  http-request deny deny_status 401 unless {{ http_auth_bearer,jwt_payload_query('$.aud') -m str opensearch-proxy }}
  http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) lt 0 }}
  http-request deny deny_status 401 unless {{ http_auth_bearer,jwt_verify(txn.alg,\"{folder}/provider.pem\") 1 }}
  http-request del-header authorization
  default_backend engine
backend engine
  http-reuse always
  server one 127.0.0.1:{}
",
        world.issuer, world.engine
    )
}

fn envoy(world: &World, mode: Mode, port: u16) -> String {
    const TYPE: &str = "type.googleapis.com/envoy.extensions";
    let folder = world.folder.display();
    let tls = match mode {
        Mode::Clear => String::new(),
        Mode::Tls => format!(
            "
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          '@type': {TYPE}.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates:
            - certificate_chain: {{filename: {folder}/proxy.pem}}
              private_key: {{filename: {folder}/proxy-key.pem}}"
        ),
    };
    format!(
        "\
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          '@type': {TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: clients
          http_filters:
          - name: envoy.filters.http.jwt_authn
            typed_config:
              '@type': {TYPE}.filters.http.jwt_authn.v3.JwtAuthentication
              providers:
                stand-in:
                  issuer: {}
                  audiences: [opensearch-proxy]
                  local_jwks: {{filename: {folder}/jwks.json}}
              rules:
              - match: {{prefix: /}}
                requires: {{provider_name: stand-in}}
          - name: envoy.filters.http.router
            typed_config: {{'@type': {TYPE}.filters.http.router.v3.Router}}
          route_config:
            virtual_hosts:
            - name: all
              domains: ['*']
              routes: [{{match: {{prefix: /}}, route: {{cluster: engine}}}}]{tls}
  clusters:
  - name: engine
    type: STATIC
    load_assignment:
      cluster_name: engine
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {}}}}}}}
",
        world.issuer, world.engine
    )
}

fn apache(world: &World, mode: Mode, port: u16) -> String {
    let folder = world.folder.display();
    let mut modules = vec!["mpm_event", "authn_core", "authz_core", "authz_user", "proxy", "proxy_http"];
    let tls = match mode {
        Mode::Clear => String::new(),
        Mode::Tls => {
            modules.extend(["socache_shmcb", "ssl", "http2"]);
            format!(
                "Protocols h2 http/1.1
  SSLEngine on
  SSLCertificateFile {folder}/proxy.pem
  SSLCertificateKeyFile {folder}/proxy-key.pem"
            )
        }
    };
    modules.push("auth_openidc");
    let mut load = String::new();
    for name in modules {
        let _ = writeln!(load, "LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so");
    }
    format!(
        "\
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache-{port}.pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/apache-error.log
LogLevel crit
User www-data
Group www-data
{load}
Listen 127.0.0.1:{port}
KeepAlive On
KeepAliveTimeout 120
MaxKeepAliveRequests 0
StartServers 2
ServerLimit 2
ThreadLimit 64
ThreadsPerChild 64
MaxRequestWorkers 128
AsyncRequestWorkerFactor 100
OIDCCryptoPassphrase unused
OIDCOAuthVerifyCertFiles key-1#{folder}/provider.pem
OIDCOAuthRemoteUserClaim sub
<VirtualHost 127.0.0.1:{port}>
  {tls}
  <Location />
    AuthType oauth20
    <RequireAll>
      Require claim iss:{}
      Require claim aud:opensearch-proxy
    </RequireAll>
  </Location>
  ProxyPass / http://127.0.0.1:{}/
</VirtualHost>
",
        world.issuer, world.engine
    )
}

fn oauth2_proxy(world: &World, mode: Mode, port: u16) -> String {
    let folder = world.folder.display();
    let listen = match mode {
        Mode::Clear => format!("http_address = \"127.0.0.1:{port}\""),
        Mode::Tls => format!(
            "http_address = \"-\"\nhttps_address = \"127.0.0.1:{port}\"\ntls_cert_file = \"{folder}/proxy.pem\"\n\
             tls_key_file = \"{folder}/proxy-key.pem\""
        ),
    };
    format!(
        "\
{listen}
provider = \"oidc\"
oidc_issuer_url = \"{}\"
client_id = \"opensearch-proxy\"
client_secret = \"unused\"
cookie_secret = \"0123456789abcdef\"
email_domains = [\"*\"]
skip_jwt_bearer_tokens = true
oidc_email_claim = \"sub\"
insecure_oidc_allow_unverified_email = true
api_routes = [\"^/\"]
upstreams = [\"http://127.0.0.1:{}/\"]
request_logging = false
auth_logging = false
standard_logging = false
",
        world.issuer, world.engine
    )
}

/// The files that the peers read besides their configurations.
pub(super) fn write_files(folder: &Path, jwk: &serde_json::Value, public_key: &str) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let both = std::fs::read_to_string(folder.join("proxy.pem"))?
        + &std::fs::read_to_string(folder.join("proxy-key.pem"))?;
    std::fs::write(folder.join("proxy-both.pem"), both)?;
    std::fs::write(folder.join("jwks.json"), serde_json::json!({ "keys": [jwk] }).to_string())?;
    std::fs::write(folder.join("provider.pem"), public_key)?;
    // Peers give up being root once they have started.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}
