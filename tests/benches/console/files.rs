//! Many small files in a space.

use anyhow::ensure;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use peerd_tests::bench::operator::Operator;
use peerd_wire::data::v1 as data;
use peerd_wire::data::v1::put_artifact_request::Part;

/// How many are put at once.
const AT_ONCE: usize = 32;

/// Puts so many files; gives the id of the last.
pub(crate) async fn put(operator: &Operator, space: &str, count: usize) -> anyhow::Result<String> {
    let ids: Vec<String> = stream::iter(0..count)
        .map(|number| one(operator, space, number))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(ids.into_iter().next_back().unwrap_or_default())
}

async fn one(operator: &Operator, space: &str, number: usize) -> anyhow::Result<String> {
    let content = format!("the content of file {number}").into_bytes();
    let header = data::PutHeader {
        space: space.to_owned(),
        name: format!("file-{number}.txt"),
        media_type: "text/plain".to_owned(),
        size_bytes: content.len() as u64,
        tags: vec![format!("tag-{}", number % 100), "all".to_owned()],
        ..Default::default()
    };
    let end = data::PutEnd {
        blake3: blake3::hash(&content).to_hex().to_string(),
    };
    let parts = [Part::Header(header), Part::Chunk(content.into()), Part::End(end)];
    let parts = stream::iter(parts.map(|part| data::PutArtifactRequest { part: Some(part) }));
    let mut answers = operator.artifacts().put_artifact(parts).await?.into_inner();
    let mut id = String::new();
    while let Some(answer) = answers.message().await? {
        id = answer.artifact.map_or(id, |artifact| artifact.artifact_id);
    }
    ensure!(!id.is_empty(), "it was not put");
    Ok(id)
}
