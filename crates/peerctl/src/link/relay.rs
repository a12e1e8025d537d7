//! `link add-relay`: a link over files that something else carries.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use peerd_wire::peering::v1 as pb;
use serde::Serialize;

use super::view::Link;
use crate::cli::{App, DONE};
use crate::code::Code;
use crate::error::Error;
use crate::field::{required, time, word};
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct AddRelay {
    /// What the link shall be called here
    #[arg(long)]
    name: String,
    /// The other side's `link invite` code, `-` for stdin, or `@FILE`
    #[arg(long, value_name = "CODE")]
    peer: Code,
    /// The directory that bundles are written to, on the daemon's machine
    #[arg(long, value_name = "DIR")]
    outbox: PathBuf,
    /// The directory they are read from
    #[arg(long, value_name = "DIR")]
    inbox: PathBuf,
    /// The form of what goes out [default: sealed]
    #[arg(long, value_enum)]
    form: Option<Form>,
    /// Nothing comes back that could acknowledge what goes out
    #[arg(long)]
    one_way: bool,
    /// The largest bundle, in bytes [default: 16 MiB]
    #[arg(long, value_name = "BYTES")]
    bundle_bytes_max: Option<u64>,
    /// So many bytes may wait in the outbox, or for an acknowledgement [default: 4 GiB]
    #[arg(long, value_name = "BYTES")]
    outbox_bytes_max: Option<u64>,
    /// So many bytes of the inbox are looked at [default: 16 GiB]
    #[arg(long, value_name = "BYTES")]
    inbox_bytes_max: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// XML that a guard can read
    Xml,
    /// Compressed, and encrypted to the other side
    Sealed,
}

impl AddRelay {
    pub(super) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let request = pb::AddRelayLinkRequest {
            code: self.peer.read()?,
            name: self.name,
            outbox: absolute(&self.outbox),
            inbox: absolute(&self.inbox),
            form: match self.form {
                None => pb::RelayForm::Unspecified,
                Some(Form::Xml) => pb::RelayForm::Xml,
                Some(Form::Sealed) => pb::RelayForm::Sealed,
            }
            .into(),
            one_way: self.one_way,
            bundle_bytes_max: self.bundle_bytes_max.unwrap_or(0),
            outbox_bytes_max: self.outbox_bytes_max.unwrap_or(0),
            inbox_bytes_max: self.inbox_bytes_max.unwrap_or(0),
        };
        let answer = app
            .client
            .call(app.client.links().add_relay_link(request))
            .await?;
        output::show(app.format, &Link::from(required(answer.link, "link")?))?;
        Ok(DONE)
    }
}

/// A path as it is meant where the command runs: daemon and command mostly share a machine.
fn absolute(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    whole.to_string_lossy().into_owned()
}

/// How the files of a relay link are.
#[derive(Debug, Serialize)]
pub(super) struct Relay {
    outbox: String,
    inbox: String,
    form: String,
    one_way: bool,
    bundle_bytes_max: u64,
    outbox_bytes_max: u64,
    inbox_bytes_max: u64,
    last_sequence_out: u64,
    unacknowledged: u64,
    last_sequence_in: u64,
    highest_sequence_in: u64,
    gaps: u64,
    lost: u64,
    last_bundle_at: Option<String>,
    waiting: u64,
    outbox_bytes: u64,
    uncollected_since: Option<String>,
    quarantined: u64,
    refused: u64,
    repeated: u64,
    resent: u64,
    equal: Option<bool>,
}

impl From<pb::Relay> for Relay {
    fn from(relay: pb::Relay) -> Relay {
        let pb::Relay {
            outbox,
            inbox,
            form,
            one_way,
            bundle_bytes_max,
            outbox_bytes_max,
            inbox_bytes_max,
            last_sequence_out,
            unacknowledged,
            last_sequence_in,
            highest_sequence_in,
            gaps,
            lost,
            last_bundle_at,
            waiting,
            outbox_bytes,
            uncollected_since,
            quarantined,
            refused,
            repeated,
            resent,
            equal,
        } = relay;
        Relay {
            outbox,
            inbox,
            form: word(form, pb::RelayForm::as_str_name, "RELAY_FORM_"),
            one_way,
            bundle_bytes_max,
            outbox_bytes_max,
            inbox_bytes_max,
            last_sequence_out,
            unacknowledged,
            last_sequence_in,
            highest_sequence_in,
            gaps,
            lost,
            last_bundle_at: time(last_bundle_at),
            waiting,
            outbox_bytes,
            uncollected_since: time(uncollected_since),
            quarantined,
            refused,
            repeated,
            resent,
            equal,
        }
    }
}
