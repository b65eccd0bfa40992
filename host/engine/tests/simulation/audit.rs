//! Goes through a finished log, commit by commit, with books of its own, and
//! checks what must hold whatever happened.

use crate::log::Log;
use segno_engine::event::{Cause, Event, IterationResult, Origin, Record, Stop};
use segno_engine::failure::FailureKind;
use segno_engine::id::{Attempt, RunId, StepIndex, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::retry::Retry;
use segno_engine::run::Run;
use segno_engine::setting::Setting;
use segno_engine::wait::{Wait, Wake};
use segno_engine::workflow::{Step, StepKind};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The books.
pub struct Audit<'a> {
    runs: &'a BTreeMap<RunId, Run>,
    accounts: BTreeMap<RunId, Account>,
    /// The numbers that were given away.
    numbers: BTreeSet<(String, u64)>,
}

/// What is known of one run.
struct Account {
    origin: Origin,
    last: Timestamp,
    ended: Option<IterationResult>,
    /// Which retry it is in.
    generation: u32,
    steps: BTreeMap<StepIndex, StepAccount>,
    /// Runs that its steps started, and whether it knows of their end.
    children: BTreeMap<RunId, bool>,
    /// Whether it has had its turn.
    has_begun: bool,
    /// Whether everything in it is to be cancelled.
    is_stopping: bool,
    /// Whether that is because it took too long.
    too_long: bool,
}

/// What is known of one step.
#[derive(Default)]
struct StepAccount {
    attempt: Attempt,
    running_since: Option<Timestamp>,
    waits: Option<Wait>,
    /// Whether it waits for permits.
    is_held: bool,
    retry_at: Option<Timestamp>,
    /// How many attempts failed, by kind.
    failures: BTreeMap<&'static str, u32>,
    is_over: bool,
    is_publishing: bool,
    started: u32,
    in_flight: BTreeSet<u32>,
    /// What a loop runs over.
    items: Option<Payload>,
    /// The last run of each iteration.
    iterations: BTreeMap<u32, RunId>,
    /// Child runs that exist and are not over.
    open_children: u32,
}

impl StepAccount {
    /// Nothing more comes of what was under way.
    fn close(&mut self) {
        (self.running_since, self.waits, self.retry_at) = (None, None, None);
        self.is_publishing = false;
        self.is_held = false;
        self.is_over = true;
    }

    /// An attempt failed.
    fn fail(&mut self, definition: &Step, at: Timestamp, event: &Event) {
        let Event::AttemptFailed { attempt, failure, retry_at, .. } = event else { return };
        let books = self;
        assert_eq!(*attempt, books.attempt, "a stale result was taken");
        assert!(!books.is_held, "{event:?}, but it could not begin");
        let since = books.running_since.take().expect("a second result was taken");
        let waited = books.waits.take().is_some();
        assert!(!waited || failure.reason == "timeout", "{event:?} while it waited");
        let due = since.plus_ms(patience(definition));
        // That of its subworkflow, or of a step there, has another message.
        let is_own = failure.reason == "timeout"
            && failure.message.starts_with("took longer than its `timeout`");
        assert!(!is_own || due <= at, "{event:?} is too early");
        let (kind, budget) = budget(&definition.retry.fixed, failure.kind);
        let spent = books.failures.entry(kind).or_default();
        // A subworkflow that failed is not tried again by itself.
        let is_final = !is_own && matches!(definition.kind, StepKind::Subworkflow(_));
        assert_eq!(retry_at.is_some(), *spent < budget && !is_final, "{event:?}, {spent}");
        *spent += 1;
        books.retry_at = *retry_at;
        books.is_over = retry_at.is_none();
    }

    /// What it gives is there, and is published first.
    fn publish(&mut self, definition: &Step, event: &Event) {
        let Event::StepPublishing { attempt, output, signals, .. } = event else { return };
        let books = self;
        assert_eq!(*attempt, books.attempt, "a stale result was taken");
        assert!(definition.signals.is_some() && !signals.is_empty(), "{event:?}");
        let was_running = books.running_since.take().is_some();
        let fits = was_running
            || output.is_none()
            || matches!(definition.kind, StepKind::Noop | StepKind::Wait(_));
        assert!(fits && books.in_flight.is_empty(), "a second result was taken");
        assert!(!std::mem::replace(&mut books.is_publishing, true), "it publishes twice");
    }
}

impl<'a> Audit<'a> {
    /// Checks the whole log; `runs` are the runs that it ended in.
    pub fn check(log: &Log, runs: &'a BTreeMap<RunId, Run>) {
        let mut audit = Self { runs, accounts: BTreeMap::new(), numbers: BTreeSet::new() };
        for (run, record) in log.read() {
            audit.enter(run, &record);
        }
        for (id, account) in &audit.accounts {
            let ended = account.ended.as_ref().expect("every run has ended");
            assert_eq!(runs[id].result().as_ref(), Some(ended), "{id}");
            if let Origin::Child { parent, .. } = &account.origin {
                let is_known = audit.accounts[parent].children.contains_key(id);
                assert!(is_known, "{parent} does not know that it started {id}");
            }
        }
    }

    fn enter(&mut self, id: RunId, record: &Record) {
        assert!(!record.events.is_empty(), "a commit says something");
        for event in &record.events {
            if let Event::RunCreated { origin, .. } = event {
                self.open(id, record.at, origin);
                continue;
            }
            let account = self.accounts.get_mut(&id).expect("a run begins with its creation");
            if let Event::RunRetried { .. } = event {
                let inner = self.retry(id, event);
                self.begin_again(id, inner);
                continue;
            }
            if let Event::RunUnblocked { .. } = event {
                continue;
            }
            assert!(account.ended.is_none(), "{event:?} happened after the end of {id}");
            assert!(account.last <= record.at, "history goes backwards at {event:?}");
            account.last = record.at;
            account.has_begun |= *event == Event::RunStarted;
            self.enter_step(id, record.at, event);
            self.enter_wait(id, record.at, event);
            self.enter_run_of_step(id, event);
            self.enter_child(id, event);
            self.enter_end(id, event);
        }
    }

    fn open(&mut self, id: RunId, at: Timestamp, origin: &Origin) {
        let account = Account {
            origin: origin.clone(),
            last: at,
            ended: None,
            generation: match origin {
                Origin::Iteration { generation, .. } | Origin::Child { generation, .. } => {
                    *generation
                }
                Origin::Start { .. } => 0,
            },
            steps: BTreeMap::new(),
            children: BTreeMap::new(),
            has_begun: false,
            is_stopping: false,
            too_long: false,
        };
        if let Some(number) = origin.number() {
            let workflow = self.runs[&id].workflow().name.clone();
            assert!(self.numbers.insert((workflow, number)), "{id} has the number of another");
        }
        assert!(self.accounts.insert(id, account).is_none(), "{id} was created twice");
        if let Origin::Start { cause: Cause::Fork { carried, .. }, .. } = origin {
            // What is taken over never runs again.
            carried.iter().for_each(|one| self.step(id, one.step).is_over = true);
        }
        if let Origin::Iteration { parent, path, index, .. } = origin {
            let step = *path.last().expect("an iteration has a foreach above it");
            let rounds = 0..=self.runs[parent].steps()[step as usize].round;
            let is_its = |round| RunId::child(*parent, step, (round, *index)) == id;
            assert!(rounds.into_iter().any(is_its), "{id} is no iteration of {parent}");
            let concurrency = match &self.definition(*parent, step).kind {
                StepKind::Foreach(foreach) => foreach.concurrency,
                _ => 1,
            };
            let books = self.step(*parent, step);
            assert!(books.in_flight.contains(index), "nobody wanted {id}");
            books.iterations.insert(*index, id);
            books.open_children += 1;
            assert!(books.open_children <= concurrency, "too many iterations of step {step}");
        }
    }

    /// A run goes on, or a step of it does; gives back whether it was over.
    fn retry(&mut self, id: RunId, event: &Event) -> bool {
        let Event::RunRetried { generation, steps, fresh, inner, queued, .. } = event else {
            return false;
        };
        let account = self.account(id);
        account.generation = *generation;
        account.has_begun = !queued;
        account.is_stopping = false;
        account.too_long = false;
        let was_over = account.ended.take().is_some();
        if was_over {
            // Those that go on have nobody to tell.
            account.children.values_mut().for_each(|ended| *ended = true);
        }
        for step in steps.iter().copied().chain(inner.step()) {
            let books = account.steps.entry(step).or_default();
            books.close();
            books.is_over = false;
            books.failures.clear();
            if fresh.contains(&step) {
                (books.started, books.items) = (0, None);
                books.iterations.clear();
            }
        }
        was_over
    }

    /// An iteration that goes on counts as open again for its parent.
    fn begin_again(&mut self, id: RunId, was_over: bool) {
        if let (true, Origin::Iteration { parent, path, .. }) =
            (was_over, self.account(id).origin.clone())
        {
            let step = *path.last().expect("it was there at the beginning");
            self.step(parent, step).open_children += 1;
        }
    }

    fn enter_step(&mut self, id: RunId, at: Timestamp, event: &Event) {
        let Some(step) = event.step() else {
            return;
        };
        let definition = self.definition(id, step);
        let account = self.account(id);
        let may_come = account.has_begun || account.is_stopping || is_of_a_person(event);
        assert!(may_come, "{event:?} happened before the turn of {id}");
        let books = self.step(id, step);
        // Somebody may go on without a step that failed.
        let may_follow = matches!(event, Event::ChildEnded { .. } | Event::StepSkipped { .. });
        assert!(!books.is_over || may_follow, "{event:?} happened after the step was over");
        match event {
            Event::StepUnready { attempt, failure, retry_at, .. } => {
                assert_eq!(*attempt, books.attempt + 1, "attempts are counted without gaps");
                books.attempt = *attempt;
                let (kind, _) = budget(&definition.retry.fixed, failure.kind);
                *books.failures.entry(kind).or_default() += 1;
                books.retry_at = *retry_at;
                books.is_over = retry_at.is_none();
            }
            Event::StepReady { .. } => {
                assert!(books.retry_at.take() <= Some(at), "{event:?} is too early");
            }
            Event::WaitStarted { .. } | Event::SubworkflowStarted { .. } => {
                assert!(books.running_since.is_none(), "two attempts run at once");
                books.attempt += 1;
                books.running_since = Some(at);
            }
            Event::StepSkipped { .. } | Event::StepCancelled { .. } | Event::StepKilled { .. } => {
                books.close();
            }
            Event::AttemptStarted { attempt, .. } => {
                assert_eq!(*attempt, books.attempt + 1, "attempts are counted without gaps");
                assert!(books.running_since.is_none(), "two attempts run at once");
                assert!(books.retry_at.take() <= Some(at), "{event:?} is too early");
                books.attempt = *attempt;
                books.running_since = Some(at);
            }
            Event::AttemptHeld { attempt, .. } => {
                assert_eq!(*attempt, books.attempt, "a stale attempt is held");
                assert!(!books.is_held && books.waits.is_none(), "{event:?} at the wrong moment");
                books.is_held = true;
            }
            Event::AttemptReleased { attempt, .. } => {
                assert_eq!(*attempt, books.attempt, "a stale attempt is let begin");
                assert!(std::mem::take(&mut books.is_held), "{event:?}, but it was not held");
                books.running_since = Some(at);
            }
            Event::AttemptFailed { .. } => books.fail(definition, at, event),
            Event::StepPublishing { .. } => books.publish(definition, event),
            Event::StepSucceeded { attempt, .. } => {
                assert_eq!(*attempt, books.attempt, "a stale result was taken");
                let was_running = books.running_since.take().is_some();
                let is_at_once = matches!(definition.kind, StepKind::Noop | StepKind::Wait(_));
                assert!(was_running || is_at_once, "a second result was taken");
                books.is_over = true;
            }
            Event::StepPublished { attempt, .. } => {
                assert_eq!(*attempt, books.attempt, "what a stale attempt published was taken");
                assert!(std::mem::take(&mut books.is_publishing), "nothing was to be published");
                books.is_over = true;
            }
            Event::StepFailed { .. }
            | Event::StepUnsatisfied { .. }
            | Event::LoopSucceeded { .. }
            | Event::LoopStopped { .. } => {
                assert!(books.in_flight.is_empty(), "{event:?}, but iterations are under way");
                books.is_over = true;
            }
            _ => {}
        }
    }

    fn enter_wait(&mut self, id: RunId, at: Timestamp, event: &Event) {
        let Some(step) = event.step() else {
            return;
        };
        let books = self.step(id, step);
        match event {
            Event::AttemptSuspended { attempt, wait, .. } => {
                assert_eq!(*attempt, books.attempt, "a stale attempt was suspended");
                assert!(books.running_since.is_some(), "nothing runs that could wait");
                assert_eq!(books.waits.replace(wait.clone()), None, "it waits for two things");
            }
            Event::AttemptResumed { attempt, wake, .. } => {
                assert_eq!(*attempt, books.attempt, "a stale attempt was woken");
                let wait = books.waits.take().expect("only who waits is woken");
                assert!(wait.expects(wake), "{wait:?} ended with {wake:?}");
                let timer = wait.timer.filter(|_| matches!(wake, Wake::Timer { .. }));
                assert!(timer.is_none_or(|timer| timer.until <= at), "{event:?} is too early");
            }
            Event::StepContinued { attempt, .. } => {
                assert_eq!(*attempt, books.attempt + 1, "attempts are counted without gaps");
                assert!(books.running_since.is_some(), "nothing runs that could continue");
                assert_eq!(books.waits, None, "it continues while it waits");
                books.attempt = *attempt;
                books.running_since = Some(at);
                books.failures.clear();
            }
            Event::StepSucceeded { .. } => assert_eq!(books.waits, None, "it still waits"),
            _ => {}
        }
    }

    fn enter_run_of_step(&mut self, id: RunId, event: &Event) {
        match event {
            Event::SubworkflowStarted { child, .. } => {
                self.account(id).children.insert(*child, false);
            }
            Event::ChildStarted { child, .. } => {
                assert!(self.accounts.contains_key(child), "{child} does not exist");
                self.account(id).children.insert(*child, false);
            }
            Event::ChildEnded { child, .. } => {
                // One that was cancelled may not have begun.
                let account = self.accounts.get(child);
                assert!(account.is_none_or(|it| it.ended.is_some()), "{child} is not over");
                let before = self.account(id).children.insert(*child, true);
                assert_eq!(before, Some(false), "{id} was told twice of {child}");
            }
            Event::StopRequested { stop } => {
                let account = self.account(id);
                account.is_stopping = true;
                account.too_long = *stop == Stop::TimedOut;
            }
            Event::RunStopped if self.account(id).is_stopping => {
                let left = self.account(id).children.values().filter(|ended| !**ended).count();
                assert_eq!(left, 0, "{id} was stopped before the runs of its steps");
            }
            _ => {}
        }
    }

    fn account(&mut self, id: RunId) -> &mut Account {
        self.accounts.get_mut(&id).expect("a run begins with its creation")
    }

    fn enter_child(&mut self, id: RunId, event: &Event) {
        match event {
            Event::IterationsStarted { step, first, count } => {
                let books = self.step(id, *step);
                assert_eq!(*first, books.started, "iterations start in order");
                books.started += count;
                books.in_flight.extend(*first..*first + *count);
            }
            Event::IterationRetried { step, index } => {
                assert!(self.step(id, *step).in_flight.insert(*index), "it is under way");
            }
            Event::ForeachStarted { step, items, .. } => {
                let books = self.step(id, *step);
                if books.items.replace(items.clone()).is_some_and(|before| before != *items) {
                    // Over something else it has other iterations.
                    books.started = 0;
                    books.iterations.clear();
                }
            }
            Event::WhileContinued { step, index, .. } => {
                let books = self.step(id, *step);
                assert_eq!(*index, books.started, "iterations start in order");
                assert!(books.in_flight.is_empty(), "one after the other");
                books.started += 1;
                books.in_flight.insert(*index);
            }
            Event::IterationEnded { step, index, result, .. } => {
                let books = self.step(id, *step);
                let was = books.in_flight.remove(index);
                assert!(was, "iteration {index} ended twice");
                let child = books.iterations.get(index).copied();
                match child.and_then(|child| self.accounts.get(&child)).map(|child| &child.ended) {
                    None => assert_eq!(*result, IterationResult::Cancelled, "it never was"),
                    Some(Some(ended)) if *ended == unknown() => {
                        assert!(
                            matches!(result, IterationResult::Succeeded(_)),
                            "parent and child"
                        );
                    }
                    Some(ended) => assert_eq!(ended.as_ref(), Some(result), "parent and child"),
                }
            }
            _ => {}
        }
    }

    /// What a run that was stopped reports: that it took too long, or that it
    /// was cancelled.
    fn stopped(&self, id: RunId) -> IterationResult {
        match self.accounts[&id].too_long {
            true => IterationResult::Failed(self.runs[&id].timed_out()),
            false => IterationResult::Cancelled,
        }
    }

    fn enter_end(&mut self, id: RunId, event: &Event) {
        let result = match event {
            Event::RunFailed { failure } => IterationResult::Failed(failure.clone()),
            Event::RunStopped => self.stopped(id),
            Event::RunSucceeded { output: Some(output) } => {
                IterationResult::Succeeded(output.clone())
            }
            Event::RunSucceeded { output: None } => {
                let run = &self.runs[&id];
                let is_last = run.generation() == self.accounts[&id].generation;
                match run.result() {
                    Some(result) if is_last => result,
                    // The output follows from steps that ran again since.
                    _ => unknown(),
                }
            }
            _ => return,
        };
        let account = self.accounts.get_mut(&id).expect("a run begins with its creation");
        account.ended = Some(result);
        if let Origin::Iteration { parent, path, .. } = &account.origin {
            let (parent, step) = (*parent, *path.last().expect("it was there at the beginning"));
            self.step(parent, step).open_children -= 1;
        }
    }

    fn step(&mut self, id: RunId, step: StepIndex) -> &mut StepAccount {
        self.account(id).steps.entry(step).or_default()
    }

    fn definition(&self, id: RunId, step: StepIndex) -> &'a Step {
        let runs: &'a BTreeMap<RunId, Run> = self.runs;
        &runs[&id].body().steps[step as usize]
    }
}

/// A success with an output that is not to be known any more.
fn unknown() -> IterationResult {
    IterationResult::Succeeded(Payload::from(json!("unknown")))
}

/// Whether it may happen to a step of a run that waits for its turn.
fn is_of_a_person(event: &Event) -> bool {
    matches!(
        event,
        Event::StepSkipped { .. }
            | Event::StepCancelled { .. }
            | Event::StepKilled { .. }
            | Event::ChildEnded { .. }
    )
}

fn budget(retry: &Retry, kind: FailureKind) -> (&'static str, u32) {
    match kind {
        FailureKind::User => ("user", retry.user),
        FailureKind::Platform => ("platform", retry.platform),
        FailureKind::Timeout => ("timeout", retry.timeout),
        FailureKind::Fatal => ("fatal", 0),
    }
}

/// The time-out of a step, as far as it is written.
fn patience(step: &Step) -> u64 {
    match step.timeout {
        Some(Setting::Fixed(millis)) => millis,
        Some(Setting::Computed(_)) | None => 0,
    }
}
