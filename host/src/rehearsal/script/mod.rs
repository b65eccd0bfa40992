//! Scripts of rehearsals: cases in YAML, each with a world, with what happens in
//! it and with what is expected. `tree` reads the text, `fields` its values,
//! `case` and `step` say which there are.

mod case;
mod fields;
mod step;
mod tree;

use crate::rehearsal::web::Service;
use fields::Problems;
use segno_engine::definition::Problem;
use segno_engine::grant::Grants;
use segno_engine::payload::Payload;
use segno_engine::signal::{Params, Pattern};
use serde_json::Value;
use std::collections::BTreeMap;

/// Cases in the order of the text.
#[derive(Debug)]
pub struct Script {
    /// The cases.
    pub cases: Vec<Case>,
}

/// One story, with a world of its own.
#[derive(Debug)]
pub struct Case {
    /// What it is about.
    pub name: String,
    /// Where it begins, from 1.
    pub line: u32,
    pub(super) setup: Setup,
    pub(super) steps: Vec<Step>,
}

/// What there is when the case begins.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) input: Payload,
    /// `None`: what the component asks for.
    pub(super) grants: Option<Grants>,
    /// The secrets that have a value. `None`: all that are granted.
    pub(super) secrets: Option<Vec<String>>,
    pub(super) values: BTreeMap<Place, Payload>,
    pub(super) services: Vec<Service>,
    /// What runs of a workflow come to, in order; the last one ever after.
    pub(super) children: BTreeMap<String, Vec<Child>>,
}

/// Namespace and key of a value; the namespace `""` is the workflow's own.
pub(super) type Place = (String, String);

/// What a run of another workflow comes to.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) takes_ms: u64,
    /// Its output, or message and details of its failure.
    pub(super) result: Result<String, (String, Option<String>)>,
}

/// One thing that happens, or is looked at.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) line: u32,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    Publish { name: String, id: Option<String>, params: Params, payload: String },
    Signal { name: String, payload: String },
    Post { url: String, payload: String },
    Advance { by_ms: u64 },
    TryAgain,
    Expect(Expectation),
}

#[derive(Debug)]
pub(super) enum Expectation {
    Suspended(Suspension),
    Output(Value),
    Fails(Failing),
    Seen(Seen, Vec<Wanted>),
    /// `None`: there is none.
    Values(BTreeMap<Place, Option<Value>>),
}

/// What a step should wait for; what is absent may be anything.
#[derive(Debug, Default)]
pub(super) struct Suspension {
    pub(super) signal: Option<String>,
    pub(super) pattern: Option<Pattern>,
    /// The workflow of a run.
    pub(super) run: Option<String>,
    pub(super) left_ms: Option<u64>,
    pub(super) until_ms: Option<u64>,
}

/// How a step should fail; what is absent may be anything.
#[derive(Debug, Default)]
pub(super) struct Failing {
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
    /// A part of the message.
    pub(super) contains: Option<String>,
    pub(super) details: Option<Value>,
}

/// What a step leaves behind that is a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Requests,
    Logs,
    Published,
    Started,
}

/// One element of such a list: an object of those members that matter.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) line: u32,
    pub(super) value: Value,
}

impl Seen {
    /// Its key in a script.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Logs => "logs",
            Self::Published => "published",
            Self::Started => "started",
        }
    }

    /// The members of its elements.
    fn members(self) -> &'static [&'static str] {
        match self {
            Self::Requests => &["method", "url", "headers", "json", "body", "idempotency_key"],
            Self::Logs => &["message", "level"],
            Self::Published => &["name", "run", "params", "payload"],
            Self::Started => &["workflow", "version", "params"],
        }
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the text.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let root = tree::read(text).map_err(|problem| vec![problem])?;
        let mut problems = Problems::default();
        let cases = case::all(&root, &mut problems).unwrap_or_default();
        problems.none_or(Self { cases })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        Script::read(text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_script_is_a_list_of_cases() {
        let script = Script::read(
            "- case: one\n  http: &all\n    - { method: GET, url: 'http://a/', status: 204 }\n  \
             steps:\n    - advance: 3 days\n    - suspended: { signal: paid, match: { n: 1 }, \
             left: 1h 30m }\n    - output: null\n- case: two\n  input: { a: [1.5, ~, yes] }\n  \
             http: *all\n  steps: [try_again]\n",
        )
        .unwrap();
        let [one, two] = script.cases.as_slice() else { panic!("two cases") };
        assert_eq!((one.name.as_str(), one.line, two.line), ("one", 1, 8));
        assert_eq!(two.setup.input.text(), r#"{"a":[1.5,null,"yes"]}"#);
        assert_eq!(two.setup.services.len(), 1);
        let lines: Vec<_> = one.steps.iter().map(|step| step.line).collect();
        assert_eq!(lines, [5, 6, 7]);
        assert!(matches!(one.steps[0].action, Action::Advance { by_ms: 259_200_000 }));
        let Action::Expect(Expectation::Suspended(suspension)) = &one.steps[1].action else {
            panic!("it is suspended")
        };
        assert_eq!(suspension.left_ms, Some(5_400_000));
    }

    #[test]
    fn whatever_is_wrong_has_a_line_and_a_remedy() {
        for (text, wanted) in [
            ("", "1:1 the script is empty; begin with `- case: what it shows`"),
            ("a: 1", "1:1 a script is a list of cases; begin with `- case: what it shows`"),
            ("- case: [", "is neither YAML nor JSON"),
            ("- steps: [try_again]", "1:3 a case has no `case`; add `case: what it shows`"),
            ("- case: a", "1:3 the case has no `steps`; add"),
            ("- case: a\n  steps: []", "2:10 `steps` is empty; add"),
            ("- case: a\n  stepz: []\n  steps: [try_again]", "2:3 a case has no key `stepz`; the"),
            ("- case: a\n  steps: [avance]", "2:11 `avance` is no step"),
            ("- case: a\n  steps:\n    - advance: 3", "3:16 `advance` is 3; write a time"),
            ("- case: a\n  steps:\n    - advance: soon", "3:16 `advance` is \"soon\"; write a"),
            ("- case: a\n  case: b\n  steps: [try_again]", "2:3 the key `case` is there already"),
            ("- case: a\n  steps:\n    - logs: [{ text: x }]", "3:16 an element of `logs` has no"),
            ("- case: a\n  steps:\n    - publish: { params: {} }", "`publish` has no `name`"),
            (
                "- case: a\n  http: [{ method: GET, url: x, status: 99 }]\n  steps: [try_again]",
                "2:41 `status` is 99; write 100 to 599",
            ),
            (
                "- case: a\n  http: [{ method: GET, url: x, refused: never }]\n  steps: [try_again]",
                "2:42 `refused` is \"never\"; write one of denied,",
            ),
            (
                "- case: a\n  grants: { http: [ftp://a] }\n  steps: [try_again]",
                "2:11 `grants` cannot be used",
            ),
            (
                "- case: a\n  input: 3\n  steps: [try_again]",
                "2:10 `input` is 3; write a map such as { order: a1 }",
            ),
        ] {
            let problems = problems(text);
            assert!(problems.iter().any(|line| line.contains(wanted)), "{wanted}: {problems:#?}");
        }
    }
}
