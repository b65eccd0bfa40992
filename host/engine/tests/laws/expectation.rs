//! What the laws expect of a run, worked out from what can be seen of it: what
//! it waits for, which commands are welcome, when its deadlines are.

use segno_engine::command::Command;
use segno_engine::effect::Effect;
use segno_engine::event::{Event, Origin, Stop};
use segno_engine::failure::Failure;
use segno_engine::id::Timestamp;
use segno_engine::run::{Run, StepRun, StepState};
use segno_engine::wait::Wake;
use std::collections::BTreeSet;

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

/// Enters the effects of `events`.
pub fn ask(asked: &mut BTreeSet<String>, run: &Run, events: &[Event]) {
    if !run.status().is_open() {
        // Runs that its steps started and did not wait for go on without it.
        asked.retain(|effect| !effect.starts_with("WatchChild"));
    }
    for effect in events.iter().flat_map(|event| run.effects_of(event)) {
        match effect {
            Effect::AbortAttempt { step, attempt } => {
                asked.remove(&key(&Effect::RunAttempt { step, attempt }));
            }
            Effect::CancelIteration { step, index } => {
                asked.remove(&key(&Effect::StartIteration { step, index }));
                asked.insert(key(&effect));
            }
            Effect::CancelChild { step, child } => {
                asked.remove(&key(&Effect::WatchChild { step, child }));
                asked.insert(key(&effect));
            }
            Effect::RunAttempt { .. }
            | Effect::StartIteration { .. }
            | Effect::WatchChild { .. } => {
                asked.insert(key(&effect));
            }
            // They want no answer.
            Effect::ReportEnd { .. } | Effect::ReportChild { .. } => {}
        }
    }
}

/// Strikes out what `command` answers.
pub fn answer(asked: &mut BTreeSet<String>, command: &Command) {
    for effect in answered(command) {
        asked.remove(&key(&effect));
    }
}

/// An effect as something that can be looked up.
pub fn key(effect: &Effect) -> String {
    format!("{effect:?}")
}

/// The effects that may have asked for this command.
pub fn answered(command: &Command) -> Vec<Effect> {
    match *command {
        // Who suspends, finishes or continues has played the attempt as far as it goes.
        Command::FinishAttempt { step, attempt, .. }
        | Command::Suspend { step, attempt, .. }
        | Command::Continue { step, attempt, .. } => vec![Effect::RunAttempt { step, attempt }],
        Command::EndChild { step, child } => {
            vec![Effect::WatchChild { step, child }, Effect::CancelChild { step, child }]
        }
        Command::EndIteration { step, index, .. } => {
            vec![Effect::StartIteration { step, index }, Effect::CancelIteration { step, index }]
        }
        Command::CheckDeadlines
        | Command::Cancel { .. }
        | Command::Wake { .. }
        | Command::PutAway { .. }
        | Command::StartChild { .. } => Vec::new(),
    }
}

/// Whether the run wants this command.
pub fn is_awaited(run: &Run, command: &Command) -> bool {
    match command {
        Command::CheckDeadlines => true,
        Command::Cancel { .. } => run.status().is_open(),
        Command::Wake { step, sequence, wake } => {
            run.wait_of(*step).is_some_and(|wait| wait.sequence == *sequence && wait.expects(wake))
        }
        Command::PutAway { step, attempt, .. } => run.is_under_way(*step, *attempt),
        Command::StartChild { step, attempt, .. } => run.is_running(*step, *attempt),
        Command::FinishAttempt { .. }
        | Command::EndIteration { .. }
        | Command::Suspend { .. }
        | Command::Continue { .. }
        | Command::EndChild { .. } => {
            let outstanding = run.outstanding();
            answered(command).iter().any(|effect| outstanding.contains(effect))
        }
    }
}

/// Every deadline of a run, from what can be seen of it.
pub fn deadlines(run: &Run) -> impl Iterator<Item = Timestamp> {
    let goes_on = run.status().is_open() && run.stop().is_none();
    let of_run = match run.origin() {
        Origin::Start { .. } | Origin::Child { .. } => run.timeout_ms(),
        Origin::Iteration { .. } => None,
    };
    let of_run = of_run.and_then(|timeout| Some(run.started_at()?.plus_ms(timeout)));
    let of_step = |(place, step): (usize, &StepRun)| {
        let timeout = || Some(step.attempt_at.plus_ms(run.timeout_of(place as u32)?));
        match &step.state {
            StepState::Running => timeout(),
            StepState::Suspended { wait } => {
                let moment = wait.timer.map(|timer| timer.until);
                timeout().into_iter().chain(moment).min()
            }
            StepState::Looping if !is_stopping(step) => timeout(),
            StepState::BackingOff { until } => Some(*until),
            _ => None,
        }
    };
    let of_steps = run.steps().iter().enumerate().filter_map(of_step);
    of_run.into_iter().chain(of_steps).filter(move |_| goes_on)
}

fn is_stopping(step: &StepRun) -> bool {
    step.iterations.as_ref().is_some_and(|iterations| iterations.stopping)
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
                _ => panic!("attempt {attempt} did not follow a wait"),
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
        Event::LoopStopRequested { step, .. } => Some(since(*step)),
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
        | StepState::BackingOff { .. }
        | StepState::Suspended { .. }
        | StepState::Looping => 1,
        StepState::Succeeded { .. }
        | StepState::Failed { .. }
        | StepState::Unsatisfied { .. }
        | StepState::Cancelled => OVER,
    }
}
