//! A definition that has been read but not yet joined up: steps know each other
//! by id, and what was wrong has been left out.

use super::node::Mark;
use crate::expression::{Expression, References};
use crate::grant::Grants;
use crate::retry::Retry;
use crate::template::Template;
use crate::workflow::{Limits, Param, Pin};
use std::collections::BTreeMap;

/// A workflow.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) params: Vec<Param>,
    /// The names of all parameters, those included that something is wrong
    /// with; `None` if they could not be read.
    pub(super) param_names: Option<Vec<String>>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) body: DraftBody,
}

/// A graph of steps.
#[derive(Debug, Default)]
pub(super) struct DraftBody {
    pub(super) steps: Vec<DraftStep>,
    pub(super) output: Option<Template>,
    /// What the output reads.
    pub(super) uses: Vec<Use>,
}

/// A step.
#[derive(Debug)]
pub(super) struct DraftStep {
    pub(super) id: Option<String>,
    /// Where its id stands, or the step itself.
    pub(super) mark: Mark,
    pub(super) path: String,
    pub(super) needs: Vec<DraftNeed>,
    pub(super) when: Option<Expression>,
    /// `None` if it could not be read.
    pub(super) kind: Option<DraftKind>,
    pub(super) retry: Retry,
    pub(super) timeout_ms: Option<u64>,
    /// What its expressions read, except for conditions on needs.
    pub(super) uses: Vec<Use>,
}

/// A need of a step.
#[derive(Debug)]
pub(super) struct DraftNeed {
    pub(super) id: String,
    pub(super) mark: Mark,
    pub(super) path: String,
    pub(super) condition: Option<(Expression, Use)>,
}

/// What a step does.
#[derive(Debug)]
pub(super) enum DraftKind {
    Call { component: Option<Pin>, params: Option<Template>, limits: Limits, grants: Box<Grants> },
    Foreach { variables: Vec<(String, Option<Template>)>, concurrency: u32, body: DraftBody },
}

/// What an expression reads, and where it stands.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) mark: Mark,
    pub(super) path: String,
    pub(super) references: References,
}

impl DraftBody {
    /// The places of the steps by id; the first where an id is there twice.
    pub(super) fn places(&self) -> BTreeMap<&str, usize> {
        let mut places = BTreeMap::new();
        for (place, step) in self.steps.iter().enumerate() {
            if let Some(id) = &step.id {
                places.entry(id.as_str()).or_insert(place);
            }
        }
        places
    }
}
