//! What a path in a run leads to: a step by its id, also one inside of
//! iterations, as in `per-year[3].aggregate`, or the iteration `per-year[3]`.

use super::actions::ActionError;
use super::{Driver, Error};
use segno_engine::id::{RunId, StepIndex, TenantId};
use segno_engine::run::Run;
use segno_engine::workflow::StepKind;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Located {
    /// A step.
    Step {
        /// The run or iteration that it is a step of.
        run: RunId,
        /// Its place there.
        step: StepIndex,
    },
    /// A whole iteration.
    Iteration {
        /// The run or iteration that the loop is a step of.
        run: RunId,
        /// The place of the loop there.
        step: StepIndex,
        /// Which iteration, from 0.
        index: u32,
    },
}

/// Where one segment of a path leads.
enum Way {
    /// To a step.
    Step(StepIndex),
    /// To an iteration of it, which is this run.
    Iteration(StepIndex, u32, RunId),
    /// Into this run of a subworkflow.
    Elsewhere(RunId),
}

impl Driver {
    /// The step or iteration that a path leads to. Iterations are named by their
    /// index, from 0.
    ///
    /// # Errors
    /// There is no such run, step or iteration.
    pub fn locate(
        &self,
        tenant: &TenantId,
        (run, path): (RunId, &str),
    ) -> Result<Located, ActionError> {
        let mut at = run;
        let mut segments = path.split('.').peekable();
        loop {
            let segment = segments.next().unwrap_or_default();
            let lost = |why: String| ActionError::NoSuchStep { run, path: path.to_owned(), why };
            let (id, index) = parse(segment).map_err(lost)?;
            let live = self.revive(tenant, at)?.ok_or(Error::NoSuchRun(at))?;
            let is_last = segments.peek().is_none();
            let found = way(&live.lock().run, (id, index), is_last);
            self.put_back(&live);
            match found.map_err(lost)? {
                Way::Step(step) => return Ok(Located::Step { run: at, step }),
                Way::Iteration(step, index, _) if is_last => {
                    return Ok(Located::Iteration { run: at, step, index });
                }
                Way::Iteration(_, _, child) => at = child,
                Way::Elsewhere(child) => return Err(lost(self.elsewhere(tenant, child)?)),
            }
        }
    }

    /// The step that a path leads to, with the run or iteration that it is a step
    /// of.
    ///
    /// # Errors
    /// There is no such run or step, or the path leads to an iteration.
    pub fn locate_step(
        &self,
        tenant: &TenantId,
        (run, path): (RunId, &str),
    ) -> Result<(RunId, StepIndex), ActionError> {
        match self.locate(tenant, (run, path))? {
            Located::Step { run, step } => Ok((run, step)),
            Located::Iteration { .. } => Err(ActionError::NoSuchStep {
                run,
                path: path.to_owned(),
                why: format!("name a step of the iteration, as in {path}.load"),
            }),
        }
    }

    /// Where the steps of a subworkflow are.
    fn elsewhere(&self, tenant: &TenantId, child: RunId) -> Result<String, ActionError> {
        Ok(match self.store().run(tenant, child)? {
            Some(record) => {
                format!("it runs workflow {} as {child}; name that run", record.workflow)
            }
            None => format!("it runs a workflow as {child}; name that run"),
        })
    }
}

/// Where one segment leads, if it is the last or if it is not.
fn way(run: &Run, (id, index): (&str, Option<u32>), is_last: bool) -> Result<Way, String> {
    let steps = &run.body().steps;
    let Some(place) = steps.iter().position(|step| step.id == id) else {
        let ids: Vec<_> = steps.iter().map(|step| step.id.as_str()).take(20).collect();
        return Err(format!("there is no {id:?} here, but {}", ids.join(", ")));
    };
    let (step, kind) = (place as StepIndex, &steps[place].kind);
    let is_loop = kind.inner().is_some();
    match index {
        None if is_last => Ok(Way::Step(step)),
        None if is_loop => Err(format!("say which iteration, as in {id}[0]")),
        None => match (kind, run.steps()[place].child) {
            (StepKind::Subworkflow(_), Some(child)) => Ok(Way::Elsewhere(child)),
            (StepKind::Subworkflow(_), None) => {
                Err(format!("{id} has not started its workflow; name the run once it has"))
            }
            _ => Err(format!("{id} has no steps inside; end the path there")),
        },
        Some(_) if !is_loop => Err(format!("{id} is no loop; leave out the index")),
        Some(index) => {
            let iterations = run.steps()[place].iterations.as_deref();
            let (count, started) = iterations.map_or((0, 0), |all| (all.count, all.next));
            match index {
                _ if index < started => {
                    Ok(Way::Iteration(step, index, run.iteration_id(step, index)))
                }
                _ if index < count => Err(format!("{id}[{index}] has not started; wait for it")),
                _ => Err(match count {
                    0 => format!("{id} has no iterations"),
                    1 => format!("{id} has 1 iteration, {id}[0]"),
                    _ => format!("{id} has {count} iterations, {id}[0] to {id}[{}]", count - 1),
                }),
            }
        }
    }
}

/// `load`, or `per-year[3]`.
fn parse(segment: &str) -> Result<(&str, Option<u32>), String> {
    let Some((id, rest)) = segment.split_once('[') else { return Ok((segment, None)) };
    let index = rest.strip_suffix(']').and_then(|index| index.parse().ok());
    let index = index.ok_or_else(|| format!("{segment:?} is no iteration; write {id}[0]"))?;
    Ok((id, Some(index)))
}
