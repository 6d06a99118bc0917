//! The `wellbridge` program: reads the command line and hands over to `wellbridge::cli`.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    wellbridge::cli::run(wellbridge::cli::Cli::parse())
}
