//! A bundle: writing one, reading one, and what is checked in which order.

use bytes::Bytes;
use peerd_core::sealing::SealingKey;
use peerd_core::security::Security;
use peerd_core::signature::{PublicKey, Purpose, Signer, Verifier};
use peerd_core::{EnrollmentId, Reason, Time};
use peerd_identity::SealingKeys;
use peerd_node::exchange::Flow;

use crate::hash::Leaves;
use crate::record::Scope;
use crate::{CannotWrite, Digest, Form, Header, Limits, LinkEpoch, Records, Refused, Schemas, sealed, xml};

/// What the sender knows of a bundle besides its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The sender.
    pub sender: EnrollmentId,
    /// The recipient.
    pub recipient: EnrollmentId,
    /// The sender's link epoch.
    pub epoch: LinkEpoch,
    /// The number within the epoch, from 1.
    pub sequence: u64,
    /// [`Header::digest`] of the bundle before; zeros before the first.
    pub previous: Digest,
    /// Now.
    pub created_at: Time,
    /// When it is no longer to be taken.
    pub not_after: Time,
    /// The highest classification and all markings of what is in it.
    pub security: Security,
    /// The sharing revision whose vocabulary the records use; 0 where they use none.
    pub schema_revision: u64,
    /// Random, and new for each bundle: it makes the hashes of known records unpredictable.
    pub salt: [u8; 16],
}

/// How to write.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    /// Signs for the sender.
    pub signer: &'a dyn Signer,
    /// In which form.
    pub form: WriteForm<'a>,
    /// How large the bundle may be.
    pub limits: &'a Limits,
}

/// In which form to write, with what that takes.
#[derive(Clone, Copy, Debug)]
pub enum WriteForm<'a> {
    /// Sealed to this key.
    Sealed(&'a SealingKey),
    /// As XML, by these schemas of this side.
    Xml(&'a dyn Schemas),
}

/// A bundle that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What is said of it.
    pub header: Header,
    /// The file.
    pub bytes: Vec<u8>,
}

/// What it takes to read.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// Who reads.
    pub me: EnrollmentId,
    /// The enrollment at the link's other end.
    pub from: EnrollmentId,
    /// The identity keys that the link is pinned to: they speak for that enrollment.
    pub keys: &'a [PublicKey],
    /// Verifies signatures.
    pub verifier: &'a dyn Verifier,
    /// Now.
    pub now: Time,
    /// Which form is taken.
    pub form: OpenForm<'a>,
    /// How large bundles may be.
    pub limits: &'a Limits,
}

/// Which form is taken, with what reading it takes.
#[derive(Clone, Copy, Debug)]
pub enum OpenForm<'a> {
    /// What is sealed to one of these keys.
    Sealed(&'a SealingKeys),
    /// XML, by these schemas of the other side. The signature is in the file.
    Xml(&'a dyn Schemas),
    /// XML, by these schemas, with the file of its signature, which a guard moved out of it.
    XmlBeside(&'a dyn Schemas, &'a [u8]),
}

impl OpenForm<'_> {
    fn form(self) -> Form {
        match self {
            OpenForm::Sealed(_) => Form::Sealed,
            OpenForm::Xml(_) | OpenForm::XmlBeside(..) => Form::Xml,
        }
    }
}

/// A bundle that was read: its header is the sender's, and so is every record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// What is said of it.
    pub header: Header,
    /// The records that are there.
    pub records: Records,
    /// The number of each of them in the bundle as it was written, from 1.
    pub numbers: Vec<u32>,
    /// The numbers of the records that were dropped on the way.
    pub dropped: Vec<u32>,
}

/// Writes one bundle.
pub fn write(facts: &Facts, records: &Records, writing: &Writing<'_>) -> Result<Written, CannotWrite> {
    let Limits {
        bundle_bytes_max,
        records_max,
        ..
    } = *writing.limits;
    let max = records_max.min(Records::MAX);
    if records.len() > max {
        let count = records.len();
        return Err(CannotWrite::TooMany { count, max });
    }
    let mut header = draft(facts, records, writing)?;
    let scope = Scope::of(records, facts.salt);
    let leaves = Leaves::of(&scope, records);
    header.root = leaves.root();
    let bytes = match writing.form {
        WriteForm::Sealed(to) => sealed::write(&mut header, &scope, records, to, writing)?,
        WriteForm::Xml(schemas) => {
            header.plain_bytes = leaves.bytes;
            xml::write(&header, &scope, &leaves, records, schemas, writing)?
        }
    };
    if bytes.len() > bundle_bytes_max {
        return Err(CannotWrite::TooLarge {
            bytes: bytes.len(),
            max: bundle_bytes_max,
        });
    }
    Ok(Written { header, bytes })
}

/// The header as far as it is known before the body is.
fn draft(facts: &Facts, records: &Records, writing: &Writing<'_>) -> Result<Header, CannotWrite> {
    let Facts {
        sender,
        recipient,
        epoch,
        sequence,
        previous,
        created_at,
        not_after,
        security,
        schema_revision,
        salt: _,
    } = facts.clone();
    let key = writing.signer.public_key();
    if sender == recipient {
        return Err(CannotWrite::facts("the sender is the recipient"));
    }
    if sequence == 0 || not_after <= created_at || security.markings.len() > Header::MARKINGS_MAX {
        return Err(CannotWrite::facts(
            "the number, the end or the markings are not sound",
        ));
    }
    let records_count = u32::try_from(records.len()).unwrap_or(u32::MAX);
    let (form, sealed_to) = match writing.form {
        WriteForm::Sealed(to) => (Form::Sealed, to.generation()),
        WriteForm::Xml(_) => (Form::Xml, 0),
    };
    Ok(Header {
        form,
        sender,
        recipient,
        epoch,
        sequence,
        previous,
        kind: records.kind(),
        created_at,
        not_after,
        security,
        schema_revision,
        records: records_count,
        plain_bytes: 0,
        body_bytes: 0,
        body_digest: Digest::default(),
        root: Digest::default(),
        key,
        sealed_to,
    })
}

/// The header of a file, from its first bytes, unverified: good for finding the link it is for and nothing else.
pub fn peek(bytes: &[u8]) -> Result<Header, Refused> {
    if sealed::is_sealed(bytes) {
        Ok(sealed::Front::read(bytes)?.header)
    } else {
        xml::peek(bytes)
    }
}

/// Of which connection and type the objects of a file of the XML form are, unverified; `None` where it has none. Where
/// [`read`] answers that the schema is missing, it and the header were verified.
pub fn peek_flow(bytes: &[u8]) -> Result<Option<Flow>, Refused> {
    xml::peek_flow(bytes)
}

/// Reads one bundle.
///
/// What is cheap and says most comes first: size, form, whose it is, its signature, its end. Only then is anything opened
/// or unpacked.
pub fn read(bytes: Bytes, opening: &Opening<'_>) -> Result<Opened, Refused> {
    let max = opening.limits.file_bytes_max(opening.form.form());
    if bytes.len() > max {
        let told = format!("the file has {} bytes, and {max} is the most", bytes.len());
        return Err(Refused::new(Reason::BundleTooLarge, told));
    }
    let form = if sealed::is_sealed(&bytes) {
        Form::Sealed
    } else {
        Form::Xml
    };
    if form != opening.form.form() {
        let told = format!("the file is of the form {}", form.word());
        return Err(Refused::new(Reason::BundleFormUnexpected, told));
    }
    match opening.form {
        OpenForm::Sealed(keys) => sealed::read(bytes, keys, opening),
        OpenForm::Xml(schemas) => xml::read(&bytes, None, schemas, opening),
        OpenForm::XmlBeside(schemas, signature) => xml::read(&bytes, Some(signature), schemas, opening),
    }
}

/// Whether the header is for us, from whom the link is pinned to, signed, in time and within the limits.
pub(crate) fn check(header: &Header, signature: &[u8], opening: &Opening<'_>) -> Result<(), Refused> {
    let refused = |reason, told: &str| Err(Refused::new(reason, told));
    if header.recipient != opening.me {
        return refused(Reason::BundleNotForUs, "it is for another enrollment");
    }
    let pinned = header.sender == opening.from && opening.keys.contains(&header.key);
    if !pinned {
        return refused(Reason::BundleSenderUnknown, "it is not from the link's other end");
    }
    let canonical = header.canonical();
    let signed = opening
        .verifier
        .verify(&header.key, Purpose::Bundle, &canonical, signature);
    if !signed {
        return refused(
            Reason::BundleSignatureInvalid,
            "the signature does not fit the header",
        );
    }
    if header.not_after <= opening.now {
        let told = format!("it was to be taken before {}", header.not_after);
        return Err(Refused::new(Reason::BundleExpired, told));
    }
    if header.records as usize > opening.limits.records_max.min(Records::MAX) {
        let told = format!("it has {} records", header.records);
        return Err(Refused::new(Reason::BundleTooLarge, told));
    }
    if header.sequence == 0 {
        return Err(Refused::malformed("numbers count from 1"));
    }
    Ok(())
}
