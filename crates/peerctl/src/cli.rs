//! The command line: what can be asked, and who answers.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use peerd_core::{Clock, Reason};
use serde_json::json;

use crate::client::Client;
use crate::error::{self, Error};
use crate::output::Format;
use crate::settings::{Common, Settings};
use crate::{
    artifact, audit, classification, connection, enrollment, job, link, mapping, marking, object, ontology,
    parked, policy, principal, space,
};

/// Done.
pub(crate) const DONE: u8 = 0;

/// Operates a peerd enrollment.
#[derive(Debug, Parser)]
#[command(name = "peerctl", version, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How the enrollment, its links and its connections are
    Status,
    /// The enrollment itself
    #[command(subcommand)]
    Enrollment(enrollment::Command),
    /// Who may call the operator API
    #[command(subcommand)]
    Principal(principal::Command),
    /// Spaces and who manages them
    #[command(subcommand)]
    Space(space::Command),
    /// What may come in and go out
    #[command(subcommand)]
    Policy(policy::Command),
    /// Links to other enrollments
    #[command(subcommand)]
    Link(link::Command),
    /// Peer connections between spaces
    #[command(subcommand)]
    Connection(connection::Command),
    /// The object types of a space
    #[command(subcommand)]
    Ontology(ontology::Command),
    /// The objects of a space
    #[command(subcommand)]
    Object(object::Command),
    /// The files of a space, and which of them go out
    #[command(subcommand)]
    Artifact(artifact::Command),
    /// Which types a connection carries, and how they correspond
    #[command(subcommand)]
    Mapping(mapping::Command),
    /// Markings and who may see them
    #[command(subcommand)]
    Marking(marking::Command),
    /// Classification levels
    #[command(subcommand)]
    Classification(classification::Command),
    /// What flowed over connections, run by run
    #[command(subcommand)]
    Job(job::Command),
    /// Objects that came and could not be applied
    #[command(subcommand)]
    Parked(parked::Command),
    /// The audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Prints the completions of a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// What every command has at hand.
pub(crate) struct App<'a> {
    /// The daemon.
    pub(crate) client: Client,
    /// How results are printed.
    pub(crate) format: Format,
    /// The limit of a wait.
    pub(crate) timeout: Option<std::time::Duration>,
    /// The time.
    pub(crate) clock: &'a dyn Clock,
}

/// Reads a command line. What is no command is answered on the spot: help and version on stdout with exit code 0, wrong
/// usage on stderr with 2.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, u8> {
    let args: Vec<OsString> = args.into_iter().collect();
    Cli::try_parse_from(&args).map_err(|error| {
        let help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        if !help && asks_for_json(&args) {
            let message = error.render().to_string();
            eprint!(
                "{}",
                error::error_json(Reason::FieldInvalid, message.trim_end(), &json!({}))
            );
        } else {
            // Nobody is left to tell when this does not print.
            drop(error.print());
        }
        u8::try_from(error.exit_code()).unwrap_or(2)
    })
}

/// Does what the command line says, prints the result or the error, and answers the exit code.
pub async fn run(cli: Cli, clock: &dyn Clock) -> u8 {
    let format = cli.common.output;
    match dispatch(cli, clock).await {
        Ok(exit) => exit,
        Err(error) => {
            eprint!("{}", error.render(format));
            error.exit()
        }
    }
}

async fn dispatch(cli: Cli, clock: &dyn Clock) -> Result<u8, Error> {
    if let Command::Completions { shell } = cli.command {
        return completions(shell);
    }
    let app = App {
        format: cli.common.output,
        timeout: cli.common.timeout,
        clock,
        client: Client::connect(Settings::read(&cli.common)?).await?,
    };
    match cli.command {
        Command::Completions { shell } => completions(shell),
        Command::Status => enrollment::status(&app).await,
        Command::Enrollment(command) => command.run(&app).await,
        Command::Principal(command) => command.run(&app).await,
        Command::Space(command) => command.run(&app).await,
        Command::Policy(command) => command.run(&app).await,
        Command::Link(command) => command.run(&app).await,
        Command::Connection(command) => command.run(&app).await,
        Command::Ontology(command) => command.run(&app).await,
        Command::Object(command) => command.run(&app).await,
        Command::Artifact(command) => command.run(&app).await,
        Command::Mapping(command) => command.run(&app).await,
        Command::Marking(command) => command.run(&app).await,
        Command::Classification(command) => command.run(&app).await,
        Command::Job(command) => command.run(&app).await,
        Command::Parked(command) => command.run(&app).await,
        Command::Audit(command) => command.run(&app).await,
    }
}

fn completions(shell: clap_complete::Shell) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "peerctl", &mut script);
    crate::output::print(&String::from_utf8_lossy(&script))?;
    Ok(DONE)
}

/// Whether a command line that could not be read asked for JSON.
fn asks_for_json(args: &[OsString]) -> bool {
    let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let split = args
        .windows(2)
        .any(|pair| matches!(pair[0].as_ref(), "-o" | "--output") && pair[1] == "json");
    split
        || args
            .iter()
            .any(|arg| matches!(arg.as_ref(), "-ojson" | "-o=json" | "--output=json"))
}

#[cfg(test)]
mod tests;
