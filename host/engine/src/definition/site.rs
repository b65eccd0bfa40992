//! Where an expression stands, as far as that decides what it may read.

use crate::expression::{OfTrigger, References};

/// What a workflow's own params may read of `run`: the rest is not known before
/// the run is there.
const RUN_BEFORE: [&str; 5] = ["id", "workflow", "version", "created_at", "scheduled_at"];

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// The value of a workflow's parameter.
    WorkflowParam,
    /// The value of a param of a step that is named by itself.
    StepParam,
    /// A time-out, or a number of `retry`.
    Setting,
    /// What a step without code does, said when its params are known.
    Work,
    /// A param of a schedule.
    Schedule,
    /// A trigger with one signal.
    Signal,
    /// A trigger with several.
    Signals,
    /// What a step publishes, said when its work is done.
    Done,
    /// Anywhere else.
    Plain,
}

impl Site {
    /// Whether it can read steps at all.
    pub(super) fn reads_steps(self) -> bool {
        match self {
            Self::StepParam | Self::Work | Self::Done | Self::Plain => true,
            Self::WorkflowParam | Self::Setting | Self::Schedule | Self::Signal | Self::Signals => {
                false
            }
        }
    }

    /// Whether it can read `self`.
    fn reads_own(self) -> bool {
        matches!(self, Self::StepParam | Self::Work | Self::Done)
    }

    /// What may not be read here though it is there elsewhere, with the remedies.
    pub(super) fn refused(self, references: &References) -> Vec<(String, &'static str)> {
        match self {
            Self::Schedule => return refused_in_schedule(references).into_iter().collect(),
            Self::Signal | Self::Signals => {
                return self.refused_in_trigger(references).into_iter().collect();
            }
            _ => {}
        }
        let mut refused = Vec::new();
        if references.reads_schedule {
            refused.push((
                "schedule is read outside of the params of a schedule".to_owned(),
                "read run.scheduled_at, or a param that the schedule gives",
            ));
        }
        if let Some(root) = references.of_trigger.first() {
            refused.push((
                format!("{} is read outside of a trigger with signals", root.as_str()),
                "read a param that the trigger gives",
            ));
        }
        if let Some(id) = references.steps.first().filter(|_| !self.reads_steps()) {
            refused.push(match self {
                Self::WorkflowParam => (
                    format!("step {id:?} is read in a parameter of the workflow"),
                    "use the expression in the params of a step",
                ),
                _ => {
                    (format!("step {id:?} is read in a setting"), "read params, loop or run there")
                }
            });
        }
        if !self.reads_own() && (references.reads_own || !references.own.is_empty()) {
            let name = references.own.first().map(|name| format!(".{name}")).unwrap_or_default();
            refused.push((
                format!("self{name} is read outside of the named params of a step"),
                "use what that param is made of",
            ));
        }
        let unknown = |name: &&String| !RUN_BEFORE.contains(&name.as_str());
        if let (Self::WorkflowParam, Some(name)) = (self, references.run.iter().find(unknown)) {
            refused.push((
                format!("run.{name} is not known when params get their values"),
                "there are run.id, run.workflow, run.version, run.created_at and run.scheduled_at",
            ));
        }
        refused
    }
}

impl Site {
    /// What the expressions of a trigger with signals may not read.
    fn refused_in_trigger(self, references: &References) -> Option<(String, &'static str)> {
        let (other, remedy) = match self {
            Self::Signal => (
                OfTrigger::Signals,
                "use signal.params, signal.payload, signal.name, signal.sequence, signal.id, \
                 signal.published_at or trigger.id",
            ),
            _ => (
                OfTrigger::Signal,
                "use signals[0].params, signals[1].payload and so on, in the order of the list, \
                 or trigger.id",
            ),
        };
        let of_other = references.of_trigger.get(&other).map(|root| root.as_str().to_owned());
        let schedule = references.reads_schedule.then(|| "schedule".to_owned());
        let read = read_of_run(references).or(of_other).or(schedule)?;
        Some((format!("{read} is not there when this trigger fires"), remedy))
    }
}

/// What is read that no trigger knows: steps, params and whatever a run has.
fn read_of_run(references: &References) -> Option<String> {
    let References { steps, params, loop_variables, own, run, .. } = references;
    let first = |names: &std::collections::BTreeSet<String>, reads: bool, root: &str| {
        let name = names.first().map(|name| format!("{root}.{name}"));
        name.or_else(|| reads.then(|| root.to_owned()))
    };
    first(steps, false, "steps")
        .or_else(|| first(params, references.reads_params, "params"))
        .or_else(|| first(loop_variables, references.reads_loop, "loop"))
        .or_else(|| first(own, references.reads_own, "self"))
        .or_else(|| first(run, false, "run"))
}

/// What the params of a schedule may not read.
fn refused_in_schedule(references: &References) -> Option<(String, &'static str)> {
    let of_trigger = references.of_trigger.first().map(|root| root.as_str().to_owned());
    let read = read_of_run(references).or(of_trigger)?;
    let remedy = "use schedule.at, schedule.local, schedule.local_date, schedule.timezone or \
                  schedule.id";
    Some((format!("{read} is not there when a schedule fires"), remedy))
}
