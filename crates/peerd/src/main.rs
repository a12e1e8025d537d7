//! See the library; here is only the door to it.

use std::process::ExitCode;

use clap::Parser as _;
use peerd::cli::Cli;
use peerd::exit;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peerd: {error:#}");
            exit::code(&error).into()
        }
    }
}
