//! Maestro's YAML: the short forms become what its JSON would say, and are
//! translated as such.

mod param;
mod transition;

use super::value::Value;

type Made = Result<Value, String>;

/// The keys of a workflow or job that are no params, in both spellings.
const WORKFLOW_KEYS: [&str; 12] = [
    "id",
    "name",
    "description",
    "owner",
    "tags",
    "run_strategy",
    "workflow_concurrency",
    "timeout",
    "criticality",
    "jobs",
    "dag",
    "instance_step_concurrency",
];
const JOB_KEYS: [&str; 18] = [
    "id",
    "name",
    "description",
    "type",
    "type_version",
    "transition",
    "failure_mode",
    "tags",
    "timeout",
    "jobs",
    "dag",
    "params",
    "ranges",
    "concurrency",
    "condition",
    "workflow_id",
    "version",
    "sync",
];
const MORE_JOB_KEYS: [&str; 5] =
    ["explicit_params", "strict_ordering", "retry_policy", "signal_dependencies", "signal_outputs"];

/// Whether a document is in this form.
pub(super) fn is_dsl(tree: &Value) -> bool {
    workflow(tree).get("jobs").is_some()
}

fn workflow(tree: &Value) -> &Value {
    let inner = tree.entries().iter().find(|(key, _)| key.eq_ignore_ascii_case("workflow"));
    inner.map_or(tree, |(_, workflow)| workflow)
}

/// The create request that a document means.
///
/// # Errors
/// A param, transition or job that cannot be read.
pub(super) fn request(tree: &Value) -> Made {
    let source = workflow(tree);
    let mut properties = Vec::new();
    let mut out = Vec::new();
    for key in
        ["id", "name", "description", "timeout", "criticality", "tags", "instance_step_concurrency"]
    {
        copy(source, key, &mut out);
    }
    copy(source, "owner", &mut properties);
    let strategy = match (source.get("run_strategy"), source.get("workflow_concurrency")) {
        (Some(rule), Some(most)) => Some(Value::Map(vec![
            ("rule".to_owned(), rule.clone()),
            ("workflow_concurrency".to_owned(), most.clone()),
        ])),
        (rule, _) => rule.cloned(),
    };
    properties.extend(strategy.map(|strategy| ("run_strategy".to_owned(), strategy)));
    out.push(("params".to_owned(), param::rest(source, &[&WORKFLOW_KEYS])?));
    out.push(("steps".to_owned(), jobs(source)?));
    Ok(Value::Map(vec![
        ("properties".to_owned(), Value::Map(properties)),
        ("workflow".to_owned(), Value::Map(out)),
    ]))
}

fn copy(source: &Value, key: &str, out: &mut Vec<(String, Value)>) {
    out.extend(source.get(key).map(|value| (key.to_owned(), value.clone())));
}

/// The jobs of a workflow or loop as steps, with the edges of its `dag`.
fn jobs(source: &Value) -> Made {
    let list = source.get("jobs").map(Value::elements).unwrap_or_default();
    let mut steps = Vec::new();
    for (number, element) in list.iter().enumerate() {
        let (wrapper, job) = match element.entries() {
            [(wrapper, job)] => (wrapper.as_str(), job),
            _ => return Err(format!("jobs[{number}] is no job with a kind")),
        };
        let next = list.get(number + 1).and_then(|next| next.entries().first());
        let next = next.and_then(|(_, next)| next.get("id")).and_then(Value::text);
        let edges = transition::of(job, source.get("dag"), next)?;
        steps.push(step(wrapper, job, edges)?);
    }
    Ok(Value::List(steps))
}

fn step(wrapper: &str, job: &Value, successors: Vec<(String, Value)>) -> Made {
    let mut out = Vec::new();
    let keys = [
        "id",
        "name",
        "description",
        "failure_mode",
        "tags",
        "timeout",
        "concurrency",
        "condition",
        "sync",
        "explicit_params",
        "strict_ordering",
        "retry_policy",
        "signal_dependencies",
    ];
    keys.iter().for_each(|key| copy(job, key, &mut out));
    if let Some(outputs) = job.get("signal_outputs") {
        out.push(("signal_outputs".to_owned(), signals(outputs)?));
    }
    let mut params = param::rest(job, &[&JOB_KEYS, &MORE_JOB_KEYS])?;
    let wrapper = match wrapper {
        "job" => {
            typed(job, &mut out);
            "step"
        }
        "subworkflow" => {
            let id = job.get("workflow_id").or_else(|| job.get("id"));
            put_text(&mut params, "subworkflow_id", id);
            put_text(&mut params, "subworkflow_version", job.get("version"));
            "subworkflow"
        }
        "foreach" | "while" => {
            let variables = variables(job)?;
            put(&mut params, "loop_params", param::definition("MAP", "value", variables));
            out.push(("steps".to_owned(), jobs(job)?));
            if wrapper == "while" { "while" } else { "foreach" }
        }
        other => return Err(format!("there is no kind of job {other:?}")),
    };
    if params.entries().iter().next().is_some() {
        out.push(("params".to_owned(), params));
    }
    if !successors.is_empty() {
        let successors = vec![("successors".to_owned(), Value::Map(successors))];
        out.push(("transition".to_owned(), Value::Map(successors)));
    }
    Ok(Value::Map(vec![(wrapper.to_owned(), Value::Map(out))]))
}

/// What a job announces, with its params in the long form.
fn signals(outputs: &Value) -> Made {
    let list = outputs.get("definitions").unwrap_or(outputs);
    let mut signals = Vec::new();
    for signal in list.elements() {
        let mut entries = Vec::new();
        for (key, value) in signal.entries() {
            let value = match key.as_str() {
                "params" | "payload" => param::long(value)?,
                _ => value.clone(),
            };
            entries.push((key.clone(), value));
        }
        signals.push(Value::Map(entries));
    }
    Ok(Value::List(signals))
}

/// A type that is not one of the system's own is a job template.
fn typed(job: &Value, out: &mut Vec<(String, Value)>) {
    const TYPES: [&str; 6] = ["noop", "sleep", "titus", "notebook", "kubernetes", "http"];
    let name = job.get("type").and_then(Value::text).unwrap_or("noop");
    if TYPES.contains(&name.to_ascii_lowercase().as_str()) {
        out.push(("type".to_owned(), Value::Text(name.to_owned())));
    } else {
        out.push(("type".to_owned(), Value::Text("template".to_owned())));
        out.push(("sub_type".to_owned(), Value::Text(name.to_owned())));
        let version = job.get("type_version").and_then(Value::scalar);
        out.extend(version.map(|version| ("sub_type_version".to_owned(), Value::Text(version))));
    }
}

fn put(map: &mut Value, key: &str, value: Value) {
    if let Value::Map(entries) = map {
        entries.push((key.to_owned(), value));
    }
}

fn put_text(map: &mut Value, key: &str, value: Option<&Value>) {
    if let Some(text) = value.and_then(Value::scalar) {
        put(map, key, param::definition("STRING", "value", Value::Text(text)));
    }
}

/// The loop variables: `params`, and `ranges` as expressions.
fn variables(job: &Value) -> Made {
    let mut variables = match job.get("params") {
        Some(params) => param::rest(params, &[])?,
        None => Value::Map(Vec::new()),
    };
    for (name, range) in job.get("ranges").map(Value::entries).unwrap_or_default() {
        let part = |key: &str, default: &str| {
            range.get(key).and_then(Value::scalar).unwrap_or_else(|| default.to_owned())
        };
        if range.get("to").is_none() {
            return Err(format!("the range {name} has no end"));
        }
        let (from, to, step) = (part("from", "0"), part("to", ""), part("increment", "1"));
        let source = Value::Text(format!("Util.intsBetween({from}, {to}, {step});"));
        put(&mut variables, name, param::definition("LONG_ARRAY", "expression", source));
    }
    Ok(variables)
}
