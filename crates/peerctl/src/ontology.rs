//! `ontology`: the object types of a space, as a YAML file.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use peerd_core::Reason;
use peerd_wire::data::v1 as pb;
use serde::Serialize;
use serde_yaml_ng::Value;

use crate::cli::{App, DONE};
use crate::error::Error;
use crate::output::{self, Format};

mod xsd;

/// The most an ontology file may have.
const FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Applies an ontology file; the same again changes nothing
    Apply {
        /// Name or id
        space: String,
        /// The YAML file
        file: PathBuf,
    },
    /// Shows the ontology
    Show {
        /// Name or id
        space: String,
    },
    /// Writes the XML schemas of a connection's relay bundles, one for each way
    ExportXsd {
        /// The connection's id
        connection: String,
        /// The directory, which is made where there is none
        dir: PathBuf,
    },
}

/// What became of an ontology file.
#[derive(Debug, Serialize)]
struct Applied {
    revision: u64,
    changed: bool,
}

/// An ontology.
#[derive(Debug, Serialize)]
struct Ontology {
    revision: u64,
    ontology: Value,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let client = &app.client;
        match self {
            Command::Apply { space, file } => {
                let ontology_json = read(&file)?;
                let request = pb::ApplyOntologyRequest { space, ontology_json };
                let answer = client.call(client.ontology().apply_ontology(request)).await?;
                let pb::ApplyOntologyResponse { revision, changed } = answer;
                output::show(app.format, &Applied { revision, changed })?;
            }
            Command::Show { space } => {
                let request = pb::GetOntologyRequest { space };
                let answer = client.call(client.ontology().get_ontology(request)).await?;
                show(app.format, answer)?;
            }
            Command::ExportXsd { connection, dir } => {
                let connection_id = connection.clone();
                let request = pb::ExportXsdRequest { connection_id };
                let answer = client.call(client.ontology().export_xsd(request)).await?;
                xsd::write(app.format, connection, &dir, answer)?;
            }
        }
        Ok(DONE)
    }
}

/// Tables show it as the file that would make it.
fn show(format: Format, answer: pb::GetOntologyResponse) -> Result<(), Error> {
    let pb::GetOntologyResponse {
        revision,
        ontology_json,
    } = answer;
    let unreadable = |error: &dyn std::fmt::Display| {
        Error::refused(
            Reason::Internal,
            format!("the daemon's ontology cannot be read: {error}"),
        )
    };
    let ontology: Value = match ontology_json.as_str() {
        "" => Value::Null,
        json => serde_json::from_str(json).map_err(|error| unreadable(&error))?,
    };
    match format {
        Format::Json => output::show(format, &Ontology { revision, ontology }),
        Format::Table => {
            let yaml = serde_yaml_ng::to_string(&ontology).map_err(|error| unreadable(&error))?;
            output::print(&format!("# revision {revision}\n{yaml}"))
        }
    }
}

/// An ontology file as JSON. What it means is the daemon's to judge.
fn read(file: &Path) -> Result<String, Error> {
    let open = File::open(file).map_err(|error| Error::file(file, error))?;
    let mut text = String::new();
    let read = open.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| Error::file(file, error))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::file(file, "is larger than 1 MiB"));
    }
    let value: Value = serde_yaml_ng::from_str(&text).map_err(|error| Error::file(file, error))?;
    serde_json::to_string(&value).map_err(|error| Error::file(file, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(yaml: &str) -> Result<String, Error> {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("ontology.yaml");
        std::fs::write(&file, yaml).expect("write");
        read(&file)
    }

    #[test]
    fn a_file_becomes_json_and_keeps_its_order() {
        let yaml = "object_types:\n  - name: airport\n    properties: {faa: string, alt: {type: integer, nullable: true}}\n";
        assert_eq!(
            json(yaml).expect("json"),
            r#"{"object_types":[{"name":"airport","properties":{"faa":"string","alt":{"type":"integer","nullable":true}}}]}"#
        );
    }

    #[test]
    fn what_is_no_yaml_leaves_with_6_and_says_where() {
        for yaml in ["a: [", "a: 1\na: 2\n", "[1, 2]: 3\n"] {
            assert_eq!(json(yaml).expect_err(yaml).exit(), 6, "{yaml}");
        }
        let large = format!("a: {}", "x".repeat(1 << 20));
        assert_eq!(json(&large).expect_err("too large").exit(), 6);
    }
}
