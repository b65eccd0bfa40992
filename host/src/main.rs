//! The program `segno`. Everything that it does is a verb in `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    segno_host::cli::main()
}
