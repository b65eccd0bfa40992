//! The params of a run as a user types them: `name=value`, where the declared
//! type says whether the value is text or JSON, and `@file` stands for what is
//! in a file.

use crate::cli::answer::Param;
use crate::cli::file;
use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// What a run is given.
#[derive(Debug, clap::Args)]
pub(super) struct Params {
    /// A param of the workflow; @FILE stands for what is in a file, @@ for an @
    ///
    /// Text for a string, else JSON: --param years='[2012, 2013]'.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = given)]
    given: Vec<Given>,
    /// A JSON file with an object of params; --param goes before it
    #[arg(long, value_name = "FILE")]
    params_file: Option<PathBuf>,
}

/// A param as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Given {
    name: String,
    value: String,
}

fn given(text: &str) -> Result<Given, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok(Given { name: name.trim().to_owned(), value: value.to_owned() })
        }
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

impl Params {
    /// The params as the server takes them; `declared` gives what the workflow
    /// declares, and is asked only if something was typed.
    pub(super) fn bind(
        &self,
        workflow: &str,
        declared: impl FnOnce() -> Result<Vec<Param>>,
    ) -> Result<Map<String, Value>> {
        let mut params = match &self.params_file {
            Some(path) => object(path)?,
            None => Map::new(),
        };
        if self.given.is_empty() {
            return Ok(params);
        }
        let declared = declared()?;
        let (mut seen, mut mistakes) = (Vec::new(), Vec::new());
        for Given { name, value } in &self.given {
            if seen.contains(&name) {
                mistakes.push(format!("--param {name} is given twice"));
                continue;
            }
            seen.push(name);
            let Some(param) = declared.iter().find(|param| param.name == *name) else {
                let takes = what_it_takes(&declared);
                mistakes.push(format!("workflow {workflow} has no param {name:?}; {takes}"));
                continue;
            };
            match bind(param, value) {
                Ok(value) => drop(params.insert(name.clone(), value)),
                Err(mistake) => mistakes.push(format!("{mistake:#}")),
            }
        }
        unless_wrong(params, &mistakes)
    }
}

/// What was made of what was typed, unless there are mistakes: then all of them.
pub(super) fn unless_wrong<T>(made: T, mistakes: &[String]) -> Result<T> {
    if mistakes.is_empty() { Ok(made) } else { Err(anyhow!(mistakes.join("\n"))) }
}

/// Both, or the mistakes of both.
pub(super) fn both<A, B>(first: Result<A>, second: Result<B>) -> Result<(A, B)> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(first), Err(second)) => Err(anyhow!("{first:#}\n{second:#}")),
        (Err(mistake), _) | (_, Err(mistake)) => Err(mistake),
    }
}

fn bind(param: &Param, value: &str) -> Result<Value> {
    let Param { name, kind, .. } = param;
    let text = match value.strip_prefix('@') {
        Some(rest) if rest.starts_with('@') => rest.to_owned(),
        Some("") => {
            bail!("--param {name}=@ names no file; write @@ for text that begins with an @")
        }
        Some(path) => {
            file::read_text(Path::new(path)).with_context(|| format!("--param {name}"))?
        }
        None => value.to_owned(),
    };
    if kind == "string" {
        return Ok(Value::String(text));
    }
    serde_json::from_str(&text).map_err(|error| {
        let shown = if text == value { format!("{value:?}") } else { value.to_owned() };
        let example = example(kind);
        anyhow!("--param {name} is of type {kind}, and {shown} is no JSON ({error}); for example --param {name}='{example}'")
    })
}

fn example(kind: &str) -> &'static str {
    match kind {
        "int" => "12",
        "double" => "1.5",
        "bool" => "true",
        "list<int>" => "[1, 2]",
        "list<string>" => r#"["a", "b"]"#,
        _ if kind.starts_with("list<") => "[]",
        _ if kind.starts_with("map<") => "{}",
        _ => r#""text""#,
    }
}

fn what_it_takes(declared: &[Param]) -> String {
    let one = |param: &Param| {
        let need = if param.required { ", required" } else { "" };
        format!("{} ({}{need})", param.name, param.kind)
    };
    match declared.len() {
        0 => "it takes none".to_owned(),
        _ => format!("it takes {}", declared.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

fn object(path: &Path) -> Result<Map<String, Value>> {
    let shown = path.display();
    match serde_json::from_str(&file::read_text(path)?) {
        Ok(Value::Object(params)) => Ok(params),
        Ok(_) => bail!("{shown} is no JSON object: write {{\"name\": value, …}}"),
        Err(error) => bail!("{shown} is no JSON: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bound(typed: &[&str]) -> Result<Value> {
        let given = Params {
            given: typed.iter().map(|text| given(text).unwrap()).collect(),
            params_file: None,
        };
        let declared = json!([
            { "name": "station", "type": "string", "required": true },
            { "name": "years", "type": "list<int>", "required": false, "default": [] },
            { "name": "any", "type": "json", "required": false, "default": null },
        ]);
        let declared = || Ok(serde_json::from_str(&declared.to_string())?);
        Ok(Value::Object(given.bind("report", declared)?))
    }

    fn refusal(typed: &[&str]) -> String {
        format!("{:#}", bound(typed).unwrap_err())
    }

    #[test]
    fn the_declared_type_says_what_a_value_is() {
        let params = bound(&["station=[1]", "years=[2012]", "any={\"a\": null}"]).unwrap();
        assert_eq!(params, json!({ "station": "[1]", "years": [2012], "any": { "a": null } }));
        assert_eq!(bound(&["station="]).unwrap(), json!({ "station": "" }));
        assert_eq!(bound(&["station=a=b"]).unwrap(), json!({ "station": "a=b" }));
        assert_eq!(bound(&["station=@@home"]).unwrap(), json!({ "station": "@home" }));
    }

    #[test]
    fn a_file_stands_for_its_text() {
        let path = std::env::temp_dir().join(format!("segno-param-{}", std::process::id()));
        std::fs::write(&path, "[3]\n").unwrap();
        let (station, years) =
            (format!("station=@{}", path.display()), format!("years=@{}", path.display()));
        let params = bound(&[&station, &years]).unwrap();
        assert_eq!(params, json!({ "station": "[3]\n", "years": [3] }));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            refusal(&[&years]),
            format!("--param years: there is no file {}", path.display())
        );
    }

    #[test]
    fn what_does_not_fit_is_explained() {
        assert_eq!(
            refusal(&["yeers=1"]),
            "workflow report has no param \"yeers\"; it takes station (string, required), years (list<int>), any (json)"
        );
        assert_eq!(
            refusal(&["years=2012,2013"]),
            "--param years is of type list<int>, and \"2012,2013\" is no JSON (trailing characters at line 1 column 5); for example --param years='[1, 2]'"
        );
        assert_eq!(refusal(&["years=[1]", "years=[2]"]), "--param years is given twice");
        assert!(refusal(&["years=@"]).starts_with("--param years=@ names no file"));
        assert_eq!(
            refusal(&["any=1", "any=2", "years=@"]),
            "--param any is given twice\n--param years=@ names no file; write @@ for text that begins with an @"
        );
        let two = both(bound(&["years=@"]), Err::<(), _>(anyhow!("--step-param x"))).unwrap_err();
        assert!(format!("{two:#}").ends_with("begins with an @\n--step-param x"), "{two:#}");
        assert!(given("years").is_err() && given("=x").is_err() && given(" =x").is_err());
    }
}
