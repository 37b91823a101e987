//! Which tenant of OpenSearch Dashboards a request is for.
//!
//! Dashboards takes the tenant from the header `securitytenant` and hands it to the engine, which judges by roles whether
//! the caller may see it. Here it is only decided who chooses it.

use access::{Permit, TenantConflict};
use claims::ClaimPath;
use http::{HeaderName, HeaderValue};
use oidc::Identity;

/// The header by which Dashboards and the engine's security plugin hear of the tenant.
pub const TENANT: HeaderName = HeaderName::from_static("securitytenant");

/// Who chooses the tenant.
#[derive(Clone, Debug, Default)]
pub enum Tenancy {
    /// Dashboards, by its own settings.
    #[default]
    Unsaid,
    /// The configuration.
    Fixed(HeaderValue),
    /// The client, out of these. The first stands for none named.
    Choice(Box<[HeaderValue]>),
    /// A claim of the caller's token.
    Claim(ClaimPath),
    /// The mappings behind the scopes that allow a request. This one stands for none named.
    Mapping(Option<HeaderValue>),
}

/// A tenant of the configuration is not a header value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not a tenant that a header can carry; use letters, digits and punctuation of ASCII")]
pub struct TenantName(String);

/// Why a request is for no tenant.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TenancyError {
    /// The client names one that it may not choose, or several.
    #[error("the header securitytenant has to name one tenant out of: {allowed}")]
    NotAllowed {
        /// Those it may choose.
        allowed: String,
    },
    /// The claim is not there, has several values, or none that a header can carry.
    #[error(
        "the claim {claim} of the token names no one tenant of Dashboards; have the provider issue one value"
    )]
    Claim {
        /// The configured path.
        claim: String,
    },
    /// The mappings name none, or several.
    #[error(transparent)]
    Mapping(#[from] TenantConflict),
    /// A mapping names one that no header can carry.
    #[error(transparent)]
    Name(#[from] TenantName),
}

impl TenancyError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAllowed { .. } => "tenant_not_allowed",
            Self::Claim { .. } | Self::Mapping(_) | Self::Name(_) => "tenant_not_known",
        }
    }
}

impl Tenancy {
    /// Checks the names of a configuration.
    pub fn from_config(settings: Option<&config::model::Tenant>) -> Result<Self, TenantName> {
        use config::model::Tenant;
        Ok(match settings {
            None => Self::Unsaid,
            Some(Tenant::Fixed(fixed)) => Self::Fixed(value(&fixed.name)?),
            Some(Tenant::Choice(choice)) => {
                Self::Choice(choice.allowed.iter().map(|name| value(name)).collect::<Result<_, _>>()?)
            }
            Some(Tenant::Claim(claim)) => Self::Claim(claim.path.clone()),
            Some(Tenant::Mapping(mapping)) => {
                Self::Mapping(mapping.otherwise.as_deref().map(value).transpose()?)
            }
        })
    }

    /// The tenant of a request of `caller` that `permit` allows and in which the client named these, if it is to be said.
    pub fn of(
        &self,
        named: &[HeaderValue],
        caller: &Identity,
        permit: &Permit,
    ) -> Result<Option<HeaderValue>, TenancyError> {
        match self {
            Self::Unsaid => Ok(None),
            Self::Fixed(tenant) => Ok(Some(tenant.clone())),
            Self::Choice(allowed) => {
                let chosen = match named {
                    [] => allowed.first(),
                    [one] => allowed.iter().find(|tenant| *tenant == one),
                    [_, _, ..] => None,
                };
                let names = || allowed.iter().filter_map(|tenant| tenant.to_str().ok()).collect::<Vec<_>>();
                chosen
                    .cloned()
                    .map(Some)
                    .ok_or_else(|| TenancyError::NotAllowed { allowed: names().join(", ") })
            }
            Self::Claim(path) => match path.texts(&caller.claims).as_slice() {
                [tenant] if !tenant.is_empty() && tenant.bytes().all(|byte| byte.is_ascii_graphic()) => {
                    HeaderValue::from_str(tenant).map(Some).map_err(|_| ())
                }
                _ => Err(()),
            }
            .map_err(|()| TenancyError::Claim { claim: path.to_string() }),
            Self::Mapping(otherwise) => match (permit.tenant(), otherwise) {
                (Ok(tenant), _) => Ok(Some(value(tenant)?)),
                (Err(TenantConflict::None), Some(otherwise)) => Ok(Some(otherwise.clone())),
                (Err(conflict), _) => Err(conflict.into()),
            },
        }
    }
}

fn value(name: &str) -> Result<HeaderValue, TenantName> {
    HeaderValue::try_from(name).map_err(|_| TenantName(name.to_owned()))
}
