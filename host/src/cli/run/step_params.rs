//! Params for single steps as a user types them: `step.name=value`. What reads as
//! JSON is JSON, anything else is text.

use crate::cli::file;
use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value};
use std::path::Path;

/// What single steps are given.
#[derive(Debug, clap::Args)]
pub(super) struct StepParams {
    /// A param of one step; @FILE stands for what is in a file, @@ for an @
    ///
    /// JSON if it reads as JSON, else text: --step-param load.year=2012, and
    /// --step-param load.code='"2012"' for text.
    #[arg(long = "step-param", value_name = "STEP.NAME=VALUE", value_parser = given)]
    step_params: Vec<Given>,
}

/// A param of a step as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Given {
    step: String,
    name: String,
    value: String,
}

fn given(text: &str) -> Result<Given, String> {
    let parts = text.split_once('=').and_then(|(place, value)| {
        let (step, name) = place.trim().split_once('.')?;
        Some((step, name, value)).filter(|(step, name, _)| !step.is_empty() && !name.is_empty())
    });
    let (step, name, value) = parts.ok_or_else(|| "write STEP.NAME=VALUE".to_owned())?;
    Ok(Given { step: step.to_owned(), name: name.to_owned(), value: value.to_owned() })
}

impl StepParams {
    /// The params as the server takes them: by step, names and values.
    pub(super) fn bind(&self) -> Result<Map<String, Value>> {
        let mut all = Map::new();
        for Given { step, name, value } in &self.step_params {
            let typed = || format!("--step-param {step}.{name}");
            let text = match value.strip_prefix('@') {
                Some(rest) if rest.starts_with('@') => rest.to_owned(),
                Some("") => {
                    bail!("{}=@ names no file; write @@ for text that begins with an @", typed())
                }
                Some(path) => file::read_text(Path::new(path)).with_context(typed)?,
                None => value.clone(),
            };
            let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
            let params = all.entry(step.clone()).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(params) = params else { continue };
            if params.insert(name.clone(), value).is_some() {
                bail!("{} is given twice", typed());
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bound(typed: &[&str]) -> Result<Value> {
        let step_params = typed.iter().map(|text| given(text).unwrap()).collect();
        StepParams { step_params }.bind().map(Value::Object)
    }

    #[test]
    fn a_value_is_json_if_it_reads_as_json() {
        let typed = ["load.year=2012", "load.name=a=b", "load.code=\"7\"", "report.at=@@home"];
        let expected = json!({
            "load": { "year": 2012, "name": "a=b", "code": "7" }, "report": { "at": "@home" },
        });
        assert_eq!(bound(&typed).unwrap(), expected);
        let twice = bound(&["load.year=1", "load.year=2"]).unwrap_err().to_string();
        assert_eq!(twice, "--step-param load.year is given twice");
        assert!(given("load=1").is_err() && given(".x=1").is_err() && given("load.=1").is_err());
    }
}
