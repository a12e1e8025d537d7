//! The enrollment itself: its platform title.

use peerd_core::name::Title;
use peerd_store::{Records as _, meta_record};
use serde::{Deserialize, Serialize};

use crate::{Error, Node};

/// What the enrollment calls itself to others.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PlatformTitle {
    pub(crate) title: Title,
}

meta_record!(PlatformTitle, b"platform_title", 1);

impl Node {
    /// The platform title, once it is set.
    pub(crate) async fn title(&self) -> Result<Option<Title>, Error> {
        let found = self.store.find::<PlatformTitle>(b"platform_title").await?;
        Ok(found.map(|found| found.record.title))
    }
}
