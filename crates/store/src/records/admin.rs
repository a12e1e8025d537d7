//! Principals, spaces, markings, policies, names.

use peerd_core::PrincipalId;
use peerd_core::authz::{Marking, Principal, Space, TokenHash};
use peerd_core::name::Name;
use peerd_core::policy::Policy;
use serde::{Deserialize, Serialize};

use crate::{Record, Table};

impl Record for Principal {
    const TABLE: Table = Table::Principals;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }
}

impl Record for Space {
    const TABLE: Table = Table::Spaces;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }
}

impl Record for Marking {
    const TABLE: Table = Table::Markings;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.name.as_str().as_bytes().to_vec()
    }
}

impl Record for Policy {
    const TABLE: Table = Table::Policies;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.id().as_bytes().to_vec()
    }
}

/// Which principal a token belongs to. Found by the hash, so the token itself is kept nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenOwner {
    /// The token's hash.
    pub token: TokenHash,
    /// Whose it is.
    pub principal: PrincipalId,
}

impl Record for TokenOwner {
    const TABLE: Table = Table::Tokens;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.token.as_bytes().to_vec()
    }
}

/// What a name names. Names are unique within a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// A principal.
    Principal,
    /// A space.
    Space,
    /// A link.
    Link,
    /// A remote enrollment, named by its id: finds the link to it.
    Remote,
}

impl NameKind {
    const fn byte(self) -> u8 {
        match self {
            NameKind::Principal => 1,
            NameKind::Space => 2,
            NameKind::Link => 3,
            NameKind::Remote => 4,
        }
    }
}

/// A name that is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedThing {
    /// What kind of thing.
    pub kind: NameKind,
    /// The name.
    pub name: Name,
    /// The 16 bytes of the thing's id.
    pub id: [u8; 16],
}

impl NamedThing {
    /// The key of this name.
    pub fn key_of(kind: NameKind, name: &Name) -> Vec<u8> {
        [&[kind.byte()], name.as_str().as_bytes()].concat()
    }
}

impl Record for NamedThing {
    const TABLE: Table = Table::Names;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        NamedThing::key_of(self.kind, &self.name)
    }
}

/// Declares that a type is kept in [`Table::Meta`] under this one key.
#[macro_export]
macro_rules! meta_record {
    ($type:ty, $key:literal, $version:literal) => {
        impl $crate::Record for $type {
            const TABLE: $crate::Table = $crate::Table::Meta;
            const VERSION: u8 = $version;

            fn key(&self) -> Vec<u8> {
                $key.to_vec()
            }
        }
    };
}
