//! What happened to a run, in words: the sentence for each event that a person
//! wants to read of. Its subject is the run, or the step that the entry names.

use super::step_view::reason;
use crate::clock::rfc3339;
use segno_engine::event::{Cause, Ending, Event, IterationResult, Origin, Stop, Unsatisfied};
use segno_engine::failure::Failure;
use segno_engine::id::{Attempt, Timestamp};
use segno_engine::publishing::SignalOutput;
use segno_engine::wait::{Wait, Wake};

/// What an event says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// What happened.
    pub(super) what: String,
    /// The attempt that it happened to.
    pub(super) attempt: Option<Attempt>,
    /// Who wanted it.
    pub(super) by: Option<String>,
}

impl Said {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), attempt: None, by: None }
    }

    fn attempt(self, attempt: Attempt) -> Self {
        Self { attempt: Some(attempt), ..self }
    }

    fn by(self, by: &str) -> Self {
        Self { by: Some(by.to_owned()), ..self }
    }
}

/// What an event says; `None` for one that changes nothing that can be seen.
pub(super) fn said(event: &Event) -> Option<Said> {
    of_run(event).or_else(|| of_step(event)).or_else(|| of_wait(event)).or_else(|| of_loop(event))
}

fn of_run(event: &Event) -> Option<Said> {
    Some(match event {
        Event::RunCreated { version, origin, .. } => created(*version, origin),
        Event::RunStarted => Said::new("began"),
        Event::StopRequested { stop } => stopped(stop),
        Event::RunSucceeded { .. } => Said::new("succeeded"),
        Event::RunFailed { failure } => Said::new(format!("failed: {}", words(failure))),
        Event::RunStopped => Said::new("is over: everything in it has stopped"),
        Event::RunPaused { by } => Said::new("was paused").by(by),
        Event::RunResumed { by } => Said::new("was resumed").by(by),
        Event::RunRetried { by, given, queued, .. } => {
            let with = if given.is_some() { " with other params" } else { "" };
            let turn = if *queued { ", and waits for its turn" } else { "" };
            Said::new(format!("was retried{with}{turn}")).by(by)
        }
        Event::RunUnblocked { by } => Said::new("no longer keeps other runs from beginning").by(by),
        _ => return None,
    })
}

fn created(version: u64, origin: &Origin) -> Said {
    match origin {
        Origin::Start { cause: Cause::Manual { by }, .. } => {
            Said::new(format!("was created, of version {version}")).by(by)
        }
        Origin::Start { cause: Cause::Fork { by, of, from, .. }, .. } => {
            let step = match from.as_str() {
                "" => String::new(),
                from => format!(" from step {from}"),
            };
            Said::new(format!("was forked{step} of {of}, of version {version}")).by(by)
        }
        Origin::Start { cause: Cause::Schedule { schedule, at, by, .. }, .. } => {
            let said = format!(
                "was created for {} of schedule {schedule}, of version {version}",
                rfc3339(*at)
            );
            by.iter().fold(Said::new(said), |said, by| said.by(by))
        }
        Origin::Start { cause: Cause::Signal { trigger, signals }, .. } => {
            let signals: Vec<_> =
                signals.iter().map(|(name, sequence)| format!("{name} {sequence}")).collect();
            Said::new(format!(
                "was created for {} by trigger {trigger}, of version {version}",
                signals.join(" and ")
            ))
        }
        Origin::Child { parent, .. } => {
            Said::new(format!("was created by {parent}, of version {version}"))
        }
        Origin::Iteration { parent, index, .. } => {
            Said::new(format!("was created as iteration {index} of {parent}"))
        }
    }
}

fn stopped(stop: &Stop) -> Said {
    match stop {
        Stop::Cancelled { by } => Said::new("was cancelled: what runs is stopped").by(by),
        Stop::Killed { by } => Said::new("was killed: what runs is stopped").by(by),
        Stop::TimedOut => Said::new("took longer than it may: what runs is stopped"),
        Stop::Failed { failure } => {
            Said::new(format!("cannot go on, and what runs is stopped: {}", words(failure)))
        }
        Stop::Strategy { run } => Said::new(format!("makes room for {run}: what runs is stopped")),
    }
}

fn of_step(event: &Event) -> Option<Said> {
    Some(match event {
        Event::StepStarted { .. } | Event::WhileStarted { .. } => Said::new("started"),
        // The first attempt starts with the step.
        Event::AttemptStarted { attempt, .. } if *attempt > 1 => {
            Said::new(format!("attempt {attempt} started")).attempt(*attempt)
        }
        Event::AttemptFailed { attempt, failure, retry_at, .. } => {
            let what = format!("attempt {attempt} failed: {}{}", words(failure), again(*retry_at));
            Said::new(what).attempt(*attempt)
        }
        Event::StepUnready { attempt, failure, retry_at, .. } => {
            let what = format!("could not start: {}{}", words(failure), again(*retry_at));
            Said::new(what).attempt(*attempt)
        }
        Event::StepSucceeded { attempt, .. } => Said {
            attempt: Some(*attempt).filter(|attempt| *attempt > 0),
            ..Said::new("succeeded")
        },
        Event::StepPublishing { attempt, signals, .. } => Said {
            attempt: Some(*attempt).filter(|attempt| *attempt > 0),
            ..Said::new(publishes(signals))
        },
        Event::StepPublished { attempt, .. } => Said {
            attempt: Some(*attempt).filter(|attempt| *attempt > 0),
            ..Said::new("succeeded: its signals are published")
        },
        Event::StepFailed { failure, .. } => Said::new(format!("failed: {}", words(failure))),
        Event::StepUnsatisfied { unsatisfied: Unsatisfied::Needs, .. } => {
            Said::new("does not run: nothing that it needs lets it")
        }
        Event::StepUnsatisfied { unsatisfied: Unsatisfied::When, .. } => {
            Said::new("does not run: its `when` does not hold")
        }
        Event::StepContinued { attempt, .. } => Said::new("continued as new").attempt(*attempt),
        Event::StepPaused { .. } => Said::new("stopped at a breakpoint"),
        Event::StepResumed { by, .. } => Said::new("was resumed").by(by),
        Event::StepSkipped { by, .. } => Said::new("was skipped").by(by),
        Event::StepCancelled { by, .. } => Said::new("was cancelled").by(by),
        Event::StepKilled { by, .. } => Said::new("was killed").by(by),
        _ => return None,
    })
}

fn publishes(signals: &[SignalOutput]) -> String {
    const SHOWN: usize = 3;
    let names: Vec<_> = signals.iter().take(SHOWN).map(|signal| signal.name.as_str()).collect();
    let more = match signals.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("is done, and publishes {}{more}", names.join(", "))
}

fn of_wait(event: &Event) -> Option<Said> {
    Some(match event {
        Event::AttemptHeld { attempt, permit, .. } => {
            Said::new(format!("waits for a permit of {permit}")).attempt(*attempt)
        }
        Event::AttemptReleased { attempt, .. } => Said::new("has its permits").attempt(*attempt),
        Event::AttemptSuspended { attempt, wait, .. } => Said::new(waits(wait)).attempt(*attempt),
        Event::WaitStarted { wait, .. } => Said::new(waits(wait)),
        Event::AttemptResumed { attempt, wake, .. } => {
            Said::new(format!("goes on: {}", woken(wake))).attempt(*attempt)
        }
        Event::WaitBypassed { by, .. } => Said::new("goes on as if its signal had come").by(by),
        Event::ChildStarted { child, .. } => Said::new(format!("started {child}")),
        Event::ChildEnded { child, .. } => Said::new(format!("{child} is over")),
        Event::SubworkflowStarted { child, workflow, version, .. } => {
            Said::new(format!("starts workflow {workflow}, version {version}, as {child}"))
        }
        _ => return None,
    })
}

fn of_loop(event: &Event) -> Option<Said> {
    Some(match event {
        Event::ForeachStarted { count: 1, .. } => Said::new("started, with 1 iteration"),
        Event::ForeachStarted { count, .. } => {
            Said::new(format!("started, with {count} iterations"))
        }
        Event::IterationsStarted { first, count: 1, .. }
        | Event::WhileContinued { index: first, .. } => {
            Said::new(format!("iteration {first} started"))
        }
        Event::IterationsStarted { first, count, .. } => {
            let last = first + count.saturating_sub(1);
            Said::new(format!("iterations {first} to {last} started"))
        }
        Event::IterationRetried { index, .. } => Said::new(format!("iteration {index} goes on")),
        Event::IterationEnded { index, result, .. } => Said::new(match result {
            IterationResult::Succeeded(_) => format!("iteration {index} succeeded"),
            IterationResult::Failed(failure) => {
                format!("iteration {index} failed: {}", words(failure))
            }
            IterationResult::Cancelled => format!("iteration {index} was cancelled"),
        }),
        Event::LoopSucceeded { .. } => Said::new("succeeded"),
        Event::LoopStopRequested { ending, .. } => match ending {
            Ending::Failed(failure) => Said::new(format!(
                "cannot go on, and its iterations are stopped: {}",
                words(failure)
            )),
            Ending::Skipped { by } => Said::new("was skipped: its iterations are stopped").by(by),
            Ending::Cancelled { by } => {
                Said::new("was cancelled: its iterations are stopped").by(by)
            }
        },
        Event::LoopStopped { .. } => Said::new("is over: its iterations have stopped"),
        _ => return None,
    })
}

/// A failure in one line, without saying anything twice.
fn words(failure: &Failure) -> String {
    match failure.message.trim() {
        "" => failure.reason.clone(),
        message if message.starts_with(&failure.reason) => message.to_owned(),
        message => format!("{}: {message}", failure.reason),
    }
}

fn again(retry_at: Option<Timestamp>) -> String {
    retry_at.map_or_else(String::new, |at| format!("; tried again at {}", rfc3339(at)))
}

fn waits(wait: &Wait) -> String {
    let reason = reason(wait);
    match reason.split_once(':') {
        Some(("timer", until)) => format!("sleeps until {until}"),
        Some(("signal", name)) => format!("waits for signal {name}"),
        Some(("run", run)) => format!("waits for {run}"),
        _ => format!("waits for {reason}"),
    }
}

fn woken(wake: &Wake) -> String {
    match wake {
        Wake::Timer { .. } => "its moment has come".to_owned(),
        Wake::Signal { name, .. } | Wake::RunSignal { name, .. } => format!("signal {name} came"),
        Wake::Run { run, .. } => format!("{run} is over"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use segno_engine::failure::FailureKind;
    use segno_engine::usage::Usage;

    #[test]
    fn an_event_is_a_sentence_with_who_wanted_it() {
        let skipped = Event::StepSkipped { step: 0, by: "ada".to_owned() };
        let expected = Said { what: "was skipped".into(), attempt: None, by: Some("ada".into()) };
        assert_eq!(said(&skipped), Some(expected));
        let failed = Event::AttemptFailed {
            step: 0,
            attempt: 2,
            failure: Failure::new(FailureKind::User, "no_data", "the table is empty".to_owned()),
            retry_at: Some(Timestamp(1_000)),
            usage: Usage::default(),
        };
        let expected = "attempt 2 failed: no_data: the table is empty; tried again at 1970-01-01T00:00:01.000Z";
        assert_eq!(said(&failed).map(|said| said.what), Some(expected.to_owned()));
        assert_eq!(
            said(&Event::AttemptPutAway { step: 0, attempt: 1, usage: Usage::default() }),
            None
        );
    }
}
