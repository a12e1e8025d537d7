//! Artifacts: what operators do with them. What is known of one beside its bytes is an object of a built-in type
//! ([`peerd_core::artifact`]), so who may see it, and what becomes of it at a peer, is decided as for any object; its
//! bytes are a blob. An artifact may be here before its bytes are.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;

use peerd_core::artifact::{self, Artifact};
use peerd_core::authz::{Action, Space};
use peerd_core::object::{Hlc, ObjectKey, ObjectState, Provenance};
use peerd_core::ontology::ObjectType;
use peerd_core::security::Security;
use peerd_core::{ArtifactId, EnrollmentId, Reason};
use peerd_store::Table;

use crate::object::stored::{Stored, damaged, feed_of, found, key_in, object_of};
use crate::object::{Subject, no_such_object};
use crate::{Caller, Error, Node};

mod change;
mod put;
mod share;
mod transfers;

pub use change::Retag;
pub use put::{NewArtifact, Put};
pub use share::ArtifactShare;
pub use transfers::TransferView;

/// How many artifacts one read of the store asks for.
const CHUNK: usize = 128;
/// After so many pieces of content it is asked again whether the caller may have them.
const PIECES_UNASKED_MAX: usize = 16;
/// A page ends early when its names and tags have so many bytes: a message has a limit.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// Which artifact a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactAt {
    /// Name or id of the space.
    pub space: String,
    /// Its id.
    pub id: ArtifactId,
}

/// An artifact as a caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactView {
    /// Its id, the same on every side that has it.
    pub id: ArtifactId,
    /// What is known of it.
    pub artifact: Artifact,
    /// Whether all of its bytes are here.
    pub complete: bool,
    /// Its classification and markings.
    pub security: Security,
    /// The enrollment it comes from.
    pub origin: EnrollmentId,
    /// Which way the copy here came.
    pub provenance: Provenance,
}

/// Some artifacts, by age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactPage {
    /// The artifacts.
    pub artifacts: Vec<ArtifactView>,
    /// The id that the next page starts after; `None` on the last page.
    pub next: Option<ArtifactId>,
}

/// The bytes of an artifact, or the end of them.
pub struct ArtifactContent {
    /// The artifact.
    pub view: ArtifactView,
    /// Its bytes from where they were asked for, each piece checked before it is handed out. An error ends it.
    pub content: BoxStream<'static, Result<Bytes, Error>>,
}

impl std::fmt::Debug for ArtifactContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArtifactContent")
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}

/// The space and the object that a call is about.
#[derive(Debug)]
struct Place {
    space: Space,
    of: &'static ObjectType,
    key: ObjectKey,
}

impl Place {
    fn subject(&self) -> Subject<'_> {
        Subject {
            space: &self.space,
            of: self.of,
            key: &self.key,
        }
    }
}

fn no_such_artifact() -> Error {
    Error::not_found("artifact")
}

/// The built-in type, which there always is.
fn built_in() -> Result<&'static ObjectType, Error> {
    artifact::built_in().ok_or_else(|| Error::of(Reason::Internal))
}

impl Node {
    /// One artifact.
    pub async fn artifact(&self, caller: &Caller, at: &ArtifactAt) -> Result<ArtifactView, Error> {
        let place = self.artifact_place(caller, Action::ArtifactRead, at).await?;
        self.artifact_at(caller, &place, at.id).await
    }

    /// The bytes of an artifact that are here whole, from `offset` on; one that is at the end, or beyond it, gives none.
    /// Whether the caller may have them is asked again as they go.
    pub async fn artifact_content(
        self: &Arc<Self>,
        caller: &Caller,
        at: &ArtifactAt,
        offset: u64,
    ) -> Result<ArtifactContent, Error> {
        let view = self.artifact(caller, at).await?;
        let blob = view.artifact.content;
        let range = Range {
            start: offset.min(blob.size),
            end: blob.size,
        };
        let content = self.blobs.read(&blob.hash, range).await?;
        let content = content.ok_or_else(|| Error::of(Reason::ArtifactIncomplete))?;
        let watched = (Arc::clone(self), caller.clone(), at.clone());
        let content = content.enumerate().then(move |(number, piece)| {
            let (node, caller, at) = watched.clone();
            async move {
                if number > 0 && number.is_multiple_of(PIECES_UNASKED_MAX) {
                    let caller = node.recheck(&caller).await?;
                    node.artifact(&caller, &at).await?;
                }
                Ok(piece?)
            }
        });
        Ok(ArtifactContent {
            view,
            content: content.boxed(),
        })
    }

    /// At most `limit` artifacts that the caller may see, after this one when given; of those with at least one of
    /// these tags, unless there are none.
    pub async fn list_artifacts(
        &self,
        caller: &Caller,
        space: &str,
        tags: &BTreeSet<String>,
        after: Option<ArtifactId>,
        limit: usize,
    ) -> Result<ArtifactPage, Error> {
        let space = self.space(space).await?.record;
        self.authorize(caller, Action::ArtifactList, Some(&space)).await?;
        let sight = self.sight(caller).await?;
        let feed = feed_of(space.id, &built_in()?.name);
        let mut page = ArtifactPage {
            artifacts: Vec::new(),
            next: None,
        };
        let (mut bytes, mut last) = (0, after.map(|id| key_in(&feed, &id.to_string())));
        loop {
            let mut range = peerd_store::Range::prefix(Table::Objects, feed.prefix(), CHUNK);
            range.after = last.take();
            let entries = self.store.range(range).await?;
            for (key, entry) in &entries {
                let stored = found(entry)?.record;
                let artifact = seen(&stored.state)?.filter(|_| sight.sees(&stored.state));
                let tagged = |one: &Artifact| tags.is_empty() || !one.tags.is_disjoint(tags);
                let Some(artifact) = artifact.filter(tagged) else {
                    continue;
                };
                if page.artifacts.len() == limit || bytes > PAGE_BYTES_MAX {
                    page.next = page.artifacts.last().map(|view| view.id);
                    return Ok(page);
                }
                bytes += entry.value.len();
                let id = id_of(&object_of(&feed, key)?)?;
                page.artifacts
                    .push(self.artifact_view(id, artifact, &stored, &sight.levels).await?);
            }
            match entries.last() {
                Some((key, _)) if entries.len() == CHUNK => last = Some(key.clone()),
                _ => return Ok(page),
            }
        }
    }

    /// Where an artifact is, once the caller may take this action there.
    async fn artifact_place(&self, caller: &Caller, action: Action, at: &ArtifactAt) -> Result<Place, Error> {
        let space = self.space(&at.space).await?.record;
        self.authorize(caller, action, Some(&space)).await?;
        Ok(Place {
            space,
            of: built_in()?,
            key: at.id.key()?,
        })
    }

    async fn artifact_at(
        &self,
        caller: &Caller,
        place: &Place,
        id: ArtifactId,
    ) -> Result<ArtifactView, Error> {
        let sight = self.sight(caller).await?;
        let found = self.stored(place.space.id, &place.key).await?;
        let stored = found.filter(|found| sight.sees(&found.record.state));
        let stored = stored.ok_or_else(no_such_artifact)?.record;
        let artifact = seen(&stored.state)?.ok_or_else(no_such_artifact)?;
        self.artifact_view(id, artifact, &stored, &sight.levels).await
    }

    async fn artifact_view(
        &self,
        id: ArtifactId,
        artifact: Artifact,
        stored: &Stored,
        levels: &peerd_core::security::Levels,
    ) -> Result<ArtifactView, Error> {
        let held = self.blobs.stat(&artifact.content.hash).await?;
        Ok(ArtifactView {
            complete: held.is_some_and(|held| held.blob == artifact.content),
            id,
            security: stored.state.security(levels),
            origin: stored.state.origin(),
            provenance: stored.provenance,
            artifact,
        })
    }

    /// Changes an artifact that the caller sees, and shows it then.
    async fn change_artifact(
        &self,
        caller: &Caller,
        action: Action,
        at: &ArtifactAt,
        change: impl Fn(&mut Artifact) -> Result<(), Error> + Sync,
    ) -> Result<ArtifactView, Error> {
        let place = self.artifact_place(caller, action, at).await?;
        let me = self.enrollment_id();
        let changed = |_: &Subject<'_>, state: &mut ObjectState, hlc: Hlc| {
            let before = seen(state)?.ok_or_else(no_such_object)?;
            let mut after = before.clone();
            change(&mut after)?;
            after.check().map_err(|error| Error::field("artifact", error))?;
            if after != before {
                state.edit(&after.changes(Some(&before)), hlc, me)?;
            }
            Ok(())
        };
        let changed = self.change_seen(caller, action, &place.subject(), changed).await;
        changed.map_err(of_artifact)?;
        self.artifact_at(caller, &place, at.id).await
    }
}

/// An error of the object behind an artifact, in words of the artifact.
fn of_artifact(error: Error) -> Error {
    if error.reason() == Reason::NotFound {
        return no_such_artifact();
    }
    error
}

/// The artifact that an object is, if it is a whole one.
fn seen(state: &ObjectState) -> Result<Option<Artifact>, Error> {
    Artifact::of(state).map_err(|error| damaged(Some(error.into())))
}

fn id_of(key: &ObjectKey) -> Result<ArtifactId, Error> {
    let id = key.primary_key().parse();
    id.map_err(|error: peerd_core::InvalidId| damaged(Some(error.into())))
}
