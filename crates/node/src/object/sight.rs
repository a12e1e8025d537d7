//! What a caller may see.

use std::collections::{BTreeMap, BTreeSet};

use peerd_core::PrincipalId;
use peerd_core::authz::{Marking, may_see};
use peerd_core::name::Name;
use peerd_core::object::ObjectState;
use peerd_core::security::Levels;

use crate::{Caller, Error, Node};

/// What one caller may see, as of one moment.
#[derive(Debug)]
pub(crate) struct Sight {
    principal: PrincipalId,
    markings: BTreeMap<Name, Marking>,
    pub(super) levels: Levels,
}

impl Sight {
    /// Whether the caller may see an object: every one of its markings.
    pub(crate) fn sees(&self, state: &ObjectState) -> bool {
        let carried = state.security(&self.levels).markings;
        self.sees_all(&carried)
    }

    /// Whether the caller may see what carries all of these markings.
    pub(crate) fn sees_all(&self, markings: &BTreeSet<Name>) -> bool {
        may_see(self.principal, markings, &self.markings)
    }
}

impl Node {
    /// What this caller may see.
    pub(crate) async fn sight(&self, caller: &Caller) -> Result<Sight, Error> {
        Ok(Sight {
            principal: caller.principal().id,
            markings: self.markings().await?,
            levels: self.levels().await?,
        })
    }
}
