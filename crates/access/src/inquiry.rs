//! Requests whose body is still to be read.
//!
//! # Why there are two permits
//!
//! A body may be far larger than memory, so it flows to the engine while it is read, and the engine is told at the
//! start, in the header, under which identity the request runs. That identity has to be chosen before the first
//! byte of the body is known. So it is given what the body *may* need: the scopes for the request line, and every
//! held scope with an action that such a body can ask for. This gives nothing away: each of those scopes is held,
//! and [`Watch`] still refuses, need by need, whatever no single scope covers.
//!
//! The price is that the identity is wider than what a body names in the end, and that scopes of different backend
//! users meet in one request. Whoever keeps a small body until it is read can use [`Watch::permit`] instead, which
//! has only the scopes that were used.

use rest::{Action, BodyPlan, Inquiry, Need, Resource, Target};

use crate::rights::Right;
use crate::{Denial, Grant, Permit, Rights, Scope};

/// Judges what is found in a body.
#[derive(Clone, Debug)]
pub struct Watch {
    permit: Permit,
}

impl Watch {
    /// Judges a need that the body was found to have. `rights` are those that the watch came from.
    pub fn judge(&mut self, rights: &Rights, need: &Need) -> Result<(), Denial> {
        self.permit.add(rights.allowing(need)?);
        Ok(())
    }

    /// What allows the request as far as its body is read: the scopes of the request line and of all needs that were
    /// judged, and no others.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }
}

impl Rights {
    /// The scope that allows one need. Of rights that are left to policies there is none.
    pub fn allows(&self, need: &Need) -> Result<&Scope, Denial> {
        self.allowing(need)?.map(|right| &right.scope).ok_or_else(|| self.denial(need))
    }

    /// Whether one need is allowed, by a scope or as far as scopes have a say.
    pub fn admits(&self, need: &Need) -> Result<(), Denial> {
        self.allowing(need).map(drop)
    }

    /// Whether the request line of an inquiry is allowed, and what must be watched for while the body is read.
    ///
    /// The permit is the one to choose an engine identity by before the body is read; see the module's text.
    /// Without a watch nothing in the body matters: there is nothing to read, or the token holds whatever it could
    /// name and is taken at its word.
    pub fn decide_inquiry(&self, inquiry: &Inquiry) -> Result<(Permit, Option<Watch>), Denial> {
        self.decide_reading(inquiry, false)
    }

    /// As [`Self::decide_inquiry`]. With `always`, a body that can name anything is watched whatever the token holds: for those
    /// who judge it by more than scopes.
    pub fn decide_reading(&self, inquiry: &Inquiry, always: bool) -> Result<(Permit, Option<Watch>), Denial> {
        let Some(plan) = &inquiry.body else {
            return Ok((self.permit(&inquiry.needs)?, None));
        };
        let mut permit = match &*inquiry.needs {
            // All depends on the body.
            [] => Permit::default(),
            needs => self.permit(needs)?,
        };
        permit.add_roles(self.roles());
        permit.add_general_tenants(self.tenants());
        let everything = plan.everything();
        let always = always || self.are_left_to_policies();
        if !always && everything.iter().all(|need| self.allowing(need).is_ok()) {
            for need in &everything {
                permit.add(self.allowing(need)?);
            }
            return Ok((permit, None));
        }
        let watch = Watch { permit: permit.clone() };
        let useful = self.add_for_body(plan, &mut permit);
        match everything.first() {
            // Whatever the body names, it is denied: better now than in the middle of it.
            Some(need) if inquiry.needs.is_empty() && !useful => Err(self.denial(need)),
            _ => Ok((permit, Some(watch))),
        }
    }

    /// The index patterns that are held for this action, to narrow a request by with [`rest::Narrowable`].
    pub fn targets(&self, action: Action) -> impl Iterator<Item = &Target> {
        self.held().iter().filter_map(move |right| match &right.scope.grant {
            Grant::Index { action: held, target } if held.includes(action) => Some(target),
            _ => None,
        })
    }

    /// The permit of [`Self::decide_inquiry`] alone.
    pub fn permit_for_body(&self, inquiry: &Inquiry) -> Result<Permit, Denial> {
        self.decide_inquiry(inquiry).map(|(permit, _)| permit)
    }

    /// Adds every right that something in the body could need; says whether there are any.
    fn add_for_body(&self, plan: &BodyPlan, permit: &mut Permit) -> bool {
        let everything = plan.everything();
        let mut useful = self.are_left_to_policies();
        for right in self.held() {
            if everything.iter().any(|need| could_allow(right, need)) {
                useful = true;
                self.behind(right).for_each(|behind| permit.add(Some(behind)));
            }
        }
        useful
    }
}

/// Whether the right allows this action on something of this kind.
fn could_allow(right: &Right, need: &Need) -> bool {
    match (&right.scope.grant, &need.on) {
        (Grant::Index { action, .. }, Resource::Index(_))
        | (Grant::Cluster(action), Resource::Cluster)
        | (Grant::Dashboards { action, .. }, Resource::Dashboards { .. }) => action.includes(need.action),
        _ => false,
    }
}
