//! Which artifacts go out over a connection.

use peerd_core::ConnectionId;
use peerd_core::artifact::Selection;
use peerd_core::authz::Action;
use peerd_core::peering::Connection;

use crate::{Caller, Error, Node};

/// What one side lets out over a connection, as its operators see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArtifactShare {
    /// Which artifacts; `None` for none.
    pub selection: Option<Selection>,
    /// Why they do not go although they are shared; empty when nothing keeps them, as far as this side can tell.
    pub problem: String,
}

impl ArtifactShare {
    /// The same in words; empty for nothing.
    pub fn in_words(&self) -> String {
        let words = self.selection.as_ref().map(in_words).unwrap_or_default();
        if self.problem.is_empty() {
            return words;
        }
        format!("{words}: {}", self.problem)
    }
}

impl Node {
    /// Says which artifacts of the space go out over a connection, in place of what was said before. Copies of those that
    /// are left out go, except where time alone leaves them out.
    pub async fn share_artifacts(
        &self,
        caller: &Caller,
        id: ConnectionId,
        selection: &Selection,
    ) -> Result<ArtifactShare, Error> {
        let what = format!("artifacts: {}", in_words(selection));
        let standing = self
            .change_sharing(caller, Action::ArtifactShare, id, &what, |_, next| {
                next.artifacts = Some(selection.clone());
                Ok(())
            })
            .await?;
        Ok(share_of(&standing.connection, standing.shared.artifacts))
    }

    /// Lets no artifacts out over a connection any more. Copies that the other side imported go.
    pub async fn unshare_artifacts(&self, caller: &Caller, id: ConnectionId) -> Result<ArtifactShare, Error> {
        let standing = self
            .change_sharing(caller, Action::ArtifactUnshare, id, "artifacts", |_, next| {
                next.artifacts = None;
                Ok(())
            })
            .await?;
        Ok(share_of(&standing.connection, standing.shared.artifacts))
    }

    /// What is shared on a connection that the caller may show.
    pub(crate) async fn artifact_share(&self, connection: &Connection) -> Result<ArtifactShare, Error> {
        let shared = self.shared(connection.id).await?.record;
        Ok(share_of(connection, shared.artifacts))
    }
}

fn share_of(connection: &Connection, selection: Option<Selection>) -> ArtifactShare {
    let goes = connection.flow().exports.artifacts;
    let problem = if selection.is_none() || goes {
        ""
    } else {
        "the connection is not for the export of artifacts"
    };
    ArtifactShare {
        selection,
        problem: problem.to_owned(),
    }
}

fn in_words(selection: &Selection) -> String {
    match selection {
        Selection::All => String::from("all"),
        Selection::Tags(tags) => {
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            format!("with tag {}", tags.join(" or "))
        }
        Selection::UpdatedWithin(window) => format!("updated within {} s", window.as_secs()),
    }
}
