//! The parameters of a query, as Dashboards reads them: a name may be given several times, which makes a list.

use rest::{Parameter, QueryProblem, Refusal};
use smallvec::SmallVec;

/// A query's parameters.
#[derive(Debug)]
pub(crate) struct Parameters<'q>(SmallVec<[Parameter<'q>; 4]>);

/// Credentials that Dashboards may be set up to take from the query (`authorization` is its own default for JWTs).
const TOKENS: [&str; 3] = ["access_token", "authorization", "jwt"];

/// How the security plugin takes the tenant from the query.
const TENANTS: [&str; 3] = ["security_tenant", "securitytenant", "securitytenant_"];

/// What names another cluster, in one route or another.
const DATA_SOURCES: [&str; 5] =
    ["datasourceid", "datasource", "data_source", "data_source_id", "datasources"];

impl<'q> Parameters<'q> {
    pub(crate) fn parse(raw: Option<&'q str>) -> Result<Self, Refusal> {
        let parameters = Self(rest::query_parameters(raw)?);
        for (name, _) in &parameters.0 {
            let folded = name.to_ascii_lowercase();
            if TOKENS.contains(&&*folded) {
                return Err(Refusal::TokenInQuery);
            }
            if TENANTS.contains(&&*folded) {
                return Err(Refusal::TenantInQuery { name: rest::shorten(name) });
            }
            if folded.contains('[') {
                return Err(Refusal::Query(QueryProblem::Nested));
            }
        }
        Ok(parameters)
    }

    /// The only value of a parameter that has no list; `None` when it is missing or empty.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() {
            return Err(Refusal::DuplicateParameter { name: name.into() });
        }
        Ok(first.filter(|value| !value.is_empty()))
    }

    /// The same for one without which nothing is understood.
    pub(crate) fn required(&self, name: &'static str) -> Result<&str, Refusal> {
        self.one(name)?.ok_or(Refusal::ParameterMissing { name })
    }

    /// Every value of a parameter.
    pub(crate) fn all<'s>(&'s self, name: &str) -> impl Iterator<Item = &'s str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Whether all names are among these.
    pub(crate) fn only(&self, names: &[&str]) -> bool {
        self.0.iter().all(|(name, _)| names.contains(&&**name))
    }

    /// Refuses to leave for another cluster.
    pub(crate) fn refuse_data_source(&self) -> Result<(), Refusal> {
        let leaves = |(name, value): &&Parameter<'_>| {
            !value.is_empty() && DATA_SOURCES.contains(&&*name.to_ascii_lowercase())
        };
        match self.0.iter().find(leaves) {
            Some((name, _)) => Err(Refusal::DataSource { name: rest::shorten(name) }),
            None => Ok(()),
        }
    }
}
