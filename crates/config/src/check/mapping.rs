//! Mappings: what scopes, groups and claims mean.

use super::Semantic;
use crate::parts::Parts;

pub(super) fn check(_parts: &Parts, _findings: &mut Semantic<'_, '_>) {}
