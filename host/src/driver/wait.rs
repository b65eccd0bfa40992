//! Waiting: what holds already is given at once, anything else suspends the
//! attempt. For a moment its guest stays in memory; then it leaves, and is
//! played again when what it waits for has come. Nothing is asked twice: a
//! deadline, a signal or the end of a run wakes it.

use super::Due;
use super::durable::{Player, broken};
use super::journal;
use super::signals::{Last, Waiter};
use crate::crash;
use crate::sandbox::{Answer, Call, Condition, Gone, Happening, NewEntry, Pattern, Signal};
use crate::store::{SignalRecord, SignalUse, Write};
use segno_engine::command::Command;
use segno_engine::event::IterationResult;
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::{RunId, StepIndex, Timestamp};
use segno_engine::signal::{self, check_name};
use segno_engine::wait::{RunSignalWait, RunWait, SignalWait, TimerWait, Wait, Wake};
use std::collections::{HashSet, VecDeque};
use std::time::Duration;
use tokio::sync::oneshot;

/// The longest wait: ten years. What a step sleeps beyond that, it will not see.
const WAIT_MS_MAX: u64 = 10 * 366 * 24 * 60 * 60 * 1_000;

/// So often a wait is tried that names must stand still for.
const ROUNDS_MAX: u32 = 3;

/// One condition, checked.
enum Wanted {
    Timer(Timestamp),
    Signal { name: String, pattern: signal::Pattern, after: Option<u64> },
    RunSignal(String),
    Run(RunId),
}

/// What came of the attempt to suspend.
enum Suspended {
    /// The step waits; here comes the answer.
    Waits(oneshot::Receiver<Answer>),
    /// Something happened meanwhile: look again.
    Again,
    /// Nobody wants the attempt any more.
    Unwanted,
}

impl Player {
    /// Waits until one of the conditions holds.
    pub(super) async fn wait(&self, entry: NewEntry, call: Call) -> Result<Answer, Gone> {
        let mut wanted = self.wanted(call)?;
        for round in 0.. {
            let seen = self.seen(&mut wanted).await?;
            if let Some(answer) = self.look(&entry, &wanted, &seen)? {
                return Ok(answer);
            }
            let wait = wait_of(&entry, &wanted, &seen);
            let suspended = match round < ROUNDS_MAX {
                true => self.suspend(&entry, &wait, &seen),
                false => self.suspend_among_many(&entry, &wait, &seen).await?,
            };
            match suspended {
                Suspended::Waits(answer) => return self.park(&wait, answer).await,
                Suspended::Again => {}
                Suspended::Unwanted => return Err(Gone::Unwanted),
            }
        }
        Err(Gone::Unwanted)
    }

    fn wanted(&self, call: Call) -> Result<Vec<Wanted>, Gone> {
        let now = self.driver.0.clock.now();
        let timer = |millis: u64| Wanted::Timer(now.plus_ms(millis.min(WAIT_MS_MAX)));
        let moment = |millis: u64| Wanted::Timer(Timestamp(millis.min(now.0 + WAIT_MS_MAX)));
        match call {
            Call::Sleep { duration_ms } => Ok(vec![timer(duration_ms)]),
            Call::SleepUntil { moment_ms } => Ok(vec![moment(moment_ms)]),
            Call::WaitSignal { pattern, timeout_ms } => {
                let mut wanted = vec![signal_wanted(pattern)?];
                wanted.extend(timeout_ms.map(timer));
                Ok(wanted)
            }
            Call::WaitRun { run } => Ok(vec![run_wanted(&run)?]),
            Call::WaitAny { conditions } => {
                let wanted = conditions.into_iter().map(|condition| match condition {
                    Condition::Timer(millis) => Ok(moment(millis)),
                    Condition::Signal(pattern) => signal_wanted(pattern),
                    Condition::Run(run) => run_wanted(&run),
                });
                wanted.collect()
            }
            _ => Err(Gone::Unwanted),
        }
    }

    /// How far the names have come that the wait is about, with everything up
    /// to there to be found in the store.
    async fn seen(&self, wanted: &mut [Wanted]) -> Result<Vec<Last>, Gone> {
        let names = wanted.iter().filter_map(|wanted| match wanted {
            Wanted::Signal { name, .. } => Some(name.clone()),
            _ => None,
        });
        let names: Vec<_> = names.collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let seen = self.driver.last_signals(self.tenant(), &names).map_err(|e| broken(&e))?;
        let floors = self.floors();
        for wanted in wanted {
            let Wanted::Signal { name, after, .. } = wanted else { continue };
            // Only new ones count from what there is now; any others from what
            // the step was given before it continued as new.
            let last = seen.iter().find(|last| last.name == *name).map_or(0, |last| last.sequence);
            let floor = floors.iter().find(|(known, _)| known == name).map_or(0, |(_, at)| *at);
            match after {
                Some(u64::MAX) => *after = Some(last),
                Some(_) => {}
                None => *after = Some(floor),
            }
        }
        for last in &seen {
            last.ticket.clone().durable().await.map_err(|error| broken(&error))?;
        }
        Ok(seen)
    }

    fn floors(&self) -> Vec<(String, u64)> {
        self.live.lock().run.steps()[self.step as usize].signals_taken.clone()
    }

    /// The answer of the first condition that holds already.
    fn look(
        &self,
        entry: &NewEntry,
        wanted: &[Wanted],
        seen: &[Last],
    ) -> Result<Option<Answer>, Gone> {
        for (index, wanted) in (0..).zip(wanted) {
            let found = match wanted {
                Wanted::Timer(until) => {
                    let past = *until <= self.driver.0.clock.now();
                    past.then_some(Happening::Timer)
                }
                Wanted::Signal { name, pattern, after } => {
                    self.kept((name, pattern), *after, seen)?
                }
                Wanted::RunSignal(name) => {
                    if let Some(answer) = self.take_from_inbox(entry, (index, name))? {
                        return Ok(Some(answer));
                    }
                    None
                }
                Wanted::Run(run) => self.ended(*run)?,
            };
            if let Some(happening) = found {
                let uses = self.use_of(&happening)?;
                let answer = Answer::Woken { index, happening };
                let answer = self.done_with(entry, answer, uses)?;
                journal::take(&mut self.lock_taken(), &answer);
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    fn kept(
        &self,
        (name, pattern): (&str, &signal::Pattern),
        after: Option<u64>,
        seen: &[Last],
    ) -> Result<Option<Happening>, Gone> {
        let until = seen.iter().find(|last| last.name == name).map_or(0, |last| last.sequence);
        let nothing = HashSet::new();
        let taken = self.lock_taken();
        let taken = taken.get(name).unwrap_or(&nothing);
        let after = after.unwrap_or_default();
        let after = self.driver.expired_signals(self.tenant(), name, after);
        let range = (after.map_err(|error| broken(&error))?, until);
        let found = self.driver.find_signal(self.tenant(), (name, pattern), range, taken);
        let found = found.map_err(|error| broken(&error))?;
        Ok(found.map(|signal| Happening::Signal(shown(&signal))))
    }

    /// What is written of a signal for everyone that the step is given.
    fn use_of(&self, happening: &Happening) -> Result<Vec<Write>, Gone> {
        let Happening::Signal(signal) = happening else { return Ok(Vec::new()) };
        let used = SignalUse {
            run: self.live.id,
            step: Some(self.id.clone()),
            trigger: None,
            at: self.driver.0.clock.now(),
        };
        let write = Write::signal_use(self.tenant(), (&signal.name, signal.sequence), &used);
        Ok(vec![write.map_err(|error| broken(&error))?])
    }

    /// Takes a signal for this run, and records that in the same commit.
    fn take_from_inbox(
        &self,
        entry: &NewEntry,
        (index, name): (u32, &str),
    ) -> Result<Option<Answer>, Gone> {
        let mut state = self.live.lock();
        let Some(signal) = state.inbox.first(name).cloned() else {
            return Ok(None);
        };
        let answer = Answer::Woken { index, happening: Happening::Signal(signal.shown()) };
        let mut writes = self.call_writes(entry, Some(&answer)).writes;
        writes.push(Write::run_signal_taken(self.tenant(), self.live.id, signal.sequence));
        self.commit(&mut state, entry, writes)?;
        state.inbox.take(signal.sequence);
        Ok(Some(answer))
    }

    /// How a run ended that this step started, if it has.
    fn ended(&self, run: RunId) -> Result<Option<Happening>, Gone> {
        if self.live.lock().run.children().get(&run) == Some(&self.step) {
            return Ok(None);
        }
        match self.driver.end_of_child(&self.live, self.step, run) {
            Ok(Some(end)) => Ok(Some(Happening::Run(result_of(end.result)))),
            Ok(None) => Err(invalid(format!("{run} is no run that step `{}` started", self.id))),
            Err(error) => Err(broken(&error)),
        }
    }

    /// Lets the step wait, unless something has happened since it looked.
    fn suspend(&self, entry: &NewEntry, wait: &Wait, seen: &[Last]) -> Suspended {
        let mut due = VecDeque::new();
        let suspended = if wait.signals.is_empty() {
            self.order_wait(entry, wait, &mut due)
        } else {
            let waiters = waiters(self.live.id, self.step, wait);
            let order = || self.order_wait(entry, wait, &mut due);
            match self.driver.subscribe(self.tenant(), seen, waiters, order) {
                Some(suspended) => suspended,
                None => return Suspended::Again,
            }
        };
        if !matches!(suspended, Suspended::Waits(_)) && !wait.signals.is_empty() {
            let patterns = patterns(wait);
            self.driver.unsubscribe(self.tenant(), &patterns, self.live.id, self.step);
        }
        crash::point("wait ordered");
        self.driver.perform(due);
        suspended
    }

    /// Lets the step wait for names that never stand still: it waits first, and
    /// is then shown what came since it looked.
    async fn suspend_among_many(
        &self,
        entry: &NewEntry,
        wait: &Wait,
        seen: &[Last],
    ) -> Result<Suspended, Gone> {
        let mut due = VecDeque::new();
        let suspended = self.order_wait(entry, wait, &mut due);
        self.driver.perform(due);
        if !matches!(suspended, Suspended::Waits(_)) {
            return Ok(suspended);
        }
        let waiters = waiters(self.live.id, self.step, wait);
        self.driver.resubscribe(self.tenant(), waiters).map_err(|error| broken(&error))?;
        let still = self.live.lock().run.wait_of(self.step).is_some_and(|known| known == wait);
        if !still {
            let patterns = patterns(wait);
            self.driver.unsubscribe(self.tenant(), &patterns, self.live.id, self.step);
        }
        let names: Vec<_> = seen.iter().map(|last| last.name.clone()).collect();
        let now = self.driver.last_signals(self.tenant(), &names).map_err(|e| broken(&e))?;
        for last in now {
            last.ticket.durable().await.map_err(|error| broken(&error))?;
        }
        self.driver.catch_up_signals().map_err(|error| broken(&error))?;
        Ok(suspended)
    }

    fn order_wait(&self, entry: &NewEntry, wait: &Wait, due: &mut VecDeque<Due>) -> Suspended {
        let mut state = self.live.lock();
        let arrived = wait.run_signals.iter().any(|wait| state.inbox.first(&wait.name).is_some());
        let open = |wait: &RunWait| state.run.children().get(&wait.run) == Some(&self.step);
        if arrived || !wait.runs.iter().all(open) {
            return Suspended::Again;
        }
        let mut extra = self.call_writes(entry, None);
        extra.writes.extend(self.log_row(&entry.lines, state.run.origin()));
        let (step, attempt) = (self.step, self.attempt);
        let command = Command::Suspend { step, attempt, wait: wait.clone() };
        let turn = self.driver.turn_locked(&self.live, &mut state, (&command, extra), due);
        if turn.is_err() {
            return Suspended::Unwanted;
        }
        state.journaled.insert(step);
        if !wait.signals.is_empty() {
            state.subscribed.insert(step, patterns(wait));
        }
        let (sender, receiver) = oneshot::channel();
        state.parked.insert(step, sender);
        Suspended::Waits(receiver)
    }

    /// Stays in memory for a moment.
    async fn park(
        &self,
        wait: &Wait,
        mut answer: oneshot::Receiver<Answer>,
    ) -> Result<Answer, Gone> {
        let grace = self.grace(wait);
        let came = if grace.is_zero() {
            answer.try_recv().ok()
        } else {
            tokio::time::timeout(grace, &mut answer).await.ok().and_then(Result::ok)
        };
        let answer = match came {
            Some(answer) => answer,
            None if self.give_up() => return Err(Gone::Suspended),
            // The answer is on its way.
            None => answer.await.map_err(|_| Gone::Suspended)?,
        };
        journal::take(&mut self.lock_taken(), &answer);
        Ok(answer)
    }

    /// How long the guest stays: not at all when it is clear that it will have
    /// to leave, or when others need its place.
    fn grace(&self, wait: &Wait) -> Duration {
        let grace = self.driver.0.outside.grace;
        let too_far = wait.timer.is_some_and(|timer| {
            let left = timer.until.since(self.driver.0.clock.now());
            u128::from(left) > grace.as_millis()
        });
        match (wait.is_only_timer() && too_far) || self.driver.0.sandbox.is_busy() {
            true => Duration::ZERO,
            false => grace,
        }
    }

    /// Leaves memory; false if the answer came first.
    fn give_up(&self) -> bool {
        let mut state = self.live.lock();
        if state.parked.remove(&self.step).is_none() {
            return false;
        }
        if let Some(running) = state.attempts.get_mut(&self.step) {
            running.leaving = true;
        }
        true
    }
}

/// What a wait gives that its deadline ended.
pub(super) fn answer_of(wake: &Wake) -> Answer {
    let (Wake::Timer { index }
    | Wake::Signal { index, .. }
    | Wake::RunSignal { index, .. }
    | Wake::Run { index, .. }) = wake;
    Answer::Woken { index: *index, happening: Happening::Timer }
}

/// How a run ended, as a step sees it.
pub(super) fn result_of(result: IterationResult) -> Result<String, (String, Option<String>)> {
    match result {
        IterationResult::Succeeded(output) => Ok(output.text().to_owned()),
        IterationResult::Failed(failure) => {
            let details = failure.details.map(|details| details.text().to_owned());
            Err((failure.message, details))
        }
        IterationResult::Cancelled => Err(("the run was cancelled".to_owned(), None)),
    }
}

/// The conditions as the engine has them, with the signals that were looked at.
fn wait_of(entry: &NewEntry, wanted: &[Wanted], seen: &[Last]) -> Wait {
    let mut wait = Wait { sequence: entry.sequence, ..Wait::default() };
    for (index, wanted) in (0..).zip(wanted) {
        match wanted {
            Wanted::Timer(until) => {
                let timer = TimerWait { index, until: *until };
                let earlier = wait.timer.is_none_or(|known| timer.until < known.until);
                if earlier {
                    wait.timer = Some(timer);
                }
            }
            Wanted::Signal { name, pattern, .. } => {
                let last = seen.iter().find(|last| last.name == *name);
                wait.signals.push(SignalWait {
                    index,
                    name: name.clone(),
                    pattern: pattern.clone(),
                    after: last.map_or(0, |last| last.sequence),
                });
            }
            Wanted::RunSignal(name) => {
                wait.run_signals.push(RunSignalWait { index, name: name.clone() });
            }
            Wanted::Run(run) => wait.runs.push(RunWait { index, run: *run }),
        }
    }
    wait
}

pub(super) fn waiters(
    run: RunId,
    step: StepIndex,
    wait: &Wait,
) -> Vec<(String, signal::Pattern, Waiter)> {
    let waiter = |signal: &SignalWait| {
        let SignalWait { index, name, pattern, after } = signal.clone();
        (name, pattern, Waiter { run, step, sequence: wait.sequence, index, after })
    };
    wait.signals.iter().map(waiter).collect()
}

pub(super) fn patterns(wait: &Wait) -> Vec<(String, signal::Pattern)> {
    wait.signals.iter().map(|signal| (signal.name.clone(), signal.pattern.clone())).collect()
}

fn signal_wanted(pattern: Pattern) -> Result<Wanted, Gone> {
    let Pattern { name, this_run, params, only_new } = pattern;
    check_name("a signal's name", &name).map_err(|error| invalid(error.to_string()))?;
    if this_run {
        return Ok(Wanted::RunSignal(name));
    }
    let pattern = signal::Pattern::parse(&params).map_err(|error| invalid(error.to_string()))?;
    Ok(Wanted::Signal { name, pattern, after: only_new.then_some(u64::MAX) })
}

fn run_wanted(run: &str) -> Result<Wanted, Gone> {
    run.parse().map(Wanted::Run).map_err(|error| invalid(format!("{error}")))
}

/// The same arguments would be no good again.
fn invalid(message: String) -> Gone {
    Gone::Failed(Failure::new(FailureKind::Fatal, "invalid", message))
}

pub(super) fn shown(signal: &SignalRecord) -> Signal {
    Signal {
        name: signal.name.clone(),
        id: signal.id.clone(),
        sequence: signal.sequence,
        params: signal.params.to_value().to_string(),
        payload: signal.payload.text().to_owned(),
        published_at_ms: signal.published_at.0,
        this_run: false,
    }
}
