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
    pub(crate) levels: Levels,
}

impl Sight {
    /// Whether the caller may see an object: every one of its markings.
    pub(crate) fn sees(&self, state: &ObjectState) -> bool {
        self.sees_marked(&state.security(&self.levels).markings)
    }

    /// The same for what carries these markings.
    pub(crate) fn sees_marked(&self, carried: &BTreeSet<Name>) -> bool {
        may_see(self.principal, carried, &self.markings)
    }

    /// The markings that do not hide anything from the caller.
    pub(super) fn open_markings(&self) -> BTreeSet<Name> {
        let open = self.markings.values();
        let open = open.filter(|marking| marking.members.contains(&self.principal));
        open.map(|marking| marking.name.clone()).collect()
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
