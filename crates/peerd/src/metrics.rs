//! The daemon in numbers, in the form that Prometheus reads.
//!
//! A scrape reads what is so at that moment; only what happens between two scrapes is counted as it happens. Names and
//! what they mean are listed in `docs/metrics.md`.

mod metered;
mod sizes;
mod text;

use std::sync::Arc;

use anyhow::Context as _;
use futures::FutureExt as _;
use peerd_api::Scrape;
use peerd_core::Time;
use peerd_node::Node;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::config::Config;

pub(crate) use metered::{Commits, Metered};
use sizes::Sizes;
pub(crate) use text::Facts;

/// What the text says it is.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The shortest token, in bytes: one that cannot be guessed.
const TOKEN_BYTES_MIN: usize = 32;

/// The token that a scrape shows, if there is one.
pub(crate) fn token(config: &Config) -> anyhow::Result<Option<Zeroizing<String>>> {
    let Some(file) = &config.metrics.token_file else {
        return Ok(None);
    };
    let text = crate::files::read_secret(file)
        .with_context(|| format!("metrics.token_file {} cannot be read", file.display()))?;
    let token = Zeroizing::new(text.trim().to_owned());
    anyhow::ensure!(
        token.len() >= TOKEN_BYTES_MIN,
        "metrics.token_file {} holds less than {TOKEN_BYTES_MIN} characters",
        file.display()
    );
    Ok(Some(token))
}

/// What a scrape with this token reads.
pub(crate) fn scrape(
    token: &str,
    config: &Config,
    node: &Arc<Node>,
    commits: &Arc<Commits>,
    started_at: Time,
    leaf_expires_at: watch::Receiver<Time>,
) -> Scrape {
    let (node, commits) = (Arc::clone(node), Arc::clone(commits));
    let sizes = Arc::new(Sizes::of(config));
    Scrape::new(token, CONTENT_TYPE, move || {
        let (node, commits, sizes) = (Arc::clone(&node), Arc::clone(&commits), Arc::clone(&sizes));
        let leaf_expires_at = *leaf_expires_at.borrow();
        async move {
            let reading = node.reading().await.map_err(|error| error.to_string())?;
            let facts = Facts {
                started_at,
                leaf_expires_at,
                store_bytes: sizes.store().await,
                blob_bytes: sizes.blobs().await,
            };
            text::encode(&reading, node.tally(), &commits, &facts).map_err(|error| error.to_string())
        }
        .boxed()
    })
}
