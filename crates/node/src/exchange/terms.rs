//! The terms of a stream: all that decides what goes, gathered once and gathered anew when something changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use peerd_core::artifact::Selection;
use peerd_core::mapping::{Export, Import};
use peerd_core::ontology::ObjectType;
use peerd_core::peering::Connection;
use peerd_core::policy::DataType;
use peerd_core::security::Levels;
use peerd_core::{ConnectionId, Reason};
use peerd_store::FeedId;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Flow;
use super::position::Digest;
use crate::object::stored::feed_of;
use crate::sharing::Standing;
use crate::{Error, Node};

/// On what terms objects of one type go out.
#[derive(Debug)]
pub(super) struct ExportTerms {
    pub(super) connection: Connection,
    pub(super) feed: FeedId,
    pub(super) export: Export,
    pub(super) levels: Levels,
    /// Which artifacts go; `None` where the objects of the type are none.
    pub(super) selection: Option<Selection>,
    /// The revision of what this side told.
    pub(super) revision: u64,
    /// Under other terms something else goes out.
    pub(super) digest: Digest,
    /// Of what goes out, in another vocabulary something else is said.
    pub(super) vocabulary: Digest,
}

/// On what terms objects of one type come in.
#[derive(Debug)]
pub(super) struct ImportTerms {
    pub(super) connection: Connection,
    pub(super) feed: FeedId,
    pub(super) import: Import,
    pub(super) local: ObjectType,
    pub(super) levels: Levels,
    /// Under other terms the same bytes come to something else.
    pub(super) digest: Digest,
    /// Counts the properties that came and were left out, because they are not mapped.
    pub(super) dropped: Arc<AtomicU64>,
}

impl ImportTerms {
    /// So many properties of one object were left out.
    pub(super) fn count_dropped(&self, properties: usize) {
        if properties > 0 {
            let properties = u64::try_from(properties).unwrap_or(u64::MAX);
            self.dropped.fetch_add(properties, Ordering::Relaxed);
        }
    }
}

impl Node {
    /// The terms of an export; `None` while it does not flow, whatever the policies say.
    pub(super) async fn export_terms(&self, flow: &Flow) -> Result<Option<ExportTerms>, Error> {
        let Some(standing) = self.flowing(flow.connection).await? else {
            return Ok(None);
        };
        let mut flows = standing.agreed_flows();
        let found = flows
            .exports
            .iter()
            .find(|(name, _)| name.as_str() == flow.object_type);
        let Some(name) = found.map(|(name, _)| name.clone()) else {
            return Ok(None);
        };
        let Some(export) = flows.exports.remove(&name) else {
            return Ok(None);
        };
        let levels = self.levels().await?;
        let vocabulary = (export.lanes, &export.properties);
        let connection = standing.connection;
        let selection = standing.shared.artifacts;
        let selection = selection.filter(|_| flow.data() == DataType::Artifacts);
        let agreed = (&connection.security, connection.re_export, &levels, &vocabulary);
        Ok(Some(ExportTerms {
            digest: match &selection {
                Some(selection) => digest(&(agreed, selection))?,
                None => digest(&agreed)?,
            },
            selection,
            vocabulary: digest(&vocabulary)?,
            feed: feed_of(standing.space, &name),
            revision: standing.shared.ours.revision,
            export,
            levels,
            connection,
        }))
    }

    /// The terms of an import; `None` while it does not flow, whatever the policies say.
    pub(super) async fn import_terms(&self, flow: &Flow) -> Result<Option<ImportTerms>, Error> {
        let Some(standing) = self.flowing(flow.connection).await? else {
            return Ok(None);
        };
        let flows = standing.agreed_flows();
        let import = flows
            .imports
            .into_iter()
            .find(|(name, _)| name.as_str() == flow.object_type);
        let Some((_, import)) = import else {
            return Ok(None);
        };
        let local_type = &import.mapping.local_type;
        let Some(local) = standing.ontology.feed_type(local_type.as_str()) else {
            return Ok(None);
        };
        let local = local.into_owned();
        Ok(Some(ImportTerms {
            // What a schema says beside what is mapped changes nothing; whether a value may be missing decides what is
            // parked, and that is tried again.
            digest: digest(&(local_type, &import.mapping.properties, import.lanes))?,
            feed: feed_of(standing.space, local_type),
            levels: self.levels().await?,
            dropped: self.progress.dropped(flow),
            connection: standing.connection,
            import,
            local,
        }))
    }

    async fn flowing(&self, id: ConnectionId) -> Result<Option<Standing>, Error> {
        match self.store_connection(id).await? {
            Some(connection) if connection.is_flowing() => self.standing(connection).await,
            _ => Ok(None),
        }
    }

    pub(super) async fn store_connection(&self, id: ConnectionId) -> Result<Option<Connection>, Error> {
        use peerd_store::Records as _;
        let found = self.store.find::<Connection>(id.as_bytes()).await?;
        Ok(found.map(|found| found.record))
    }
}

/// Equal for equal values: maps and sets are ordered, so their encoding is one.
pub(super) fn digest(of: &impl Serialize) -> Result<Digest, Error> {
    let bytes = rmp_serde::to_vec(of).map_err(|error| Error::of(Reason::Internal).because(error))?;
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    Ok(*hash.first_chunk().unwrap_or(&[0; 8]))
}
