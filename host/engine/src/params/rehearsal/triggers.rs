//! Whether what triggers give their runs is what the workflow takes: of a
//! schedule for its next instant, of a signal as far as it can be said before
//! there is one.

use crate::params::ParamSource;
use crate::params::binding::{missing, unknown};
use crate::payload::Payload;
use crate::schedule::{ScheduleTrigger, Trigger};
use crate::scope::RunFacts;
use crate::trigger::signal::SignalTrigger;
use crate::workflow::Workflow;
use serde_json::Value;

impl Workflow {
    /// What would keep every run of a trigger from starting, with its path in the
    /// definition. `run` is of a run that would start now.
    pub(super) fn rehearse_triggers(&self, run: RunFacts<'_>) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        for (place, trigger) in self.triggers.iter().enumerate() {
            let path = format!("triggers[{place}]");
            match trigger {
                Trigger::Schedule(trigger) => self.instant(&path, trigger, (run, &mut problems)),
                Trigger::Signal(trigger) => self.set(&path, trigger, (run, &mut problems)),
            }
        }
        problems
    }

    /// The next instant of a schedule; one that never fires again has no run.
    fn instant(
        &self,
        path: &str,
        trigger: &ScheduleTrigger,
        (run, problems): (RunFacts<'_>, &mut Vec<(String, String)>),
    ) {
        let Some(next) = trigger.schedule.next_after(&trigger.id, run.created_at) else { return };
        let id = format!("{}/{}", self.name, trigger.id);
        let run = RunFacts { scheduled_at: next.at, ..run };
        let has_params = trigger.schedule.spec().params != *Payload::empty_object();
        let path = if has_params { format!("{path}.params") } else { path.to_owned() };
        match trigger.schedule.params_at(&id, next.at) {
            Ok(params) => self.bound(&path, (params.value(), ParamSource::Schedule), run, problems),
            Err(mistake) => problems.push((path, mistake)),
        }
    }

    /// A set of signals, of which only the names of the params are known that
    /// their run is given, unless these are written as they are.
    fn set(
        &self,
        path: &str,
        trigger: &SignalTrigger,
        (run, problems): (RunFacts<'_>, &mut Vec<(String, String)>),
    ) {
        let source = ParamSource::Signal;
        let Some(template) = &trigger.params else {
            return self.bound(path, (&Value::Object(Default::default()), source), run, problems);
        };
        let path = format!("{path}.params");
        if let Some(constant) = template.constant() {
            return self.bound(&path, (constant.value(), source), run, problems);
        }
        // One expression gives all of them, and nobody knows which.
        let Some(names) = template.fields() else { return };
        for name in &names {
            let param = self.params.iter().find(|param| param.name == *name);
            let mistake = match param {
                None => Some(unknown(name, &self.params)),
                Some(param) => {
                    source.refused(param.mode).map(|refusal| format!("{name}: {refusal}"))
                }
            };
            problems.extend(mistake.map(|mistake| (format!("{path}.{name}"), mistake)));
        }
        for param in &self.params {
            let is_needed = param.value.is_none() && !param.optional;
            if is_needed && !names.contains(&param.name) {
                problems.push((path.clone(), missing(param)));
            }
        }
    }

    fn bound(
        &self,
        path: &str,
        (given, source): (&Value, ParamSource),
        run: RunFacts<'_>,
        problems: &mut Vec<(String, String)>,
    ) {
        let Value::Object(given) = given else { return };
        if let Err(mistakes) = self.bind(given, source, run) {
            problems.extend(mistakes.into_iter().map(|mistake| (path.to_owned(), mistake)));
        }
    }
}
