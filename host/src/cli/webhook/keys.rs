//! The keys of a webhook's definition as options.

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

/// Keys of a definition.
#[derive(Debug, clap::Args)]
pub(super) struct Keys {
    /// Who signs: github, stripe, slack, or hmac for a header of one's own
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// The secret that requests are signed with; twice: the new one and the old
    #[arg(long = "secret", value_name = "NAME")]
    secrets: Vec<String>,
    /// How far from now a request may be signed, as in 5m
    #[arg(long, value_name = "TIME")]
    tolerance: Option<String>,
    /// The header with the signature, of kind hmac
    #[arg(long, value_name = "NAME")]
    header: Option<String>,
    /// hex or base64, of kind hmac
    #[arg(long, value_name = "hex|base64")]
    encoding: Option<String>,
    /// What stands before the signature, of kind hmac
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// The signal that requests become, as in pushed or '${body.type}'
    #[arg(long, value_name = "NAME")]
    signal: Option<String>,
    /// A param of the signal, as in 'repo=${body.repository.name}'
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = param)]
    params: Vec<(String, Value)>,
    /// What the signal says, as in '${body.event}'; the body unless said
    #[arg(long, value_name = "TEXT")]
    payload: Option<String>,
    /// The signal's id, as in '${body.id}'
    #[arg(long, value_name = "TEXT")]
    id: Option<String>,
    /// Which requests become signals, as in "body.action == 'opened'"
    #[arg(long, value_name = "EXPRESSION")]
    when: Option<String>,
}

impl Keys {
    /// The keys that are given, as the server takes them.
    pub(super) fn given(&self) -> Result<Map<String, Value>> {
        let Self { kind, secrets, tolerance, header, encoding, prefix, .. } = self;
        let Self { signal, params: given, payload, id, when, .. } = self;
        let mut params = Map::new();
        for (name, value) in given {
            if params.insert(name.clone(), value.clone()).is_some() {
                bail!("--param {name} is given twice");
            }
        }
        let texts = [
            ("kind", kind),
            ("tolerance", tolerance),
            ("header", header),
            ("encoding", encoding),
            ("prefix", prefix),
            ("signal", signal),
            ("payload", payload),
            ("id", id),
            ("when", when),
        ];
        let texts = texts.into_iter();
        let mut keys: Map<_, _> =
            texts.filter_map(|(key, text)| Some((key.to_owned(), json!(text.as_ref()?)))).collect();
        if !secrets.is_empty() {
            keys.insert("secrets".to_owned(), json!(secrets));
        }
        if !params.is_empty() {
            keys.insert("params".to_owned(), Value::Object(params));
        }
        Ok(keys)
    }
}

/// Reads `name=value`: a number, true or false, else text.
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
