//! Putting an artifact: first its bytes, then, once they are complete and durable, what is known of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use peerd_core::artifact::{Artifact, InvalidArtifact};
use peerd_core::authz::Action;
use peerd_core::object::ObjectState;
use peerd_core::security::Security;
use peerd_core::{ArtifactId, Blob, ContentHash, Reason, Time, UploadId};
use peerd_store::blobs::{Begun, Upload};
use sha2::{Digest as _, Sha256};

use super::{ArtifactAt, ArtifactView, Place, built_in};
use crate::object::stored::Stored;
use crate::{Caller, Error, Node};

/// So many bytes are taken between two waits for the disk.
const SYNC_BYTES: u64 = 64 << 20;
/// The longest name of an upload, in bytes.
const UPLOAD_MAX: usize = 128;

/// An artifact that somebody wants to put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewArtifact {
    /// Name or id of the space.
    pub space: String,
    /// What people call it.
    pub name: String,
    /// The media type of its bytes.
    pub media_type: String,
    /// How many bytes there are; `None` where its sender cannot say, as with a form.
    pub size: Option<u64>,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// Its classification and markings.
    pub security: Security,
    /// The artifact whose content it replaces; then name, tags and security stay as they are.
    pub replaces: Option<ArtifactId>,
    /// What its caller calls this upload, to go on with it after it broke; empty when nobody will.
    pub upload: String,
}

/// An artifact on its way in.
pub struct Put {
    node: Arc<Node>,
    caller: Caller,
    place: Place,
    new: NewArtifact,
    id: ArtifactId,
    upload_id: UploadId,
    upload: Box<dyn Upload>,
    taken: u64,
    durable: u64,
}

impl std::fmt::Debug for Put {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Put")
            .field("new", &self.new)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// Begins to put an artifact, or goes on where an upload of the same name broke. All that can be refused is refused
    /// here, before any bytes come.
    pub async fn put_artifact(self: &Arc<Self>, caller: &Caller, new: NewArtifact) -> Result<Put, Error> {
        let id = new.replaces.unwrap_or_else(|| self.mint(ArtifactId::from_uuid));
        let at = ArtifactAt {
            space: new.space.clone(),
            id,
        };
        let place = self.artifact_place(caller, Action::ArtifactPut, &at).await?;
        self.check_security(&new.security).await?;
        if new.replaces.is_some() {
            self.artifact_at(caller, &place, id).await?;
        }
        let blank = Blob {
            hash: ContentHash::from_bytes([0; 32]),
            size: new.size.unwrap_or_default(),
        };
        new.artifact(blank).check().map_err(invalid)?;
        if i64::try_from(blank.size).is_err() {
            return Err(Error::of(Reason::TooLarge));
        }
        if new.upload.len() > UPLOAD_MAX {
            return Err(Error::field(
                "upload_id",
                format_args!("at most {UPLOAD_MAX} bytes"),
            ));
        }
        let upload_id = self.upload_id(caller, &place, &new.upload);
        let upload = self.blobs.upload(upload_id).await?;
        let taken = upload.offset();
        let put = Put {
            node: Arc::clone(self),
            caller: caller.clone(),
            place,
            new,
            id,
            upload_id,
            upload,
            taken,
            durable: taken,
        };
        put.within_size()?;
        Ok(put)
    }

    /// What an upload is called within: whoever else says the same name means another one.
    fn upload_id(&self, caller: &Caller, place: &Place, name: &str) -> UploadId {
        if name.is_empty() {
            return self.mint(UploadId::from_uuid);
        }
        let hash: [u8; 32] = Sha256::new()
            .chain_update(caller.principal().id.as_bytes())
            .chain_update(place.space.id.as_bytes())
            .chain_update(name)
            .finalize()
            .into();
        UploadId::from_bytes(*hash.first_chunk().unwrap_or(&[0; 16]))
    }
}

impl NewArtifact {
    fn artifact(&self, content: Blob) -> Artifact {
        Artifact {
            name: self.name.clone(),
            media_type: self.media_type.clone(),
            content,
            tags: self.tags.clone(),
            updated_at: Time::EPOCH,
            previous: Vec::new(),
        }
    }
}

impl Put {
    /// From where on bytes are to come: those before are here, durable.
    pub fn offset(&self) -> u64 {
        self.taken
    }

    /// So many of them would be here after a restart.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// Takes the next bytes. Answers whether more of them are durable than before.
    pub async fn write(&mut self, bytes: Bytes) -> Result<bool, Error> {
        self.taken = self.taken.saturating_add(bytes.len() as u64);
        self.within_size()?;
        self.upload.write(bytes).await?;
        if self.taken - self.durable < SYNC_BYTES {
            return Ok(false);
        }
        // Long uploads end with the token of whoever makes them.
        self.node.recheck(&self.caller).await?;
        self.durable = self.upload.sync().await?;
        Ok(true)
    }

    /// Makes durable what came, before the upload breaks off.
    pub async fn pause(mut self) -> Result<u64, Error> {
        Ok(self.upload.sync().await?)
    }

    /// Throws away what came: nobody will go on with it.
    pub async fn abandon(self) -> Result<(), Error> {
        let (node, upload_id) = (Arc::clone(&self.node), self.upload_id);
        drop(self);
        Ok(node.blobs.abandon(Begun::Upload(upload_id)).await?)
    }

    /// All bytes came: the artifact is there. They are what their sender says they are, or it is not. A sender that can
    /// say nothing, as a form, has their hash told by the answer.
    pub async fn finish(self, said: Option<ContentHash>) -> Result<ArtifactView, Error> {
        let Put {
            node,
            caller,
            place,
            new,
            id,
            upload,
            taken,
            ..
        } = self;
        if let Some(size) = new.size.filter(|size| *size != taken) {
            let told = format!("{size} bytes were announced and {taken} came");
            return Err(Error::new(Reason::ContentMismatch, told));
        }
        let content = upload.finish().await?;
        if content.size != taken || said.is_some_and(|said| said != content.hash) {
            let told = format!("the bytes that came have the BLAKE3 {}", content.hash);
            return Err(Error::new(Reason::ContentMismatch, told));
        }
        let caller = node.recheck(&caller).await?;
        if new.replaces.is_some() {
            let at = ArtifactAt { space: new.space, id };
            let replaced = node.change_artifact(&caller, Action::ArtifactPut, &at, |artifact| {
                artifact.replace(content);
                new.media_type.clone_into(&mut artifact.media_type);
                Ok(())
            });
            return replaced.await;
        }
        node.create_artifact(&caller, &place, id, &new, content).await
    }

    fn within_size(&self) -> Result<(), Error> {
        match self.new.size {
            Some(size) if self.taken > size => {
                let told = format!("{size} bytes were announced and more came");
                Err(Error::new(Reason::ContentMismatch, told))
            }
            _ => Ok(()),
        }
    }
}

impl Node {
    async fn create_artifact(
        &self,
        caller: &Caller,
        place: &Place,
        id: ArtifactId,
        new: &NewArtifact,
        content: Blob,
    ) -> Result<ArtifactView, Error> {
        self.retrying(async || {
            let (hlc, me) = (self.tick().await?, self.enrollment_id());
            let mut state = ObjectState::blank(hlc, me);
            let changes = new.artifact(content).created(id);
            built_in()?.check_changes(&place.key, &changes)?;
            state.create(&changes, hlc, me)?;
            state.set_security(new.security.clone(), hlc, me)?;
            let after = Stored::own(state);
            self.write_object(caller, Action::ArtifactPut, &place.subject(), after, None)
                .await
        })
        .await?;
        // Who may not see the marking it was put under sees no more of it than that it worked.
        let stored = self.stored(place.space.id, &place.key).await?;
        let stored = stored.ok_or_else(super::no_such_artifact)?.record;
        let artifact = super::seen(&stored.state)?.ok_or_else(super::no_such_artifact)?;
        self.artifact_view(id, artifact, &stored, &self.levels().await?)
            .await
    }
}

fn invalid(error: InvalidArtifact) -> Error {
    let field = match error {
        InvalidArtifact::Name => "name",
        InvalidArtifact::MediaType => "media_type",
        InvalidArtifact::Tag | InvalidArtifact::Tags => "tags",
        InvalidArtifact::Digest => "blake3",
        InvalidArtifact::Id => "artifact_id",
        InvalidArtifact::Window => "updated_within",
    };
    Error::field(field, error)
}
