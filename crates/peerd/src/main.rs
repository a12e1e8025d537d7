//! See the library; here is only the door to it.

use std::process::ExitCode;

use clap::Parser as _;
use peerd::cli::Cli;
use peerd::exit;

/// Objects are many small allocations that cross threads; the platform's allocator makes a quarter of the work of that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peerd: {error:#}");
            exit::code(&error).into()
        }
    }
}
