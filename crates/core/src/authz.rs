//! Who may call what: principals, their roles, and the one table that says what each role may do.
//!
//! A role is about the calls of the operator API; what an enrollment may do is [`policy`](crate::policy)'s business.
//! Whatever the table does not allow is denied, and what acts for a caller demands an [`Authorized`], which only
//! [`authorize`] can make.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::{Name, Title};
use crate::{PrincipalId, Reason, SpaceId, Time};

mod action;
mod token;

pub use action::{Access, Action, allows};
pub use token::{InvalidToken, Token, TokenHash};

/// What a principal is to the enrollment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the enrollment: principals, spaces, links, policies, everything in every space.
    EnrollmentAdmin,
    /// Answers for what goes out and comes in: policies, links, markings and levels, the audit log. Touches no data.
    SecurityOfficer,
    /// Runs spaces: their ontology, connections, mappings and objects.
    SpaceManager,
    /// Reads and edits objects.
    Editor,
    /// Reads objects.
    Viewer,
}

/// A text that is not a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is enrollment-admin, security-officer, space-manager, editor or viewer")]
pub struct InvalidRole;

impl Role {
    /// Every role, most powerful first.
    pub const ALL: [Role; 5] = [
        Role::EnrollmentAdmin,
        Role::SecurityOfficer,
        Role::SpaceManager,
        Role::Editor,
        Role::Viewer,
    ];

    /// The role's word.
    pub const fn word(self) -> &'static str {
        match self {
            Role::EnrollmentAdmin => "enrollment-admin",
            Role::SecurityOfficer => "security-officer",
            Role::SpaceManager => "space-manager",
            Role::Editor => "editor",
            Role::Viewer => "viewer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Role, InvalidRole> {
        Role::ALL
            .into_iter()
            .find(|role| role.word() == text)
            .ok_or(InvalidRole)
    }
}

/// Someone or something that calls the operator API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Principal {
    /// Its id.
    pub id: PrincipalId,
    /// Its name, for people.
    pub name: Name,
    /// Its role.
    pub role: Role,
    /// The space the role is for. An editor or viewer without one reads every space; a space manager without one
    /// manages only the spaces that list it. The first two roles have none.
    pub space: Option<SpaceId>,
    /// What its token must hash to.
    pub token: TokenHash,
    /// When it was created.
    pub created_at: Time,
    /// When it was revoked, if it was. It stays on record: audit entries name it.
    pub revoked_at: Option<Time>,
}

impl Principal {
    /// Whether the role reaches into this space.
    fn reaches(&self, space: &Space) -> bool {
        match self.role {
            Role::EnrollmentAdmin => true,
            Role::SecurityOfficer => false,
            Role::SpaceManager => self.space == Some(space.id) || space.managers.contains(&self.id),
            Role::Editor | Role::Viewer => self.space.is_none_or(|own| own == space.id),
        }
    }
}

/// A space: a container with one ontology.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// Its id.
    pub id: SpaceId,
    /// Its name, unique in the enrollment.
    pub name: Name,
    /// Its title, for people.
    pub title: Option<Title>,
    /// Who manages it. Being listed makes any principal a manager of this space, whatever else its role is.
    pub managers: BTreeSet<PrincipalId>,
}

/// A marking and who may see what carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marking {
    /// Its name.
    pub name: Name,
    /// Who may see it. A marking that arrived with imported data starts with nobody, admins included.
    pub members: BTreeSet<PrincipalId>,
}

/// Whether a principal may see something that carries these markings: it must be a member of each, and a marking
/// that is not known here has no members.
pub fn may_see(principal: PrincipalId, carried: &BTreeSet<Name>, known: &BTreeMap<Name, Marking>) -> bool {
    carried.iter().all(|name| {
        known
            .get(name)
            .is_some_and(|marking| marking.members.contains(&principal))
    })
}

/// The proof that a caller may take an action, in a space where the action has one. Only [`authorize`] makes it.
///
/// ```compile_fail,E0451
/// use peerd_core::authz::{Action, Authorized};
/// use peerd_core::PrincipalId;
///
/// let forged = Authorized {
///     principal: PrincipalId::from_bytes([1; 16]),
///     action: Action::PolicyApprove,
///     space: None,
/// };
/// ```
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Authorized {
    principal: PrincipalId,
    action: Action,
    space: Option<SpaceId>,
}

impl Authorized {
    /// Who is authorised.
    pub fn principal(&self) -> PrincipalId {
        self.principal
    }

    /// What it may do.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Where, when a space was named.
    pub fn space(&self) -> Option<SpaceId> {
        self.space
    }
}

/// Why a caller may not take an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// No token, one that is not known, or one that was revoked.
    #[error("the call carries no valid token")]
    Anonymous,
    /// The role does not allow the action, here or anywhere.
    #[error("the role {role} does not allow '{action}'")]
    Role {
        /// The caller's role.
        role: Role,
        /// What was tried.
        action: Action,
    },
    /// The action is for managers of the space, and the caller manages another or none.
    #[error("'{action}' is for the managers of the space")]
    NotSpaceManager {
        /// What was tried.
        action: Action,
    },
}

impl Denial {
    /// The stable reason.
    pub fn reason(self) -> Reason {
        match self {
            Denial::Anonymous => Reason::TokenInvalid,
            Denial::Role { .. } => Reason::RoleInsufficient,
            Denial::NotSpaceManager { .. } => Reason::NotSpaceManager,
        }
    }
}

/// Whether this caller may take the action, and where.
///
/// `space` is the space the action is about. An action that a role has in its own spaces only is denied when none is
/// named.
pub fn authorize(
    caller: Option<&Principal>,
    action: Action,
    space: Option<&Space>,
) -> Result<Authorized, Denial> {
    let principal = caller
        .filter(|principal| principal.revoked_at.is_none())
        .ok_or(Denial::Anonymous)?;
    let listed = space.is_some_and(|space| space.managers.contains(&principal.id));
    let as_manager = listed && allows(Role::SpaceManager, action) != Access::Never;
    let allowed = match allows(principal.role, action) {
        Access::Everywhere => true,
        Access::OwnSpaces => as_manager || space.is_some_and(|space| principal.reaches(space)),
        Access::Never => as_manager,
    };
    if allowed {
        return Ok(Authorized {
            principal: principal.id,
            action,
            space: space.map(|space| space.id),
        });
    }
    match (principal.role, allows(principal.role, action)) {
        (Role::SpaceManager, Access::OwnSpaces) => Err(Denial::NotSpaceManager { action }),
        (role, _) => Err(Denial::Role { role, action }),
    }
}

#[cfg(test)]
mod tests;
