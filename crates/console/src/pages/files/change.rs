//! What becomes of a file after it was put.

use maud::html;
use peerd_core::ContentHash;
use peerd_core::artifact::TYPE;
use peerd_core::authz::Action;
use peerd_node::Error;
use peerd_node::artifact::Retag;
use peerd_node::object::ObjectAt;

use super::{at, file_path, one, seen_at, space_path, tags};
use crate::parts::{confirm, file_name, size};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit};

pub(super) fn routes() -> Vec<Entry> {
    vec![
        post("/console/files/{space}/{artifact}/tags", Action::ArtifactTag, tag),
        post(
            "/console/files/{space}/{artifact}/name",
            Action::ArtifactPut,
            rename,
        ),
        post(
            "/console/files/{space}/{artifact}/restore",
            Action::ArtifactPut,
            restore,
        ),
        post(
            "/console/files/{space}/{artifact}/security",
            Action::ObjectSetSecurity,
            set_security,
        ),
        get(
            "/console/files/{space}/{artifact}/delete",
            Action::ArtifactDelete,
            ask_delete,
        ),
        post(
            "/console/files/{space}/{artifact}/delete",
            Action::ArtifactDelete,
            delete,
        ),
    ]
}

async fn tag(visit: Visit) -> Outcome {
    let at = at(&visit)?;
    let retag = Retag::Set(tags(&visit.form, "tags"));
    match visit.node().tag_artifact(&visit.caller, &at, &retag).await {
        Ok(_) => visit.done(&file_path(&at.space, at.id), "The tags are set."),
        Err(error) => one::again(&visit, &at, error).await,
    }
}

async fn rename(visit: Visit) -> Outcome {
    let at = at(&visit)?;
    let name = visit.form.text("name");
    match visit.node().rename_artifact(&visit.caller, &at, name).await {
        Ok(_) => visit.done(&file_path(&at.space, at.id), "Renamed."),
        Err(error) => one::again(&visit, &at, error).await,
    }
}

async fn restore(visit: Visit) -> Outcome {
    let at = at(&visit)?;
    let restored = match visit.form.optional::<ContentHash>("blake3") {
        Ok(hash) => visit.node().restore_artifact(&visit.caller, &at, hash).await,
        Err(error) => Err(error),
    };
    match restored {
        Ok(_) => visit.done(&file_path(&at.space, at.id), "Restored."),
        Err(error) => one::again(&visit, &at, error).await,
    }
}

async fn set_security(visit: Visit) -> Outcome {
    let at = at(&visit)?;
    let object = ObjectAt {
        space: at.space.clone(),
        object_type: TYPE.to_owned(),
        key: at.id.to_string(),
    };
    let set = match visit.form.security() {
        Ok(security) => {
            let node = visit.node();
            node.set_object_security(&visit.caller, &object, &security).await
        }
        Err(error) => Err(error),
    };
    match set {
        Ok(_) => {
            let to = seen_at(&visit, &at).await;
            visit.done(&to, "The security is set.")
        }
        Err(error) => one::again(&visit, &at, error).await,
    }
}

async fn ask_delete(visit: Visit) -> Outcome {
    let at = at(&visit)?;
    let view = visit.node().artifact(&visit.caller, &at).await?;
    let previous = view.artifact.previous.len();
    let body = confirm(
        &visit,
        visit.path(),
        "Delete",
        &file_path(&at.space, at.id),
        &html! {
            h1 { "Delete " (file_name(&view.artifact.name)) "?" }
            p { "What will be lost, for good:" }
            ul {
                li { "The file, " (size(view.artifact.content.size)) ", here and at every side that it was sent to." }
                @if previous > 0 { li { "Its " (previous) " previous contents." } }
                li { "Objects that refer to it keep a reference to nothing." }
            }
        },
    );
    visit.page(&one::page(&at, "Delete"), &body)
}

async fn delete(visit: Visit) -> Outcome {
    let at = at(&visit)?;
    let deleted: Result<(), Error> = visit.node().delete_artifact(&visit.caller, &at).await;
    deleted?;
    visit.done(&space_path(&at.space), "Deleted.")
}
