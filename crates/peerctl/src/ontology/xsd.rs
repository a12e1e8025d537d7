//! `ontology export-xsd`: two files, each of which has its name only when it is whole.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use peerd_wire::data::v1 as pb;
use serde::Serialize;

use crate::error::Error;
use crate::output::{self, Format};

/// The schemas that were written.
#[derive(Debug, Serialize)]
struct Exported {
    connection_id: String,
    outgoing: Written,
    incoming: Written,
}

/// One of them.
#[derive(Debug, Serialize)]
struct Written {
    file: PathBuf,
    sharing_revision: u64,
    object_types: Vec<String>,
}

pub(super) fn write(
    format: Format,
    connection_id: String,
    dir: &Path,
    answer: pb::ExportXsdResponse,
) -> Result<(), Error> {
    let pb::ExportXsdResponse { outgoing, incoming } = answer;
    fs::create_dir_all(dir).map_err(|error| Error::file(dir, error))?;
    let exported = Exported {
        connection_id,
        outgoing: written(dir.join("outgoing.xsd"), outgoing)?,
        incoming: written(dir.join("incoming.xsd"), incoming)?,
    };
    output::show(format, &exported)
}

fn written(file: PathBuf, schema: Option<pb::BundleSchema>) -> Result<Written, Error> {
    let schema = schema.ok_or_else(|| Error::file(&file, "the daemon did not say what is to be in it"))?;
    let pb::BundleSchema {
        sharing_revision,
        object_types,
        xsd,
    } = schema;
    replaced(&file, &xsd).map_err(|error| Error::file(&file, error))?;
    Ok(Written {
        file,
        sharing_revision,
        object_types,
    })
}

/// A guard may read the file at any time: it has the schema of before, or that of now.
fn replaced(file: &Path, text: &str) -> io::Result<()> {
    let partial = file.with_extension("xsd.partial");
    let mut open = fs::File::create(&partial)?;
    open.write_all(text.as_bytes())?;
    open.sync_all()?;
    fs::rename(&partial, file)
}
