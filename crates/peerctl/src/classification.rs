//! `classification`: the levels, lowest first.

use clap::Subcommand;
use peerd_wire::admin::v1 as pb;
use serde_json::json;

use crate::cli::{App, DONE};
use crate::error::Error;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sets the levels
    SetLevels {
        /// The levels' names, lowest first
        #[arg(required = true, value_name = "LEVEL")]
        levels: Vec<String>,
    },
    /// Shows the levels, lowest first
    Show,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let client = &app.client;
        let levels = match self {
            Command::SetLevels { levels } => {
                let request = pb::SetClassificationLevelsRequest { levels };
                client
                    .call(client.markings().set_classification_levels(request))
                    .await?
                    .levels
            }
            Command::Show => {
                let request = pb::GetClassificationLevelsRequest {};
                client
                    .call(client.markings().get_classification_levels(request))
                    .await?
                    .levels
            }
        };
        output::show(app.format, &json!({"levels": levels}))?;
        Ok(DONE)
    }
}
