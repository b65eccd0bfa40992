//! A schedule as flags of the command line, or as a file.

use crate::cli::file;
use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// What a schedule is.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Spec {
    /// Which workflow it starts
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Which version of it: a number, latest, active, or default
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// When, as a cron expression: "0 6 * * *", or @daily
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "every")]
    cron: Option<String>,
    /// How often, as in 15m
    #[arg(long, value_name = "DURATION")]
    every: Option<String>,
    /// The zone of the cron expression, as in America/Los_Angeles
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// Not before this moment
    #[arg(long, value_name = "MOMENT")]
    start: Option<String>,
    /// Not from this moment on
    #[arg(long, value_name = "MOMENT")]
    end: Option<String>,
    /// Start each run up to so much later, always the same for an instant
    #[arg(long, value_name = "DURATION")]
    jitter: Option<String>,
    /// If a run of it is open: strategy, skip, buffer_one, buffer_all, cancel_other or allow_all
    #[arg(long, value_name = "POLICY")]
    overlap: Option<String>,
    /// How late an instant may still start its run
    #[arg(long, value_name = "DURATION")]
    catch_up: Option<String>,
    /// Whether a time of day that is there twice counts once or twice
    #[arg(long, value_name = "once|twice")]
    ambiguous: Option<String>,
    /// A param of its runs, which may have expressions: day='${schedule.local_date}'
    ///
    /// JSON if it is, else text; --param order='"12"' is text too.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = param)]
    params: Vec<(String, Value)>,
}

/// Where a schedule is written down.
#[derive(Debug, clap::Args)]
pub(super) struct File {
    /// The schedule in YAML or JSON; - is standard input
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["workflow", "version", "cron",
        "every", "timezone", "start", "end", "jitter", "overlap", "catch_up", "ambiguous", "params"])]
    pub(super) file: Option<PathBuf>,
}

impl Spec {
    /// What was named, as the server takes it.
    pub(super) fn body(&self) -> Result<Map<String, Value>> {
        let texts = [
            ("workflow", &self.workflow),
            ("cron", &self.cron),
            ("every", &self.every),
            ("timezone", &self.timezone),
            ("start", &self.start),
            ("end", &self.end),
            ("jitter", &self.jitter),
            ("overlap", &self.overlap),
            ("catch_up", &self.catch_up),
            ("ambiguous", &self.ambiguous),
        ];
        let named = texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
        let mut body: Map<_, _> =
            named.map(|(name, text)| (name.to_owned(), json!(text))).collect();
        if let Some(version) = &self.version {
            let number = version.parse::<u64>().map(Value::from);
            body.insert("version".to_owned(), number.unwrap_or_else(|_| json!(version)));
        }
        let mut params = Map::new();
        for (name, value) in &self.params {
            if params.insert(name.clone(), value.clone()).is_some() {
                bail!("--param {name} is given twice");
            }
        }
        if !params.is_empty() {
            body.insert("params".to_owned(), Value::Object(params));
        }
        Ok(body)
    }
}

impl File {
    /// The text of the file, if one is named.
    pub(super) fn read(&self) -> Result<Option<String>> {
        self.file.as_deref().map(file::read_text).transpose()
    }
}

/// Reads `name=value`: JSON if it is, else text.
fn param(text: &str) -> Result<(String, Value), String> {
    let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.trim().is_empty())
    else {
        return Err("write NAME=VALUE".to_owned());
    };
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.trim().to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_named_is_sent() {
        let spec = Spec {
            every: Some("15m".to_owned()),
            version: Some("3".to_owned()),
            params: vec![param("day=${schedule.local_date}").unwrap(), param("n=12").unwrap()],
            ..Spec::default()
        };
        let expected = json!({
            "every": "15m", "version": 3,
            "params": { "day": "${schedule.local_date}", "n": 12 },
        });
        assert_eq!(Value::Object(spec.body().unwrap()), expected);
        let twice = Spec { params: vec![param("a=1").unwrap(); 2], ..Spec::default() };
        assert_eq!(twice.body().unwrap_err().to_string(), "--param a is given twice");
    }
}
