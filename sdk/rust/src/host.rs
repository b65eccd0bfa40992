//! The functions of the host. In a component they are the imports of the
//! contract in `wit/`; elsewhere they are stand-ins, so that a step runs under
//! `cargo test`, where a `testing::Script` answers the durable ones. Both sides
//! offer the same functions and nothing else.

mod value;

#[cfg(target_family = "wasm")]
pub(crate) mod component;
#[cfg(target_family = "wasm")]
use component as side;

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(not(target_family = "wasm"))]
use native as side;

pub(crate) use side::{
    bytes, continue_as_new, fetch, heartbeat, kv_delete, kv_get, kv_set, next_u64, now_ms,
    one_time_url, publish, publish_to_run, recall, record, report, secret, sleep, sleep_until,
    start_run, wait_any, wait_run, wait_signal, write,
};
pub(crate) use value::{
    AfterCrash, Audience, Condition, Failure, Happening, Pattern, Request, Response, SecretHeader,
    Signal, Since,
};

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::Random;
