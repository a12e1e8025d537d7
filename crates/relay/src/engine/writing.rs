//! Writing bundles: numbered, kept, put.

use std::sync::Arc;

use bytes::Bytes;
use peerd_core::link::{Form as SetForm, Relay};
use peerd_core::sealing::SealingKey;
use peerd_core::security::Security;
use peerd_core::{MessageId, Reason};
use peerd_node::Error;
use peerd_node::exchange::Flow;
use peerd_node::relay::{RelaySent, Spooled};
use tokio::task::spawn_blocking;

use super::link::Running;
use super::schemas::Vocabulary;
use crate::{
    CannotWrite, Digest, Facts, Form, Header, Limits, LinkEpoch, Records, WriteForm, Writing, Written, write,
};

/// In which form a bundle is written, with what that takes.
enum Writes {
    Sealed(SealingKey),
    Xml(Vocabulary),
}

/// What is to be written.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) records: Records,
    pub(super) security: Security,
    pub(super) schema_revision: u64,
}

impl Draft {
    /// Records that are nobody's data.
    pub(super) fn plain(records: Records) -> Draft {
        Draft {
            records,
            security: Security::default(),
            schema_revision: 0,
        }
    }
}

/// What a bundle that is kept is about.
#[derive(Debug, Default)]
pub(super) struct About {
    pub(super) flow: Option<Flow>,
    pub(super) messages: Vec<MessageId>,
    pub(super) keys: Vec<String>,
    pub(super) with: Spooled,
}

/// The limits of a link's bundles.
pub(super) fn limits_of(set: &Relay) -> Limits {
    Limits {
        bundle_bytes_max: usize::try_from(set.limits.bundle_bytes_max).unwrap_or(usize::MAX),
        ..Limits::default()
    }
}

/// The form of a link's bundles.
pub(super) const fn form_of(set: &Relay) -> Form {
    match set.form {
        SetForm::Sealed => Form::Sealed,
        SetForm::Xml => Form::Xml,
    }
}

impl Running {
    /// The limits of the link's bundles.
    pub(super) fn limits(&self) -> Limits {
        limits_of(&self.set)
    }

    /// Writes a bundle that is kept until it came. It is durable before this returns; that it is not in the outbox yet,
    /// since that is full, is no error. `Ok(Err)`: it cannot be written, and has no number.
    pub(super) async fn write_lasting(
        &mut self,
        draft: Draft,
        about: About,
    ) -> Result<Result<u64, CannotWrite>, Error> {
        let (node, _permit) = self.permit().await?;
        let mut out = self.out.clone();
        out.last += 1;
        let written = match self.compose(out.last, Digest(out.previous), draft).await? {
            Ok(written) => written,
            Err(error) => return Ok(Err(error)),
        };
        let Written { header, bytes } = written;
        let bytes = Bytes::from(bytes);
        self.folders.keep(out.epoch, out.last, bytes.clone()).await?;
        out.previous = header.digest().0;
        let now = node.now();
        let About {
            flow,
            messages,
            keys,
            with,
        } = about;
        let mut sent = RelaySent {
            link: self.link.id,
            sequence: out.last,
            flow: flow.map(|flow| (flow.connection, flow.object_type)),
            messages,
            bytes: bytes.len() as u64,
            at: now,
            until: header.not_after,
            copies: 1,
            put_at: Some(now),
        };
        node.relay_spooled(&out, &sent, with).await?;
        self.out = out;
        let put = self.folders.put(&header.file_name(), bytes).await?;
        if !put {
            self.counts.full = true;
            sent.put_at = None;
            sent.copies = 0;
        }
        if !keys.is_empty() {
            self.keys.insert(sent.sequence, keys);
        }
        let sequence = sent.sequence;
        self.kept.insert(sequence, sent);
        Ok(Ok(sequence))
    }

    /// Writes a bundle that nothing depends on: a later one of its kind says all it says. What lies in the outbox of
    /// that kind goes.
    pub(super) async fn write_passing(
        &mut self,
        draft: Draft,
        replaces: Option<&str>,
    ) -> Result<String, Error> {
        let (node, _permit) = self.permit().await?;
        let mut out = self.out.clone();
        out.passing += 1;
        node.relay_passed(&out).await?;
        self.out = out;
        let written = self.compose(self.out.passing, Digest::default(), draft).await?;
        let Written { header, bytes } =
            written.map_err(|error| Error::new(error.reason(), error.to_string()))?;
        if let Some(before) = replaces {
            self.folders.take_back(before).await?;
        }
        let name = header.file_name();
        if !self.folders.put(&name, bytes.into()).await? {
            self.counts.full = true;
        }
        Ok(name)
    }

    /// The node, and the permit to write anything for the other side at all.
    async fn permit(
        &self,
    ) -> Result<
        (
            Arc<peerd_node::Node>,
            peerd_core::policy::Permit<peerd_core::policy::Flow>,
        ),
        Error,
    > {
        let node = Arc::clone(&self.shared.node);
        let (_, permit) = node.relay_peer(self.link.id).await?;
        Ok((node, permit))
    }

    async fn compose(
        &self,
        sequence: u64,
        previous: Digest,
        draft: Draft,
    ) -> Result<Result<Written, CannotWrite>, Error> {
        let (node, signer) = (&self.shared.node, Arc::clone(&self.shared.signer));
        let now = node.now();
        let Draft {
            records,
            security,
            mut schema_revision,
        } = draft;
        let form = self.write_form(&records).await?;
        if let (Writes::Xml(schemas), Records::Objects(_)) = (&form, &records) {
            // Whatever the objects were read under: they are written under what this side says now.
            schema_revision = schema_revision.max(schemas.revision());
        }
        let facts = Facts {
            sender: node.enrollment_id(),
            recipient: self.them,
            epoch: LinkEpoch::from_bytes(*self.out.epoch.as_bytes()),
            sequence,
            previous,
            created_at: now,
            not_after: now.plus(self.set.limits.lifetime()),
            security,
            schema_revision,
            salt: node.salt(),
        };
        let limits = self.limits();
        let composing = spawn_blocking(move || {
            let writing = Writing {
                signer: &*signer,
                form: match &form {
                    Writes::Sealed(key) => WriteForm::Sealed(key),
                    Writes::Xml(schemas) => WriteForm::Xml(schemas),
                },
                limits: &limits,
            };
            write(&facts, &records, &writing)
        });
        composing
            .await
            .map_err(|error| Error::of(Reason::Internal).because(error))
    }

    /// The link's form, with what it takes to write these records in it.
    async fn write_form(&self, records: &Records) -> Result<Writes, Error> {
        Ok(match (self.set.form, records) {
            (SetForm::Sealed, _) => Writes::Sealed(self.sealing_key()?),
            (SetForm::Xml, Records::Objects(objects)) => {
                let connection = objects.flow.connection;
                let here = self.shared.node.published_here(&self.peer, connection).await?;
                Writes::Xml(Vocabulary::of(connection, here))
            }
            (SetForm::Xml, _) => Writes::Xml(Vocabulary::default()),
        })
    }

    /// What this link's bundles are sealed to.
    fn sealing_key(&self) -> Result<SealingKey, Error> {
        let bytes = self.set.sealing.as_deref().unwrap_or_default();
        let remote = self.link.remote.as_ref();
        let mut keys = remote.into_iter().flat_map(|remote| remote.keys.iter());
        let key = keys.find_map(|key| SealingKey::read(bytes, key, &*self.shared.verifier).ok());
        key.ok_or_else(|| {
            Error::new(
                Reason::IdentityMismatch,
                "the key that bundles are sealed to is not the other side's any more",
            )
        })
    }

    /// Writes a bundle that is kept to the outbox once more. `false`: there is no room.
    pub(super) async fn put_again(&mut self, sequence: u64) -> Result<bool, Error> {
        let kept = self.folders.kept(self.out.epoch, sequence).await?;
        let lost = || Error::new(Reason::StoreCorrupt, "a bundle is gone from the spool");
        let bytes = kept.ok_or_else(lost)?;
        let header: Header = crate::peek(&bytes).map_err(|refused| lost().because(refused))?;
        let put = self.folders.put(&header.file_name(), bytes).await?;
        let now = self.shared.node.now();
        if let Some(sent) = self.kept.get_mut(&sequence).filter(|_| put) {
            if sent.copies > 0 {
                self.counts.resent += 1;
            }
            sent.copies += 1;
            sent.put_at = Some(now);
            self.shared.node.relay_put(std::slice::from_ref(sent)).await?;
        }
        Ok(put)
    }
}
