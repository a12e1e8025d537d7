//! What a transport does between two parties, step by step, so that a test may lose, repeat or reorder any of it.

use peerd_core::link::Stage;
use peerd_core::peering::Message;
use peerd_core::{ConnectionId, LinkId, Reason};
use peerd_node::connection::{Receipt, Received, Signed};
use peerd_node::exchange::verify::Verification;
use peerd_node::link::{EnrollAttempt, Enrolled};
use peerd_node::peer::{Peer, Recognised};
use peerd_node::{Asked, Error, Line};

use crate::Party;

/// More rounds than any exchange needs: one that is still not quiet never will be.
const ROUNDS_MAX: usize = 64;

/// A lifecycle message under way.
///
/// The encoding is the test's own: what matters is that the bytes that are signed are the bytes that are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// What the signature covers.
    pub payload: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Parcel {
    /// A message, signed by its sender.
    ///
    /// # Panics
    /// When it cannot be encoded or signed.
    pub fn pack(from: &Party, message: &Message) -> Parcel {
        let payload = rmp_serde::to_vec_named(message).expect("an encoding");
        let signature = from.node().sign_lifecycle(&payload).expect("a signature");
        Parcel {
            payload,
            signature: signature.to_vec(),
        }
    }

    /// What it says.
    ///
    /// # Panics
    /// When it was not packed by [`Parcel::pack`].
    pub fn message(&self) -> Message {
        rmp_serde::from_slice(&self.payload).expect("a message")
    }

    /// Gives it to the recipient in a session of the sender; `None` when the recipient knows no such peer.
    ///
    /// # Panics
    /// When the recipient fails, as against refusing.
    pub async fn deliver(&self, from: &Party, to: &Party) -> Option<Received> {
        let peer = peer(to, from).await?;
        let signed = Signed {
            payload: &self.payload,
            signature: &self.signature,
            message: self.message(),
        };
        let received = to.node().receive(&peer, signed).await;
        Some(received.expect("a message is answered or refused"))
    }

    /// Gives the recipient's answer to the sender.
    ///
    /// # Panics
    /// When the sender fails.
    pub async fn answer(&self, from: &Party, to: &Party, receipt: &Receipt) {
        if let Some(peer) = peer(from, to).await {
            let taken = from.node().answered(&peer, &self.message(), receipt).await;
            taken.expect("an answer is taken");
        }
    }
}

/// What `other` is to `party`, if it is a peer.
///
/// # Panics
/// When the lookup fails.
pub async fn peer(party: &Party, other: &Party) -> Option<Peer> {
    match party.node().recognise(&other.presented()).await {
        Ok(Recognised::Peer(peer)) => Some(peer),
        Ok(Recognised::Stranger) => None,
        Err(error) => panic!("a lookup failed: {error}"),
    }
}

/// Whether policy on both sides lets `dialler` open a session to `acceptor`.
///
/// # Panics
/// When a lookup fails.
pub async fn may_dial(dialler: &Party, acceptor: &Party) -> bool {
    let Some(link) = dialler.link_to(acceptor.id()).await else {
        return false;
    };
    let permitted = link.addresses.iter().any(|address| {
        let port = address.port.get();
        let permit = dialler
            .node()
            .permit_dial(acceptor.id(), &address.host, acceptor.ip(), port);
        permit.is_ok()
    });
    link.direction.we_may_dial() && permitted && acceptor.node().admit(&dialler.presented()).await.is_ok()
}

/// The first half of enrolling, over a session that `dialler` opened: the acceptor takes the proof. `None` when nothing
/// is due.
///
/// # Panics
/// When a lookup fails.
pub async fn show_proof(
    dialler: &Party,
    acceptor: &Party,
    binding: [u8; 32],
) -> Option<(LinkId, Result<Enrolled, Error>)> {
    let link = dialler.link_to(acceptor.id()).await?;
    let due = dialler.node().enrollment_due(link.id, &binding).await;
    let due = due.expect("the link is there")?;
    let greeting = dialler.node().greeting().await.expect("a greeting");
    let attempt = EnrollAttempt {
        link: due.link,
        proof: due.proof,
        binding,
        title: greeting.title,
        addresses: greeting.addresses,
    };
    Some((
        link.id,
        acceptor.node().enroll(&dialler.presented(), attempt).await,
    ))
}

/// All of enrolling, where `dialler` may dial.
///
/// # Errors
/// What the acceptor refuses the proof with, or `LINK_MISSING` when no session opens.
///
/// # Panics
/// When a lookup fails.
pub async fn enroll(dialler: &Party, acceptor: &Party) -> Result<(), Error> {
    if !may_dial(dialler, acceptor).await {
        return Err(Error::of(Reason::LinkMissing));
    }
    if let Some((link, answer)) = show_proof(dialler, acceptor, [7; 32]).await {
        let Enrolled { title, your_link } = answer?;
        dialler.node().enrolled(link, title, your_link).await?;
    }
    Ok(())
}

/// Carries every waiting message both ways, and its answer back, until nothing moves. What is refused for now stays.
///
/// # Panics
/// When it does not come to rest.
pub async fn carry_all(a: &Party, b: &Party) {
    for _ in 0..ROUNDS_MAX {
        let before = (waiting(a, b).await, waiting(b, a).await);
        carry(a, b).await;
        carry(b, a).await;
        if (waiting(a, b).await, waiting(b, a).await) == before {
            return;
        }
    }
    panic!("messages keep coming");
}

/// Carries every waiting message one way, in order, and each answer back.
///
/// # Panics
/// When a node fails.
pub async fn carry(from: &Party, to: &Party) {
    for message in waiting(from, to).await {
        let parcel = Parcel::pack(from, &message);
        if let Some(Received::Answer(receipt)) = parcel.deliver(from, to).await {
            parcel.answer(from, to, &receipt).await;
        }
    }
}

/// What waits to be sent.
///
/// # Panics
/// When the store fails.
pub async fn waiting(from: &Party, to: &Party) -> Vec<Message> {
    match from.link_to(to.id()).await {
        Some(link) if matches!(link.stage, Stage::Established { .. }) => {
            from.node().outbox(link.id).await.expect("an outbox")
        }
        _ => Vec::new(),
    }
}

/// What a verification that `asks` wants comes to, with the other party connected to it.
///
/// # Panics
/// When there is no complete link.
pub async fn verify(asks: &Party, other: &Party, connection: ConnectionId) -> Result<Verification, Error> {
    let (forth, back) = (line(asks, other).await, line(other, asks).await);
    let outcome = Box::pin(async {
        tokio::select! {
            outcome = asks.node().verify_connection(&asks.manager, connection) => outcome,
            () = questions(forth, asks, other) => unreachable!("they are carried for ever"),
            () = questions(back, other, asks) => unreachable!("they are carried for ever"),
        }
    });
    outcome.await
}

async fn line(from: &Party, to: &Party) -> Line {
    let link = from.link_to(to.id()).await.expect("a link");
    from.shared().open_line(link.id)
}

/// Carries every question of one party to the other, and its answer back.
async fn questions(mut line: Line, from: &Party, to: &Party) {
    let asker = peer(to, from).await.expect("a peer");
    loop {
        let Asked { question, answer } = line.next().await;
        let answered = to.node().answer(&asker, question).await;
        // Who asked may be gone.
        let _ = answer.send(answered);
    }
}
