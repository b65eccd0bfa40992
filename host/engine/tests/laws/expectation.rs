//! What the laws expect of a run, worked out from what can be seen of it: what
//! it waits for, which commands are welcome, when its deadlines are.

use segno_engine::command::Command;
use segno_engine::effect::Effect;
use segno_engine::event::{Ending, Event, Origin, Stop};
use segno_engine::failure::Failure;
use segno_engine::id::{RunId, StepIndex, Timestamp};
use segno_engine::run::{Run, RunStatus, StepRun, StepState};
use segno_engine::wait::Wake;
use std::collections::BTreeMap;

/// The moments at which steps go on, as the run itself has them: it shows them
/// to nobody but its author.
pub fn wait_deadlines(run: &Run) -> Vec<(Timestamp, u32)> {
    let text = format!("{run:?}");
    let (_, rest) = text.split_once("deadlines: {").expect("a run has deadlines");
    let (deadlines, _) = rest.split_once('}').expect("the set ends");
    // Each is `(Timestamp(1000), Wait(2))`.
    let wait = |entry: &str| {
        let (at, step) = entry.split_once("), Wait(")?;
        let at = at.rsplit_once('(')?.1.parse().ok()?;
        Some((Timestamp(at), step.trim_end_matches([')', ',', ' ']).parse().ok()?))
    };
    deadlines.split("(Timestamp").filter_map(wait).collect()
}

/// What is in flight, by what would end it.
pub type Asked = BTreeMap<String, Effect>;

/// Enters the effects of `events`.
pub fn ask(asked: &mut Asked, run: &Run, events: &[Event]) {
    for effect in events.iter().flat_map(|event| run.effects_of(event)) {
        match effect {
            Effect::AbortAttempt { step, attempt } => {
                asked.remove(&slot(run, &Effect::RunAttempt { step, attempt }));
            }
            // They want no answer.
            Effect::ReportEnd { .. } | Effect::ReportChild { .. } | Effect::TellBelow => {}
            _ => {
                asked.insert(slot(run, &effect), effect);
            }
        }
    }
    if events.iter().any(|event| matches!(event, Event::RunRetried { .. })) {
        // What a step had started is its own again, though it may have been told
        // to end.
        for effect in asked.values_mut() {
            match *effect {
                Effect::CancelChild { step, child }
                    if run.outstanding().contains(&Effect::WatchChild { step, child }) =>
                {
                    *effect = Effect::WatchChild { step, child };
                }
                _ => {}
            }
        }
    }
    asked.retain(|_, effect| match effect {
        // Nobody minds when a signal comes that is not waited for any more.
        Effect::AwaitSignal { step } => run.wait_of(*step).is_some(),
        // A step that was ended meanwhile has published, or has not.
        Effect::PublishSignals { step } => is_publishing(run, *step),
        // Runs that its steps started and did not wait for go on without it.
        Effect::WatchChild { .. } | Effect::StartSubworkflow { .. } => run.status().is_open(),
        _ => true,
    });
}

/// Strikes out what `command` answers.
pub fn answer(asked: &mut Asked, command: &Command) {
    if let Some(slot) = answered(command) {
        asked.remove(&slot);
    }
}

/// What is in flight by the state of the run.
pub fn outstanding(run: &Run) -> Asked {
    run.outstanding().into_iter().map(|effect| (slot(run, &effect), effect)).collect()
}

/// What ends an effect.
fn slot(run: &Run, effect: &Effect) -> String {
    match effect {
        Effect::RunAttempt { step, attempt }
        | Effect::AbortAttempt { step, attempt }
        | Effect::AwaitPermits { step, attempt } => of_attempt(*step, *attempt),
        Effect::StartIteration { step, index } => of_iteration((*step, *index), 0),
        Effect::RetryIteration { step, index, generation, .. }
        | Effect::CancelIteration { step, index, generation } => {
            of_iteration((*step, *index), *generation)
        }
        Effect::WatchChild { step, child } | Effect::CancelChild { step, child } => {
            of_child(*step, *child)
        }
        Effect::StartSubworkflow { step } => {
            let child = run.steps()[*step as usize].child;
            of_child(*step, child.expect("a subworkflow has a run"))
        }
        Effect::AwaitSignal { step } => format!("signal of {step}"),
        Effect::PublishSignals { step } => format!("publication of {step}"),
        Effect::ReportEnd { .. } | Effect::ReportChild { .. } | Effect::TellBelow => {
            panic!("{effect:?} wants no answer")
        }
    }
}

fn of_attempt(step: StepIndex, attempt: u32) -> String {
    format!("attempt {attempt} of {step}")
}

fn of_iteration((step, index): (StepIndex, u32), generation: u32) -> String {
    format!("retry {generation} of iteration {index} of {step}")
}

fn of_child(step: StepIndex, child: RunId) -> String {
    format!("run {child} of {step}")
}

/// What this command ends.
fn answered(command: &Command) -> Option<String> {
    Some(match command {
        // Who suspends, finishes or continues has played the attempt as far as it goes.
        Command::FinishAttempt { step, attempt, .. }
        | Command::Suspend { step, attempt, .. }
        | Command::Hold { step, attempt, .. }
        | Command::Release { step, attempt }
        | Command::Continue { step, attempt, .. } => of_attempt(*step, *attempt),
        Command::EndChild { step, end } => of_child(*step, end.run),
        Command::EndIteration { step, index, end } => of_iteration((*step, *index), end.generation),
        Command::EndWait { step, .. } => format!("signal of {step}"),
        Command::EndPublishing { step, .. } => format!("publication of {step}"),
        _ => return None,
    })
}

/// Whether the run wants this command; nothing for what somebody does by hand.
pub fn is_awaited(run: &Run, command: &Command) -> Option<bool> {
    Some(match command {
        Command::CheckDeadlines => true,
        Command::Wake { step, sequence, wake } => {
            is_suspended(run, *step)
                && run
                    .wait_of(*step)
                    .is_some_and(|wait| wait.sequence == *sequence && wait.expects(wake))
        }
        Command::PutAway { step, attempt, .. } => run.is_under_way(*step, *attempt),
        Command::StartChild { step, attempt, .. } => run.is_running(*step, *attempt),
        Command::FinishAttempt { step, attempt, .. }
        | Command::Suspend { step, attempt, .. }
        | Command::Hold { step, attempt, .. }
        | Command::Continue { step, attempt, .. } => {
            let effect = Effect::RunAttempt { step: *step, attempt: *attempt };
            run.outstanding().contains(&effect)
        }
        Command::Release { step, attempt } => {
            let effect = Effect::AwaitPermits { step: *step, attempt: *attempt };
            run.outstanding().contains(&effect)
        }
        Command::EndWait { step, .. } => {
            run.outstanding().contains(&Effect::AwaitSignal { step: *step })
        }
        Command::EndPublishing { step, attempt, publication, sequences } => {
            let known = &run.steps()[*step as usize];
            let counts = match &known.state {
                StepState::Publishing { signals, .. } => signals.len() == sequences.len(),
                _ => false,
            };
            counts && (known.attempt, known.publications) == (*attempt, *publication)
        }
        Command::EndIteration { step, index, end } => {
            let slot = answered(command).expect("it ends something");
            outstanding(run).contains_key(&slot) && run.iteration_id(*step, *index) == end.run
        }
        Command::EndChild { step, end } => {
            let slot = answered(command).expect("it ends something");
            let is_stale = end.generation < run.child_generation(end.run, *step);
            outstanding(run).contains_key(&slot) && !is_stale
        }
        _ => return None,
    })
}

fn is_publishing(run: &Run, step: StepIndex) -> bool {
    let state = run.steps().get(step as usize).map(|step| &step.state);
    matches!(state, Some(StepState::Publishing { .. }))
}

fn is_suspended(run: &Run, step: StepIndex) -> bool {
    let state = run.steps().get(step as usize).map(|step| &step.state);
    matches!(state, Some(StepState::Suspended { .. }))
}

/// Every deadline of a run, from what can be seen of it.
pub fn deadlines(run: &Run) -> impl Iterator<Item = Timestamp> {
    let has_begun = run.status().is_open() && *run.status() != RunStatus::Queued;
    let goes_on = has_begun && run.stop().is_none();
    let of_run = match run.origin() {
        Origin::Start { .. } | Origin::Child { .. } => run.timeout_ms(),
        Origin::Iteration { .. } => None,
    };
    let of_run = of_run.and_then(|timeout| Some(run.started_at()?.plus_ms(timeout)));
    let of_step = |(place, step): (usize, &StepRun)| {
        let timeout = || Some(step.attempt_at.plus_ms(run.timeout_of(place as u32)?));
        match &step.state {
            StepState::Running => timeout(),
            StepState::Delegated { .. } => timeout(),
            StepState::Suspended { wait } | StepState::Waiting { wait } => {
                let moment = wait.timer.map(|timer| timer.until);
                timeout().into_iter().chain(moment).min()
            }
            StepState::Looping if !is_stopping(step) => timeout(),
            // Whoever is paused begins nothing.
            StepState::BackingOff { until } if !run.is_on_hold() => Some(*until),
            _ => None,
        }
    };
    let of_steps = run.steps().iter().enumerate().filter_map(of_step);
    of_run.into_iter().chain(of_steps).filter(move |_| goes_on)
}

fn is_stopping(step: &StepRun) -> bool {
    step.iterations.as_ref().is_some_and(|iterations| iterations.ending.is_some())
}

/// When something that only a deadline brings about was due.
pub fn due(before: &Run, event: &Event) -> Option<Timestamp> {
    let since = |step: u32| {
        let timeout = before.timeout_of(step);
        before.steps()[step as usize].attempt_at.plus_ms(timeout.unwrap_or(u64::MAX))
    };
    match event {
        Event::AttemptStarted { step, attempt } if *attempt > 1 => {
            match before.steps()[*step as usize].state {
                StepState::BackingOff { until } => Some(until),
                // Somebody retried it.
                _ => None,
            }
        }
        Event::AttemptFailed { step, failure: Failure { reason, .. }, .. }
            if reason == "timeout" =>
        {
            Some(since(*step))
        }
        Event::AttemptResumed { step, wake: Wake::Timer { .. }, .. } => {
            Some(before.wait_of(*step)?.timer?.until)
        }
        Event::LoopStopRequested { step, ending: Ending::Failed(Failure { reason, .. }) }
            if reason == "timeout" =>
        {
            Some(since(*step))
        }
        Event::StepReady { step } => match before.steps()[*step as usize].state {
            StepState::BackingOff { until } => Some(until),
            _ => panic!("step {step} was not waiting for its next attempt"),
        },
        Event::StopRequested { stop: Stop::TimedOut } => {
            let timeout = before.timeout_ms().unwrap_or(u64::MAX);
            before.started_at().map(|started| started.plus_ms(timeout))
        }
        _ => None,
    }
}

/// The rank of a state that a step keeps.
pub const OVER: u8 = 2;

/// How far a step has come with this state.
pub fn rank(state: &StepState) -> u8 {
    match state {
        StepState::Pending { .. } => 0,
        StepState::Running
        | StepState::Paused
        | StepState::Queued { .. }
        | StepState::BackingOff { .. }
        | StepState::Suspended { .. }
        | StepState::Waiting { .. }
        | StepState::Delegated { .. }
        | StepState::Looping
        | StepState::Publishing { .. } => 1,
        StepState::Succeeded { .. }
        | StepState::CompletedWithError { .. }
        | StepState::Failed { .. }
        | StepState::Skipped { .. }
        | StepState::Unsatisfied { .. }
        | StepState::Cancelled => OVER,
    }
}
