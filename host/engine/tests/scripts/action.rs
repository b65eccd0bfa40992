//! What somebody does with runs and steps, and steps without a guest, in the
//! words of the scripts.

use crate::durable::name_of;
use crate::wording::{id, show_failure, show_signals, show_time, show_wait};
use segno_engine::command::RetryTarget;
use segno_engine::effect::Effect;
use segno_engine::event::Event;
use segno_engine::id::StepIndex;
use segno_engine::run::Run;

/// An event that `wording` has no words for.
pub fn show_event(run: &Run, event: &Event) -> String {
    let step = event.step().map(|step| id(run, step)).unwrap_or_default();
    match event {
        Event::WaitStarted { wait, .. } => format!("{step} waits for {}", show_wait(wait)),
        Event::WhileStarted { .. } => format!("{step} starts to loop"),
        Event::WhileContinued { index, variables, .. } => {
            format!("{step} iteration {index} starts with {}", variables.text())
        }
        Event::SubworkflowStarted { child, workflow, version, .. } => {
            format!("{step} starts {workflow}, version {version}, as {}", name_of(*child))
        }
        Event::StepUnready { attempt, failure, retry_at, .. } => {
            let next = match retry_at {
                Some(at) => format!("next at {}", show_time(*at)),
                None => "that was the last".to_owned(),
            };
            format!("{step} attempt {attempt} cannot start: {}; {next}", show_failure(failure))
        }
        Event::StepReady { .. } => format!("{step} is looked at again"),
        Event::AttemptHeld { attempt, permit, .. } => {
            format!("{step} attempt {attempt} is short of {permit}")
        }
        Event::AttemptReleased { attempt, .. } => format!("{step} attempt {attempt} has permits"),
        Event::StepPaused { .. } => format!("{step} is paused"),
        Event::StepResumed { by, .. } => format!("{step} is resumed by {by}"),
        Event::StepSkipped { by, .. } => format!("{step} is skipped by {by}"),
        Event::StepCancelled { by, .. } => format!("{step} is cancelled by {by}"),
        Event::StepKilled { by, .. } => format!("{step} is killed by {by}"),
        Event::WaitBypassed { by, .. } => format!("{step} is let through by {by}"),
        Event::RunPaused { by } => format!("run is paused by {by}"),
        Event::RunResumed { by } => format!("run is resumed by {by}"),
        Event::RunUnblocked { by } => format!("run is unblocked by {by}"),
        Event::StepPublishing { attempt, output, signals, .. } => {
            let output = output.as_ref().map_or("what follows", |output| output.text());
            let signals = show_signals(signals);
            format!("{step} attempt {attempt} gave {output}, and publishes {signals}")
        }
        Event::StepPublished { attempt, sequences, .. } => {
            format!("{step} attempt {attempt} succeeded, having published {sequences:?}")
        }
        Event::IterationRetried { index, .. } => format!("{step} iteration {index} goes on"),
        Event::RunRetried { .. } => show_retry(run, event),
        _ => format!("{event:?}"),
    }
}

fn show_retry(run: &Run, event: &Event) -> String {
    let Event::RunRetried { generation, given, steps, fresh, inner, queued, .. } = event else {
        return String::new();
    };
    let names = |steps: &[StepIndex]| {
        let names: Vec<_> = steps.iter().map(|step| id(run, *step)).collect();
        names.join(", ")
    };
    let mut text = format!("run is retried, generation {generation}");
    if !steps.is_empty() {
        text += &format!(", with {}", names(steps));
    }
    if !fresh.is_empty() {
        text += &format!(", from scratch {}", names(fresh));
    }
    if *inner != RetryTarget::Incomplete {
        text += &format!(", in it {}", show_target(inner));
    }
    if let Some(given) = given {
        text += &format!(", with params {}", given.params.text());
    }
    if *queued {
        text += ", when it is its turn";
    }
    text
}

fn show_target(target: &RetryTarget) -> String {
    match target {
        RetryTarget::Incomplete => "what is incomplete".to_owned(),
        RetryTarget::Beginning => "all of it".to_owned(),
        RetryTarget::From(step) => format!("from #{step}"),
        RetryTarget::Iteration(step, index, inner) => {
            format!("iteration {index} of #{step}, {}", show_target(inner))
        }
        RetryTarget::Child(step, inner) => format!("the run of #{step}, {}", show_target(inner)),
        RetryTarget::Skip(step) => format!("without #{step}"),
    }
}

/// An effect that `wording` has no words for.
pub fn show_effect(run: &Run, effect: &Effect) -> String {
    match effect {
        Effect::RetryIteration { step, index, generation, target } => {
            let (step, target) = (id(run, *step), show_target(target));
            format!("-> go on {step} {index}, generation {generation}: {target}")
        }
        Effect::StartSubworkflow { step } => {
            let child = run.steps()[*step as usize].child.map(name_of).unwrap_or_default();
            let generation = run.steps()[*step as usize].child_generation;
            format!("-> see that {child} of {} runs, generation {generation}", id(run, *step))
        }
        Effect::AwaitSignal { step } => format!("-> await the signal of {}", id(run, *step)),
        Effect::PublishSignals { step } => format!("-> publish signals of {}", id(run, *step)),
        Effect::AwaitPermits { step, attempt } => {
            format!("-> await permits of {} {attempt}", id(run, *step))
        }
        Effect::TellBelow => "-> tell those below".to_owned(),
        _ => format!("-> {effect:?}"),
    }
}
