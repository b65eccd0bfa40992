//! A case: its name, its world and its steps. A new part of the world is one
//! more key in [`KEYS`] and one more line in [`setup`].

use super::fields::{Field, Fields, Problems};
use super::tree::{Kind, Node};
use super::{Case, Child, Place, Setup, step};
use crate::rehearsal::web::Service;
use crate::sandbox::{Refusal, Response};
use segno_engine::grant::Grants;
use segno_engine::payload::Payload;
use serde_json::Value;
use std::collections::BTreeMap;

const KEYS: [&str; 9] =
    ["case", "input", "grants", "secrets", "kv", "namespaces", "http", "children", "steps"];

/// Why a request has no answer, as in the contract.
const CODES: [&str; 8] = [
    "denied",
    "invalid",
    "limit",
    "not-found",
    "over",
    "timeout",
    "unreachable",
    "unknown-outcome",
];

/// All cases of a script.
pub(super) fn all(root: &Node, problems: &mut Problems) -> Option<Vec<Case>> {
    let begin = "begin with `- case: what it shows`";
    let Kind::List(cases) = &root.kind else {
        return problems.add(root.mark, "a script is a list of cases", begin);
    };
    if cases.is_empty() {
        return problems.add(root.mark, "the script has no cases", begin);
    }
    Some(cases.iter().filter_map(|node| case(node, problems)).collect())
}

fn case(node: &Node, problems: &mut Problems) -> Option<Case> {
    let fields = Fields::read(node, "a case", &KEYS, problems)?;
    let name = fields.need("case", "what it shows", problems)?.text(problems);
    let setup = setup(&fields, problems);
    let Some(steps) = fields.get("steps") else {
        let remedy = "add what happens, such as `steps: [{ output: {} }]`";
        return problems.add(node.mark, "the case has no `steps`", remedy);
    };
    let steps = step::all(&steps, problems)?;
    Some(Case { name: name?, line: node.mark.line, setup: setup?, steps })
}

fn setup(fields: &Fields<'_>, problems: &mut Problems) -> Option<Setup> {
    let input = match fields.get("input") {
        None => Some(Payload::empty_object().clone()),
        Some(field) => field.map("{ order: a1 }", problems).map(|_| field.payload()),
    };
    let grants = fields.get("grants").map(|field| grants(&field, problems));
    let secrets = fields.get("secrets").map(|field| names(&field, problems));
    let values = values(fields, problems);
    let services = fields.get("http").map(|field| services(&field, problems));
    let children = fields.get("children").map(|field| children(&field, problems));
    Some(Setup {
        input: input?,
        grants,
        secrets,
        values: values.into_iter().map(|(place, field)| (place, field.payload())).collect(),
        services: services.unwrap_or_default(),
        children: children.unwrap_or_default(),
    })
}

fn grants(field: &Field<'_>, problems: &mut Problems) -> Grants {
    match serde_json::from_value(field.node.to_json()) {
        Ok(grants) => grants,
        Err(error) => {
            let message = format!("`grants` cannot be used: {error}");
            let remedy =
                "write it as in a workflow, such as { http: [\"https://api.example.com\"] }";
            problems.add::<()>(field.node.mark, message, remedy);
            Grants::default()
        }
    }
}

fn names(field: &Field<'_>, problems: &mut Problems) -> Vec<String> {
    let names = field.list("[PAY_KEY]", problems).unwrap_or_default();
    names.iter().filter_map(|node| Field::new("a secret's name", node).text(problems)).collect()
}

/// The values below `kv` and `namespaces`, by their places.
pub(super) fn values<'n>(
    fields: &Fields<'n>,
    problems: &mut Problems,
) -> BTreeMap<Place, Field<'n>> {
    let mut values = BTreeMap::new();
    let mut add = |namespace: &str, field: &Field<'n>, problems: &mut Problems| {
        for entry in field.map("{ last_run: 7 }", problems).unwrap_or_default() {
            let value = Field::new(entry.key.as_str(), &entry.value);
            values.insert((namespace.to_owned(), entry.key.clone()), value);
        }
    };
    if let Some(own) = fields.get("kv") {
        add("", &own, problems);
    }
    if let Some(field) = fields.get("namespaces") {
        for entry in field.map("{ shared: { last_run: 7 } }", problems).unwrap_or_default() {
            add(&entry.key, &Field::new(entry.key.as_str(), &entry.value), problems);
        }
    }
    values
}

fn services(field: &Field<'_>, problems: &mut Problems) -> Vec<Service> {
    let example = "[{ method: GET, url: \"https://api.example.com\", status: 200, json: {} }]";
    let all = field.list(example, problems).unwrap_or_default();
    all.iter().filter_map(|node| service(node, problems)).collect()
}

fn service(node: &Node, problems: &mut Problems) -> Option<Service> {
    let known = ["method", "url", "status", "headers", "json", "body", "refused"];
    let fields = Fields::read(node, "an answer in `http`", &known, problems)?;
    let method = fields.need("method", "GET", problems).and_then(|field| field.text(problems));
    let url = fields.need("url", "https://api.example.com", problems);
    let url = url.and_then(|field| field.text(problems));
    let said = match fields.get("refused") {
        Some(field) => Err(refusal(&field, problems)?),
        None => Ok(response(&fields, problems)?),
    };
    Some(Service { method: method?, url: url?, said })
}

fn refusal(field: &Field<'_>, problems: &mut Problems) -> Option<Refusal> {
    let code = field.text(problems)?;
    if !CODES.contains(&code.as_str()) {
        return field.wrong(&format!("one of {}", CODES.join(", ")), problems);
    }
    let message = format!("the script refuses it: {code}");
    Some(Refusal { code, message })
}

fn response(fields: &Fields<'_>, problems: &mut Problems) -> Option<Response> {
    let field = fields.need("status", "200", problems)?;
    let status = match &field.node.kind {
        Kind::Leaf(Value::Number(number)) => {
            number.as_u64().and_then(|status| u16::try_from(status).ok())
        }
        _ => None,
    };
    let Some(status) = status.filter(|status| (100..600).contains(status)) else {
        return field.wrong("100 to 599", problems);
    };
    let mut headers = Vec::new();
    if let Some(field) = fields.get("headers") {
        for entry in field.map("{ retry-after: \"30\" }", problems)? {
            let value = Field::new(entry.key.as_str(), &entry.value).text(problems)?;
            headers.push((entry.key.to_ascii_lowercase(), value));
        }
    }
    let body = match (fields.get("json"), fields.get("body")) {
        (Some(_), Some(body)) => {
            return problems.add(body.node.mark, "the answer has two bodies", "remove one of them");
        }
        (Some(json), None) => {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
            json.payload().text().to_owned()
        }
        (None, Some(body)) => body.text(problems)?,
        (None, None) => String::new(),
    };
    Some(Response { status, headers, body: body.into_bytes() })
}

fn children(field: &Field<'_>, problems: &mut Problems) -> BTreeMap<String, Vec<Child>> {
    let mut children = BTreeMap::new();
    for entry in field.map("{ ship: { output: {} } }", problems).unwrap_or_default() {
        let ends = match &entry.value.kind {
            Kind::List(ends) => ends.as_slice(),
            _ => std::slice::from_ref(&entry.value),
        };
        let ends: Vec<_> = ends.iter().filter_map(|node| child(node, problems)).collect();
        if ends.is_empty() {
            let message = format!("`{}` says nothing of how its runs end", entry.key);
            problems.add::<()>(entry.mark, message, "write it as in { output: {} }");
        }
        children.insert(entry.key.clone(), ends);
    }
    children
}

fn child(node: &Node, problems: &mut Problems) -> Option<Child> {
    let fields =
        Fields::read(node, "a run in `children`", &["output", "fails", "takes"], problems)?;
    let takes_ms = match fields.get("takes") {
        Some(field) => field.duration_ms(problems)?,
        None => 0,
    };
    let result = match fields.get("fails") {
        None => {
            let output = fields.need("output", "{}", problems)?;
            Ok(output.payload().text().to_owned())
        }
        Some(field) => {
            let known = ["message", "details"];
            let failure = Fields::read(field.node, "`fails`", &known, problems)?;
            let message = failure.need("message", "why", problems)?.text(problems)?;
            let details = failure.get("details").map(|field| field.payload().text().to_owned());
            Err((message, details))
        }
    };
    Some(Child { takes_ms, result })
}
