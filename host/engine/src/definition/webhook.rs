//! Webhooks: who signs, with which secret, and what signal a request becomes.
//!
//! ```yaml
//! name: pushes
//! kind: github
//! secret: GITHUB_HOOK
//! signal: "github.${headers['x-github-event']}"
//! params: { repo: "${body.repository.full_name}" }
//! ```

use super::field::{Field, Fields, Keys};
use super::name::Name;
use super::node::{Kind, shown};
use super::problem::{Problem, Problems};
use super::{setting, source};
use crate::grant::check_secret;
use crate::signal::{PARAMS_MAX, check_name};
use crate::template::Template;
use crate::webhook::{Encoding, Form, NAMES, SECRETS_MAX, Source, TOLERANCE_MS_DEFAULT, Webhook};
use serde_json::{Value, json};

const KEYS: Keys = Keys {
    of: "a webhook",
    known: &[
        "name",
        "kind",
        "secret",
        "secrets",
        "tolerance",
        "header",
        "encoding",
        "prefix",
        "signal",
        "params",
        "payload",
        "id",
        "when",
        "enabled",
    ],
    planned: &[],
};

/// Keys that only a header of one's own has.
const OF_HMAC: [&str; 3] = ["header", "encoding", "prefix"];

/// The farthest from now that a request may be signed.
const TOLERANCE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// The longest name of a header, and of what stands before a signature.
const HEADER_BYTES_MAX: usize = 128;

/// The webhook that `source` defines, in YAML or JSON.
///
/// # Errors
/// Everything that is wrong, in the order of the text.
pub(crate) fn webhook(
    source: &str,
    has_secret: &dyn Fn(&str) -> bool,
) -> Result<Webhook, Vec<Problem>> {
    let mut problems = Problems::default();
    // Of nothing, everything is missing.
    let source = if source.trim().is_empty() { "{}" } else { source };
    let root = source::read(source, &mut problems);
    let webhook = root.and_then(|root| {
        let fields = Field::root(&root).fields("begin with `name: <name>`", &mut problems)?;
        read(&fields, has_secret, &mut problems)
    });
    match webhook {
        Some(webhook) if problems.is_empty() => Ok(webhook),
        _ => Err(problems.finish()),
    }
}

fn read(
    fields: &Fields<'_>,
    has_secret: &dyn Fn(&str) -> bool,
    problems: &mut Problems,
) -> Option<Webhook> {
    fields.check_keys(&KEYS, problems);
    let name = name(fields, problems);
    let secrets = secrets(fields, has_secret, problems);
    let form = form(fields, problems);
    let tolerance_ms = tolerance(fields, problems);
    let signal = signal(fields, problems);
    let params = params(fields, problems);
    let payload = fields.get("payload").map(|field| field.template_with(NAMES, problems));
    let id = fields.get("id").map(|field| {
        field.text("write an expression, as in \"${body.id}\"", problems)?;
        field.template_with(NAMES, problems)
    });
    let when = fields.get("when").map(|field| field.expression_with(NAMES, problems));
    let enabled = fields.get("enabled").map(|field| field.flag(problems));
    let (name, secrets, form) = (name?, secrets?, form?);
    Some(Webhook {
        name,
        enabled: enabled.unwrap_or(Some(true))?,
        source: as_written(fields, secrets),
        form,
        tolerance_ms: tolerance_ms?,
        signal: signal?,
        params: params?,
        payload: payload.map_or(Some(None), |payload| payload.map(Some))?,
        id: id.map_or(Some(None), |id| id.map(Some))?,
        when: when.map_or(Some(None), |when| when.map(Some))?,
    })
}

/// What is kept of it: only what was checked is read here.
fn as_written(fields: &Fields<'_>, secrets: Vec<String>) -> Source {
    let json = |key| fields.get(key).map(|field| field.node.to_json());
    let text = |key| match json(key) {
        Some(Value::String(text)) => Some(text),
        Some(other) => Some(other.to_string()),
        None => None,
    };
    Source {
        kind: text("kind").unwrap_or_default(),
        secrets,
        tolerance: text("tolerance"),
        header: text("header"),
        encoding: text("encoding"),
        prefix: text("prefix"),
        signal: text("signal").unwrap_or_default(),
        params: match json("params") {
            Some(Value::Object(params)) => params,
            _ => serde_json::Map::new(),
        },
        payload: json("payload"),
        id: text("id"),
        when: text("when"),
    }
}

fn name(fields: &Fields<'_>, problems: &mut Problems) -> Option<String> {
    let Some(field) = fields.get("name") else {
        fields.missing("name", "add `name: <name>`, which ends its URL", problems);
        return None;
    };
    let text = field.text("name it as in \"pushes\"", problems)?;
    Name::Step.check(text, &field, problems).then(|| text.to_owned())
}

fn secrets(
    fields: &Fields<'_>,
    has_secret: &dyn Fn(&str) -> bool,
    problems: &mut Problems,
) -> Option<Vec<String>> {
    let remedy = "name a secret that `segno secret set` has set";
    let all = match (fields.get("secret"), fields.get("secrets")) {
        (Some(_), Some(many)) => {
            many.problem(problems, "is there beside `secret`", "keep one of the two");
            return None;
        }
        (Some(one), None) => vec![one],
        (None, Some(many)) => many.list("write a list, as in [NEW, OLD]", problems)?,
        (None, None) => {
            fields.missing("secret", remedy, problems);
            return None;
        }
    };
    if !(1..=SECRETS_MAX).contains(&all.len()) {
        let message = format!("there are {} secrets, and 1 or {SECRETS_MAX} fit", all.len());
        fields.get("secrets")?.problem(problems, message, "name the new one and the one before");
        return None;
    }
    let mut names = Vec::new();
    for field in all {
        let text = field.text(remedy, problems)?;
        if let Err(error) = check_secret(text) {
            field.problem(problems, error.to_string(), remedy);
        } else if !has_secret(text) {
            let remedy = format!("set it with `segno secret set {text}`");
            field.problem(problems, format!("there is no secret {text}"), remedy);
        }
        names.push(text.to_owned());
    }
    Some(names)
}

fn form(fields: &Fields<'_>, problems: &mut Problems) -> Option<Form> {
    let Some(field) = fields.get("kind") else {
        let remedy = format!("add one of {}", Form::KINDS.join(", "));
        fields.missing("kind", &remedy, problems);
        return None;
    };
    let kind = field.choice(&Form::KINDS, problems).map(|place| Form::KINDS[place]);
    if kind != Some("hmac") {
        for (_, field) in fields.all().filter(|(key, _)| OF_HMAC.contains(key)) {
            let (mark, path) = (field.key_mark, &field.path);
            problems.add(mark, path, "belongs to kind hmac", "remove it, or change the kind");
        }
    }
    match kind? {
        "github" => Some(Form::Github),
        "stripe" => Some(Form::Stripe),
        "slack" => Some(Form::Slack),
        _ => hmac(fields, problems),
    }
}

fn hmac(fields: &Fields<'_>, problems: &mut Problems) -> Option<Form> {
    let header = match fields.get("header") {
        Some(field) => {
            let text = field.text("name a header, as in x-signature", problems)?;
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            if text.is_empty() || text.len() > HEADER_BYTES_MAX || !text.bytes().all(is_token) {
                let remedy = "use letters, digits and dashes, as in x-signature";
                field.problem(problems, format!("{} is no header", shown(text)), remedy);
            }
            Some(text.to_ascii_lowercase())
        }
        None => {
            fields.missing("header", "name the one with the signature", problems);
            None
        }
    };
    let encoding = match fields.get("encoding") {
        Some(field) => match field.choice(&["hex", "base64"], problems)? {
            0 => Encoding::Hex,
            _ => Encoding::Base64,
        },
        None => Encoding::Hex,
    };
    let prefix = match fields.get("prefix") {
        Some(field) => {
            let text = field.text("write what stands before it, as in \"sha256=\"", problems)?;
            if text.len() > HEADER_BYTES_MAX {
                field.problem(problems, "is too long", "write what stands before the signature");
            }
            text.to_owned()
        }
        None => String::new(),
    };
    Some(Form::Hmac { header: header?, encoding, prefix })
}

fn tolerance(fields: &Fields<'_>, problems: &mut Problems) -> Option<u64> {
    let Some(field) = fields.get("tolerance") else { return Some(TOLERANCE_MS_DEFAULT) };
    // Also said where something else is wrong with the kind.
    let kind = fields.get("kind").map(|kind| kind.node.to_json());
    if let Some(kind) = kind.as_ref().and_then(Value::as_str)
        && matches!(kind, "github" | "hmac")
    {
        let message = format!("a request of kind {kind} does not say when it was signed");
        problems.add(field.key_mark, &field.path, message, "remove it");
    }
    field.duration_ms(TOLERANCE_MS_MAX, problems)
}

fn signal(fields: &Fields<'_>, problems: &mut Problems) -> Option<Template> {
    let Some(field) = fields.get("signal") else {
        fields.missing("signal", "name the signal that requests become", problems);
        return None;
    };
    let text = field.text("name a signal, as in \"pushed\"", problems)?;
    if !setting::is_computed(&field)
        && let Err(error) = check_name("a signal's name", text)
    {
        field.problem(problems, error.to_string(), "name it as in \"pushed\"");
    }
    field.template_with(NAMES, problems)
}

fn params(fields: &Fields<'_>, problems: &mut Problems) -> Option<Template> {
    let Some(field) = fields.get("params") else {
        return Template::compile(&json!({})).ok();
    };
    let remedy = "write params and their values, as in { repo: \"${body.repository.name}\" }";
    let params = field.fields(remedy, problems)?;
    let count = params.all().count();
    if count > PARAMS_MAX {
        let message = format!("there are {count} params, and a signal has at most {PARAMS_MAX}");
        field.problem(problems, message, "put the rest into the payload");
    }
    for (name, value) in params.all() {
        if let Err(error) = check_name("a param's name", name) {
            problems.add(value.key_mark, &value.path, error.to_string(), "use another name");
        }
        if let Kind::Null | Kind::List(_) | Kind::Map(_) = &value.node.kind {
            let remedy = "signals are found by text, numbers and flags; write one";
            value.wrong(problems, "a single value", remedy);
        }
    }
    field.template_with(NAMES, problems)
}
