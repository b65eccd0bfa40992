//! `segno workflow set`: properties that change without a new version.

use super::{Which, properties};
use crate::cli::answer::{self, WorkflowItem};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use anyhow::{Result, bail};
use clap::ValueEnum;
use serde_json::{Map, Value, json};

/// What to set.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Who answers for it
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// What it is found by, and whose permits all its steps need
    #[arg(long, value_name = "TAG,…", value_delimiter = ',')]
    tags: Option<Vec<String>>,
    /// Which of its runs go on at once: parallel, parallel(20), sequential,
    /// strict_sequential, first_only, last_only or serial_latest_only
    #[arg(long, value_name = "STRATEGY")]
    run_strategy: Option<String>,
    /// How many steps run code at once in all its runs together
    #[arg(long, value_name = "N")]
    step_concurrency: Option<u32>,
    /// Take these away
    #[arg(long, value_name = "PROPERTY,…", value_enum, value_delimiter = ',')]
    reset: Vec<Property>,
}

/// What can be set and taken away.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Property {
    Owner,
    Description,
    Tags,
    RunStrategy,
    StepConcurrency,
}

impl Property {
    /// Its name in the API.
    fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Description => "description",
            Self::Tags => "tags",
            Self::RunStrategy => "run_strategy",
            Self::StepConcurrency => "step_concurrency",
        }
    }
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let body = body(arguments)?;
    let route = Route::to(["workflows", &arguments.which.name, "properties"]);
    let answer = client.patch(&route, &body)?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let WorkflowItem { workflow, properties, .. } = answer::read(&answer)?;
    let mut facts = Table::of_facts();
    facts.fact("workflow", workflow);
    properties::show(properties, &mut facts);
    terminal.table(&facts)
}

fn body(arguments: &Arguments) -> Result<Value> {
    let Arguments { which: _, owner, description, tags, run_strategy, step_concurrency, reset } =
        arguments;
    let named = [
        (Property::Owner, owner.as_ref().map(|owner| json!(owner))),
        (Property::Description, description.as_ref().map(|text| json!(text))),
        (Property::Tags, tags.as_ref().map(|tags| json!(tags))),
        (Property::RunStrategy, run_strategy.as_ref().map(|strategy| json!(strategy))),
        (Property::StepConcurrency, step_concurrency.map(|steps| json!(steps))),
    ];
    let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let mut body = Map::new();
    for (property, value) in named.chain(reset.iter().map(|name| (*name, Value::Null))) {
        let name = property.name();
        let before = body.insert(name.to_owned(), value.clone());
        if before.is_some_and(|before| before != value) {
            bail!("{name} is both set and reset; leave out one of them");
        }
    }
    if body.is_empty() {
        bail!("nothing to set; name a property, as in `--owner weather-team`");
    }
    Ok(Value::Object(body))
}
