//! Events, effects and runs in the words of the scripts.

use crate::action;
use crate::durable::name_of;
use crate::stage::START;
use segno_engine::effect::Effect;
use segno_engine::event::{Cause, Ending, Event, IterationResult, Origin, Stop, Unsatisfied};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::{StepIndex, Timestamp};
use segno_engine::publishing::SignalOutput;
use segno_engine::run::{Iterations, Run, RunStatus, StepState};
use segno_engine::wait::{SignalWait, Wait, Wake};

/// An event, for example `load attempt 1 starts`.
pub fn show_event(run: &Run, event: &Event) -> String {
    let step = event.step().map(|step| id(run, step)).unwrap_or_default();
    match event {
        Event::RunCreated { origin, .. } => show_origin(origin),
        Event::RunStarted => "run starts".to_owned(),
        Event::StepStarted { input, .. } => format!("{step} starts with {}", input.text()),
        Event::AttemptStarted { attempt, .. } => format!("{step} attempt {attempt} starts"),
        Event::AttemptFailed { attempt, failure, retry_at, .. } => {
            let next = match retry_at {
                Some(at) => format!("next at {}", show_time(*at)),
                None => "that was the last".to_owned(),
            };
            format!("{step} attempt {attempt} failed: {}; {next}", show_failure(failure))
        }
        Event::StepSucceeded { attempt, output, .. } => {
            format!("{step} attempt {attempt} succeeded with {}", output.text())
        }
        Event::StepFailed { failure, .. } => format!("{step} failed: {}", show_failure(failure)),
        Event::StepUnsatisfied { unsatisfied: Unsatisfied::Needs, .. } => {
            format!("{step} is unsatisfied: no edge holds")
        }
        Event::StepUnsatisfied { unsatisfied: Unsatisfied::When, .. } => {
            format!("{step} is unsatisfied: its `when` is false")
        }
        Event::ForeachStarted { items, count, .. } => {
            format!("{step} starts {count} iterations over {}", items.text())
        }
        Event::IterationsStarted { first, count: 1, .. } => {
            format!("{step} iteration {first} starts")
        }
        Event::IterationsStarted { first, count, .. } => {
            format!("{step} iterations {first} to {} start", first + count - 1)
        }
        Event::IterationEnded { index, result, .. } => {
            format!("{step} iteration {index} {}", show_result(result))
        }
        Event::LoopSucceeded { .. } => format!("{step} succeeded"),
        Event::LoopStopRequested { ending, .. } => {
            format!("{step} is to stop: {}", show_ending(ending))
        }
        Event::LoopStopped { .. } => format!("{step} stopped"),
        Event::StopRequested { stop } => format!("run is to stop: {}", show_stop(stop)),
        Event::RunSucceeded { output: None } => "run succeeded".to_owned(),
        Event::RunSucceeded { output: Some(output) } => {
            format!("run succeeded with {}", output.text())
        }
        Event::RunFailed { failure } => format!("run failed: {}", show_failure(failure)),
        Event::RunStopped => "run stopped".to_owned(),
        Event::AttemptSuspended { attempt, wait, .. } => {
            format!("{step} attempt {attempt} waits at {} for {}", wait.sequence, show_wait(wait))
        }
        Event::AttemptResumed { attempt, wake, .. } => {
            format!("{step} attempt {attempt} goes on: {}", show_wake(wake))
        }
        Event::AttemptPutAway { attempt, .. } => format!("{step} attempt {attempt} is put away"),
        Event::StepContinued { attempt, input, sequence, signals_taken, .. } => {
            let input = input.text();
            let mut text = format!("{step} continues as attempt {attempt} with {input}");
            text += &format!(", its journal at {sequence}");
            for (name, sequence) in signals_taken {
                text += &format!(", {name} taken up to {sequence}");
            }
            text
        }
        Event::ChildStarted { child, .. } => format!("{step} started {}", name_of(*child)),
        Event::ChildEnded { child, .. } => format!("{step} knows that {} is over", name_of(*child)),
        _ => action::show_event(run, event),
    }
}

/// An effect, for example `-> run load 1`.
pub fn show_effect(run: &Run, effect: &Effect) -> String {
    match effect {
        Effect::RunAttempt { step, attempt } => format!("-> run {} {attempt}", id(run, *step)),
        Effect::AbortAttempt { step, attempt } => format!("-> abort {} {attempt}", id(run, *step)),
        Effect::StartIteration { step, index } => format!("-> start {} {index}", id(run, *step)),
        Effect::CancelIteration { step, index, .. } => {
            format!("-> cancel {} {index}", id(run, *step))
        }
        Effect::ReportEnd { index, end, .. } => {
            format!("-> tell parent: iteration {index} {}", show_result(&end.result))
        }
        Effect::WatchChild { child, .. } => format!("-> watch {}", name_of(*child)),
        Effect::CancelChild { child, .. } => format!("-> cancel {}", name_of(*child)),
        Effect::ReportChild { .. } => {
            let result = run.result().expect("a run that tells its end is over");
            format!("-> tell parent: {} {}", name_of(run.id()), show_result(&result))
        }
        _ => action::show_effect(run, effect),
    }
}

/// A run with all its steps, at this moment.
pub fn show_run(run: &Run, now: Timestamp) -> Vec<String> {
    let mut first = format!("run {} at {}", run.status().as_str(), show_time(now));
    match run.status() {
        RunStatus::Succeeded { output } => first += &format!(" with {}", output.text()),
        RunStatus::Failed { failure } => first += &format!(": {}", show_failure(failure)),
        RunStatus::Queued
        | RunStatus::Running
        | RunStatus::Paused
        | RunStatus::Cancelled
        | RunStatus::TimedOut => {}
    }
    if let Some(stop) = run.stop() {
        first += &format!(", to stop: {}", show_stop(stop));
    }
    if let Some(deadline) = run.next_deadline() {
        first += &format!(", next deadline {}", show_time(deadline));
    }
    let children = run
        .children()
        .iter()
        .map(|(child, step)| format!("  {} of {} is open", name_of(*child), id(run, *step)));
    let steps = (0..run.steps().len()).map(|place| show_step(run, place as StepIndex));
    std::iter::once(first).chain(steps).chain(children).collect()
}

fn show_step(run: &Run, place: StepIndex) -> String {
    let step = &run.steps()[place as usize];
    let since = show_time(step.since);
    let mut line = format!("  {}: {} since {since}", id(run, place), step.state.as_str());
    if step.attempt > 0 {
        line += &format!(", attempt {}", step.attempt);
    }
    if step.continued > 0 {
        line += &format!(", continued {} times, journal at {}", step.continued, step.sequence);
    }
    if let Some(iterations) = &step.iterations {
        line += &show_iterations(iterations);
    }
    match &step.state {
        StepState::Pending { .. } => {
            let needs: Vec<&str> = run.incomplete_needs(place).collect();
            line += &format!(", waits for {}", needs.join(", "));
        }
        StepState::Suspended { wait } | StepState::Waiting { wait } => {
            line += &format!(", waits at {} for {}", wait.sequence, show_wait(wait));
        }
        StepState::BackingOff { until } => line += &format!(", until {}", show_time(*until)),
        StepState::Succeeded { output } => line += &format!(", gave {}", output.text()),
        StepState::Failed { failure } => line += &format!(", {}", show_cause(failure)),
        StepState::CompletedWithError { failure, output } => {
            line += &format!(", {}", show_cause(failure));
            if let Some(output) = output {
                line += &format!(", gave {}", output.text());
            }
        }
        StepState::Publishing { output, signals } => {
            line += &format!(", publishes {}, gave {}", show_signals(signals), output.text());
        }
        StepState::Queued { permit } => line += &format!(", short of {permit}"),
        StepState::Delegated { child, .. } => line += &format!(", as {}", name_of(*child)),
        StepState::Skipped { by } => line += &format!(", by {by}"),
        StepState::Unsatisfied { .. }
        | StepState::Paused
        | StepState::Running
        | StepState::Looping
        | StepState::Cancelled => {}
    }
    if let Some(failure) = &step.last_failure
        && !matches!(step.state, StepState::Failed { .. } | StepState::CompletedWithError { .. })
    {
        line += &format!(", before {}", show_cause(failure));
    }
    line
}

/// What a step publishes.
pub fn show_signals(signals: &[SignalOutput]) -> String {
    let shown = signals.iter().map(|SignalOutput { name, params, payload }| {
        format!("{name} {params} {}", payload.text())
    });
    shown.collect::<Vec<_>>().join(" and ")
}

fn show_iterations(iterations: &Iterations) -> String {
    let Iterations { count, next, in_flight, succeeded, failed, .. } = iterations;
    format!(
        ", of {count} iterations {next} started, {succeeded} succeeded, {} failed, {} under way",
        failed.len(),
        in_flight.len()
    )
}

/// A moment, as the time since the script began.
pub fn show_time(at: Timestamp) -> String {
    let (sign, millis) = match at >= START {
        true => ('+', at.since(START)),
        false => ('-', START.since(at)),
    };
    format!("{sign}{}s", millis as f64 / 1_000.0)
}

fn show_origin(origin: &Origin) -> String {
    match origin {
        Origin::Start { given, cause: Cause::Fork { from, carried, .. }, .. } => {
            let (params, count) = (given.params.text(), carried.len());
            format!("run forked from {from} with {params}, {count} steps taken over")
        }
        Origin::Start { given, .. } => format!("run created with {}", given.params.text()),
        Origin::Child { given, depth, .. } => {
            format!("run created by a step, {depth} deep, with {}", given.params.text())
        }
        Origin::Iteration { index, path, loop_variables, .. } => {
            let loop_variables = loop_variables.text();
            format!("run created for iteration {index} at {path:?} with {loop_variables}")
        }
    }
}

/// What somebody waits for.
pub fn show_wait(wait: &Wait) -> String {
    let timer = wait.timer.iter().map(|one| (one.index, show_time(one.until)));
    let signals = wait.signals.iter().map(|SignalWait { index, name, pattern, after }| {
        (*index, format!("signal {name} {pattern} after {after}"))
    });
    let run_signals =
        wait.run_signals.iter().map(|one| (one.index, format!("signal {} to the run", one.name)));
    let runs = wait.runs.iter().map(|one| (one.index, format!("the end of {}", name_of(one.run))));
    let mut all: Vec<_> = timer.chain(signals).chain(run_signals).chain(runs).collect();
    all.sort();
    all.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" or ")
}

fn show_wake(wake: &Wake) -> String {
    match wake {
        Wake::Timer { index } => format!("{index}, its moment came"),
        Wake::Signal { index, name, sequence } => format!("{index}, signal {name} {sequence}"),
        Wake::RunSignal { index, name, sequence } => {
            format!("{index}, signal {name} {sequence} to the run")
        }
        Wake::Run { index, run } => format!("{index}, {} is over", name_of(*run)),
    }
}

fn show_result(result: &IterationResult) -> String {
    match result {
        IterationResult::Succeeded(output) => format!("succeeded with {}", output.text()),
        IterationResult::Failed(failure) => format!("failed: {}", show_failure(failure)),
        IterationResult::Cancelled => "was cancelled".to_owned(),
    }
}

fn show_stop(stop: &Stop) -> String {
    match stop {
        Stop::Cancelled { by } => format!("cancelled by {by}"),
        Stop::TimedOut => "timed out".to_owned(),
        Stop::Killed { by } => format!("killed by {by}"),
        Stop::Failed { failure } => format!("failed: {}", show_failure(failure)),
        Stop::Strategy { run } => format!("{} takes its place", name_of(*run)),
    }
}

fn show_ending(ending: &Ending) -> String {
    match ending {
        Ending::Failed(failure) => show_failure(failure),
        Ending::Skipped { by } => format!("skipped by {by}"),
        Ending::Cancelled { by } => format!("cancelled by {by}"),
    }
}

/// A failure with its message.
pub fn show_failure(failure: &Failure) -> String {
    format!("{} {:?}", show_cause(failure), failure.message)
}

fn show_cause(failure: &Failure) -> String {
    let kind = match failure.kind {
        FailureKind::User => "user",
        FailureKind::Platform => "platform",
        FailureKind::Timeout => "timeout",
        FailureKind::Fatal => "fatal",
    };
    format!("{kind}/{}", failure.reason)
}

/// The id of a step.
pub fn id(run: &Run, step: StepIndex) -> &str {
    run.body().steps.get(step as usize).map_or("?", |step| step.id.as_str())
}
