//! `cargo xtask check-deploy`: whether what is in `deploy/` holds.

mod configuration;
mod tools;

use std::path::{Path, PathBuf};

use crate::cargo::workspace;
use crate::{Result, XtaskError};
use configuration::Checker;
use tools::Tools;

const CHART: &str = "deploy/helm/opensearch-oauth-proxy";
/// The version of Kubernetes that manifests are held against.
const KUBERNETES: &str = "1.31";
/// Values that the chart must refuse, each with a part of what it says.
const REFUSED: [(&[&str], &str); 5] = [
    (&[], "name a Secret with a config.yml"),
    (&["--values=managed-tokens.yaml", "--set=replicaCount=2"], "belongs to one proxy"),
    (&["--values=everything.yaml", "--set=terminationGracePeriodSeconds=85"], "which are 85"),
    (&["--values=minimal.yaml", "--set=existingSecret=other"], "one of them only"),
    (&["--values=minimal.yaml", "--set=replicas=2"], "additional properties 'replicas' not allowed"),
];

/// Checks the chart, the manifests, the image's file, the configurations in all of them, and the unit.
pub(crate) async fn run() -> Result<()> {
    let tools = Tools::ready().await?;
    let checker = Checker::new().await?;
    let chart = workspace().join(CHART);
    for values in cases(&chart)? {
        let rendered = checker.scratch().join(values.file_name().unwrap_or_default());
        render(&tools, &chart, &values, &rendered).await?;
        kubernetes(&tools, &rendered).await?;
        checker.check(&rendered, &read(&rendered)?).await?;
    }
    for (arguments, said) in REFUSED {
        refused(&tools, &chart, arguments, said).await?;
    }
    let sidecar = workspace().join("deploy/kubernetes/sidecar.yml");
    kubernetes(&tools, &sidecar).await?;
    checker.check(&sidecar, &read(&sidecar)?).await?;
    let compose = workspace().join("deploy/compose/proxy.yml");
    checker.check_file(&compose, &read(&compose)?).await?;
    tools.python("hadolint", &["deploy/container/Dockerfile"]).run().await
}

/// Every set of values that comes with the chart.
fn cases(chart: &Path) -> Result<Vec<PathBuf>> {
    let folder = chart.join("ci");
    let unreadable = |source| XtaskError::Read { path: folder.display().to_string(), source };
    let entries = std::fs::read_dir(&folder).map_err(unreadable)?;
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

/// Lints the chart with these values, and writes what it makes of them.
async fn render(tools: &Tools, chart: &Path, values: &Path, rendered: &Path) -> Result<()> {
    let (chart, values) = (chart.display().to_string(), values.display().to_string());
    let common = [chart.as_str(), "--values", &values, "--kube-version", KUBERNETES];
    tools.helm(&[&["lint", "--strict", "--quiet"], &common[..]].concat()).run().await?;
    let template = [&["template", "search", "--namespace", "search"], &common[..]].concat();
    let manifests = tools.helm(&template).output().await?;
    std::fs::write(rendered, manifests)
        .map_err(|source| XtaskError::Write { path: rendered.display().to_string(), source })
}

async fn kubernetes(tools: &Tools, manifests: &Path) -> Result<()> {
    let manifests = manifests.display().to_string();
    // It has no schema for what is not Kubernetes' own, and warns of that.
    let arguments = ["--strict", "--quiet", "--no-warn", "--kubernetes-version", KUBERNETES, &manifests];
    tools.python("kubernetes-validate", &arguments).run().await
}

async fn refused(tools: &Tools, chart: &Path, arguments: &[&str], said: &str) -> Result<()> {
    let chart = chart.display().to_string();
    let template = ["template", "search", &chart, "--kube-version", KUBERNETES];
    let within = Path::new(&chart).join("ci");
    match tools.helm(&[&template, arguments].concat()).within(&within).output().await {
        Err(XtaskError::FailedWithOutput { output, .. }) if output.contains(said) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(XtaskError::NotRefused { values: arguments.join(" ") }),
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|source| XtaskError::Read { path: path.display().to_string(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_runs_the_proxy_takes_away_what_it_does_not_need() {
        let container = [
            "runAsNonRoot: true",
            "runAsUser: 65532",
            "readOnlyRootFilesystem: true",
            "allowPrivilegeEscalation: false",
            "capabilities: {drop: [ALL]}",
            "seccompProfile: {type: RuntimeDefault}",
            "automountServiceAccountToken: false",
        ];
        let unit = [
            "User=opensearch-oauth-proxy",
            "CapabilityBoundingSet=\n",
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "MemoryDenyWriteExecute=yes",
            "SystemCallFilter=~@privileged @resources",
            "LimitCORE=0",
        ];
        for (file, needed) in [
            ("deploy/helm/opensearch-oauth-proxy/templates/deployment.yaml", &container[..]),
            ("deploy/kubernetes/sidecar.yml", &container),
            ("deploy/systemd/opensearch-oauth-proxy.service", &unit),
            ("deploy/container/Dockerfile", &["\nFROM scratch\n", "\nUSER 65532:65532\n"]),
            ("deploy/compose/compose.yml", &["read_only: true", "cap_drop: [ALL]", "no-new-privileges:true"]),
        ] {
            let text = read(&workspace().join(file)).unwrap();
            let missing: Vec<_> = needed.iter().filter(|line| !text.contains(**line)).collect();
            assert!(missing.is_empty(), "{file} lacks {missing:?}");
        }
    }
    #[test]
    fn chart_and_examples_have_the_version_of_the_program() {
        let version = env!("CARGO_PKG_VERSION");
        for (file, line) in [
            ("deploy/helm/opensearch-oauth-proxy/Chart.yaml", format!("version: {version}\n")),
            ("deploy/helm/opensearch-oauth-proxy/Chart.yaml", format!("appVersion: \"{version}\"\n")),
            ("deploy/kubernetes/sidecar.yml", format!("image: opensearch-oauth-proxy:{version}\n")),
        ] {
            assert!(read(&workspace().join(file)).unwrap().contains(&line), "{file} has no {line}");
        }
    }
}
