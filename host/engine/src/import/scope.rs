//! What a name in an expression stands for: a param of the step itself, of the
//! loops around it, of the workflow, or of another step, in the order in which
//! the other system looks.

use super::context::{Context, OwnPlace, step};
use super::sel::{Lookup, Term, Ty, quoted};
use super::started::Started;

/// What stands between a step and its param.
const SEPARATOR: &str = "__";

impl Context {
    /// The step and the param in `step__param`.
    fn split(&self, name: &str) -> Option<(String, String)> {
        let place = name.find(SEPARATOR)?;
        let ends = [place, place + 1, place + 2].into_iter();
        ends.filter(|end| name.get(*end..).is_some_and(|rest| rest.starts_with(SEPARATOR)))
            .find(|end| self.steps.contains_key(&name[..*end]))
            .map(|end| (name[..end].to_owned(), name[end + SEPARATOR.len()..].to_owned()))
    }

    /// Whether what is translated is published by this step, or by any.
    fn publishes(&self, step: Option<&str>) -> bool {
        let is_it = step.is_none() || self.own.step.as_deref() == step;
        self.own.place == OwnPlace::Done && is_it
    }

    /// Whether this place can see what is inside of these loops.
    fn sees(&self, path: &[String]) -> bool {
        self.path.starts_with(path)
    }
}

impl Lookup for Context {
    fn name(&mut self, name: &str) -> Result<Term, String> {
        if let Some((step, param)) = self.split(name) {
            return self.step_param(&step, &param);
        }
        if self.publishes(None) && self.own.done.contains_key(name) && name == "output" {
            return Err("the param output is hidden by what the step gave; call it otherwise, \
                        here and where it is read"
                .to_owned());
        }
        if let Some(term) = self.own.done.get(name) {
            if let (true, Some(step)) = (self.own.is_over, &self.own.step) {
                self.wanted.params.insert((step.clone(), name.to_owned()));
            }
            return Ok(term.clone());
        }
        if let Some(term) = self.layers.iter().rev().find_map(|layer| layer.get(name)) {
            return Ok(term.clone());
        }
        if self.current.as_deref() == Some(name) {
            return Err(format!("the param {name} is made of itself; give it a value"));
        }
        if let Some((ours, kind)) = self.params.get(name) {
            return Ok(super::context::read(format!("params.{ours}"), kind));
        }
        if self.is_pending(name) {
            return self.evaluate_own(name);
        }
        match name {
            "step_id" if self.own.step.is_some() => {
                Ok(Term::text(self.own.step.as_deref().unwrap_or_default()))
            }
            "workflow_id" | "workflow_instance_id" | "owner" => self.instance(name),
            "loop_index" => {
                Err("loop_index has no equal; loop over numbers too, or over pairs".to_owned())
            }
            _ => self.builtin(name).ok_or_else(|| {
                format!("there is no param {name} that can be read here; give its value")
            }),
        }
    }

    fn has_name(&self, name: &str) -> bool {
        self.own.done.contains_key(name)
            || self.is_pending(name)
            || self.layers.iter().any(|layer| layer.contains_key(name))
            || self.params.contains_key(name)
            || super::builtin::find(name, "UTC").is_some()
    }

    fn step_param(&mut self, step: &str, param: &str) -> Result<Term, String> {
        if self.publishes(Some(step)) && self.own.done.contains_key(param) {
            return self.name(param);
        }
        let no_step = || format!("there is no step {step}; correct the name");
        let facts = self.steps.get(step).cloned().ok_or_else(no_step)?;
        if !self.sees(&facts.path) {
            return Err(format!("the step {step} is inside of a loop; use its output"));
        }
        let found = facts.params.iter().find(|known| known.name == param);
        let found = found.ok_or_else(|| format!("the step {step} has no param {param}"))?;
        self.wanted.params.insert((step.to_owned(), param.to_owned()));
        let ours = self.variables.of(param);
        Ok(facts.read(&ours, found))
    }

    fn step_status(&mut self, id: Option<&str>) -> Result<Term, String> {
        let own = self.own.step.clone();
        let id = id.map(str::to_owned).or(own).ok_or("no step is meant; name one")?;
        let facts = self.steps.get(&id).ok_or_else(|| format!("there is no step {id}"))?;
        if self.publishes(Some(&id)) {
            return Err(format!("the step {id} is not over when it publishes; write its status"));
        }
        Ok(Term::of(format!("{}.status", step(&facts.ours)), Ty::Status))
    }

    fn foreach_param(&mut self, [looped, inner]: [&str; 2], param: &str) -> Result<Term, String> {
        let no_step = |id: &str| format!("there is no step {id}; correct the name");
        let outer = self.steps.get(looped).cloned().ok_or_else(|| no_step(looped))?;
        let facts = self.steps.get(inner).cloned().ok_or_else(|| no_step(inner))?;
        if facts.path.last().map(String::as_str) != Some(looped) || !self.sees(&outer.path) {
            return Err(format!("the step {inner} is not right inside of the loop {looped}"));
        }
        let found = facts.params.iter().find(|known| known.name == param);
        let ty = found.ok_or_else(|| format!("the step {inner} has no param {param}"))?.kind.ty();
        let wanted = (looped.to_owned(), inner.to_owned(), param.to_owned());
        self.wanted.iterations.insert(wanted);
        let field = self.iteration_field(inner, param);
        let text = format!("{}.output.map(o, o.{field})", step(&outer.ours));
        Ok(Term::of(text, Ty::List(Box::new(ty))))
    }

    fn signal_param(&mut self, which: &str, param: &str) -> Result<Term, String> {
        let own = self.own.step.clone().and_then(|id| self.steps.get(&id).cloned());
        let gates = own.map(|facts| facts.gates).unwrap_or_default();
        let by_number = which.parse::<usize>().ok().and_then(|number| gates.get(number));
        let gate = by_number.or_else(|| gates.iter().find(|(name, _)| name == which));
        let (_, gate) = gate.ok_or_else(|| format!("the step waits for no signal {which:?}"))?;
        Ok(Term::of(format!("{}.output.params[{}]", step(gate), quoted(param)), Ty::Any))
    }

    fn started_param(
        &mut self,
        signal: &str,
        param: &str,
        otherwise: Option<&str>,
    ) -> Result<Term, String> {
        let (signal, param) = (signal.to_owned(), param.to_owned());
        self.started(Started { signal, param, otherwise: otherwise.map(str::to_owned) })
    }

    fn instance(&mut self, attribute: &str) -> Result<Term, String> {
        match attribute {
            "workflow_id" => Ok(Term::of("run.workflow", Ty::Text)),
            "workflow_instance_id" => Ok(Term::of("run.number", Ty::Int)),
            "workflow_version_id" => Ok(Term::of("run.version", Ty::Int)),
            "owner" => match &self.owner {
                Some(owner) => Ok(Term::text(owner)),
                None => Err("the owner is not known here; write it".to_owned()),
            },
            "RUN_POLICY" => Err("RUN_POLICY has no equal; run.retries says how often a run \
                                 was taken up again"
                .to_owned()),
            _ => Err(format!("{attribute} of a run has no equal; make it a param")),
        }
    }
}

impl Context {
    /// The field of an iteration's output that has a param of a step.
    pub(super) fn iteration_field(&mut self, inner: &str, param: &str) -> String {
        self.variables.of(&format!("{inner}{SEPARATOR}{param}"))
    }
}
