//! A host inside the test: everything is real but the time of day, which stands
//! still until the test moves it.

use crate::guests::{SEGNO, component};
use crate::history::{self, Moment};
use segno_engine::command::StepAction;
use segno_engine::event::Record;
use segno_engine::id::{RunId, StepIndex, TenantId, Timestamp};
use segno_engine::rollup::StepStatus;
use segno_engine::run::{Run, StepState};
use segno_engine::workflow::StepKind;
use segno_host::clock::{Clock, ManualClock};
use segno_host::config::Config;
use segno_host::driver::{
    ActionError, Applied, Apply, ApplyError, Driver, Publish, RetryRun, RunAction, StartError,
    StartRun, Started,
};
use segno_host::sandbox::Watch;
use segno_host::server::assemble;
use segno_host::store::Paging;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Who does things here.
pub const BY: &str = "ada";

/// Noon of the day on which everything happens.
const NOON: Timestamp = Timestamp(1_577_880_000_000);

/// The longest that the test waits in the time of the day outside.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it waits before it looks whether there is nothing left but waiting.
const GLANCE: Duration = Duration::from_millis(5);

/// A host on a directory of its own.
pub struct Stage {
    directory: TempDir,
    hand: Arc<ManualClock>,
    pub tenant: TenantId,
    /// How many attempts may run at once.
    slots: u32,
    host: Option<Host>,
}

struct Host {
    runtime: Runtime,
    driver: Driver,
}

impl Stage {
    /// A host that knows no component: for workflows that need none.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let hand = ManualClock::at(NOON);
        let tenant = "default".parse().expect("it is a tenant");
        let mut stage = Self { directory, hand, tenant, slots: 32, host: None };
        stage.open();
        stage
    }

    /// The same host with so many slots for attempts.
    pub fn with_slots(mut self, slots: u32) -> Self {
        self.close();
        self.slots = slots;
        self.open();
        self
    }

    /// A host with these examples, as `<name>@1.0.0`.
    pub fn with(components: &[&str]) -> Self {
        let stage = Self::new();
        for name in components {
            let pushed =
                stage.driver().push_component(&stage.tenant, (name, "1.0.0"), component(name));
            stage.block(pushed).expect("the component is sound");
        }
        stage
    }

    fn open(&mut self) {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("there is room for two threads");
        let data = self.directory.path().join("data");
        let slots = self.slots;
        let config = Config { wait_grace_ms: 0, slots, ..Config::new(data, PathBuf::from(SEGNO)) };
        let clock = Clock::Manual(Arc::clone(&self.hand));
        let _inside = runtime.enter();
        let driver = assemble(&config, clock).expect("the directory can be used");
        driver.recover().expect("the store can be read");
        drop(_inside);
        self.host = Some(Host { runtime, driver });
    }

    /// Ends the host in the middle of whatever it does, and opens another.
    pub fn restart(&mut self) {
        self.close();
        self.open();
    }

    /// Ends the host, lets time go on, and opens another.
    pub fn down_for(&mut self, seconds: f64) {
        self.close();
        self.advance(seconds);
        self.open();
    }

    fn close(&mut self) {
        let Some(Host { runtime, driver }) = self.host.take() else { return };
        driver.stop();
        let store = driver.store().clone();
        drop(driver);
        runtime.shutdown_timeout(PATIENCE);
        // What the store has failed with is the business of who reads it.
        let _ = store.close();
    }

    pub fn driver(&self) -> &Driver {
        &self.host.as_ref().expect("it is open but while it restarts").driver
    }

    /// Waits for something that the host does.
    pub fn block<T>(&self, what: impl Future<Output = T>) -> T {
        let host = self.host.as_ref().expect("it is open but while it restarts");
        let patient = async { tokio::time::timeout(PATIENCE, what).await };
        host.runtime.block_on(patient).expect("it takes less than a minute")
    }

    /// Moves the time of day.
    pub fn advance(&self, seconds: f64) {
        self.hand.advance(Duration::from_secs_f64(seconds));
    }

    /// Seconds since the host was first opened.
    pub fn seconds(&self) -> f64 {
        self.driver().clock().now().since(NOON) as f64 / 1e3
    }

    /// Pushes a definition that has to be right; its version.
    pub fn apply(&self, source: &str) -> u64 {
        match self.try_apply(source) {
            Ok(applied) => applied.version.version,
            Err(ApplyError::Problems(problems)) => panic!("{source}\n{problems:#?}"),
            Err(error) => panic!("{source}\n{error}"),
        }
    }

    /// Pushes a definition.
    pub fn try_apply(&self, source: &str) -> Result<Applied, ApplyError> {
        let apply = Apply { source, active: true, by: BY };
        self.block(self.driver().apply_workflow(&self.tenant, apply))
    }

    /// Starts a run without params.
    pub fn start(&self, workflow: &str) -> RunId {
        self.start_with(workflow, Value::Object(Map::new()))
    }

    /// Starts a run with these params.
    pub fn start_with(&self, workflow: &str, params: Value) -> RunId {
        self.try_start(start_of(workflow, params)).expect("the params fit").run
    }

    /// Starts a run.
    pub fn try_start(&self, start: StartRun) -> Result<Started, StartError> {
        self.block(self.driver().start(&self.tenant, start))
    }

    /// How a run stands.
    pub fn run(&self, run: RunId) -> Run {
        self.look(run).unwrap_or_else(|| panic!("there is no run {run}"))
    }

    fn look(&self, run: RunId) -> Option<Run> {
        let snapshot = self.block(self.driver().snapshot(&self.tenant, run));
        snapshot.expect("the store answers").map(|snapshot| snapshot.run)
    }

    /// The attempt of a step that has or waits for a slot.
    pub fn attempt(&self, run: RunId, step: StepIndex) -> Option<Watch> {
        let snapshot = self.block(self.driver().snapshot(&self.tenant, run));
        snapshot.expect("the store answers")?.attempts.get(&step).cloned()
    }

    /// Waits until a run stands like this, and gives it as it is then.
    pub fn until(&self, run: RunId, what: &str, holds: impl Fn(&Run) -> bool) -> Run {
        let wait = async {
            loop {
                let snapshot = self.driver().snapshot(&self.tenant, run).await;
                let snapshot = snapshot.expect("the store answers").expect("there is such a run");
                if holds(&snapshot.run) {
                    return Ok(snapshot.run);
                }
                if !snapshot.run.status().is_open() {
                    return Err(snapshot.run);
                }
                let more = self.driver().wait_for_more(&self.tenant, run, snapshot.records);
                match tokio::time::timeout(PATIENCE / 2, more).await {
                    Ok(more) => more.expect("the store answers"),
                    Err(_) => return Err(self.run_now(run).await),
                }
            }
        };
        self.block(wait).unwrap_or_else(|run| {
            let below = run.iterations_under_way().into_iter().filter_map(|id| self.look(id));
            let below: Vec<_> = below
                .map(|run| {
                    let failures = run.steps().iter().filter_map(|step| step.last_failure.clone());
                    (run.id(), statuses_of(&run), failures.collect::<Vec<_>>())
                })
                .collect();
            panic!(
                "it never came to this: {what}; it is {:?} {:?}; below it {below:?}",
                run.status(),
                statuses_of(&run)
            )
        })
    }

    async fn run_now(&self, run: RunId) -> Run {
        let snapshot = self.driver().snapshot(&self.tenant, run).await;
        snapshot.expect("the store answers").expect("there is such a run").run
    }

    /// Waits for something of which nobody is told.
    pub fn wait_for(&self, what: &str, holds: impl Fn() -> bool) {
        let begin = std::time::Instant::now();
        while !holds() {
            assert!(begin.elapsed() < PATIENCE, "it never came to this: {what}");
            std::thread::yield_now();
        }
    }

    /// The same for something that comes to a value.
    pub fn comes_to<T: PartialEq + Debug>(&self, expected: T, look: impl Fn() -> T) {
        let begin = std::time::Instant::now();
        loop {
            let now = look();
            if now == expected {
                return;
            }
            assert!(begin.elapsed() < PATIENCE / 2, "it never came to {expected:?}, it is {now:?}");
            std::thread::yield_now();
        }
    }

    /// Waits until a step has this status.
    pub fn until_step(&self, run: RunId, step: &str, status: &str) -> Run {
        let what = format!("{step} is {status}");
        self.until(run, &what, |run| statuses_of(run).get(step).is_some_and(|it| it == status))
    }

    /// Waits until a run has this status.
    pub fn until_status(&self, run: RunId, status: &str) -> Run {
        self.until(run, status, |run| run.status().as_str() == status)
    }

    /// Waits until a run is over; how it ended. Time stands still.
    pub fn end(&self, run: RunId) -> String {
        let run = self.until(run, "its end", |run| !run.status().is_open());
        run.status().as_str().to_owned()
    }

    /// Waits for the end of a run that has much to do.
    pub fn patiently(&self, run: RunId) {
        self.wait_for("its end", || !self.run(run).status().is_open());
    }

    /// The same with time that goes on by itself: whenever there is nothing left
    /// but waiting, to the moment that is waited for.
    pub fn play(&self, run: RunId) -> String {
        self.play_until(run, "its end", |run| !run.status().is_open());
        self.end(run)
    }

    /// Lets time go on by itself until a run stands like this.
    pub fn play_until(&self, run: RunId, what: &str, holds: impl Fn(&Run) -> bool) -> Run {
        for _ in 0..100_000 {
            let now = self.run(run);
            if holds(&now) {
                return now;
            }
            assert!(now.status().is_open(), "{what}: it is {:?}", now.status());
            match self.next_moment(run) {
                Some(moment) => {
                    let left = moment.since(self.driver().clock().now());
                    self.hand.advance(Duration::from_millis(left));
                }
                None => self.glance(run),
            }
        }
        panic!("it never came to this: {what}");
    }

    /// Waits a little for the run to go on.
    fn glance(&self, run: RunId) {
        let over = self.driver().wait_until_over(&self.tenant, run);
        // That it is not over is what it mostly comes to.
        let _ = self.block(async { tokio::time::timeout(GLANCE, over).await });
    }

    /// The next moment at which a run or anything below it goes on, if it only
    /// waits for that.
    fn next_moment(&self, run: RunId) -> Option<Timestamp> {
        let now = self.driver().clock().now();
        let mut next: Option<Timestamp> = None;
        let mut open = vec![run];
        while let Some(run) = open.pop() {
            let known = self.look(run)?;
            if !known.status().is_open() {
                // Whoever waits for it is about to be told.
                return None;
            }
            for (place, step) in known.steps().iter().enumerate() {
                let is_call = matches!(known.body().steps[place].kind, StepKind::Call(_));
                if is_call && step.state.status() == StepStatus::Running {
                    return None;
                }
                if let StepState::Delegated { child, .. } = &step.state {
                    open.push(*child);
                }
            }
            open.extend(known.iterations_under_way());
            let own = known.next_deadline();
            next = [next, own].into_iter().flatten().min();
        }
        next.filter(|moment| *moment > now)
    }

    /// The status of each step, by id.
    pub fn statuses(&self, run: RunId) -> BTreeMap<String, String> {
        statuses_of(&self.run(run))
    }

    /// What a step gave.
    pub fn output(&self, run: RunId, step: &str) -> Value {
        let known = self.run(run);
        match &known.steps()[place_of(&known, step) as usize].state {
            StepState::Succeeded { output } => output.value().clone(),
            other => panic!("{step} has no output, it is {other:?}"),
        }
    }

    /// What a step was given.
    pub fn input(&self, run: RunId, step: &str) -> Value {
        let known = self.run(run);
        let input = &known.steps()[place_of(&known, step) as usize].input;
        input.as_ref().map_or(Value::Null, |input| input.value().clone())
    }

    /// Everything that happened to a run, with the second of it.
    pub fn history(&self, run: RunId) -> Vec<Moment> {
        history::moments(&self.records(run), NOON)
    }

    /// The records of a run, all on stable storage.
    pub fn records(&self, run: RunId) -> Vec<Record> {
        let store = self.driver().store();
        self.block(store.barrier().durable()).expect("the store is sound");
        let mut records = Vec::new();
        loop {
            let page = store.events(&self.tenant, run, records.len() as u64, 1_000);
            let page = page.expect("the store answers");
            if page.is_empty() {
                return records;
            }
            let decoded = page.iter().map(|(_, bytes)| Record::decode(bytes).expect("it is ours"));
            records.extend(decoded);
        }
    }

    /// The run of an iteration of a loop.
    pub fn iteration(&self, run: RunId, step: &str, index: u32) -> RunId {
        let known = self.run(run);
        known.iteration_id(place_of(&known, step), index)
    }

    /// The run that a step has left its work to.
    pub fn child(&self, run: RunId, step: &str) -> RunId {
        let known = self.run(run);
        known.steps()[place_of(&known, step) as usize].child.expect("it has a subworkflow")
    }

    /// How many leaves a run and all below it have, by status.
    pub fn rollup(&self, run: RunId) -> BTreeMap<String, u64> {
        let rollup = self.block(self.driver().rollup(&self.tenant, run)).expect("there is such");
        rollup.iter().map(|(status, count)| (status.to_string(), count.into())).collect()
    }

    /// Does something with a run.
    pub fn act(&self, run: RunId, action: RunAction) {
        self.try_act(run, action).expect("it fits");
    }

    /// Does something with a run, if it allows it.
    pub fn try_act(&self, run: RunId, action: RunAction) -> Result<(), segno_host::driver::Error> {
        self.block(self.driver().act(&self.tenant, run, (action, BY)))
    }

    /// Does something with a step.
    pub fn act_on(&self, run: RunId, path: &str, action: StepAction) {
        self.try_act_on(run, path, action).expect("it fits");
    }

    /// Does something with a step, if it allows it.
    pub fn try_act_on(
        &self,
        run: RunId,
        path: &str,
        action: StepAction,
    ) -> Result<(), ActionError> {
        self.block(self.driver().act_on_step(&self.tenant, (run, path), (action, BY)))
    }

    /// Takes a run up again.
    pub fn retry(&self, run: RunId, step: Option<&str>) -> RunId {
        let retry =
            RetryRun { step: step.map(str::to_owned), by: BY.to_owned(), ..RetryRun::default() };
        self.try_retry(run, retry).expect("it fits")
    }

    /// Takes a run up again, if it allows it.
    pub fn try_retry(&self, run: RunId, retry: RetryRun) -> Result<RunId, ActionError> {
        self.block(self.driver().retry(&self.tenant, run, retry))
    }

    /// Publishes a signal to everyone.
    pub fn publish(&self, publish: Publish) {
        self.block(self.driver().publish(&self.tenant, publish)).expect("it is well formed");
    }

    /// What was recorded of every run here keeps the rules of histories.
    fn check_histories(&self) {
        let mut after = None;
        loop {
            let paging = Paging::first(1_000).after(after);
            let page = self.driver().store().runs(&self.tenant, None, &paging);
            let page = page.expect("the store answers");
            let mut runs: Vec<RunId> = page.items.iter().map(|record| record.run).collect();
            while let Some(run) = runs.pop() {
                let records = self.records(run);
                history::check(run, &records);
                let Some(known) = self.look(run) else { continue };
                for (place, step) in known.steps().iter().enumerate() {
                    let count = step.iterations.as_ref().map_or(0, |iterations| iterations.next);
                    runs.extend((0..count).map(|n| known.iteration_id(place as StepIndex, n)));
                }
            }
            after = page.next;
            if after.is_none() {
                return;
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check_histories();
        }
        self.close();
    }
}

/// A start by the one who does things here.
pub fn start_of(workflow: &str, params: Value) -> StartRun {
    let Value::Object(params) = params else { panic!("params are an object") };
    StartRun::new(workflow, params)
}

/// The place of a step in its body.
pub fn place_of(run: &Run, step: &str) -> StepIndex {
    let place = run.body().steps.iter().position(|known| known.id == step);
    place.unwrap_or_else(|| panic!("there is no step {step}")) as StepIndex
}

/// The status of each step, by id.
pub fn statuses_of(run: &Run) -> BTreeMap<String, String> {
    let steps = run.body().steps.iter().zip(run.steps());
    steps.map(|(step, state)| (step.id.clone(), state.state.as_str().to_owned())).collect()
}
