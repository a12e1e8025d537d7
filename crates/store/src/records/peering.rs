//! Links, codes, knocks, connections, the outbox.

use peerd_core::backoff::Backoff;
use peerd_core::link::{IssuedCode, Knock, Link};
use peerd_core::peering::{Connection, Message};
use peerd_core::{LinkId, Time};
use serde::{Deserialize, Serialize};

use crate::{Record, Table};

impl Record for Link {
    const TABLE: Table = Table::Links;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }
}

impl Record for IssuedCode {
    const TABLE: Table = Table::LinkCodes;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.link.as_bytes().to_vec()
    }
}

impl Record for Knock {
    const TABLE: Table = Table::Knocks;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }
}

impl Record for Connection {
    const TABLE: Table = Table::Connections;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }
}

/// A lifecycle message that was decided and is not answered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// The link it goes over.
    pub link: LinkId,
    /// The message.
    pub message: Message,
    /// When it was decided.
    pub queued_at: Time,
}

impl Record for Queued {
    const TABLE: Table = Table::Outbox;
    const VERSION: u8 = 1;

    /// Link, connection, number: one connection's messages lie in the order they are taken in.
    fn key(&self) -> Vec<u8> {
        let number = self.message.sequence.to_be_bytes();
        [
            outbox_prefix(self.link).as_slice(),
            self.message.connection.as_bytes(),
            &number,
        ]
        .concat()
    }
}

/// How dialling a link went so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialState {
    /// The link.
    pub link: LinkId,
    /// When it is due again.
    pub backoff: Backoff,
}

impl DialState {
    /// The key of this link's state.
    pub fn key_of(link: LinkId) -> Vec<u8> {
        link.as_bytes().to_vec()
    }
}

impl Record for DialState {
    const TABLE: Table = Table::Dials;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        DialState::key_of(self.link)
    }
}

/// What the keys of a link's outbox start with.
pub fn outbox_prefix(link: LinkId) -> Vec<u8> {
    link.as_bytes().to_vec()
}
