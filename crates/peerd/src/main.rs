//! See the library; here is only the door to it.

use std::process::ExitCode;

use clap::Parser as _;
use peerd::cli::Cli;
use peerd::exit;

/// Objects are many small allocations that cross threads: with the platform's allocator they are a quarter of all work.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peerd: {error:#}");
            exit::code(&error).into()
        }
    }
}
