//! The style sheet and the scripts. Their paths carry a hash of their content, so that a browser keeps them for ever
//! and never has an old one.

use std::sync::LazyLock;

use axum::body::Body;
use axum::response::Response;
use data_encoding::HEXLOWER;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use peerd_node::Error;
use sha2::{Digest as _, Sha256};

use crate::visit::{Arrival, Outcome};

/// A file that is part of the program.
struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

const CSS: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Declares the files.
macro_rules! assets {
    ($($name:literal: $kind:ident,)+) => {
        const ASSETS: &[Asset] = &[$(Asset {
            name: $name,
            kind: $kind,
            content: include_str!(concat!("../assets/", $name)),
        },)+];
    };
}

assets! {
    "console.css": CSS,
    "console.js": SCRIPT,
    "copy.js": SCRIPT,
    "dialogs.js": SCRIPT,
    "icon.svg": PICTURE,
    "live.js": SCRIPT,
    "times.js": SCRIPT,
}

/// One hash for all: modules import each other by relative paths, so they change their path together.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut all = Sha256::new();
    for asset in ASSETS {
        all.update(asset.name);
        all.update(asset.content);
    }
    let mut hash = HEXLOWER.encode(&all.finalize());
    hash.truncate(16);
    hash
});

/// The path of a file.
pub(crate) fn path(name: &str) -> String {
    format!("/console/assets/{}/{name}", *VERSION)
}

/// Answers with a file.
pub(crate) async fn serve(arrival: Arrival) -> Outcome {
    let asset = ASSETS.iter().find(|asset| asset.name == arrival.param("name"));
    let asset = asset.filter(|_| arrival.param("version") == *VERSION);
    let asset = asset.ok_or_else(|| Error::not_found("file"))?;
    let mut response = Response::new(Body::from(asset.content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    let for_ever = "public, max-age=31536000, immutable";
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(for_ever));
    Ok(response)
}
