//! From a request whose signature holds to a signal: its name, id, params and
//! payload, or that it is none.

use super::{Claim, Form, Webhook, body};
use crate::payload::Payload;
use crate::scope::Documents;
use crate::signal::{self, Params};
use crate::template::{EvaluationError, Template};
use serde_json::Value;
use std::collections::BTreeMap;

/// The longest id of a signal.
const ID_BYTES_MAX: usize = 255;

/// The header with the id of GitHub's deliveries.
const GITHUB_ID: &str = "x-github-delivery";

/// A request, as far as it is read.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The headers, with their names in lower case.
    pub headers: &'r BTreeMap<String, String>,
    /// What stands behind the `?` of the URL.
    pub query: &'r str,
    /// The body.
    pub body: &'r [u8],
    /// What its headers claimed, and what was found to hold.
    pub claim: &'r Claim,
}

/// What a request is.
#[derive(Clone, Debug, PartialEq)]
pub enum Mapped {
    /// A signal to publish.
    Signal {
        /// Its name.
        name: String,
        /// Its identity within the name.
        id: String,
        /// By what it is found.
        params: Params,
        /// What it says.
        payload: Payload,
    },
    /// None, since `when` does not hold.
    Ignored {
        /// What the kind has for an id.
        id: String,
    },
    /// Slack's question whether somebody is there; to be answered with this.
    Challenge(String),
}

/// A request that no signal can be made of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Unfit {
    /// The part of the webhook or of the request, as in `params.repo` or `body`.
    pub place: String,
    /// What is wrong there.
    pub message: String,
}

impl Unfit {
    pub(super) fn at(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}

impl Webhook {
    /// What a request is whose signature holds.
    ///
    /// # Errors
    /// The body is no document, or an expression gives nothing that fits.
    pub fn map(&self, request: Request<'_>) -> Result<Mapped, Unfit> {
        let Request { headers, query, body, .. } = request;
        let content_type = headers.get("content-type").map(String::as_str);
        let document = body::read(body, content_type)?;
        if self.form == Form::Slack
            && let Some(challenge) = challenge(document.value())
        {
            return Ok(Mapped::Challenge(challenge.to_owned()));
        }
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
        let documents = [
            ("headers", Payload::from(Value::Object(headers.collect()))),
            ("query", body::pairs(query.as_bytes())),
            ("body", document),
        ];
        let [_, _, (_, document)] = &documents;
        let scope = Documents(&documents);
        if let Some(when) = &self.when
            && !when.holds(&scope).map_err(|message| Unfit::at("when", message))?
        {
            return Ok(Mapped::Ignored { id: self.id_of(&request, document) });
        }
        let id = match &self.id {
            Some(id) => text("id", id, &scope)?,
            None => self.id_of(&request, document),
        };
        let is_id = (1..=ID_BYTES_MAX).contains(&id.len()) && !id.contains(char::is_control);
        if !is_id {
            let message = format!("gives no id: 1 to {ID_BYTES_MAX} bytes, no control characters");
            return Err(Unfit::at("id", message));
        }
        let name = text("signal", &self.signal, &scope)?;
        signal::check_name("a signal's name", &name)
            .map_err(|error| Unfit::at("signal", error.to_string()))?;
        let params = self.params.render(&scope).map_err(|error| unfit("params", &error))?;
        let params =
            Params::of(params.value()).map_err(|error| Unfit::at("params", error.to_string()))?;
        let payload = match &self.payload {
            Some(payload) => payload.render(&scope).map_err(|error| unfit("payload", &error))?,
            None => document.clone(),
        };
        Ok(Mapped::Signal { name, id, params, payload })
    }

    /// What the kind has for an id, or what was signed.
    fn id_of(&self, request: &Request<'_>, document: &Payload) -> String {
        let member = |name: &str| document.value().get(name).and_then(Value::as_str);
        let known = match &self.form {
            Form::Github => request.headers.get(GITHUB_ID).map(String::as_str),
            Form::Stripe => member("id"),
            Form::Slack => member("event_id"),
            Form::Hmac { .. } => None,
        };
        // The same command may be given to Slack twice; the others may sign each
        // attempt to deliver anew.
        let with_time = self.form == Form::Slack;
        known.map_or_else(|| request.claim.digest(request.body, with_time), str::to_owned)
    }
}

/// What Slack wants to hear back.
fn challenge(body: &Value) -> Option<&str> {
    let is_question = body.get("type").and_then(Value::as_str) == Some("url_verification");
    is_question.then(|| body.get("challenge").and_then(Value::as_str)).flatten()
}

/// The text that a template gives; a number is text, too.
fn text(place: &str, template: &Template, scope: &Documents<'_>) -> Result<String, Unfit> {
    let given = template.render(scope).map_err(|error| unfit(place, &error))?;
    match given.value() {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(Unfit::at(place, "gives no text")),
    }
}

fn unfit(place: &str, error: &EvaluationError) -> Unfit {
    let EvaluationError { place: within, expression, message } = error;
    Unfit::at(format!("{place}{within}"), format!("`${{{expression}}}` {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mapped(definition: &str, headers: &[(&str, &str)], body: &str) -> Result<Mapped, Unfit> {
        let webhook =
            Webhook::read(&format!("name: a\nsecret: S\n{definition}"), &|_| true).unwrap();
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut headers: BTreeMap<_, _> = headers.iter().map(own).collect();
        headers.extend(webhook.form.sign(b"s", 1_000, body.as_bytes()));
        let claim = webhook.form.claim(|name| headers.get(name).map(String::as_str)).unwrap();
        let request =
            Request { headers: &headers, query: "a=1", body: body.as_bytes(), claim: &claim };
        webhook.map(request)
    }

    fn id_of(mapped: Result<Mapped, Unfit>) -> String {
        match mapped {
            Ok(Mapped::Signal { id, .. } | Mapped::Ignored { id }) => id,
            other => panic!("no id in {other:?}"),
        }
    }

    #[test]
    fn a_request_becomes_a_signal() {
        let definition = "kind: github\nsignal: \"github.${headers['x-github-event']}\"\n\
            params: { repo: '${body.repository.name}', fixed: 1, q: '${query.a}' }\n";
        let headers = [("x-github-event", "push"), ("x-github-delivery", "d-1")];
        let body = r#"{ "repository": { "name": "segno" } }"#;
        let Ok(Mapped::Signal { name, id, params, payload }) = mapped(definition, &headers, body)
        else {
            panic!("it is a signal")
        };
        assert_eq!((name.as_str(), id.as_str()), ("github.push", "d-1"));
        assert_eq!(params.to_value(), json!({ "repo": "segno", "fixed": 1, "q": "1" }));
        assert_eq!(payload.text(), body, "as it was sent");
        let fewer = format!("{definition}payload: {{ name: '${{body.repository.name}}' }}\n");
        let Ok(Mapped::Signal { payload, .. }) = mapped(&fewer, &headers, body) else {
            panic!("it is a signal")
        };
        assert_eq!(payload.text(), r#"{"name":"segno"}"#);
    }

    #[test]
    fn each_kind_has_its_ids() {
        let any = |kind: &str| format!("kind: {kind}\nsignal: a\n");
        let digest = |text: &str| {
            use sha2::{Digest as _, Sha256};
            let bytes = Sha256::digest(text);
            bytes.iter().fold("sha256:".to_owned(), |all, byte| format!("{all}{byte:02x}"))
        };
        assert_eq!(id_of(mapped(&any("github"), &[], "{}")), digest("{}"));
        assert_eq!(id_of(mapped(&any("stripe"), &[], r#"{"id":"evt_1"}"#)), "evt_1");
        assert_eq!(id_of(mapped(&any("stripe"), &[], "{}")), digest("{}"), "signed anew");
        assert_eq!(id_of(mapped(&any("slack"), &[], r#"{"event_id":"Ev1"}"#)), "Ev1");
        let dated = id_of(mapped(&any("slack"), &[], "{}"));
        assert_eq!(dated, digest("v0:1000:{}"), "the same command may be given twice");
        let hmac = "kind: hmac\nheader: X-Sig\nsignal: a\n";
        assert_eq!(id_of(mapped(hmac, &[], "{}")), digest("{}"));
        let own = format!("{hmac}id: 'order-${{body.n}}'\n");
        assert_eq!(id_of(mapped(&own, &[], r#"{"n":3}"#)), "order-3");
    }

    #[test]
    fn what_is_not_wanted_is_ignored_and_a_challenge_is_answered() {
        let definition = "kind: slack\nsignal: a\nwhen: body.event.type == 'message'\n";
        let other = r#"{"event_id":"Ev1","event":{"type":"reaction"}}"#;
        let ignored = mapped(definition, &[], other).unwrap();
        assert_eq!(ignored, Mapped::Ignored { id: "Ev1".to_owned() });
        let question = r#"{"type":"url_verification","token":"t","challenge":"3eZb"}"#;
        let answer = mapped(definition, &[], question).unwrap();
        assert_eq!(answer, Mapped::Challenge("3eZb".to_owned()));
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let command = "kind: slack\nsignal: '${body.command}'\n";
        let found = mapped(command, &form, "command=%2Fdeploy&text=x");
        assert!(matches!(found, Ok(Mapped::Signal { name, .. }) if name == "/deploy"));
    }

    #[test]
    fn what_does_not_fit_names_its_place() {
        let cases = [
            ("signal: a\n", "{", "body", "is no JSON"),
            ("signal: '${body.x}'\n", "{}", "signal", "body has no \"x\""),
            ("signal: '${body.x}'\n", r#"{"x":[1]}"#, "signal", "gives no text"),
            ("signal: '${body.x}'\n", r#"{"x":""}"#, "signal", "1 to 128 bytes"),
            ("signal: a\nid: '${body.x}'\n", r#"{"x":"\n"}"#, "id", "gives no id"),
            ("signal: a\nparams: { p: '${body.x.y}' }\n", "{}", "params.p", "has no \"x\""),
            ("signal: a\nparams: { p: '${body.x}' }\n", r#"{"x":null}"#, "params", "param `p`"),
            ("signal: a\npayload: { a: ['${body.x}'] }\n", "{}", "payload.a[0]", "has no"),
            ("signal: a\nwhen: body.x\n", r#"{"x":1}"#, "when", "expected true or false"),
        ];
        for (definition, body, place, message) in cases {
            let found = mapped(&format!("kind: github\n{definition}"), &[], body).unwrap_err();
            assert_eq!(found.place, place, "{found}");
            assert!(found.message.contains(message), "{found}");
        }
    }
}
