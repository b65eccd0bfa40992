//! `segno schedule backfill`: runs for the instants of a range.

use super::Which;
use super::answer::Backfill;
use crate::cli::answer;
use crate::cli::client::Client;
use crate::cli::measure::{day_and_time, percent};
use crate::cli::route::Route;
use crate::cli::table::{Cell, Table};
use crate::cli::terminal::Terminal;
use anyhow::Result;
use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

/// What can be done with backfills.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Verb {
    /// Start runs for every instant of a range
    Create(CreateArguments),
    /// List the backfills of a schedule, newest first
    List(ListArguments),
    /// Show how far a backfill is
    Get(Numbered),
    /// Let a backfill start no run until it is resumed
    Pause(NotedArguments),
    /// Let a backfill go on
    Resume(Numbered),
    /// Let a backfill start no run any more; those that are open go on
    Cancel(NotedArguments),
}

/// Which backfill to make.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CreateArguments {
    #[command(flatten)]
    which: Which,
    /// The first moment of the range
    #[arg(long, value_name = "MOMENT")]
    from: String,
    /// The moment behind the range
    #[arg(long, value_name = "MOMENT")]
    until: String,
    /// How many of its runs are open at once
    #[arg(long, value_name = "N", default_value_t = 1)]
    concurrency: u32,
    /// Make one backfill, however often this is asked with the same key
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    idempotency_key: Option<String>,
}

/// What to list.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ListArguments {
    #[command(flatten)]
    which: Which,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

/// Which backfill.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Numbered {
    #[command(flatten)]
    which: Which,
    /// Its number
    #[arg(value_name = "NUMBER")]
    number: u64,
}

/// Which backfill, and why.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct NotedArguments {
    #[command(flatten)]
    numbered: Numbered,
    /// Why, for whoever wonders
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// Does it.
pub(super) fn perform(verb: Verb, client: &Client, terminal: &Terminal) -> Result<()> {
    match verb {
        Verb::Create(arguments) => create(&arguments, client, terminal),
        Verb::List(arguments) => list(&arguments, client, terminal),
        Verb::Get(numbered) => get(&numbered, client, terminal),
        Verb::Pause(arguments) => act(&arguments, ("pause", "paused"), (client, terminal)),
        Verb::Resume(numbered) => {
            act(&NotedArguments { numbered, note: None }, ("resume", "resumed"), (client, terminal))
        }
        Verb::Cancel(arguments) => act(&arguments, ("cancel", "cancelled"), (client, terminal)),
    }
}

fn create(arguments: &CreateArguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let CreateArguments { which, from, until, concurrency, idempotency_key } = arguments;
    let body = json!({ "from": from, "until": until, "concurrency": concurrency });
    let route = Route::to(["schedules", &which.name, "backfills"]);
    let answer = client.send_once(&route, &body, idempotency_key.as_deref())?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Backfill { backfill, schedule, instants, .. } = answer::read(&answer)?;
    terminal.print(&format!("created backfill {backfill} of {schedule}: {instants} instants"))
}

fn list(arguments: &ListArguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let route = Route::to(["schedules", &arguments.which.name, "backfills"]);
    let answers = client.list(&route, arguments.limit)?;
    if terminal.is_json() {
        return terminal.json(&answers);
    }
    if answers.is_empty() {
        terminal.note("no backfills; make one with `segno schedule backfill create`");
        return Ok(());
    }
    let mut table = Table::new([
        "NUMBER#", "FROM", "UNTIL", "STATUS", "DONE", "OPEN#", "FAILED#", "CREATED", "BY",
    ]);
    for backfill in answer::read_all::<Backfill>(&answers)? {
        let done = progress(&backfill);
        table.row([
            backfill.backfill.to_string().into(),
            day_and_time(&backfill.from).into(),
            day_and_time(&backfill.until).into(),
            Cell::status(&backfill.status),
            done.into(),
            backfill.open.len().to_string().into(),
            backfill.failed.to_string().into(),
            day_and_time(&backfill.created_at).into(),
            backfill.created_by.into(),
        ]);
    }
    terminal.table(&table)
}

fn get(numbered: &Numbered, client: &Client, terminal: &Terminal) -> Result<()> {
    let answer = client.get(&route(numbered))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let backfill: Backfill = answer::read(&answer)?;
    let mut facts = Table::of_facts();
    facts.fact("backfill", format!("{} of {}", backfill.backfill, backfill.schedule));
    let (from, until) = (day_and_time(&backfill.from), day_and_time(&backfill.until));
    facts.fact("range", format!("{from} … {until}"));
    facts.fact("status", Cell::status(&backfill.status));
    if let Some(note) = &backfill.note {
        facts.fact("note", note.as_str());
    }
    facts.fact("instants", progress(&backfill));
    facts.fact("started", backfill.started.to_string());
    facts.fact("succeeded", backfill.succeeded.to_string());
    facts.fact("failed", backfill.failed.to_string());
    facts.fact("left", backfill.left.to_string());
    facts.fact("at once", backfill.concurrency.to_string());
    if !backfill.open.is_empty() {
        facts.fact("open", backfill.open.join(", "));
    }
    let created = format!("{} by {}", day_and_time(&backfill.created_at), backfill.created_by);
    facts.fact("created", created);
    terminal.table(&facts)
}

fn act(
    NotedArguments { numbered, note }: &NotedArguments,
    (verb, past): (&str, &str),
    (client, terminal): (&Client, &Terminal),
) -> Result<()> {
    let body = note.as_ref().map_or_else(|| json!({}), |note| json!({ "note": note }));
    let body: Value = body;
    let number = numbered.number.to_string();
    let route = Route::to(["schedules", &numbered.which.name, "backfills", &number, verb]);
    let answer = client.send_once(&route, &body, None)?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Backfill { backfill, schedule, .. } = answer::read(&answer)?;
    terminal.print(&format!("{past} backfill {backfill} of {schedule}"))
}

fn route(numbered: &Numbered) -> Route {
    let number = numbered.number.to_string();
    Route::to(["schedules", &numbered.which.name, "backfills", &number])
}

fn progress(backfill: &Backfill) -> String {
    let done = backfill.succeeded + backfill.failed;
    format!("{done}/{} {}%", backfill.instants, percent(done, backfill.instants))
}
