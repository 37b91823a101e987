//! The configuration folder of a node.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::home::Credentials;
use super::{EngineConfig, SecurityFiles};
use crate::cache::{create_dir, write};
use crate::certs::{ADMIN_DN, Certificates, NODE_DN};
use crate::{Result, TestbedError};

/// Writes `config` below the data folder: settings, certificates, logging and the initial security configuration.
pub(crate) fn configure(
    config: &EngineConfig,
    certificates: &Certificates,
    credentials: &Credentials,
    plugin_defaults: &Path,
) -> Result<()> {
    let folder = config.data_dir.join("config");
    let security = folder.join("opensearch-security");
    create_dir(&security)?;
    for file in [&certificates.ca, &certificates.node, &certificates.node_key] {
        let target = folder.join(file.file_name().unwrap_or_default());
        fs::copy(file, &target).map_err(TestbedError::file("copy", file))?;
    }
    write(&folder.join("opensearch.yml"), opensearch_yml(config))?;
    write(&folder.join("log4j2.properties"), LOGGING)?;
    for name in ["action_groups", "allowlist", "nodes_dn", "tenants"] {
        let file = format!("{name}.yml");
        let source = plugin_defaults.join(&file);
        fs::copy(&source, security.join(&file)).map_err(TestbedError::file("copy", &source))?;
    }
    for (name, content) in [
        ("config.yml", CONFIG.to_owned()),
        ("audit.yml", AUDIT.to_owned()),
        ("internal_users.yml", internal_users(credentials)),
        ("roles.yml", ROLES.to_owned()),
        ("roles_mapping.yml", ROLES_MAPPING.to_owned()),
    ] {
        write(&security.join(name), content)?;
    }
    let SecurityFiles(own) = &config.security;
    for (name, content) in own {
        write(&security.join(name), content)?;
    }
    Ok(())
}

fn opensearch_yml(config: &EngineConfig) -> String {
    let data = config.data_dir.display();
    let mut yml = format!(
        "cluster.name: testbed
node.name: node-{port}
path.data: {data}/data
path.logs: {data}/logs
network.host: 127.0.0.1
http.port: {port}
transport.port: {transport}
node.store.allow_mmap: false
cluster.routing.allocation.disk.threshold_enabled: false
plugins.security.ssl.transport.pemcert_filepath: node.pem
plugins.security.ssl.transport.pemkey_filepath: node-key.pem
plugins.security.ssl.transport.pemtrustedcas_filepath: ca.pem
plugins.security.ssl.transport.enforce_hostname_verification: false
plugins.security.ssl.http.enabled: true
plugins.security.ssl.http.pemcert_filepath: node.pem
plugins.security.ssl.http.pemkey_filepath: node-key.pem
plugins.security.ssl.http.pemtrustedcas_filepath: ca.pem
plugins.security.ssl.http.clientauth_mode: OPTIONAL
plugins.security.nodes_dn: [\"{NODE_DN}\"]
plugins.security.authcz.admin_dn: [\"{ADMIN_DN}\"]
plugins.security.allow_default_init_securityindex: true
plugins.security.restapi.roles_enabled: [all_access, security_rest_api_access]
plugins.security.unsupported.restapi.allow_securityconfig_modification: true
plugins.security.audit.type: log4j
plugins.security.audit.config.log4j.logger_name: audit
plugins.security.audit.config.log4j.level: INFO
",
        port = config.port,
        transport = config.transport_port,
    );
    // Writing to a string cannot fail.
    let _ = match &config.join {
        // Not `discovery.type: single-node`, which would let no other node join.
        None => write!(
            yml,
            "cluster.initial_cluster_manager_nodes: [node-{}]\ndiscovery.seed_hosts: []\n",
            config.port
        ),
        Some(first) => {
            write!(yml, "node.roles: []\ndiscovery.seed_hosts: [\"{}\"]\n", first.transport_address)
        }
    };
    if !config.impersonators.is_empty() {
        yml.push_str("plugins.security.authcz.rest_impersonation_user:\n");
        for user in &config.impersonators {
            let _ = writeln!(yml, "  \"{user}\": [\"*\"]");
        }
    }
    for line in &config.extra_settings {
        yml.push_str(line);
        yml.push('\n');
    }
    yml
}

fn internal_users(credentials: &Credentials) -> String {
    format!(
        "_meta: {{type: internalusers, config_version: 2}}
admin: {{hash: \"{}\", reserved: true, backend_roles: [admin], description: Administrator}}
kibanaserver: {{hash: \"{}\", reserved: true, description: The account of OpenSearch Dashboards}}
",
        credentials.admin.hash, credentials.dashboards.hash
    )
}

/// All that decides what a fresh engine allows.
pub(crate) const SECURITY: [&str; 4] = [CONFIG, AUDIT, ROLES, ROLES_MAPPING];

/// Passwords only; what else a proxy needs is applied later by its own set-up command.
const CONFIG: &str = "_meta: {type: config, config_version: 2}
config:
  dynamic:
    do_not_fail_on_forbidden: false
    http:
      anonymous_auth_enabled: false
      xff: {enabled: false}
    authc:
      basic_domain:
        http_enabled: true
        transport_enabled: true
        order: 10
        http_authenticator: {type: basic, challenge: false}
        authentication_backend: {type: intern}
    authz: {}
";

/// Everything is recorded, so that tests can read whom the engine saw.
const AUDIT: &str = "_meta: {type: audit, config_version: 2}
config:
  enabled: true
  audit:
    enable_rest: true
    disabled_rest_categories: []
    enable_transport: true
    disabled_transport_categories: []
    ignore_users: []
    ignore_requests: []
    resolve_bulk_requests: false
    log_request_body: false
    resolve_indices: true
    exclude_sensitive_headers: true
  compliance:
    enabled: false
";

/// Roles as an administrator would have them: one that reads logs, one that reads the logs of one tenant.
const ROLES: &str = "_meta: {type: roles, config_version: 2}
security_rest_api_access: {reserved: true}
logs_reader:
  cluster_permissions: [cluster_composite_ops_ro]
  index_permissions:
    - index_patterns: ['logs-*']
      allowed_actions: [read, 'indices:admin/mappings/get', 'indices:monitor/*']
tenant_logs_reader:
  cluster_permissions: [cluster_composite_ops_ro]
  index_permissions:
    - index_patterns: ['logs-tenant-*']
      dls: '{\"term\": {\"tenant\": \"${attr.jwt.tenant}\"}}'
      allowed_actions: [read]
";

const ROLES_MAPPING: &str = "_meta: {type: rolesmapping, config_version: 2}
all_access: {reserved: false, backend_roles: [admin]}
kibana_server: {reserved: true, users: [kibanaserver]}
logs_reader: {reserved: false, backend_roles: [logs_reader]}
tenant_logs_reader: {reserved: false, backend_roles: [tenant_logs_reader]}
";

const LOGGING: &str = "status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %-25c{1.} %marker%m%n
appender.audit.type = File
appender.audit.name = audit
appender.audit.fileName = ${sys:opensearch.logs.base_path}${sys:file.separator}audit.log
appender.audit.layout.type = PatternLayout
appender.audit.layout.pattern = %m%n
logger.audit.name = audit
logger.audit.level = info
logger.audit.additivity = false
logger.audit.appenderRef.audit.ref = audit
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
";

#[cfg(test)]
mod tests {
    use super::super::EngineInfo;
    use super::*;

    #[test]
    fn a_first_node_founds_a_cluster_and_a_second_joins_it_without_data() {
        let temp = tempfile::tempdir().unwrap();
        let first = EngineConfig::new(19_200, temp.path().join("one"));
        let yml = opensearch_yml(&first);
        assert!(yml.contains("initial_cluster_manager_nodes: [node-19200]"), "{yml}");
        assert!(!yml.contains("node.roles"), "{yml}");

        let second = EngineConfig {
            join: Some(EngineInfo {
                transport_address: "127.0.0.1:19300".to_owned(),
                ..EngineInfo::example()
            }),
            ..EngineConfig::new(19_201, temp.path().join("two"))
        };
        let yml = opensearch_yml(&second);
        assert!(yml.contains("node.roles: []") && yml.contains("seed_hosts: [\"127.0.0.1:19300\"]"), "{yml}");
        assert!(!yml.contains("initial_cluster_manager_nodes"), "{yml}");
    }

    #[test]
    fn files_of_the_caller_replace_ours() {
        let temp = tempfile::tempdir().unwrap();
        let defaults = temp.path().join("defaults");
        create_dir(&defaults).unwrap();
        for name in ["action_groups", "allowlist", "nodes_dn", "tenants"] {
            write(&defaults.join(format!("{name}.yml")), "default").unwrap();
        }
        let certificates = Certificates::generate(&temp.path().join("certs")).unwrap();
        let config = EngineConfig {
            security: SecurityFiles(vec![("roles.yml".to_owned(), "mine".to_owned())]),
            ..EngineConfig::new(1, temp.path().join("data"))
        };
        configure(&config, &certificates, &Credentials::example(), &defaults).unwrap();
        let read = |name: &str| {
            fs::read_to_string(config.data_dir.join("config/opensearch-security").join(name)).unwrap()
        };
        assert_eq!(read("roles.yml"), "mine");
        assert_eq!(read("tenants.yml"), "default");
        assert!(read("internal_users.yml").contains("$2y$example"));
    }
}
