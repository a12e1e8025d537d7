//! A form with a file, read as it comes: its other fields first, within a bound, then the file piece by piece. No more of
//! it is in memory than a few pieces, whatever its size.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use multer::{Field, Multipart};
use peerd_core::Reason;
use peerd_node::Error;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::fields::Fields;

/// What the fields before the file may have together, in bytes.
const FIELDS_BYTES_MAX: u64 = 2 << 20;
/// After so many bytes without a pause whoever reads gets to see them.
const PIECE_BYTES: usize = 256 << 10;
/// How long nothing may come.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long the rest of a form is taken in after it was refused, so that its sender gets to read why.
const DRAIN_MAX: Duration = Duration::from_mins(1);
/// The field of the file.
const FILE: &str = "file";

/// Why no more of a form comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Cut,
    Silent,
    FieldsTooLarge,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Broken::Cut => "the form was cut off",
            Broken::Silent => "the rest of the form did not come in time",
            Broken::FieldsTooLarge => "the fields of the form are too large",
        })
    }
}

impl std::error::Error for Broken {}

/// The body that a form comes in. What is left of it can be taken in after the form itself is gone.
#[derive(Clone)]
pub(crate) struct Source {
    body: Arc<Mutex<BodyDataStream>>,
    /// How many bytes may come in all; unlimited once the file has begun.
    allowed: Arc<AtomicU64>,
}

impl Source {
    pub(crate) fn of(body: Body) -> Source {
        Source {
            body: Arc::new(Mutex::new(body.into_data_stream())),
            allowed: Arc::new(AtomicU64::new(FIELDS_BYTES_MAX)),
        }
    }

    /// Takes in the rest, for a while. A browser shows an answer only once it has sent its form.
    pub(crate) async fn drain(&self) {
        let mut body = self.body.lock().await;
        let rest = async { while let Some(Ok(_)) = body.next().await {} };
        // What is still to come then is not waited for.
        let _ = timeout(DRAIN_MAX, rest).await;
    }

    fn pieces(&self) -> impl Stream<Item = Result<Bytes, Broken>> + Send + 'static {
        let state = (self.clone(), 0_usize, 0_u64);
        stream::try_unfold(state, |(source, mut unseen, mut total)| async move {
            if unseen >= PIECE_BYTES {
                // The parser takes all that is ready at once: it is made to hand out what it has.
                tokio::task::yield_now().await;
                unseen = 0;
            }
            let next = {
                let mut body = source.body.lock().await;
                timeout(SILENCE_MAX, body.next()).await
            };
            match next {
                Err(_) => Err(Broken::Silent),
                Ok(Some(Err(_))) => Err(Broken::Cut),
                Ok(None) => Ok(None),
                Ok(Some(Ok(bytes))) => {
                    total += bytes.len() as u64;
                    unseen += bytes.len();
                    if total > source.allowed.load(Ordering::Relaxed) {
                        return Err(Broken::FieldsTooLarge);
                    }
                    Ok(Some((bytes, (source, unseen, total))))
                }
            }
        })
    }
}

/// The file of a form whose other fields were read.
pub(crate) struct Upload {
    file: Option<Field<'static>>,
}

impl Upload {
    /// Reads the fields up to the file.
    pub(crate) async fn open(headers: &HeaderMap, source: &Source) -> Result<(Fields, Upload), Error> {
        let kind = headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        let boundary = multer::parse_boundary(kind)
            .map_err(|_| Error::new(Reason::FieldInvalid, "not a form with a file"))?;
        let mut form = Multipart::new(source.pieces(), boundary);
        let mut fields = Vec::new();
        loop {
            match form.next_field().await.map_err(broken)? {
                Some(field) if field.name() == Some(FILE) => {
                    // Never less than what was counted while the file began.
                    source.allowed.store(u64::MAX, Ordering::Relaxed);
                    let file = Some(field);
                    return Ok((Fields::of(fields), Upload { file }));
                }
                Some(field) => {
                    let name = field.name().unwrap_or_default().to_owned();
                    fields.push((name, field.text().await.map_err(broken)?));
                }
                None => return Ok((Fields::of(fields), Upload { file: None })),
            }
        }
    }

    /// What the browser calls the file; empty when none was chosen.
    pub(crate) fn name(&self) -> String {
        let name = self.file.as_ref().and_then(Field::file_name).unwrap_or_default();
        // Browsers write these three so, and nothing else.
        name.replace("%22", "\"")
            .replace("%0D", "\r")
            .replace("%0A", "\n")
    }

    /// What the browser takes it for.
    pub(crate) fn media_type(&self) -> Option<String> {
        let kind = self.file.as_ref().and_then(Field::content_type);
        kind.map(ToString::to_string)
    }

    /// The next bytes of the file; `None` at its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        match &mut self.file {
            Some(file) => file.chunk().await.map_err(broken),
            None => Ok(None),
        }
    }

    /// The file as text, when it is no larger than this.
    pub(crate) async fn text(mut self, bytes_max: usize) -> Result<String, Error> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            if all.len() + bytes.len() > bytes_max {
                let told = format!("the file is larger than {bytes_max} bytes");
                return Err(Error::new(Reason::TooLarge, told));
            }
            all.extend_from_slice(&bytes);
        }
        String::from_utf8(all).map_err(|_| Error::field(FILE, "not a text in UTF-8"))
    }
}

fn broken(error: multer::Error) -> Error {
    let cause = match &error {
        multer::Error::StreamReadFailed(cause) => cause.downcast_ref::<Broken>().copied(),
        _ => None,
    };
    match cause {
        Some(broken @ Broken::FieldsTooLarge) => Error::new(Reason::TooLarge, broken.to_string()),
        Some(broken @ Broken::Silent) => Error::new(Reason::WaitTimeout, broken.to_string()),
        Some(broken @ Broken::Cut) => Error::new(Reason::FieldInvalid, broken.to_string()),
        None => Error::new(Reason::FieldInvalid, "the form cannot be read").because(error),
    }
}
