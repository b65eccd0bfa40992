//! The params that a run goes on with: those of a retry or a fork.

use super::params::{Params, both};
use super::step_params::StepParams;
use crate::cli::answer::{self, Run, Workflow};
use crate::cli::client::Client;
use crate::cli::route::Route;
use anyhow::Result;
use serde_json::Value;

/// What is different from now on.
#[derive(Debug, clap::Args)]
pub(super) struct Change {
    #[command(flatten)]
    params: Params,
    #[command(flatten)]
    step_params: StepParams,
}

impl Change {
    /// Writes the params into a request about this run, as the version declares
    /// them that is to run.
    pub(super) fn write(
        &self,
        body: &mut Value,
        (run, version): (&str, Option<&str>),
        client: &Client,
    ) -> Result<()> {
        let params = self.params.bind("of the run", || {
            let run: Run = answer::read(&client.get(&Route::to(["runs", run]))?)?;
            let version = version.map_or_else(|| run.version.to_string(), str::to_owned);
            let route = Route::to(["workflows", &run.workflow]).with("version", version);
            Ok(answer::read::<Workflow>(&client.get(&route)?)?.params)
        });
        let (params, step_params) = both(params, self.step_params.bind())?;
        body["params"] = Value::Object(params);
        body["step_params"] = Value::Object(step_params);
        Ok(())
    }
}
