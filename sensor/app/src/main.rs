//! The program `yagura`: exit codes and nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(yagura::cli::run(std::env::args_os()))
}
