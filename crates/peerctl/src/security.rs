//! Classification, markings and kinds of data, as arguments.

use clap::Args;
use peerd_wire::peering::v1 as pb;

/// `--classification` and `--marking`.
#[derive(Debug, Default, Args)]
pub(crate) struct SecurityArgs {
    /// The classification level; without it, unclassified
    #[arg(long, value_name = "LEVEL")]
    pub(crate) classification: Option<String>,
    /// A marking; may be given several times
    #[arg(long = "marking", value_name = "MARKING")]
    pub(crate) markings: Vec<String>,
}

impl SecurityArgs {
    /// The security that was given, if any was.
    pub(crate) fn given(self) -> Option<pb::Security> {
        let given = self.classification.is_some() || !self.markings.is_empty();
        given.then(|| self.message())
    }

    /// The security, unclassified and unmarked where nothing was given.
    pub(crate) fn message(self) -> pb::Security {
        pb::Security {
            classification: self.classification.unwrap_or_default(),
            markings: self.markings,
        }
    }
}

/// Reads a list of kinds of data: `objects`, `artifacts`, `objects,artifacts` or `none`.
pub(crate) fn data_types(text: &str) -> Result<pb::DataTypes, String> {
    let mut types = pb::DataTypes::default();
    if text == "none" {
        return Ok(types);
    }
    for kind in text.split(',') {
        match kind {
            "objects" => types.objects = true,
            "artifacts" => types.artifacts = true,
            _ => return Err("write objects, artifacts, objects,artifacts or none".to_owned()),
        }
    }
    Ok(types)
}

/// The kinds of data as words.
pub(crate) fn data_words(types: pb::DataTypes) -> Vec<&'static str> {
    let pb::DataTypes { objects, artifacts } = types;
    let words = [(objects, "objects"), (artifacts, "artifacts")];
    words
        .into_iter()
        .filter_map(|(on, word)| on.then_some(word))
        .collect()
}
