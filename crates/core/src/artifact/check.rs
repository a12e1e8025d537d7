//! What the words of an artifact may be.

use std::collections::BTreeSet;

use super::Artifact;
use crate::value::Value;

/// Why something is not an artifact, or not a selection of artifacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidArtifact {
    /// The name is empty, too long or has a NUL.
    #[error("a name has 1 to {} characters, none of them NUL", Artifact::NAME_MAX)]
    Name,
    /// The media type is none.
    #[error(
        "a media type is like text/plain: at most {} visible ASCII characters, with one '/'",
        Artifact::MEDIA_TYPE_MAX
    )]
    MediaType,
    /// A tag is empty, too long, or has characters that cannot be seen.
    #[error(
        "a tag has 1 to {} characters, no control characters, and no white space at its ends",
        Artifact::TAG_MAX
    )]
    Tag,
    /// There are too many tags, or a peer sent them out of order.
    #[error("there are at most {} tags, each once and in order", Artifact::TAGS_MAX)]
    Tags,
    /// The digest is not a BLAKE3, or the size is none.
    #[error("the content is a BLAKE3 of 64 lower-case hex digits and a size in bytes")]
    Digest,
    /// It is not an id.
    #[error("an artifact's id is like art_0123456789abcdef0123456789abcdef")]
    Id,
    /// The duration is zero.
    #[error("a window is longer than nothing")]
    Window,
}

impl Artifact {
    /// The longest name, in characters.
    pub const NAME_MAX: usize = 10_000;
    /// The longest media type, in bytes.
    pub const MEDIA_TYPE_MAX: usize = 255;
    /// The longest tag, in characters.
    pub const TAG_MAX: usize = 63;
    /// The most tags of one artifact, and of one selection.
    pub const TAGS_MAX: usize = 100;

    /// Checks its words: where an operator wrote them.
    pub fn check(&self) -> Result<(), InvalidArtifact> {
        name(&self.name)?;
        media_type(&self.media_type)?;
        tags(&self.tags)
    }
}

pub(super) fn name(text: &str) -> Result<(), InvalidArtifact> {
    // Whatever else it has: it is data, and nobody opens a file of that name.
    let fits = (1..=Artifact::NAME_MAX).contains(&text.chars().count());
    (fits && !text.contains('\0'))
        .then_some(())
        .ok_or(InvalidArtifact::Name)
}

pub(super) fn media_type(text: &str) -> Result<(), InvalidArtifact> {
    let visible = text.bytes().all(|b| (b' '..=b'~').contains(&b));
    let parts = text.split(';').next().unwrap_or_default().split('/');
    let two = parts.map(|part| !part.trim().is_empty()).collect::<Vec<_>>() == [true, true];
    let fits = text.len() <= Artifact::MEDIA_TYPE_MAX;
    (visible && two && fits)
        .then_some(())
        .ok_or(InvalidArtifact::MediaType)
}

pub(super) fn tags(tags: &BTreeSet<String>) -> Result<(), InvalidArtifact> {
    if tags.len() > Artifact::TAGS_MAX {
        return Err(InvalidArtifact::Tags);
    }
    tags.iter().try_for_each(|one| tag(one))
}

fn tag(text: &str) -> Result<(), InvalidArtifact> {
    let fits = (1..=Artifact::TAG_MAX).contains(&text.chars().count());
    let plain = !text.chars().any(char::is_control) && text.trim() == text;
    (fits && plain).then_some(()).ok_or(InvalidArtifact::Tag)
}

/// The tags as a peer sent them: each once, in order.
pub(super) fn tags_in_order(items: &[Value]) -> Result<(), InvalidArtifact> {
    let mut last: Option<&str> = None;
    if items.len() > Artifact::TAGS_MAX {
        return Err(InvalidArtifact::Tags);
    }
    for item in items {
        let Value::String(text) = item else {
            return Err(InvalidArtifact::Tags);
        };
        tag(text)?;
        if last.is_some_and(|last| last >= text.as_str()) {
            return Err(InvalidArtifact::Tags);
        }
        last = Some(text);
    }
    Ok(())
}
