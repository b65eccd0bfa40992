//! A step of a script: one thing that happens, or that is looked at. A new one
//! is one more name in [`STEPS`] and one more arm in [`action`].

use super::case::values;
use super::fields::{Field, Fields, Problems};
use super::tree::{Entry, Kind, Node};
use super::{Action, Expectation, Failing, Seen, Step, Suspension, Wanted};
use serde_json::{Value, json};

/// All steps, by their names.
const STEPS: &str = "suspended, publish, signal, post, advance, try_again, output, fails, \
                     requests, logs, published, started, kv, namespaces";

/// The steps of a case.
pub(super) fn all(field: &Field<'_>, problems: &mut Problems) -> Option<Vec<Step>> {
    let nodes = field.list("[{ output: {} }]", problems)?;
    if nodes.is_empty() {
        let remedy = "add what happens, such as `- output: {}`";
        return problems.add(field.node.mark, "`steps` is empty", remedy);
    }
    Some(nodes.iter().filter_map(|node| step(node, problems)).collect())
}

fn step(node: &Node, problems: &mut Problems) -> Option<Step> {
    let line = node.mark.line;
    match &node.kind {
        Kind::Leaf(Value::String(name)) if name == "try_again" => {
            Some(Step { line, action: Action::TryAgain })
        }
        Kind::Leaf(Value::String(name)) if name == "suspended" => {
            let action = Action::Expect(Expectation::Suspended(Suspension::default()));
            Some(Step { line, action })
        }
        Kind::Map(entries) => match entries.as_slice() {
            [entry] => Some(Step { line, action: action(entry, node, problems)? }),
            _ => problems.add(
                node.mark,
                format!("a step is one thing, and here are {}", entries.len()),
                "begin each with a `- ` of its own",
            ),
        },
        Kind::Leaf(Value::String(name)) => unknown(name, node, problems),
        Kind::Leaf(_) | Kind::List(_) => {
            let message = format!("a step is {}", node.described());
            problems.add(node.mark, message, format!("write one of {STEPS}"))
        }
    }
}

fn unknown<T>(name: &str, node: &Node, problems: &mut Problems) -> Option<T> {
    problems.add(node.mark, format!("`{name}` is no step"), format!("write one of {STEPS}"))
}

fn action(entry: &Entry, node: &Node, problems: &mut Problems) -> Option<Action> {
    let field = Field::new(entry.key.as_str(), &entry.value);
    let expect = |expectation| Some(Action::Expect(expectation));
    let mut seen = |seen| expect(Expectation::Seen(seen, wanted(seen, &field, problems)?));
    match entry.key.as_str() {
        "requests" => seen(Seen::Requests),
        "logs" => seen(Seen::Logs),
        "published" => seen(Seen::Published),
        "started" => seen(Seen::Started),
        "suspended" => expect(Expectation::Suspended(suspension(&field, problems)?)),
        "output" => expect(Expectation::Output(field.node.to_json())),
        "fails" => expect(Expectation::Fails(failing(&field, problems)?)),
        "kv" | "namespaces" => {
            let fields = Fields::read(node, "a step", &["kv", "namespaces"], problems)?;
            let values = values(&fields, problems).into_iter();
            let value = |field: Field<'_>| Some(field.node.to_json()).filter(|v| !v.is_null());
            expect(Expectation::Values(values.map(|(at, field)| (at, value(field))).collect()))
        }
        "publish" => publish(&field, problems),
        "signal" => {
            let fields = Fields::read(field.node, "`signal`", &["name", "payload"], problems)?;
            let name = fields.need("name", "approval", problems)?.text(problems)?;
            Some(Action::Signal { name, payload: payload(&fields) })
        }
        "post" => {
            let fields = Fields::read(field.node, "`post`", &["url", "payload"], problems)?;
            let example = "https://segno.test/v1/waitpoints/1";
            let url = fields.need("url", example, problems)?.text(problems)?;
            Some(Action::Post { url, payload: payload(&fields) })
        }
        "advance" => Some(Action::Advance { by_ms: field.duration_ms(problems)? }),
        "try_again" => Some(Action::TryAgain),
        other => unknown(other, node, problems),
    }
}

fn payload(fields: &Fields<'_>) -> String {
    fields.get("payload").map_or_else(|| "{}".to_owned(), |field| field.payload().text().to_owned())
}

fn publish(field: &Field<'_>, problems: &mut Problems) -> Option<Action> {
    let known = ["name", "id", "params", "payload"];
    let fields = Fields::read(field.node, "`publish`", &known, problems)?;
    let name = fields.need("name", "payment.settled", problems)?.text(problems)?;
    let id = match fields.get("id") {
        Some(field) => Some(field.text(problems)?),
        None => None,
    };
    let params = match fields.get("params") {
        Some(field) => field.params(problems)?,
        None => Default::default(),
    };
    Some(Action::Publish { name, id, params, payload: payload(&fields) })
}

fn suspension(field: &Field<'_>, problems: &mut Problems) -> Option<Suspension> {
    if matches!(field.node.kind, Kind::Leaf(Value::Null | Value::Bool(true))) {
        return Some(Suspension::default());
    }
    let known = ["signal", "match", "run", "left", "until"];
    let fields = Fields::read(field.node, "`suspended`", &known, problems)?;
    let mut suspension = Suspension::default();
    if let Some(field) = fields.get("signal") {
        suspension.signal = Some(field.text(problems)?);
    }
    if let Some(field) = fields.get("match") {
        suspension.pattern = Some(field.pattern(problems)?);
    }
    if let Some(field) = fields.get("run") {
        suspension.run = Some(field.text(problems)?);
    }
    if let Some(field) = fields.get("left") {
        suspension.left_ms = Some(field.duration_ms(problems)?);
    }
    if let Some(field) = fields.get("until") {
        suspension.until_ms = Some(field.moment_ms(problems)?);
    }
    Some(suspension)
}

fn failing(field: &Field<'_>, problems: &mut Problems) -> Option<Failing> {
    if matches!(field.node.kind, Kind::Leaf(Value::Null | Value::Bool(true))) {
        return Some(Failing::default());
    }
    let known = ["reason", "message", "contains", "details"];
    let fields = Fields::read(field.node, "`fails`", &known, problems)?;
    let mut failing = Failing::default();
    if let Some(field) = fields.get("reason") {
        failing.reason = Some(field.text(problems)?);
    }
    if let Some(field) = fields.get("message") {
        failing.message = Some(field.text(problems)?);
    }
    if let Some(field) = fields.get("contains") {
        failing.contains = Some(field.text(problems)?);
    }
    failing.details = fields.get("details").map(|field| field.node.to_json());
    Some(failing)
}

fn wanted(seen: Seen, field: &Field<'_>, problems: &mut Problems) -> Option<Vec<Wanted>> {
    let example = match seen {
        Seen::Requests => "[POST https://api.example.com/charges]",
        Seen::Logs => "[it is shipped]",
        Seen::Published => "[{ name: order.shipped }]",
        Seen::Started => "[{ workflow: ship }]",
    };
    let elements = field.list(example, problems)?;
    Some(elements.iter().filter_map(|node| element(seen, node, problems)).collect())
}

/// One element: an object of what matters, or a text that says the first of it.
fn element(seen: Seen, node: &Node, problems: &mut Problems) -> Option<Wanted> {
    let line = node.mark.line;
    if let Kind::Leaf(Value::String(text)) = &node.kind {
        let value = match (seen, text.split_once(' ')) {
            (Seen::Requests, Some((method, url))) => json!({ "method": method, "url": url }),
            (Seen::Requests, None) => json!({ "url": text }),
            (Seen::Logs, _) => json!({ "message": text }),
            (Seen::Published, _) => json!({ "name": text }),
            (Seen::Started, _) => json!({ "workflow": text }),
        };
        return Some(Wanted { line, value });
    }
    let of = format!("an element of `{}`", seen.key());
    Fields::read(node, of, seen.members(), problems)?;
    let mut value = node.to_json();
    if let Some(Value::Object(headers)) = value.get("headers").cloned() {
        let lower = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        value["headers"] = Value::Object(lower.collect());
    }
    Some(Wanted { line, value })
}
