//! A rehearsal of a workflow before its first run: what can be evaluated without
//! a run, is. So most mistakes are found when a workflow is pushed.

use super::binding::given_value;
use super::resolution::{Known, Resolution, Slot, fit};
use super::source::ParamSource;
use super::step::{Within, own};
use crate::definition::is_workflow_name;
use crate::expression::{Expression, References};
use crate::id::{RunId, Timestamp};
use crate::payload::Payload;
use crate::publishing::read as read_signals;
use crate::retry::Retry;
use crate::scope::{RunFacts, Scope};
use crate::setting::{SLEEP_MS_MAX, Setting, millis_of, shown};
use crate::signal::{BadParams, Pattern, check_name};
use crate::template::{Template, way};
use crate::workflow::{Body, Param, Step, StepKind, StepParam, StepParams, Workflow};
use serde_json::Value;
use std::collections::BTreeSet;

mod triggers;

/// The operations after which nothing more is evaluated, so that no definition
/// makes a rehearsal long: a second or so.
const OPERATIONS_MAX: usize = 20_000_000;

/// How many bytes of a result count as one operation.
const BYTES_PER_OPERATION: usize = 32;

impl Workflow {
    /// What would fail in a run that is given nothing, each with its path in the
    /// definition, as in `params.day` and `steps.load.when`.
    ///
    /// Params without a value are unknown, and so is all that reads them, other
    /// steps or loops. What a known condition keeps from running is left out.
    pub fn rehearse(&self, now: Timestamp) -> Vec<(String, String)> {
        let id = RunId::new(now, 0);
        let workflow = self.name.as_str();
        let run = RunFacts {
            id,
            number: None,
            workflow,
            version: 1,
            created_at: now,
            scheduled_at: now,
            retries: 0,
        };
        let mut problems = self.rehearse_triggers(run);
        let mut slots = Vec::new();
        for param in &self.params {
            slots.push(slot(param).unwrap_or_else(|mistake| {
                problems.push((path_of(param), mistake));
                Slot::Unknown
            }));
        }
        let mut resolution = Resolution::new(&self.params, slots, run);
        for (place, message) in resolution.finish() {
            let path =
                place.map_or_else(|| "params".to_owned(), |place| path_of(&self.params[place]));
            problems.push((path, message));
        }
        let mut fields = Vec::new();
        let mut unknown = BTreeSet::new();
        for (param, slot) in self.params.iter().zip(resolution.slots) {
            match slot {
                Slot::Known(value, _) => fields.push((param.name.as_str(), value)),
                Slot::Absent => {}
                Slot::Computed(_) | Slot::Unknown => {
                    unknown.insert(param.name.as_str());
                }
            }
        }
        let params = Payload::from_fields(fields.into_iter());
        let scope = Known { params, run: RunFacts { number: Some(1), ..run } };
        let mut rehearsal = Rehearsal { scope, unknown, spent: 0, problems };
        rehearsal.setting("timeout", self.timeout.as_ref());
        rehearsal.body("", &self.body);
        rehearsal.problems
    }
}

fn path_of(param: &Param) -> String {
    format!("params.{}", param.name)
}

fn slot(param: &Param) -> Result<Slot<'_>, String> {
    match &param.value {
        None if param.optional => Ok(Slot::Absent),
        None => Ok(Slot::Unknown),
        Some(template) => match template.constant() {
            None => Ok(Slot::Computed(template)),
            Some(constant) => {
                let value = given_value(&param.kind, constant.value(), None)?;
                Ok(Slot::Known(value, ParamSource::Definition))
            }
        },
    }
}

struct Rehearsal<'w> {
    scope: Known<'w>,
    /// The params whose value is not known.
    unknown: BTreeSet<&'w str>,
    /// How many operations it took so far.
    spent: usize,
    problems: Vec<(String, String)>,
}

impl<'w> Rehearsal<'w> {
    /// Whether everything that is read is known; `self` aside.
    fn knows(&self, read: &References) -> bool {
        let reads_unknown = match read.reads_params {
            true => !self.unknown.is_empty(),
            false => read.params.iter().any(|name| self.unknown.contains(name.as_str())),
        };
        let reads_others =
            !read.steps.is_empty() || !read.loop_variables.is_empty() || read.reads_loop;
        !reads_unknown && !reads_others && self.spent < OPERATIONS_MAX
    }

    /// Whether everything that is read is known, without `self`.
    fn knows_all(&self, read: &References) -> bool {
        self.knows(read) && read.own.is_empty() && !read.reads_own
    }

    fn problem(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push((path.to_owned(), message.into()));
    }

    /// The steps of a body, and its output. `path` ends with a dot unless it is
    /// empty.
    fn body(&mut self, path: &str, body: &'w Body) {
        let mut waiting: Vec<usize> = body.steps.iter().map(|step| step.needs.len()).collect();
        let mut ready: BTreeSet<usize> =
            (0..waiting.len()).filter(|place| waiting[*place] == 0).collect();
        let mut is_dead = vec![false; waiting.len()];
        let mut problems: Vec<_> = body.steps.iter().map(|_| Vec::new()).collect();
        let before = std::mem::take(&mut self.problems);
        while let Some(place) = ready.pop_first() {
            let step = &body.steps[place];
            let step_path = format!("{path}steps.{}", step.id);
            is_dead[place] = !self.may_run(&step_path, step, (body, &is_dead));
            if !is_dead[place] {
                self.step(&step_path, step);
            }
            problems[place] = std::mem::take(&mut self.problems);
            for next in &step.needed_by {
                let next = *next as usize;
                waiting[next] = waiting[next].saturating_sub(1);
                if waiting[next] == 0 {
                    ready.insert(next);
                }
            }
        }
        self.problems = before;
        self.problems.extend(problems.into_iter().flatten());
        if let Some(output) = &body.output {
            self.template(&format!("{path}output"), output);
        }
    }

    /// Whether the step may run, as far as is known.
    fn may_run(&mut self, path: &str, step: &Step, (body, is_dead): (&Body, &[bool])) -> bool {
        let mut may_run = step.needs.is_empty();
        for need in &step.needs {
            let needed = need.step as usize;
            if is_dead[needed] {
                continue;
            }
            may_run |= need.condition.as_ref().is_none_or(|condition| {
                let path = format!("{path}.needs.{}", body.steps[needed].id);
                self.condition(&path, condition) != Some(false)
            });
        }
        may_run
            && step
                .when
                .as_ref()
                .is_none_or(|when| self.condition(&format!("{path}.when"), when) != Some(false))
    }

    fn condition(&mut self, path: &str, condition: &Expression) -> Option<bool> {
        match self.expression(path, condition)? {
            Value::Bool(holds) => Some(holds),
            other => {
                let given = shown(&other.to_string());
                self.problem(path, format!("gave {given}, expected true or false"));
                None
            }
        }
    }

    /// The value of an expression, if it is known.
    fn expression(&mut self, path: &str, expression: &Expression) -> Option<Value> {
        if !self.knows_all(expression.references()) {
            return None;
        }
        match self.measured(expression, &Payload::empty_object().clone()) {
            Ok(value) => Some(value),
            Err(message) => {
                self.problem(path, message);
                None
            }
        }
    }

    fn measured(&mut self, expression: &Expression, own: &Payload) -> Result<Value, String> {
        let scope = Within { scope: &self.scope, own: own.clone() };
        let (found, spent) = expression.measured(&scope);
        let bytes = found.as_ref().map_or(0, size);
        self.spent = self.spent.saturating_add(spent).saturating_add(bytes / BYTES_PER_OPERATION);
        found
    }

    /// The value of a template, if it is known. Its expressions are evaluated one
    /// by one, so that one that is unknown does not hide the others.
    fn template(&mut self, path: &str, template: &Template) -> Option<Payload> {
        let found = self.problems.len();
        let mut last = None;
        for (place, expression) in template.expressions() {
            if !self.knows_all(expression.references()) {
                continue;
            }
            let value = self.measured(expression, Payload::empty_object());
            match value {
                Ok(value) => last = Some(value),
                Err(message) => {
                    let path = format!("{path}{}", way(place));
                    self.problem(&path, format!("`${{{}}}`: {message}", expression.source()));
                }
            }
        }
        if self.problems.len() > found || !self.knows_all(template.references()) {
            return None;
        }
        if template.is_one_expression() {
            return last.map(Payload::from);
        }
        template.render(&self.scope).ok()
    }

    fn step(&mut self, path: &str, step: &'w Step) {
        self.params(path, &step.params);
        self.setting(&format!("{path}.timeout"), step.timeout.as_ref());
        self.setting(&format!("{path}.heartbeat_timeout"), step.heartbeat_timeout.as_ref());
        for (part, template) in &step.retry.computed {
            if self.knows_all(template.references())
                && let Err(message) = part.set(&mut Retry::default(), template, &self.scope)
            {
                self.problem(&format!("{path}.{}", part.as_str()), message);
            }
        }
        if let Some(signals) = &step.signals {
            self.checked(&format!("{path}.signals"), signals, &is_signals);
        }
        match &step.kind {
            StepKind::Call(_) | StepKind::Noop => {}
            StepKind::Sleep(time) => self.checked(&format!("{path}.sleep"), time, &|value| {
                millis_of(value, 0..=SLEEP_MS_MAX).map(|_| ())
            }),
            StepKind::Wait(gate) => {
                self.checked(&format!("{path}.wait.signal"), &gate.signal, &is_signal);
                self.checked(&format!("{path}.wait.match"), &gate.pattern, &is_match);
            }
            StepKind::Subworkflow(other) => {
                self.checked(&format!("{path}.workflow"), &other.workflow, &is_workflow);
                self.checked(&format!("{path}.version"), &other.version, &is_version);
            }
            StepKind::Foreach(foreach) => {
                let mut is_empty = false;
                for (name, list) in &foreach.variables {
                    let path = format!("{path}.foreach.{name}");
                    let Some(list) = self.template(&path, list) else { continue };
                    match list.value() {
                        Value::Array(elements) => is_empty |= elements.is_empty(),
                        _ => {
                            let given = shown(list.text());
                            self.problem(&path, format!("gave {given}, expected a list"));
                        }
                    }
                }
                if !is_empty {
                    self.body(&format!("{path}."), &foreach.inner.body);
                }
            }
            StepKind::While(looped) => {
                for (name, first) in &looped.variables {
                    self.template(&format!("{path}.while.{name}"), first);
                }
                let holds = self.condition(&format!("{path}.while.condition"), &looped.condition);
                if holds != Some(false) {
                    self.body(&format!("{path}."), &looped.inner.body);
                }
            }
        }
    }

    /// Checks what a template gives, if that is known.
    fn checked(
        &mut self,
        path: &str,
        template: &Template,
        check: &dyn Fn(&Value) -> Result<(), String>,
    ) {
        let Some(value) = self.template(path, template) else { return };
        if let Err(expected) = check(value.value()) {
            let given = shown(value.text());
            self.problem(path, format!("gave {given}, expected {expected}"));
        }
    }

    fn setting(&mut self, path: &str, setting: Option<&Setting>) {
        if let Some(setting @ Setting::Computed(template)) = setting
            && self.knows_all(template.references())
            && let Err(message) = setting.millis(&self.scope)
        {
            self.problem(path, message);
        }
    }

    fn params(&mut self, path: &str, params: &'w StepParams) {
        let path = format!("{path}.params");
        match params {
            StepParams::Whole(template) => self.checked(&path, template, &is_object),
            StepParams::Each(params) => {
                let mut known: Vec<(&str, Payload)> = Vec::new();
                for param in params {
                    if let Some(value) =
                        self.own_param(&format!("{path}.{}", param.name), param, &known)
                    {
                        known.push((&param.name, value));
                    }
                }
            }
        }
    }

    /// The value of one param of a step, if it and what it reads of the others is
    /// known.
    fn own_param(
        &mut self,
        path: &str,
        param: &StepParam,
        known: &[(&str, Payload)],
    ) -> Option<Payload> {
        let read = param.value.references();
        let is_known = |name: &String| known.iter().any(|(known, _)| known == name);
        if read.own.is_empty() && !read.reads_own {
            let value = self.template(path, &param.value)?;
            return self.fitting(path, param, value);
        }
        // One that reads all of `self` sees more in a run than is known here.
        if read.reads_own || !read.own.iter().all(is_known) || !self.knows(read) {
            return None;
        }
        let scope = Within { scope: &self.scope, own: own(read, known) };
        match param.value.render(&scope as &dyn Scope) {
            Ok(value) => self.fitting(path, param, value),
            Err(error) => {
                self.problem(path, error.to_string());
                None
            }
        }
    }

    fn fitting(&mut self, path: &str, param: &StepParam, value: Payload) -> Option<Payload> {
        let Some(kind) = &param.kind else { return Some(value) };
        let fitting = match param.value.constant() {
            Some(constant) => given_value(kind, constant.value(), None),
            None => fit(kind, &param.value, &value),
        };
        fitting.map_err(|message| self.problem(path, message)).ok()
    }
}

/// How large a value is, about.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.iter().map(size).sum::<usize>() + 8,
        Value::Object(entries) => {
            entries.iter().map(|(key, value)| key.len() + size(value)).sum::<usize>() + 8
        }
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "text".to_owned())
}

fn is_signal(value: &Value) -> Result<(), String> {
    let because = |error: BadParams| format!("the name of a signal: {error}");
    check_name("a signal's name", text(value)?).map_err(because)
}

fn is_match(value: &Value) -> Result<(), String> {
    let because = |error: BadParams| format!("what a signal may have: {error}");
    Pattern::of(value).map(|_| ()).map_err(because)
}

fn is_signals(value: &Value) -> Result<(), String> {
    let because =
        |(place, message): (String, String)| format!("a list of signals: `{place}` {message}");
    read_signals(value).map(|_| ()).map_err(because)
}

fn is_workflow(value: &Value) -> Result<(), String> {
    match is_workflow_name(text(value)?) {
        true => Ok(()),
        false => Err("the name of a workflow: 1 to 63 of a-z, 0-9 and -".to_owned()),
    }
}

fn is_object(value: &Value) -> Result<(), String> {
    if value.is_object() { Ok(()) } else { Err("an object".to_owned()) }
}

fn is_version(value: &Value) -> Result<(), String> {
    let is_name = |text: &str| {
        matches!(text, "active" | "latest" | "default") || text.parse::<u64>().is_ok_and(|n| n > 0)
    };
    let is_number = value.as_u64().is_some_and(|number| number > 0);
    if is_number || value.as_str().is_some_and(is_name) {
        return Ok(());
    }
    Err("a number from 1, active, latest or default".to_owned())
}

#[cfg(test)]
mod tests;
