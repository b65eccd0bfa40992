//! One guest: the data that wasmtime keeps beside an instance, and the one call
//! into it. Everything in here lives for a single attempt and is then dropped,
//! whatever came of it.

use super::components::Component;
use super::imports::random::Random;
use super::imports::wasi::Wasi;
use super::limits::{Limits, Meter, Stop};
use super::schedule::thread_cpu_ns;
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
        imports: { default: trappable },
        exports: { default: async },
    });

    pub(crate) use exports::segno::step::guest::{Context, StepError};
    pub(crate) use segno::step::types::Failure;
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
    meter: Meter,
    cpu_ns_max: u64,
    tick_ns: u64,
}

impl Guest {
    pub(super) fn new(task: &Task, limits: &Limits, watch: Watch, tick_ns: u64) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles as usize);
        Self {
            meter: Meter::new(limits, watch.clone()),
            watch,
            clock: Arc::clone(&task.clock),
            random: Random::new(task.seed),
            table,
            wasi: None,
            cpu_ns_max: limits.cpu_ms.saturating_mul(1_000_000),
            tick_ns,
        }
    }

    /// The guest's time.
    pub(super) fn now_ms(&self) -> u64 {
        (self.clock)()
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
    let (result,) = run.call_async(store, (context, input)).await?;
    Ok(result)
}

impl From<Context> for wit::Context {
    fn from(Context { run, step, attempt }: Context) -> Self {
        Self { run, step, attempt }
    }
}
