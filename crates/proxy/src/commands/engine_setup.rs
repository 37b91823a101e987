//! `engine-setup`

use config::model::{Cluster, Config};
use engine::setup::{self, Finding, Setup, Status};
use secrecy::SecretString;
use transport::TlsOptions;

use super::{Complaint, Failure, load, print};
use crate::cli::{AdminAccess, EngineSetup, Output};

/// Where the administrator's password is looked for when no file is named.
const PASSWORD_VARIABLE: &str = "OPENSEARCH_ADMIN_PASSWORD";

pub(super) fn run(arguments: &EngineSetup) -> Result<(), Failure> {
    transport::install_crypto_provider();
    let config = load(&arguments.file.config)?.config;
    let cluster = choose(&config, arguments.cluster.as_deref())?;
    let setup = setup::setup(&config, cluster)?;
    if !arguments.check && !arguments.apply {
        return match arguments.output {
            Output::Text => print(&setup.render()),
            Output::Json => print(&serde_json::to_string_pretty(&setup.to_json())?),
        };
    }
    let access = access(&arguments.admin, cluster)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if arguments.apply {
        runtime.block_on(apply(&setup, &access, arguments.output))
    } else {
        runtime.block_on(check(&setup, &access, arguments.output))
    }
}

async fn apply(setup: &Setup, access: &setup::AdminAccess, output: Output) -> Result<(), Failure> {
    let done = setup::apply(setup, access).await?;
    match output {
        Output::Json => print(&serde_json::to_string_pretty(&serde_json::json!({ "applied": done }))?),
        Output::Text if done.is_empty() => print("nothing to do; the engine has it all"),
        Output::Text => {
            let lines: Vec<String> = done.iter().map(|path| format!("written  {path}")).collect();
            print(&format!("{}\nnow have it checked: --check instead of --apply", lines.join("\n")))
        }
    }
}

async fn check(setup: &Setup, access: &setup::AdminAccess, output: Output) -> Result<(), Failure> {
    let report = setup::check(setup, access).await?;
    match output {
        Output::Json => print(&serde_json::to_string_pretty(&report)?)?,
        Output::Text => {
            let lines: Vec<String> = report.findings.iter().map(line).collect();
            print(&lines.join("\n"))?;
        }
    }
    if report.is_ok() { Ok(()) } else { Err(Failure::No) }
}

fn line(finding: &Finding) -> String {
    let (style, word) = match finding.status {
        Status::Ok => (anstyle::AnsiColor::Green, "ok"),
        Status::Missing => (anstyle::AnsiColor::Red, "missing"),
        Status::Differs => (anstyle::AnsiColor::Yellow, "differs"),
    };
    let style = style.on_default();
    let mut line = format!("{style}{word:<8}{style:#} {}", finding.what);
    let details = [("expected", &finding.expected), ("found", &finding.found), ("cure", &finding.cure)];
    for (name, text) in details.into_iter().filter(|(_, text)| !text.is_empty()) {
        line.push_str("\n           ");
        line.push_str(name);
        line.push_str(": ");
        line.push_str(text);
    }
    line
}

fn choose<'c>(config: &'c Config, name: Option<&str>) -> Result<&'c Cluster, Complaint> {
    let names = || config.clusters.iter().map(|cluster| cluster.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, config.clusters.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(Complaint(format!("name the cluster with --cluster; there are: {}", names()))),
        (Some(name), clusters) => clusters
            .iter()
            .find(|cluster| cluster.name == name)
            .ok_or_else(|| Complaint(format!("there is no cluster `{name}`; there are: {}", names()))),
    }
}

fn access(admin: &AdminAccess, cluster: &Cluster) -> Result<setup::AdminAccess, Failure> {
    let url = admin.engine_url.clone().or_else(|| cluster.nodes.first().cloned());
    let url = url.ok_or_else(|| Complaint("name the engine with --engine-url".to_owned()))?;
    let identity = admin.admin_certificate.clone().zip(admin.admin_key.clone());
    let basic = match &admin.admin_user {
        None if identity.is_some() => None,
        None => {
            let text = "name an administrator: --admin-user, or --admin-certificate with --admin-key";
            return Err(Complaint(text.to_owned()).into());
        }
        Some(user) => Some((user.clone(), password(admin)?)),
    };
    Ok(setup::AdminAccess { url, tls: TlsOptions { ca: cluster.ca.clone(), identity }, basic })
}

fn password(admin: &AdminAccess) -> Result<SecretString, Complaint> {
    match &admin.admin_password_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Complaint(format!("cannot read the password file {}: {error}", path.display()))
            })?;
            Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
        }
        None => std::env::var(PASSWORD_VARIABLE).map(SecretString::from).map_err(|_| {
            Complaint(format!(
                "give the administrator's password: --admin-password-file, or set {PASSWORD_VARIABLE}"
            ))
        }),
    }
}
