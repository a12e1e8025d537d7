use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Invalid, anchor};

/// Where content is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blobs {
    /// The directory of content that is on its way in, and of all content unless a service keeps it.
    pub path: PathBuf,
    /// At most so many bytes of content in the directory; without it, as many as there is room for.
    pub bytes_max: Option<u64>,
    /// The service that keeps content, if one does.
    pub service: Option<Service>,
}

/// A service of objects that speaks as S3 does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The bucket.
    pub bucket: String,
    /// What the names of all objects start with; may be empty.
    pub prefix: String,
    /// Where the service is, when it is not the usual one.
    pub endpoint: Option<String>,
    /// The region, when the environment does not say it.
    pub region: Option<String>,
    /// The file with the access key, as `id:secret` on one line; without it the environment says it, by the variables
    /// that all clients of such a service know.
    pub access_key_file: Option<PathBuf>,
}

/// `[store.blobs]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawBlobs {
    /// Default `blobs` in the data directory.
    pub path: Option<PathBuf>,
    /// Default: no limit but the disk's. At least 1 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_max: Option<u64>,
    /// `s3://BUCKET` or `s3://BUCKET/PREFIX`. Default: the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Default: that of the region. `http` only to this machine itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Default: `AWS_REGION` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Default: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_file: Option<PathBuf>,
}

impl RawBlobs {
    pub(super) fn anchor(&mut self, base: &Path) -> Result<(), Invalid> {
        anchor("store.blobs.path", self.path.as_mut(), base)?;
        let key = "store.blobs.access_key_file";
        anchor(key, self.access_key_file.as_mut(), base)
    }

    pub(super) fn check(self, data_dir: &Path) -> Result<Blobs, Invalid> {
        const BYTES_MAX_MIN: u64 = 1 << 20;
        let RawBlobs {
            path,
            bytes_max,
            url,
            endpoint,
            region,
            access_key_file,
        } = self;
        if bytes_max.is_some_and(|most| most < BYTES_MAX_MIN) {
            let key = "store.blobs.bytes_max";
            return Err(Invalid::out_of_bounds(key, BYTES_MAX_MIN, u64::MAX));
        }
        if url.is_none() && (endpoint.is_some() || region.is_some() || access_key_file.is_some()) {
            return Err(Invalid::Missing {
                key: "store.blobs.url",
            });
        }
        if endpoint.as_ref().is_some_and(|endpoint| !is_safe(endpoint)) {
            return Err(Invalid::NotAnAddress {
                key: "store.blobs.endpoint",
                form: "https://HOST[:PORT], or http:// to this machine itself",
            });
        }
        let service = url.map(|url| {
            let (bucket, prefix) = bucket_of(&url).ok_or(Invalid::NotAnAddress {
                key: "store.blobs.url",
                form: "s3://BUCKET or s3://BUCKET/PREFIX",
            })?;
            Ok(Service {
                bucket,
                prefix,
                endpoint,
                region,
                access_key_file,
            })
        });
        Ok(Blobs {
            path: path.unwrap_or_else(|| data_dir.join("blobs")),
            bytes_max,
            service: service.transpose()?,
        })
    }
}

fn bucket_of(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("s3://")?.trim_end_matches('/');
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let whole = !bucket.is_empty() && bucket.chars().all(usual);
    (whole && prefix.chars().all(|c| usual(c) || c == '/')).then(|| (bucket.to_owned(), prefix.to_owned()))
}

/// Content and the proof of who asks do not cross a network in the clear.
fn is_safe(endpoint: &str) -> bool {
    if let Some(host) = endpoint.strip_prefix("https://") {
        return !host.is_empty();
    }
    let host = endpoint.strip_prefix("http://").unwrap_or_default();
    let host = host
        .trim_end_matches('/')
        .rsplit_once(':')
        .map_or(host, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

impl From<Blobs> for RawBlobs {
    fn from(blobs: Blobs) -> RawBlobs {
        let Blobs {
            path,
            bytes_max,
            service,
        } = blobs;
        let mut raw = RawBlobs {
            path: Some(path),
            bytes_max,
            ..RawBlobs::default()
        };
        if let Some(service) = service {
            let Service {
                bucket,
                prefix,
                endpoint,
                region,
                access_key_file,
            } = service;
            let slash = if prefix.is_empty() { "" } else { "/" };
            raw.url = Some(format!("s3://{bucket}{slash}{prefix}"));
            (raw.endpoint, raw.region, raw.access_key_file) = (endpoint, region, access_key_file);
        }
        raw
    }
}
