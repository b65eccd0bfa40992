//! A definition that has been read but not yet joined up: steps know each other
//! by id, and what was wrong has been left out.

use super::node::Mark;
use super::site::Site;
use crate::expression::{Expression, References};
use crate::grant::Grants;
use crate::retry::RetryRule;
use crate::schedule::Trigger;
use crate::setting::Setting;
use crate::strategy::RunStrategy;
use crate::template::Template;
use crate::workflow::{FailureMode, Limits, Param, ParamType, Pin, StepParams};
use std::collections::BTreeMap;

/// A workflow.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) run_strategy: Option<RunStrategy>,
    pub(super) step_concurrency: Option<u32>,
    pub(super) run_step_concurrency: Option<u32>,
    pub(super) params: Vec<Param>,
    /// The names of all parameters, those included that something is wrong
    /// with; `None` if they could not be read.
    pub(super) param_names: Option<Vec<String>>,
    pub(super) timeout: Option<Setting>,
    pub(super) triggers: Vec<Trigger>,
    /// What the expressions outside of the body read.
    pub(super) uses: Vec<Use>,
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
    /// `None` if there are none, or they could not be read.
    pub(super) params: Option<StepParams>,
    pub(super) outputs: Option<Vec<(String, ParamType)>>,
    /// What it publishes when its work is done.
    pub(super) signals: Option<Template>,
    pub(super) retry: RetryRule,
    pub(super) timeout: Option<Setting>,
    pub(super) heartbeat_timeout: Option<Setting>,
    pub(super) failure_mode: FailureMode,
    pub(super) tags: Vec<String>,
    pub(super) description: Option<String>,
    /// What its expressions read, except for conditions.
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
    Call { component: Option<Pin>, limits: Limits, grants: Box<Grants> },
    Loop(Box<DraftLoop>),
    Subworkflow(DraftSubworkflow),
    Sleep(Option<Template>),
    Wait { signal: Option<Template>, pattern: Option<Template> },
    Noop,
}

/// A step that runs a body again and again.
#[derive(Debug)]
pub(super) struct DraftLoop {
    /// The loop variables, each with its list or its first value.
    pub(super) variables: Vec<(String, Option<Template>)>,
    pub(super) rule: DraftRule,
    pub(super) body: DraftBody,
}

/// How often a loop runs its body.
#[derive(Debug)]
pub(super) enum DraftRule {
    Foreach { concurrency: u32, strict_ordering: bool },
    While { condition: Option<Box<(Expression, Use)>>, max_iterations: u32 },
}

/// A step that runs another workflow.
#[derive(Debug)]
pub(super) struct DraftSubworkflow {
    pub(super) workflow: Option<Template>,
    pub(super) version: Option<Template>,
    pub(super) sync: bool,
    pub(super) explicit_params: bool,
}

/// What an expression reads, and where it stands.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) mark: Mark,
    pub(super) path: String,
    pub(super) site: Site,
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

impl DraftStep {
    /// The loop that it is, if it is one.
    pub(super) fn looped(&self) -> Option<&DraftLoop> {
        match &self.kind {
            Some(DraftKind::Loop(looped)) => Some(looped),
            _ => None,
        }
    }
}
