//! Params for single steps as a user types them: `step.name=value`. What reads as
//! JSON is JSON, anything else is text.

use super::params::unless_wrong;
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
        let (mut all, mut mistakes) = (Map::new(), Vec::new());
        for given in &self.step_params {
            let params = all.entry(given.step.clone()).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(params) = params else { continue };
            match given.read() {
                Err(mistake) => mistakes.push(format!("{mistake:#}")),
                Ok(value) => {
                    if params.insert(given.name.clone(), value).is_some() {
                        mistakes.push(format!("{} is given twice", given.typed()));
                    }
                }
            }
        }
        unless_wrong(all, &mistakes)
    }
}

impl Given {
    fn typed(&self) -> String {
        format!("--step-param {}.{}", self.step, self.name)
    }

    fn read(&self) -> Result<Value> {
        let text = match self.value.strip_prefix('@') {
            Some(rest) if rest.starts_with('@') => rest.to_owned(),
            Some("") => {
                let typed = self.typed();
                bail!("{typed}=@ names no file; write @@ for text that begins with an @")
            }
            Some(path) => file::read_text(Path::new(path)).with_context(|| self.typed())?,
            None => self.value.clone(),
        };
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
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
        let all = bound(&["load.year=@", "load.year=1", "load.year=2"]).unwrap_err().to_string();
        assert!(
            all.contains("year=@ names no file")
                && all.ends_with("\n--step-param load.year is given twice"),
            "{all}"
        );
        assert!(given("load=1").is_err() && given(".x=1").is_err() && given("load.=1").is_err());
    }
}
