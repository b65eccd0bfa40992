//! The commands of scripts by which somebody moves runs and steps by hand, and
//! what is about steps without a guest:
//!
//! ```text
//! pause, resume, kill, admit, unblock
//!                                   that, with the run
//! replace 7                         run 7 takes its place
//! skip load                         that, with the step: `skip`, `cancel-step`,
//!                                   `kill-step`, `resume-step` or `bypass`
//! end-wait gate {"rows": 3}         the signal has come that gate waits for
//! end-own other {"rows": 3}         the subworkflow of step other is over; or
//!                                   `failed "no luck"`, `cancelled`, or
//!                                   `refused workflow "there is none"`
//! end-own-before other failed "no luck"
//!                                   the same is told of its retry before
//! hold load 1 tag:x                 attempt 1 is short of a permit
//! release load 1                    it has its permits
//! retry                             what is incomplete goes on
//! retry from load                   that step does, and what depends on it
//! retry iteration per-year 1 from load
//!                                   that iteration does, in it that (by
//!                                   default what is incomplete); #N for a step
//!                                   of another run
//! retry child other from load       the same, for the run of a subworkflow
//! retry skip load                   the rest does, without that step
//! retry queued TARGET               when it is the run's turn
//! ```

use crate::stage::{ended, parse, payload, split};
use segno_engine::command::{Command, Retry, RetryTarget, RunEnd, StepAction};
use segno_engine::event::Given;
use segno_engine::id::StepIndex;
use segno_engine::run::{Run, StepRun};

/// Who does what a script says.
const SOMEBODY: &str = "somebody";

/// The command of this line, if it is one of these; `step` finds a step.
pub fn command(line: &str, run: &Run, step: &dyn Fn(&str) -> StepIndex) -> Option<Command> {
    let (verb, rest) = split(line);
    let by = SOMEBODY.to_owned();
    let action = |action| {
        let by = SOMEBODY.to_owned();
        Command::Step { step: step(rest), action, by }
    };
    let (place, last) = split(rest);
    Some(match verb {
        "pause" => Command::Pause { by },
        "resume" => Command::Resume { by },
        "kill" => Command::Kill { by },
        "admit" => Command::Admit,
        "unblock" => Command::Unblock { by },
        "replace" => Command::Replace { by: crate::durable::child(parse(rest)) },
        "skip" => action(StepAction::Skip),
        "cancel-step" => action(StepAction::Cancel),
        "kill-step" => action(StepAction::Kill),
        "resume-step" => action(StepAction::Resume),
        "bypass" => action(StepAction::Bypass),
        "end-wait" => Command::EndWait { step: step(place), output: payload(last) },
        "published" => {
            let (step, last) = (step(place), numbers(last));
            let StepRun { attempt, publications, .. } = run.steps()[step as usize];
            Command::EndPublishing { step, attempt, publication: publications, sequences: last }
        }
        "published-before" => {
            let (step, last) = (step(place), numbers(last));
            let StepRun { attempt, publications, .. } = run.steps()[step as usize];
            let publication = publications - 1;
            Command::EndPublishing { step, attempt, publication, sequences: last }
        }
        "end-own" => {
            let step = step(place);
            let child = run.steps()[step as usize].child.expect("it has a run");
            let generation = run.child_generation(child, step);
            Command::EndChild { step, end: RunEnd::absent(child, generation, ended(last)) }
        }
        "end-own-before" => {
            let step = step(place);
            let child = run.steps()[step as usize].child.expect("it has a run");
            let generation = run.child_generation(child, step) - 1;
            Command::EndChild { step, end: RunEnd::absent(child, generation, ended(last)) }
        }
        "hold" => {
            let (attempt, permit) = split(last);
            let (step, attempt) = (step(place), parse(attempt));
            Command::Hold { step, attempt, permit: permit.to_owned() }
        }
        "release" => Command::Release { step: step(place), attempt: parse(last) },
        "retry" => {
            let (queued, target) = match rest.strip_prefix("queued") {
                Some(target) => (true, target.trim()),
                None => (false, rest),
            };
            let (given, target) = match target.strip_prefix("with ") {
                Some(rest) => {
                    let (params, target) = rest.split_once('}').expect("params end with a brace");
                    (Some(Given::params(payload(&format!("{params}}}")))), target.trim())
                }
                None => (None, target),
            };
            let target = target_of(target, step);
            Command::Retry(Box::new(Retry { by, target, given, queued, generation: None }))
        }
        _ => return None,
    })
}

/// From `iteration per-year 1 from load`.
fn target_of(text: &str, step: &dyn Fn(&str) -> StepIndex) -> RetryTarget {
    let (verb, rest) = split(text);
    let (place, rest) = split(rest);
    match verb {
        "" => RetryTarget::Incomplete,
        "from" => RetryTarget::From(step(place)),
        "skip" => RetryTarget::Skip(step(place)),
        "child" => RetryTarget::Child(step(place), Box::new(target_of(rest, step))),
        "iteration" => {
            let (index, rest) = split(rest);
            let inner = Box::new(target_of(rest, step));
            RetryTarget::Iteration(step(place), parse(index), inner)
        }
        _ => panic!("{text:?} is nothing to retry"),
    }
}

/// From `3 4`.
fn numbers(text: &str) -> Vec<u64> {
    text.split_whitespace().map(|number| u64::from(parse(number))).collect()
}
