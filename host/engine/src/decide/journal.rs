//! Commands that come from an attempt's durable calls, and from what they wait
//! for.

use crate::apply::wait::continued_bytes;
use crate::command::{Command, Rejection, RunEnd};
use crate::event::{Event, IterationResult};
use crate::failure::{Failure, FailureKind};
use crate::id::{StepIndex, Timestamp};
use crate::publishing::{SignalOutput, succeeded};
use crate::rollup::Rollup;
use crate::run::{Run, StepRun, StepState};
use crate::settle::retry_at;
use crate::usage::Usage;
use crate::wait::{Wait, Wake};

/// The events that follow from one of these commands.
pub(super) fn decide(
    run: &Run,
    command: &Command,
    now: Timestamp,
) -> Result<Vec<Event>, Rejection> {
    Ok(match command {
        Command::Suspend { step, attempt, wait } => {
            running(run, *step, *attempt)?;
            vec![Event::AttemptSuspended { step: *step, attempt: *attempt, wait: wait.clone() }]
        }
        Command::Wake { step, sequence, wake } => {
            let waits = |wait: &Wait| wait.sequence == *sequence && wait.expects(wake);
            let is_suspended =
                matches!(run.state_of(*step), Some(StepState::Suspended { wait }) if waits(wait));
            if !is_suspended {
                return Err(Rejection::NotWaiting { step: *step });
            }
            vec![resumed(run, *step, wake.clone())]
        }
        Command::PutAway { step, attempt, usage } => {
            if !run.is_under_way(*step, *attempt) {
                return Err(Rejection::Stale { step: *step, attempt: *attempt });
            }
            vec![Event::AttemptPutAway { step: *step, attempt: *attempt, usage: *usage }]
        }
        Command::Continue { step, attempt, input, sequence, signals_taken, usage } => {
            running(run, *step, *attempt)?;
            let before = &run.steps()[*step as usize];
            let bytes = before.continued_bytes + continued_bytes(input, signals_taken);
            if before.continued >= CONTINUED_MAX || bytes > CONTINUED_BYTES_MAX {
                return Ok(vec![continued_too_often((*step, *attempt), *usage)]);
            }
            vec![Event::StepContinued {
                step: *step,
                attempt: attempt + 1,
                input: input.clone(),
                sequence: *sequence,
                signals_taken: signals_taken.clone(),
                usage: *usage,
            }]
        }
        Command::StartChild { step, attempt, child } => {
            running(run, *step, *attempt)?;
            vec![Event::ChildStarted { step: *step, child: *child }]
        }
        Command::EndChild { step, end } => return end_child(run, *step, end, now),
        Command::EndWait { step, output } => {
            // One that sleeps is woken by its moment.
            let is_gate = matches!(run.state_of(*step), Some(StepState::Waiting { wait }) if !wait.signals.is_empty());
            if !is_gate {
                return Err(Rejection::NotWaiting { step: *step });
            }
            let attempt = run.steps()[*step as usize].attempt;
            let given = (output.clone(), Usage::default());
            vec![succeeded(run, (*step, attempt), given, now)]
        }
        Command::EndPublishing { step, attempt, publication, sequences } => {
            vec![published(run, (*step, *attempt, *publication), sequences)?]
        }
        Command::Hold { step, attempt, permit } => {
            running(run, *step, *attempt)?;
            let (step, attempt, permit) = (*step, *attempt, permit.clone());
            vec![Event::AttemptHeld { step, attempt, permit }]
        }
        Command::Release { step, attempt } => {
            let held = matches!(run.state_of(*step), Some(StepState::Queued { .. }));
            if !held || run.steps()[*step as usize].attempt != *attempt {
                return Err(Rejection::Stale { step: *step, attempt: *attempt });
            }
            vec![Event::AttemptReleased { step: *step, attempt: *attempt }]
        }
        // `decide` sends no others here.
        _ => Vec::new(),
    })
}

/// The signals of a step are kept, with these sequences.
fn published(
    run: &Run,
    (step, attempt, publication): (StepIndex, u32, u32),
    sequences: &[u64],
) -> Result<Event, Rejection> {
    let publishes = |known: &StepRun| {
        let counts = |signals: &[SignalOutput]| signals.len() == sequences.len();
        let is_it = (known.attempt, known.publications) == (attempt, publication);
        is_it && matches!(&known.state, StepState::Publishing { signals, .. } if counts(signals))
    };
    match run.steps().get(step as usize).is_some_and(publishes) {
        true => Ok(Event::StepPublished { step, attempt, sequences: sequences.to_vec() }),
        false => Err(Rejection::Stale { step, attempt }),
    }
}

/// The end of a run that a step started. What is told of a retry before the
/// last comes too late.
fn end_child(
    run: &Run,
    step: StepIndex,
    end: &RunEnd,
    now: Timestamp,
) -> Result<Vec<Event>, Rejection> {
    let RunEnd { run: child, generation, result, rollup } = end;
    let (child, rollup) = (*child, *rollup);
    let is_of_step = run.children().get(&child) == Some(&step);
    if !is_of_step || *generation < run.child_generation(child, step) {
        return Err(Rejection::StaleChild { step, child });
    }
    let ended = Event::ChildEnded { step, child, rollup };
    let mut events = vec![ended];
    let is_current = |state: &StepState| matches!(state, StepState::Delegated { child: current, .. } if *current == child);
    if run.state_of(step).is_some_and(is_current) {
        events.push(delegated_result(run, step, (result, rollup), now));
    } else if let Some(index) = run.wait_of(step).and_then(|wait| wait.index_of_run(child)) {
        events.push(resumed(run, step, Wake::Run { index, run: child }));
    }
    Ok(events)
}

/// What the end of its subworkflow means for a step. A run that failed is not
/// tried again, its own steps were; one that could not even start is.
fn delegated_result(
    run: &Run,
    step: StepIndex,
    (result, rollup): (&IterationResult, Rollup),
    now: Timestamp,
) -> Event {
    let attempt = run.steps()[step as usize].attempt;
    let usage = Usage::default();
    let failed = |failure: Failure| {
        let retry_at = never_was(&failure, rollup)
            .then(|| retry_at(run, (step, attempt), &failure, now))
            .flatten();
        Event::AttemptFailed { step, attempt, failure, retry_at, usage }
    };
    match result {
        IterationResult::Succeeded(output) => match super::wrong_output(run, step, output) {
            None => succeeded(run, (step, attempt), (output.clone(), usage), now),
            Some(failure) => failed(failure),
        },
        IterationResult::Failed(failure) => failed(failure.clone()),
        IterationResult::Cancelled => {
            Event::StepCancelled { step, by: "the end of its subworkflow".to_owned() }
        }
    }
}

/// Whether this is why there is no run. One that was has counts of its steps.
fn never_was(failure: &Failure, rollup: Rollup) -> bool {
    let reason = failure.reason.as_str();
    let is_known = matches!(reason, "workflow" | "version" | "params");
    rollup.total() == 0 && (is_known || reason.starts_with("limit:"))
}

/// How often a step may continue as new: a step that does nothing else must not
/// fill the history of its run.
const CONTINUED_MAX: u32 = 10_000;

/// What the inputs of one step may take together when it continues.
const CONTINUED_BYTES_MAX: u64 = 64 << 20;

fn continued_too_often((step, attempt): (StepIndex, u32), usage: Usage) -> Event {
    let message = format!(
        "the step continued as new {CONTINUED_MAX} times, or with {} MiB of input in all, which is \
         the most that a run keeps; let it start another run instead",
        CONTINUED_BYTES_MAX >> 20
    );
    let failure = Failure::new(FailureKind::Fatal, "limit:continuations", message);
    Event::AttemptFailed { step, attempt, failure, retry_at: None, usage }
}

fn running(run: &Run, step: StepIndex, attempt: u32) -> Result<(), Rejection> {
    match run.is_running(step, attempt) {
        true => Ok(()),
        false => Err(Rejection::Stale { step, attempt }),
    }
}

fn resumed(run: &Run, step: StepIndex, wake: Wake) -> Event {
    let attempt = run.steps()[step as usize].attempt;
    Event::AttemptResumed { step, attempt, wake }
}
