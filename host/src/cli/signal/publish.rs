//! `segno signal publish`.

use super::Payload;
use crate::cli::answer::{self, Published};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::{Result, bail};
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// What to publish.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The signal's name
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// A param by which steps find the signal
    ///
    /// A number, true or false, else text; --param order='"12"' is text too.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = param)]
    params: Vec<(String, Value)>,
    /// What the signal says: JSON, or @FILE for what is in a file
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    /// Publish once, however often this is asked with the same id
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    id: Option<String>,
}

/// What the server is sent.
#[derive(Serialize)]
struct Body<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    params: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Arguments { name, params: given, payload, id } = arguments;
    let mut params = Map::new();
    for (name, value) in given {
        if params.insert(name.clone(), value.clone()).is_some() {
            bail!("--param {name} is given twice");
        }
    }
    let payload = payload.as_deref().map(|text| Payload::from(text).read()).transpose()?;
    let body = Body { name, id: id.as_deref(), params, payload };
    let body = serde_json::to_vec(&body)?;
    let answer = client.send(&Route::to(["signals"]), "application/json", &body)?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Published { name, id, sequence, repeated } = answer::read(&answer)?;
    let done = if repeated { "unchanged" } else { "published" };
    terminal.print(&format!("{done} {name} {sequence}  {id}"))
}

/// Reads `name=value`. Without a declared type, what is a number or a boolean
/// in JSON is one.
fn param(text: &str) -> Result<(String, Value), String> {
    let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.trim().is_empty())
    else {
        return Err("write NAME=VALUE".to_owned());
    };
    let value = match serde_json::from_str(value) {
        Ok(scalar @ (Value::Bool(_) | Value::Number(_) | Value::String(_))) => scalar,
        _ => Value::from(value),
    };
    Ok((name.trim().to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_param_is_a_number_a_boolean_or_text() {
        let value = |text: &str| param(&format!("p={text}")).unwrap().1;
        assert_eq!(value("12"), json!(12));
        assert_eq!(value("-1.5"), json!(-1.5));
        assert_eq!(value("true"), json!(true));
        assert_eq!(value("\"12\""), json!("12"));
        for text in ["", "a1", "null", "[1]", "{}", "a=b", "1 2", "007"] {
            assert_eq!(value(text), json!(text));
        }
        assert!(param("p").is_err() && param(" =1").is_err());
    }
}
