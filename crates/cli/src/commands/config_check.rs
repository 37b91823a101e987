//! `config check`.

use serde::Serialize;

use crate::app::App;
use crate::error::{Error, Result};
use crate::net::Http;
use crate::output::waiting;
use crate::provider::Metadata;
use crate::resource::Resource;
use crate::store::{Context, Credentials};

#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at.
    subject: String,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<String>,
}

impl Finding {
    fn new<T>(subject: String, result: Result<T>) -> Self {
        match result {
            Ok(_) => Self { subject, fault: None, cure: None },
            Err(error) => Self { subject, fault: Some(error.what), cure: error.cure },
        }
    }
}

pub(super) async fn run(app: &App, offline: bool) -> Result<()> {
    let mut findings = Vec::new();
    let config = app.config();
    let known = config.as_ref().ok().cloned();
    findings.push(Finding::new("config.yaml".to_owned(), config));
    findings.push(Finding::new("token".to_owned(), app.home.sessions()));
    if let Some(config) = known {
        if config.credentials == Credentials::Keyring {
            findings.push(Finding::new("system keyring".to_owned(), app.home.vault()?.place().await));
        }
        if config.contexts.is_empty() || config.current.is_some() {
            findings.push(Finding::new("current context".to_owned(), config.context(None)));
        }
        for (name, context) in &config.contexts {
            let _waiting = waiting(format!("looking at {name}"));
            files(name, context, &mut findings);
            if !offline {
                servers(app, name, context, &mut findings).await;
            }
        }
    }
    let faults = findings.iter().filter(|finding| finding.fault.is_some()).count();
    let lines: Vec<String> = findings.iter().map(line).collect();
    app.ui.result(&findings, &lines.join("\n"))?;
    match faults {
        0 => Ok(()),
        1 => Err(Error::refused("1 fault was found")),
        _ => Err(Error::refused(format!("{faults} faults were found"))),
    }
}

fn files(name: &str, context: &Context, findings: &mut Vec<Finding>) {
    let providers = context.providers.values().map(|provider| provider.ca.as_ref());
    let mut files: Vec<_> = std::iter::once(context.ca.as_ref()).chain(providers).flatten().collect();
    files.sort_unstable();
    files.dedup();
    for file in files {
        let result = transport::TrustRoots::from_file(file).map_err(Error::from);
        findings.push(Finding::new(format!("{name}: {}", file.display()), result));
    }
}

async fn servers(app: &App, name: &str, context: &Context, findings: &mut Vec<Finding>) {
    let proxy = Http::new(&app.proxies, context.ca.as_deref());
    let resource = Resource::discover(&proxy, &context.url).await;
    findings.push(Finding::new(format!("{name}: proxy {}", context.url), resource));
    for (provider_name, provider) in &context.providers {
        let metadata = Metadata::discover(&app.to_provider(context, provider_name), &provider.issuer).await;
        findings
            .push(Finding::new(format!("{name}: provider {provider_name}, {}", provider.issuer), metadata));
    }
}

fn line(finding: &Finding) -> String {
    let Some(fault) = &finding.fault else {
        return format!("✅ {}", finding.subject);
    };
    let cure = finding.cure.as_ref().map(|cure| format!("\n   {cure}")).unwrap_or_default();
    format!("❌ {}: {fault}{cure}", finding.subject)
}
