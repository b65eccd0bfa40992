//! Webhooks: requests of other systems that become signals. A [`Webhook`] says
//! how they are signed and what becomes of them. Everything here is a function
//! of a request and a moment; who keeps secrets and publishes is the host.
//!
//! `form` reads what the headers claim and checks it over the raw bytes; only
//! then `body` parses them, and `mapping` makes a signal of what they say.

mod body;
mod form;
mod mapping;

pub use self::form::{Claim, Encoding, Form};
pub use self::mapping::{Mapped, Request, Unfit};

use crate::definition::{self, Problem};
use crate::expression::{Expression, Names};
use crate::template::Template;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What the expressions of a webhook read.
pub const NAMES: Names = Names::Documents(&["body", "headers", "query"]);

/// How far from now a request may be signed, unless a webhook says otherwise.
pub const TOLERANCE_MS_DEFAULT: u64 = 5 * 60 * 1_000;

/// The most secrets of a webhook: the new one and the one before.
pub const SECRETS_MAX: usize = 2;

/// A webhook as its author wrote it: what is kept and shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// `github`, `stripe`, `slack` or `hmac`.
    pub kind: String,
    /// The names of the secrets that requests may be signed with.
    pub secrets: Vec<String>,
    /// How far from now a request may be signed, as in `5m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<String>,
    /// The header with the signature, of kind `hmac`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// `hex` or `base64`, of kind `hmac`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// What stands before the signature, of kind `hmac`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The signal's name.
    pub signal: String,
    /// The signal's params.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// The signal's payload; the body if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// The signal's id; what the kind has for it if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Which requests become signals; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// A webhook, checked.
#[derive(Debug)]
pub struct Webhook {
    /// Its name.
    pub name: String,
    /// Whether requests are taken.
    pub enabled: bool,
    /// As its author wrote it.
    pub source: Source,
    /// How requests are signed.
    pub form: Form,
    /// How far from now a request may be signed, if its form says when.
    pub tolerance_ms: u64,
    pub(crate) signal: Template,
    pub(crate) params: Template,
    pub(crate) payload: Option<Template>,
    pub(crate) id: Option<Template>,
    pub(crate) when: Option<Expression>,
}

impl Webhook {
    /// The webhook that a definition in YAML or JSON means. `has_secret` says
    /// which secrets there are.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the text.
    pub fn read(source: &str, has_secret: &dyn Fn(&str) -> bool) -> Result<Self, Vec<Problem>> {
        definition::webhook(source, has_secret)
    }

    /// The definition that gives this webhook, as one JSON object.
    pub fn definition(&self) -> Map<String, Value> {
        let mut all = Map::new();
        all.insert("name".to_owned(), self.name.as_str().into());
        all.insert("enabled".to_owned(), self.enabled.into());
        if let Ok(Value::Object(source)) = serde_json::to_value(&self.source) {
            all.extend(source);
        }
        all
    }

    /// The webhook with these keys changed; `null` takes a key away.
    ///
    /// # Errors
    /// Everything that is wrong with what comes of it. The places are without
    /// lines: there is no one text.
    pub fn changed(
        &self,
        change: &Map<String, Value>,
        has_secret: &dyn Fn(&str) -> bool,
    ) -> Result<Self, Vec<Problem>> {
        let mut all = self.definition();
        if change.contains_key("secret") {
            all.remove("secrets");
        }
        for (key, value) in change {
            match value {
                Value::Null => all.remove(key),
                value => all.insert(key.clone(), value.clone()),
            };
        }
        let read = Self::read(&Value::Object(all).to_string(), has_secret);
        read.map_err(|problems| {
            let nowhere = |problem: Problem| Problem { line: 0, column: 0, ..problem };
            problems.into_iter().map(nowhere).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const GITHUB: &str = "name: pushes\nkind: github\nsecret: GITHUB_HOOK\nsignal: pushed\n";

    fn problems(text: &str) -> Vec<String> {
        Webhook::read(text, &|name| name != "GONE")
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_webhook_is_kept_as_it_was_written() {
        let text = format!(
            "{GITHUB}when: body.ref == 'refs/heads/main'\nparams: {{ repo: '${{body.repo}}' }}\n"
        );
        let webhook = Webhook::read(&text, &|_| true).unwrap();
        assert_eq!(webhook.form, Form::Github);
        assert!(webhook.enabled);
        let again =
            Webhook::read(&Value::Object(webhook.definition()).to_string(), &|_| true).unwrap();
        assert_eq!(again.source, webhook.source);
        assert_eq!(again.source.secrets, ["GITHUB_HOOK"]);
    }

    #[test]
    fn keys_are_changed_and_taken_away() {
        let webhook = Webhook::read(&format!("{GITHUB}when: body.x\n"), &|_| true).unwrap();
        let change = json!({ "secrets": ["NEW", "GITHUB_HOOK"], "when": null, "enabled": false });
        let changed = webhook.changed(change.as_object().unwrap(), &|_| true).unwrap();
        assert_eq!(changed.source.secrets, ["NEW", "GITHUB_HOOK"]);
        assert_eq!((changed.enabled, &changed.source.when), (false, &None));
        let one = json!({ "secret": "NEW" });
        let changed = changed.changed(one.as_object().unwrap(), &|_| true).unwrap();
        assert_eq!(changed.source.secrets, ["NEW"]);
        let wrong = json!({ "tolerance": "5m", "signal": null });
        let problems = changed.changed(wrong.as_object().unwrap(), &|_| true).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems.iter().all(|problem| problem.line == 0));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let text = "name: My Hook\nkind: githob\nsecrets: [A, B, C]\nheader: x\nsignal: \
                    '${boddy.x}'\nparams: { a: [1], b: '${params.x}' }\nwhen: steps.x.output\n\
                    id: 3\nmore: 1\n";
        let found = problems(text);
        for part in [
            "1:1 name: \"My Hook\" is no name",
            "2:7 kind: \"githob\" is not known; did you mean \"github\"?",
            "secrets: there are 3 secrets",
            "4:1 header: belongs to kind hmac",
            "unknown name boddy; did you mean body?",
            "params.a: is a list, expected a single value",
            "params.b: `${params.x}` unknown name params; there are body, headers, query",
            "when: unknown name steps",
            "id: is 3, expected text",
            "unknown key \"more\"",
        ] {
            assert!(found.iter().any(|line| line.contains(part)), "{part}: {found:#?}");
        }
        let missing = problems("enabled: true");
        assert_eq!(missing.len(), 4, "{missing:#?}");
        let gone = problems(&GITHUB.replace("GITHUB_HOOK", "GONE"));
        assert!(gone[0].contains("3:9 secret: there is no secret GONE; set it with"), "{gone:#?}");
        let hmac = problems("name: a\nkind: hmac\nsecret: A\nsignal: a\ntolerance: 5m");
        assert!(hmac[0].contains("`header` is missing"), "{hmac:#?}");
        assert!(hmac[1].contains("a request of kind hmac does not say when"), "{hmac:#?}");
    }
}
