//! The tables of a store, and what can be watched.

use std::fmt;

use peerd_core::SpaceId;

/// Declares the tables once: the enum, its order on disk and its names.
macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// A table of records, ordered by key bytes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Table {
            $($(#[$doc])* $name,)+
        }

        impl Table {
            /// Every table.
            pub const ALL: &'static [Table] = &[$(Table::$name,)+];

            /// The name a backend keeps it under. It never changes once released.
            pub const fn name(self) -> &'static str {
                match self { $(Table::$name => $text,)+ }
            }
        }
    };
}

tables! {
    /// Facts of the enrollment itself: title, levels, feed epoch, counters.
    Meta = "meta",
    /// Principals; key: principal id.
    Principals = "principals",
    /// Token hashes to principal ids; key: SHA-256 of the token.
    Tokens = "tokens",
    /// Spaces; key: space id.
    Spaces = "spaces",
    /// Unique names to ids; key: kind byte, then the name.
    Names = "names",
    /// Markings and who may see them; key: name.
    Markings = "markings",
    /// Ingress and egress policies; key: policy id.
    Policies = "policies",
    /// Links; key: link id.
    Links = "links",
    /// Link codes given out; key: link id.
    LinkCodes = "link_codes",
    /// How dialling each link went; key: link id.
    Dials = "dials",
    /// Refused attempts; key: knock id.
    Knocks = "knocks",
    /// Peer connections; key: connection id.
    Connections = "connections",
    /// Lifecycle messages to be sent; key: link id, connection id, number.
    Outbox = "outbox",
    /// Ontologies; key: space id.
    Ontologies = "ontologies",
    /// What each side shared and mapped on a connection; key: connection id.
    Sharing = "sharing",
    /// Objects; key: space id, type, primary key.
    Objects = "objects",
    /// Change feeds; key: feed id, then sequence. Written by the commit only.
    Feed = "feed",
    /// Import and export cursors; key: connection id, direction, type.
    Cursors = "cursors",
    /// What was exported on a connection; key: connection id, type, primary key.
    Exported = "exported",
    /// Objects that could not be applied; key: parked id.
    Parked = "parked",
    /// Imported data that is to be removed; key: connection id.
    Purges = "purges",
    /// Conflicts between concurrent edits; key: space id, conflict id.
    Conflicts = "conflicts",
    /// How far the collection of tombstones has come; key: feed id.
    Collections = "collections",
    /// Peering jobs; key: job id, which begins with half of the connection's.
    Jobs = "jobs",
    /// What relay links remember; key: link id, kind byte.
    Relays = "relays",
    /// Which objects came out of order over a relay; key: link id, connection id, type, primary key.
    Heard = "heard",
    /// The audit log; key: sequence. Written by the commit only.
    Audit = "audit",
}

/// One change feed: the objects of one type in one space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedId {
    /// The space.
    pub space: SpaceId,
    /// The object type's api name.
    pub object_type: String,
}

impl FeedId {
    /// The bytes every key of this feed starts with: space, length of the type's name, the name.
    pub fn prefix(&self) -> Vec<u8> {
        let name = self.object_type.as_bytes();
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes();
        [self.space.as_bytes().as_slice(), &length, name].concat()
    }
}

impl fmt::Display for FeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.space, self.object_type)
    }
}

/// What a watcher can wait on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Any change of a table.
    Table(Table),
    /// A change of a record whose key begins with this id: the record itself, or those that belong to it.
    Of(Table, [u8; 16]),
    /// A feed moved on.
    Feed(FeedId),
}
