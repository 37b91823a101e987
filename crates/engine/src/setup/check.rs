//! Comparing a set-up with a running engine.

mod compare;
mod probe;

use std::fmt;

use serde::Serialize;

pub(super) use self::compare::{contains, domain, domains};
use super::{AdminAccess, ApiError, Setup, api::Api};

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cluster `{cluster}` could not be checked")]
pub struct CheckError {
    /// The cluster.
    cluster: String,
    /// Why.
    #[source]
    source: ApiError,
}

/// What one finding says.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Not there.
    Missing,
    /// There, but not as it should be.
    Differs,
}

/// One thing looked at.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// The verdict.
    pub status: Status,
    /// What was looked at.
    pub what: String,
    /// What it should be; empty when it is.
    pub expected: String,
    /// What it is; empty when it is as expected.
    pub found: String,
    /// What to do; empty when there is nothing to do.
    pub cure: String,
}

/// Everything looked at.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Report {
    /// The cluster.
    pub cluster: String,
    /// In the order in which they are best cured.
    pub findings: Vec<Finding>,
}

/// Compares a running engine with what the set-up expects, then asks it who it takes the proxy's credentials for.
///
/// Reads the security configuration and calls `authinfo`; changes nothing.
pub async fn check(setup: &Setup, access: &AdminAccess) -> Result<Report, CheckError> {
    let failed = |source| CheckError { cluster: setup.cluster.clone(), source };
    let api = Api::new(access).map_err(failed)?;
    let current = api.current().await.map_err(failed)?;
    let mut findings = compare::compare(setup, &current);
    findings.extend(probe::probe(setup, &current, &api).await.map_err(failed)?);
    Ok(Report { cluster: setup.cluster.clone(), findings })
}

impl Finding {
    fn ok(what: impl Into<String>) -> Self {
        Self {
            status: Status::Ok,
            what: what.into(),
            expected: String::new(),
            found: String::new(),
            cure: String::new(),
        }
    }

    fn missing(what: impl Into<String>, expected: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            status: Status::Missing,
            what: what.into(),
            expected: expected.into(),
            found: "nothing".to_owned(),
            cure: cure.into(),
        }
    }

    fn differs(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Differs,
            what: what.into(),
            expected: expected.into(),
            found: found.into(),
            cure: cure.into(),
        }
    }

    /// Whether there is nothing to do.
    pub fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }
}

impl Report {
    /// Whether there is nothing to do.
    pub fn is_ok(&self) -> bool {
        self.findings.iter().all(Finding::is_ok)
    }

    /// The exit status of a program that reports this: 0 if all is well, else 1.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.is_ok())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let mark = match finding.status {
                Status::Ok => "ok      ",
                Status::Missing => "MISSING ",
                Status::Differs => "DIFFERS ",
            };
            writeln!(f, "{mark} {}", finding.what)?;
            if !finding.is_ok() {
                writeln!(f, "           expected: {}", finding.expected)?;
                writeln!(f, "           found:    {}", finding.found)?;
                writeln!(f, "           cure:     {}", finding.cure)?;
            }
        }
        let open = self.findings.iter().filter(|finding| !finding.is_ok()).count();
        if open == 0 {
            writeln!(f, "cluster `{}`: all {} checks passed", self.cluster, self.findings.len())
        } else {
            writeln!(f, "cluster `{}`: {open} of {} checks failed", self.cluster, self.findings.len())
        }
    }
}
