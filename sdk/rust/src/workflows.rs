//! Runs that a step starts. A run is started once, however often the step is
//! played; cancelling the step's run cancels them.
//!
//! ```
//! use segno::prelude::*;
//! use segno::testing::Script;
//! use segno::workflows;
//!
//! #[segno::step]
//! fn run(_: Value) -> Result<u64> {
//!     let runs = [1, 2, 3].map(|n| workflows::start("double", &json!({ "n": n })));
//!     runs.into_iter().map(|run| run?.wait::<u64>()).sum()
//! }
//!
//! let mut script = Script::new(run)
//!     .child("double", |params| Ok(json!(params["n"].as_u64().unwrap_or(0) * 2)));
//! assert_eq!(script.finish().unwrap(), 12);
//! ```

use serde::{Deserialize, Serialize};

use crate::host::{self, Failure};
use crate::payload::{decode, encode};
use crate::{Error, Result, Value};

/// A run that this step started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    id: String,
}

/// Starts a run of the latest version of a workflow. `params` becomes a JSON
/// object.
///
/// # Errors
/// The host refused, such as with `not-found`, or the params cannot be JSON.
pub fn start<T: Serialize + ?Sized>(workflow: &str, params: &T) -> Result<Run> {
    launch(workflow, None, params)
}

/// Starts a run of one version of a workflow. `params` becomes a JSON object.
///
/// # Errors
/// The host refused, such as with `not-found`, or the params cannot be JSON.
pub fn start_version<T: Serialize + ?Sized>(
    workflow: &str,
    version: u64,
    params: &T,
) -> Result<Run> {
    launch(workflow, Some(version), params)
}

/// A run that this step started earlier, by its identifier: for a step that
/// [continued as new](crate::continuation::continue_as_new) meanwhile.
pub fn started(id: impl Into<String>) -> Run {
    Run { id: id.into() }
}

impl Run {
    /// The run's identifier, `run_…`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Waits for the end of the run and gives its output.
    ///
    /// # Errors
    /// The run failed or was cancelled: fatal, since it stays so, with the
    /// run's own details. Or the output does not fit.
    pub fn wait<T: for<'de> Deserialize<'de>>(&self) -> Result<T> {
        self.outcome(host::wait_run(&self.id))
    }

    pub(crate) fn outcome<T: for<'de> Deserialize<'de>>(
        &self,
        ended: Result<String, Failure>,
    ) -> Result<T> {
        let id = &self.id;
        match ended {
            Ok(output) => decode(&format!("the output of {id}"), &output),
            Err(failure) => {
                let error = Error::fatal(format!("{id} has no output: {}", failure.message));
                let details = failure
                    .details
                    .map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
                Err(match details {
                    Some(details) => error.details(details),
                    None => error,
                })
            }
        }
    }
}

fn launch<T: Serialize + ?Sized>(workflow: &str, version: Option<u64>, params: &T) -> Result<Run> {
    let params = encode(&format!("the params for `{workflow}`"), params)?;
    Ok(Run { id: host::start_run(workflow, version, &params)? })
}
