//! The verbs that a user types: the folders mirror the command line, one file a
//! verb. All of them speak to a server through its public HTTP API; only those
//! that are a server themselves start one in this process.

mod answer;
mod bench;
mod breakpoint;
mod client;
mod component;
mod demo;
mod dev;
mod doctor;
mod file;
mod ink;
mod json;
mod measure;
mod route;
mod run;
mod schedule;
mod secret;
mod server;
mod signal;
mod table;
mod tag;
mod terminal;
mod webhook;
mod workflow;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};
use client::Client;
use std::process::ExitCode;
use terminal::{Closed, Format, Terminal};

/// Durable workflows whose steps are sandboxed WebAssembly components
#[derive(Debug, Parser)]
#[command(name = "segno", version)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb understands.
#[derive(Debug, Clone, Args)]
struct Global {
    /// The server to talk to
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    #[arg(env = "SEGNO_SERVER", default_value = "http://127.0.0.1:7333")]
    server: String,
    /// Whose components, workflows and runs
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    #[arg(env = "SEGNO_TENANT", default_value = "default")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    tenant: String,
    /// In whose name changes are made, for their history
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    #[arg(env = "SEGNO_USER", value_parser = user)]
    user: Option<String>,
    /// How to print results
    #[arg(short, long, global = true, value_name = "table|json", help_heading = "Global options")]
    #[arg(value_enum, default_value_t, hide_possible_values = true)]
    output: Format,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the example workflow on real data, and show how it is done
    Demo(demo::Arguments),
    /// Run a server for development: data in ./.segno, a log for people
    Dev(dev::Arguments),
    /// Run a server
    Server(server::Arguments),
    /// Build components, and keep them on the server
    #[command(subcommand)]
    Component(component::Verb),
    /// Check workflows, and keep them on the server
    #[command(subcommand)]
    Workflow(workflow::Verb),
    /// Start runs, and see how they are doing
    #[command(subcommand)]
    Run(run::Verb),
    /// Let runs start by themselves, at moments or in intervals
    #[command(subcommand)]
    Schedule(schedule::Verb),
    /// Publish signals, and see which there were
    #[command(subcommand)]
    Signal(signal::Verb),
    /// Let other systems publish signals with signed requests
    #[command(subcommand)]
    Webhook(webhook::Verb),
    /// Limit how many steps with a tag run code at once
    #[command(subcommand)]
    Tag(tag::Verb),
    /// Let steps stop before they begin
    #[command(subcommand)]
    Breakpoint(breakpoint::Verb),
    /// Keep secrets that steps use without seeing them
    #[command(subcommand)]
    Secret(secret::Verb),
    /// Measure Segno on this machine
    #[command(subcommand)]
    Bench(bench::Verb),
    /// Look whether this machine has what a server needs
    Doctor(doctor::Arguments),
    /// Compile a component from standard input; the server starts this itself
    #[command(hide = true)]
    CompileComponent,
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let terminal = Terminal::new(cli.global.output);
    match perform(cli, &terminal) {
        Ok(code) => code,
        // Whoever reads our output has seen enough, as in `segno run list | head`.
        Err(error) if error.is::<Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            terminal.error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn perform(cli: Cli, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let Global { server, tenant, user, .. } = &cli.global;
    let client = Client::new(server, tenant)?.in_name_of(user.as_deref());
    match cli.verb {
        Verb::Demo(arguments) => demo::perform(&arguments, terminal),
        Verb::Dev(arguments) => dev::perform(arguments),
        Verb::Server(arguments) => server::perform(arguments),
        Verb::Component(verb) => component::perform(verb, &client, terminal),
        Verb::Workflow(verb) => workflow::perform(verb, &client, terminal),
        Verb::Run(verb) => run::perform(verb, &client, terminal),
        Verb::Schedule(verb) => schedule::perform(verb, &client, terminal),
        Verb::Signal(verb) => signal::perform(verb, &client, terminal),
        Verb::Webhook(verb) => webhook::perform(verb, &client, terminal),
        Verb::Tag(verb) => tag::perform(verb, &client, terminal),
        Verb::Breakpoint(verb) => breakpoint::perform(verb, &client, terminal),
        Verb::Secret(verb) => secret::perform(verb, &client, terminal),
        Verb::Bench(verb) => bench::perform(&verb, terminal),
        Verb::Doctor(arguments) => doctor::perform(&arguments, terminal),
        Verb::CompileComponent => Ok(crate::sandbox::compile_main()),
    }
}

/// Reads in whose name changes are made.
fn user(text: &str) -> Result<String, String> {
    let fits = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    match fits {
        true => Ok(text.to_owned()),
        false => Err("write 1 to 128 visible ASCII characters without spaces".to_owned()),
    }
}

/// Reads how many entries a list may have.
fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a number of entries, 1 or more".to_owned()),
        Ok(limit) => Ok(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_may_stand_anywhere() {
        for line in ["segno -o json run list", "segno run list -o json", "segno run -o json list"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.global.output, Format::Json, "{line}");
        }
    }
}
