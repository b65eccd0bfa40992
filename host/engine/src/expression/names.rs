//! The names that an expression may start from: those of a run, or documents
//! that whoever evaluates it has, such as the body of a request.

use crate::suggestion::{closest, listed};

/// `loop` is a reserved word of CEL, so the parser is given this instead, of the
/// same length to keep the columns.
pub(super) const LOOP: &str = "LOOP";

/// The names of a run.
const RUN: [&str; 9] =
    ["params", "steps", "loop", "self", "run", "schedule", "signal", "signals", "trigger"];

/// Which names an expression may start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// `params`, `steps`, `loop`, `self` and `run`, and where a trigger starts a
    /// run `schedule`, or `signal`, `signals` and `trigger`.
    Run,
    /// Documents, which [`crate::scope::Documents`] has.
    Documents(&'static [&'static str]),
}

impl Names {
    /// Whether they are those of a run.
    pub(super) fn are_of_run(self) -> bool {
        self == Self::Run
    }

    /// The document of this name.
    pub(super) fn document(self, name: &str) -> Option<&'static str> {
        match self {
            Self::Run => None,
            Self::Documents(known) => known.iter().find(|known| **known == name).copied(),
        }
    }

    /// What to say of a name that is none of them.
    pub(super) fn unknown(self, name: &str) -> String {
        let name = if name == LOOP && !self.are_of_run() { "loop" } else { name };
        let known = match self {
            Self::Run => &RUN[..],
            Self::Documents(known) => known,
        };
        match (closest(name, known.iter().copied()), self) {
            (Some(similar), _) => format!("unknown name {name}; did you mean {similar}?"),
            (None, Self::Run) => {
                format!("unknown name {name}; there are params, steps, loop, self and run")
            }
            (None, Self::Documents(known)) => format!("unknown name {name}; {}", listed(known)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Expression;
    use crate::payload::Payload;
    use crate::scope::Documents;
    use serde_json::json;

    const NAMES: Names = Names::Documents(&["body", "run"]);

    #[test]
    fn documents_are_read_by_their_names() {
        let all = [
            ("body", Payload::from(json!({ "steps": [{ "n": 2 }], "loop": 1 }))),
            ("run", Payload::from(json!({ "output": "x" }))),
        ];
        for (source, expected) in [
            ("body.steps[0].n + body['loop']", json!(3)),
            ("run.output", json!("x")),
            ("run", json!({ "output": "x" })),
            ("has(body.z) || 'loop' in body", json!(true)),
            ("body.steps.map(run, run.n)", json!([2])),
            ("type(body) == map", json!(true)),
        ] {
            let expression = Expression::compile_with(source, NAMES).unwrap();
            assert_eq!(expression.evaluate(&Documents(&all)), Ok(expected), "{source}");
        }
        let body = Expression::compile_with("body", NAMES).unwrap();
        assert_eq!(body.document(&Documents(&all)), Some(Ok(all[0].1.clone())), "as it is");
        let missing = Expression::compile_with("body.z", NAMES).unwrap();
        let why = missing.evaluate(&Documents(&all)).unwrap_err();
        assert!(why.starts_with("body has no \"z\""), "{why}");
    }

    #[test]
    fn what_is_no_document_is_unknown() {
        for source in ["params.x", "steps.a.output", "loop.x", "self", "steps['a'].status", "bodi"]
        {
            let why = Expression::compile_with(source, NAMES).unwrap_err();
            assert!(why.starts_with("unknown name "), "{source}: {why}");
        }
        assert!(Expression::compile("body.x").unwrap_err().contains("there are params, steps"));
    }
}
