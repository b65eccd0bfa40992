//! The host's functions inside a component, and the component's one export.
//! Only this file and `durable.rs` know the generated bindings: what the
//! contract calls a record becomes a type of this crate there.

mod durable;

use std::panic::PanicHookInfo;

use crate::duration::whole_ms;
use crate::log::Level;
use crate::{Context, Error};
use bindings::exports::segno::step::guest;
use bindings::segno::step::{log, progress, random, timers, types};

pub(crate) use durable::{
    continue_as_new, fetch, kv_delete, kv_get, kv_set, one_time_url, publish, publish_to_run,
    recall, record, secret, sleep, sleep_until, start_run, wait_any, wait_run, wait_signal,
};

/// Generated from `wit/`.
#[allow(unsafe_code, missing_docs, unused_qualifications, reason = "nobody wrote this")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "step",
        pub_export_macro: true,
        export_macro_name: "export_step",
        default_bindings_module: "::segno::__private::bindings",
        generate_all,
    });
}

/// What the contract wants from a step: `context` and `input` in, JSON out.
pub use guest::Guest as Entry;

/// Runs a step under the contract. A panic's message reaches the step's log
/// before the component traps.
pub fn enter(
    step: fn(&Context, &str) -> crate::Result<String>,
    context: types::Context,
    input: String,
) -> Result<String, types::StepError> {
    std::panic::set_hook(Box::new(log_panic));
    let context = Context::new(context.run, context.step, context.attempt);
    step(&context, &input).map_err(step_error)
}

/// Makes a function the export of this component. The other side of the
/// `cfg` is in `entry.rs`.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_step {
    ($step:ident) => {
        struct Step;
        impl $crate::__private::Entry for Step {
            fn run(
                context: $crate::__private::bindings::segno::step::types::Context,
                input: ::std::string::String,
            ) -> ::std::result::Result<
                ::std::string::String,
                $crate::__private::bindings::segno::step::types::StepError,
            > {
                $crate::__private::enter($step, context, input)
            }
        }
        $crate::__private::bindings::export_step!(Step);
    };
}

pub(crate) fn write(level: Level, message: &str) {
    let level = match level {
        Level::Trace => log::Level::Trace,
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
    };
    log::write(level, message);
}

pub(crate) fn now_ms() -> u64 {
    timers::now()
}

pub(crate) fn next_u64() -> u64 {
    random::next_u64()
}

pub(crate) fn bytes(len: u32) -> Vec<u8> {
    random::bytes(len)
}

pub(crate) fn report(done: u64, total: u64, message: &str) {
    progress::report(done, total, message);
}

pub(crate) fn heartbeat() {
    progress::heartbeat();
}

fn step_error(error: Error) -> types::StepError {
    let failure = types::Failure {
        message: error.message().to_owned(),
        details: error.added_details().map(ToString::to_string),
    };
    if error.is_fatal() {
        return types::StepError::Fatal(failure);
    }
    types::StepError::Retryable(types::RetryableFailure {
        failure,
        delay_ms: error.delay().map(whole_ms),
    })
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let said = info.payload_as_str().unwrap_or("no message");
    let line = match info.location() {
        Some(place) => format!("panicked at {place}: {said}"),
        None => format!("panicked: {said}"),
    };
    log::write(log::Level::Error, &line);
}
