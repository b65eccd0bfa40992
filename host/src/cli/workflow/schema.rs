//! `segno workflow schema`: what an editor needs to help with definitions. It
//! is part of this program, so no server is asked.

use crate::cli::terminal::Terminal;
use anyhow::Result;
use segno_engine::definition;
use std::process::ExitCode;

pub(super) fn perform(terminal: &Terminal) -> Result<ExitCode> {
    terminal.print(definition::SCHEMA.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
