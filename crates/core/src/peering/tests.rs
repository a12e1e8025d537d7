//! Two sides of one connection, as the tests of this module use them.

mod convergence;
mod lifecycle;
mod table;
mod terms;

use std::time::Duration;

use super::*;
use crate::code::{InviteCode, ProofKey};
use crate::name::Name;
use crate::reason::Reason;
use crate::security::Security;
use crate::signature::PublicKey;
use crate::{ChangeRequestId, ConnectionId, EnrollmentId, LinkId, MessageId, Secret, SpaceId, Time};

const NOW: Time = Time::from_micros(1_700_000_000_000_000);
const HOUR: Duration = Duration::from_hours(1);

struct Granted(EnrollmentId);

impl Permit for Granted {
    fn connection_peer(&self) -> EnrollmentId {
        self.0
    }
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn remark(text: &str) -> Remark {
    text.parse().expect("a remark")
}

fn levels() -> Levels {
    Levels::new(vec![name("open"), name("secret")]).expect("levels")
}

fn security(level: &str, markings: &[&str]) -> Security {
    Security {
        classification: Some(name(level)),
        markings: markings.iter().map(|marking| name(marking)).collect(),
    }
}

fn space(text: &str) -> LocalSpace {
    LocalSpace {
        id: SpaceId::from_bytes([3; 16]),
        name: name(text),
    }
}

fn change(n: u8) -> ChangeRequestId {
    ChangeRequestId::from_bytes([n; 16])
}

fn message_id(n: u128) -> MessageId {
    MessageId::from_bytes(n.to_be_bytes())
}

/// The originator exports everything and imports objects.
fn flow() -> Flow {
    Flow {
        exports: DataTypes::ALL,
        imports: DataTypes {
            objects: true,
            artifacts: false,
        },
    }
}

fn originator() -> EnrollmentId {
    invite().originator
}

fn importer() -> EnrollmentId {
    EnrollmentId::from_bytes([9; 32])
}

fn invite() -> InviteCode {
    InviteCode {
        connection: ConnectionId::from_bytes([1; 16]),
        originator: EnrollmentId::of_spki(b"the originator's key"),
        key: PublicKey::from_spki(b"the originator's key"),
        title: "North".parse().expect("a title"),
        space: name("flights"),
        recipient: importer(),
        flow: flow(),
        security: security("secret", &["medical", "eyes-only"]),
        secret: Secret::from_bytes([7; 32]),
        issued_at: NOW,
        expires_at: NOW.plus(72 * HOUR),
    }
}

fn request() -> Request {
    let invite = invite();
    Request {
        id: invite.connection,
        link: LinkId::from_bytes([1; 16]),
        local: originator(),
        remote: importer(),
        space: space("flights"),
        flow: invite.flow,
        security: invite.security,
        key: ProofKey::of(&invite.secret),
        until: invite.expires_at,
    }
}

fn approval() -> Approval {
    Approval {
        local: importer(),
        title: None,
        link: LinkId::from_bytes([2; 16]),
        space: space("imported"),
        security: None,
    }
}

fn requested() -> Connection {
    Connection::request(request(), &Granted(importer()), NOW)
        .expect("a request")
        .next
}

fn approve(approval: Approval) -> Result<Step, Refused> {
    Connection::approve(&invite(), approval, None, &Granted(originator()), &levels(), NOW)
}

/// The messages that a step sends, of the record it leads to.
fn sent(step: &Step) -> Vec<Message> {
    let messages = step.effects.iter().filter_map(|effect| match effect {
        Effect::Send { sequence, body } => {
            let side = if step.next.role == Role::Originator {
                0
            } else {
                1 << 64
            };
            let id = message_id(side + u128::from(*sequence));
            Some(Message::of(&step.next, id, *sequence, body.clone(), NOW))
        }
        _ => None,
    });
    messages.collect()
}

fn receive(connection: &Connection, message: &Message) -> Result<Step, Refused> {
    let permit = Granted(connection.remote);
    let levels = levels();
    let allowed = Allowed {
        permit: Some(&permit),
        levels: &levels,
    };
    connection.receive(message, allowed, NOW)
}

/// A step and its delivery to the other side: both records afterwards, and the effects there.
fn deliver(step: &Step, other: &Connection) -> (Connection, Vec<Effect>) {
    sent(step)
        .iter()
        .fold((other.clone(), Vec::new()), |(other, mut effects), message| {
            let taken = receive(&other, message).expect("the other side takes it");
            effects.extend(taken.effects);
            (taken.next, effects)
        })
}

/// Both sides after the approval arrived: originator, importer.
fn approved() -> (Connection, Connection) {
    let step = approve(approval()).expect("an approval");
    let (there, _) = deliver(&step, &requested());
    (there, step.next)
}

/// Both sides active: originator, importer.
fn active() -> (Connection, Connection) {
    let (originator, importer) = approved();
    let step = originator
        .activate(&Granted(originator.remote), NOW)
        .expect("activates");
    let (importer, _) = deliver(&step, &importer);
    (step.next, importer)
}

fn command(connection: &Connection, command: &Command) -> Step {
    connection
        .command(command, NOW)
        .expect("the command is carried out")
}

fn close(imported: Imported) -> Command {
    Command::Close {
        imported,
        force: false,
    }
}

fn reason(step: Result<Step, Refused>) -> Reason {
    step.expect_err("refused").reason
}
