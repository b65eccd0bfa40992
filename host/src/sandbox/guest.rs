//! One guest: the data that wasmtime keeps beside an instance, and the one call
//! into it. Everything in here lives for a single attempt and is then dropped,
//! whatever came of it.

use super::components::Component;
use super::durable::{Answer, Call, Durable, Entry, Gone};
use super::imports::random::Random;
use super::imports::wasi::Wasi;
use super::limits::{Limits, Meter, Stop};
use super::log::Level;
use super::schedule::thread_cpu_ns;
use super::tape::{Found, Readings, Tape};
use super::watch::Watch;
use segno_engine::payload::Payload;
use std::sync::Arc;
use wasmtime::UpdateDeadline;
use wasmtime::component::{ResourceTable, TypedFunc};

/// The contract with guests, as Rust types and traits.
pub(super) mod wit {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "step",
        imports: {
            "segno:step/timers.sleep": async | trappable,
            "segno:step/timers.sleep-until": async | trappable,
            "segno:step/signals.publish": async | trappable,
            "segno:step/signals.publish-to-run": async | trappable,
            "segno:step/signals.wait": async | trappable,
            "segno:step/signals.one-time-url": async | trappable,
            "segno:step/waits.any": async | trappable,
            "segno:step/workflows.start": async | trappable,
            "segno:step/workflows.wait": async | trappable,
            "segno:step/memo.record": async | trappable,
            "segno:step/kv.get": async | trappable,
            "segno:step/kv.set": async | trappable,
            "segno:step/kv.delete": async | trappable,
            "segno:step/secrets.get": async | trappable,
            "segno:step/http.fetch": async | trappable,
            default: trappable,
        },
        exports: { default: async },
    });

    pub(crate) use exports::segno::step::guest::{Context, StepError};
    pub(crate) use segno::step::types::{Failure, Refusal};
}

/// Tells the time to a guest: milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// One attempt to be made, with everything that it needs.
#[derive(Clone)]
pub struct Task {
    /// What to run.
    pub component: Component,
    /// What the step is told about itself.
    pub context: Context,
    /// The step's input.
    pub input: Payload,
    /// What it may use.
    pub limits: Limits,
    /// What its randomness is made from. The same seed gives the same numbers.
    pub seed: [u8; 32],
    /// Its clock.
    pub clock: Clock,
    /// Calls that it made when it was played before.
    pub journal: Vec<Entry>,
    /// The place of the first call in its journal.
    pub first_sequence: u64,
    /// Makes its durable calls; without it there are none.
    pub durable: Option<Arc<dyn Durable>>,
}

/// Which attempt this is, as the step is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The run's identifier.
    pub run: String,
    /// The step's id in its workflow.
    pub step: String,
    /// 1 for the first try.
    pub attempt: u32,
}

/// What host functions find when a guest calls them.
pub(super) struct Guest {
    pub(super) watch: Watch,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) table: ResourceTable,
    /// Made when the guest first calls WASI: most never do.
    pub(super) wasi: Option<Box<Wasi>>,
    pub(super) tape: Tape,
    durable: Option<Arc<dyn Durable>>,
    meter: Meter,
    cpu_ns_max: u64,
    tick_ns: u64,
}

impl Guest {
    pub(super) fn new(task: &mut Task, limits: &Limits, watch: Watch, tick_ns: u64) -> Self {
        let journal = std::mem::take(&mut task.journal);
        let tape = Tape::new(journal, task.first_sequence, limits);
        watch.mute_log(tape.is_replaying());
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles as usize);
        Self {
            meter: Meter::new(limits, watch.clone()),
            watch,
            clock: Arc::clone(&task.clock),
            random: Random::new(task.seed),
            table,
            wasi: None,
            tape,
            durable: task.durable.clone(),
            cpu_ns_max: limits.cpu_ms.saturating_mul(1_000_000),
            tick_ns,
        }
    }

    /// The real time.
    pub(super) fn now_ms(&self) -> u64 {
        (self.clock)()
    }

    /// The time as the step reads it: the same when it is played again.
    pub(super) fn step_clock(&self) -> Clock {
        let (clock, readings): (Clock, Readings) = (Arc::clone(&self.clock), self.tape.readings());
        Arc::new(move || readings.read(clock()))
    }

    /// Makes a durable call, or gives what it gave when it was made before.
    pub(super) async fn call_durable(&mut self, call: Call) -> wasmtime::Result<Answer> {
        self.watch.count_host_call();
        let watch = &self.watch;
        let entry = match self.tape.next(&call, || watch.take_lines())? {
            Found::New(entry) => *entry,
            Found::Answer(answer) => {
                self.watch.mute_log(self.tape.is_replaying());
                return Ok(answer);
            }
        };
        let durable = self.durable.clone().ok_or_else(|| no_durable(&call))?;
        let lines = entry.lines.clone();
        let answer = match durable.call(entry, call).await {
            Ok(answer) => answer,
            Err(gone) => {
                // What explains a failure was not kept with the call.
                if matches!(gone, Gone::Failed(_)) {
                    self.watch.put_back(lines);
                }
                return Err(stop_of(gone).into());
            }
        };
        self.recorded(&answer);
        Ok(answer)
    }

    /// What a memo of this name gave, if that is recorded.
    pub(super) fn recall(&mut self, name: String) -> wasmtime::Result<Option<Answer>> {
        self.watch.count_host_call();
        let recalled = self.tape.recall(&Call::Memo { name })?;
        if recalled.is_some() {
            self.random.renew(self.tape.sequence());
            self.watch.mute_log(self.tape.is_replaying());
        }
        Ok(recalled)
    }

    /// Records what a memo gave.
    pub(super) async fn record(&mut self, name: String, answer: Answer) -> wasmtime::Result<()> {
        self.watch.count_host_call();
        let call = Call::Memo { name };
        let watch = &self.watch;
        if let Found::New(entry) = self.tape.next(&call, || watch.take_lines())? {
            self.tape.check_room(answer.bytes())?;
            let durable = self.durable.clone().ok_or_else(|| no_durable(&call))?;
            let answer = durable.record(*entry, answer).await.map_err(stop_of)?;
            self.recorded(&answer);
        }
        self.random.renew(self.tape.sequence());
        self.watch.mute_log(self.tape.is_replaying());
        Ok(())
    }

    fn recorded(&mut self, answer: &Answer) {
        if let Some(warning) = self.tape.recorded(answer) {
            self.watch.write_log(self.now_ms(), Level::Warn, &warning);
        }
    }

    /// Logs what was printed without an end of line.
    pub(super) fn flush(&self) {
        if let Some(wasi) = &self.wasi {
            wasi.flush();
        }
    }

    /// Called by wasmtime in the guest's code, at every tick of the clock.
    fn on_tick(&self) -> wasmtime::Result<UpdateDeadline> {
        let slice_ns = thread_cpu_ns().saturating_sub(self.watch.slice_start_ns());
        if self.watch.cpu_ns().saturating_add(slice_ns) > self.cpu_ns_max {
            return Err(Stop::Cpu.into());
        }
        // A tick that comes just after the start of a slice is not worth the way
        // through the scheduler.
        if slice_ns < self.tick_ns / 2 {
            return Ok(UpdateDeadline::Continue(1));
        }
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    }
}

/// A store for `guest` with its limits set. They must be set before there is an
/// instance: components may run code while they are instantiated.
pub(super) fn store(
    engine: &wasmtime::Engine,
    guest: Guest,
    limits: &Limits,
) -> wasmtime::Store<Guest> {
    let mut store = wasmtime::Store::new(engine, guest);
    store.limiter(|guest| &mut guest.meter);
    store.set_hostcall_fuel(limits.crossing_bytes());
    store.set_max_component_handles(limits.handles as usize);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| store.data_mut().on_tick());
    store
}

/// The step as a typed function. The input is borrowed, which the generated
/// bindings cannot do.
type Run<'a> = TypedFunc<(&'a wit::Context, &'a str), (Result<String, wit::StepError>,)>;

/// Makes an instance and calls the step.
pub(super) async fn call(
    store: &mut wasmtime::Store<Guest>,
    component: &Component,
    context: &wit::Context,
    input: &str,
) -> wasmtime::Result<Result<String, wit::StepError>> {
    let instance = component.instance().instantiate_async(&mut *store).await?;
    let run: Run<'_> = instance.get_typed_func(&mut *store, component.run())?;
    store.data_mut().tape.start();
    let (result,) = run.call_async(store, (context, input)).await?;
    Ok(result)
}

fn stop_of(gone: Gone) -> Stop {
    match gone {
        Gone::Suspended => Stop::Suspended,
        Gone::Unwanted => Stop::Unwanted,
        Gone::Failed(failure) => Stop::Failed(failure),
    }
}

/// A sandbox without a host around it, as in a bench, remembers nothing.
fn no_durable(call: &Call) -> Stop {
    Stop::Misuse(format!("{} was called where nothing is durable", call.summary()))
}

impl From<Context> for wit::Context {
    fn from(Context { run, step, attempt }: Context) -> Self {
        Self { run, step, attempt }
    }
}
