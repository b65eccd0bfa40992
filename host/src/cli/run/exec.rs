//! `segno run exec`: start, wait, print. What a script uses.

use super::follow::{self, Lines};
use super::{get, start};
use crate::cli::answer::{self, Run};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::{Target, Terminal};
use anyhow::Result;
use serde_json::value::RawValue;
use std::process::ExitCode;

/// The longest that one answer may be waited for, in seconds.
const WAIT_S: u32 = 60;

/// What to run.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    request: start::Request,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    // With nobody looking, the first answer is usually the last.
    let answer = if terminal.looks(Target::Err).live {
        let started: Run = answer::read(&arguments.request.send(client, None)?)?;
        follow::to_the_end(&started.run, Lines::Text(Target::Err), client, terminal)?
    } else {
        wait(arguments.request.send(client, Some(WAIT_S))?, client)?
    };
    let run: Run = answer::read(&answer)?;
    let code = super::exit_code(&run.status);
    if terminal.is_json() {
        terminal.json(&answer)?;
    } else {
        get::show_result(&run, terminal)?;
    }
    Ok(code)
}

fn wait(mut answer: Box<RawValue>, client: &Client) -> Result<Box<RawValue>> {
    loop {
        let run: Run = answer::read(&answer)?;
        if !run.is_open() {
            return Ok(answer);
        }
        answer = client.get(&Route::to(["runs", &run.run]).with("wait", WAIT_S))?;
    }
}
