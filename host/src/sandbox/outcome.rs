//! How an attempt ended, in the engine's words. Whatever a guest did wrong
//! becomes a failure with a reason for programs and a message for people; what
//! the host knows beyond that, its errors and paths, stays in the host's log.

use super::guest::wit::StepError;
use super::limits::{Bytes, Limits, Millis, Stop};
use super::log::{LogLine, printable};
use super::watch::Usage;
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::payload::Payload;
use std::fmt::Write as _;
use wasmtime::component::ResourceTableError;
use wasmtime::{Trap, WasmBacktrace};

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// What it logged, in order.
    pub log: Vec<LogLine>,
    /// Lines that exceeded the log's limit. The last line of `log` says so.
    pub log_dropped: u64,
    /// What it used.
    pub usage: Usage,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With a result.
    Succeeded {
        /// The step's output.
        output: Payload,
    },
    /// Without one.
    Failed {
        /// Why.
        failure: Failure,
        /// How long the step asked to be left alone before the next attempt.
        delay_ms: Option<u64>,
    },
    /// Somebody cancelled it.
    Cancelled,
    /// It waits, and has to be played again when what it waits for has come.
    Suspended,
    /// The step wants to start afresh.
    Continued {
        /// With this input.
        input: Payload,
        /// The place in the journal behind its last call.
        sequence: u64,
    },
}

impl Outcome {
    /// What a step's own result means.
    pub(super) fn of_result(result: Result<String, StepError>, limits: &Limits) -> Self {
        match result {
            Ok(output) if output.len() as u64 > limits.output_bytes => {
                Self::failed(Ended::output_too_long(limits))
            }
            Ok(output) => match Payload::parse(output.as_str()) {
                Ok(output) => Self::Succeeded { output },
                Err(error) => Self::failed(not_json("the step's output", &output, &error)),
            },
            Err(StepError::Retryable(retryable)) => Self::Failed {
                failure: said(FailureKind::User, "user", retryable.failure),
                delay_ms: retryable.delay_ms,
            },
            Err(StepError::Fatal(fatal)) => Self::failed(said(FailureKind::Fatal, "fatal", fatal)),
        }
    }

    /// What it means that the call gave no result.
    pub(super) fn of_error(
        error: &wasmtime::Error,
        limits: &Limits,
        (stack_bytes, sequence): (u64, u64),
    ) -> Self {
        match error.downcast_ref::<Stop>() {
            Some(Stop::Suspended) => return Self::Suspended,
            Some(Stop::Unwanted) => return Self::Cancelled,
            Some(Stop::Continued(input)) => {
                return Self::Continued { input: input.clone(), sequence };
            }
            _ => {}
        }
        Self::failed(Ended { error, limits, stack_bytes }.failure())
    }

    /// The attempt took too long.
    pub(super) fn out_of_time(limits: &Limits) -> Self {
        let message = format!(
            "the attempt was still running after its wall time of {}; a longer one is given by \
             `limits: {{ wall: {} }}` on the step",
            Millis(limits.wall_ms),
            Millis(limits.wall_ms.saturating_mul(2)),
        );
        Self::failed(Failure::new(FailureKind::Timeout, "limit:wall", message))
    }

    /// The step ended before it came to what it has done already.
    pub(super) fn too_early(left: Option<&str>) -> Self {
        let message = format!(
            "the step took another turn when it was played again: it ended, and the journal still \
             has {}",
            left.unwrap_or("more")
        );
        Self::failed(Failure::new(FailureKind::Fatal, "nondeterminism", message))
    }

    /// A host function panicked.
    pub(super) fn of_panic() -> Self {
        let message = "the host failed while it served this attempt; its log says more";
        Self::failed(Failure::new(FailureKind::Platform, "host", message))
    }

    fn failed(failure: Failure) -> Self {
        Self::Failed { failure, delay_ms: None }
    }
}

/// The longest message of a failure.
const MESSAGE_BYTES_MAX: usize = 8 << 10;

/// What the step said itself.
fn said(kind: FailureKind, reason: &str, failure: super::guest::wit::Failure) -> Failure {
    let message = printable(&failure.message, MESSAGE_BYTES_MAX);
    let details = failure.details.map(|details| {
        // Details that are no document are still worth keeping, as text.
        Payload::parse(details.as_str())
            .unwrap_or_else(|_| Payload::from(serde_json::Value::from(details)))
    });
    Failure { details, ..Failure::new(kind, reason, message) }
}

/// The step gave text that is no JSON document. It may do better next time, so
/// this counts as the step's own failure.
fn not_json(what: &str, text: &str, error: &serde_json::Error) -> Failure {
    let start = printable(text, 80);
    let message = format!(
        "{what} is not a JSON document: {error}; it starts with `{start}`. A step returns one \
         JSON document as text, for example `null` or `\"done\"`"
    );
    Failure::new(FailureKind::User, "output", message)
}

/// A call that ended in an error, and what is needed to explain it.
struct Ended<'a> {
    error: &'a wasmtime::Error,
    limits: &'a Limits,
    stack_bytes: u64,
}

impl Ended<'_> {
    fn failure(&self) -> Failure {
        if let Some(stop) = self.error.downcast_ref::<Stop>() {
            return self.stopped(stop);
        }
        if let Some(exit) = self.error.downcast_ref::<wasmtime_wasi::I32Exit>() {
            let message = format!(
                "the step ended its process with exit code {}; a step returns its result instead",
                exit.0
            );
            return Failure::new(FailureKind::Platform, "exit", message);
        }
        match self.error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => self.limit("stack", self.stack_message()),
            Some(trap) => self.trap(&trap.to_string()),
            None => self.error_without_trap(),
        }
    }

    fn stopped(&self, stop: &Stop) -> Failure {
        let limits = self.limits;
        match stop {
            Stop::Memory { wanted_bytes } => {
                let (limit, twice) = (limits.memory_bytes, limits.memory_bytes.saturating_mul(2));
                let message = format!(
                    "the step wanted {} of memory, more than its limit of {}; more is given by \
                     `limits: {{ memory: {} }}` on the step",
                    Bytes(*wanted_bytes),
                    Bytes(limit),
                    Bytes(twice)
                );
                self.limit("memory", message)
            }
            Stop::Tables { wanted } => {
                let limit = limits.table_elements;
                let message = format!(
                    "the step wanted {wanted} table elements, more than its limit of {limit}; \
                     more are given by `limits: {{ table_elements: {} }}` on the step",
                    limit.saturating_mul(2)
                );
                self.limit("tables", message)
            }
            Stop::Cpu => {
                let message = format!(
                    "the step used up its {} of processor time; more is given by \
                     `limits: {{ cpu: {} }}` on the step",
                    Millis(limits.cpu_ms),
                    Millis(limits.cpu_ms.saturating_mul(2))
                );
                self.limit("cpu", message)
            }
            Stop::HostMemory => self.host("the host could not give the step its memory"),
            Stop::Misuse(message) => self.trap(message),
            Stop::Nondeterminism(message) => {
                Failure::new(FailureKind::Fatal, "nondeterminism", message.as_str())
            }
            Stop::Journal { entries } => self.journal_full(*entries),
            Stop::Failed(failure) => failure.clone(),
            // These are no failures, and were taken care of.
            Stop::Suspended | Stop::Unwanted | Stop::Continued(_) => {
                self.host("the host took a wait for a failure")
            }
        }
    }

    /// Errors that wasmtime and its WASI raise without a type of their own.
    fn error_without_trap(&self) -> Failure {
        let text = self.error.root_cause().to_string();
        let full = |error: &ResourceTableError| matches!(error, ResourceTableError::Full);
        if self.error.downcast_ref().is_some_and(full) || text.contains(HANDLES_TEXT) {
            let limit = self.limits.handles;
            let message = format!(
                "the step held more than its limit of {limit} handles at once; drop streams and \
                 other resources, or ask for more with `limits: {{ handles: {} }}` on the step",
                limit.saturating_mul(2)
            );
            return self.limit("handles", message);
        }
        if text.contains(CROSSING_TEXT) {
            return self.crossed_too_much();
        }
        if self.error.is::<wasmtime::PoolConcurrencyLimitError>()
            || self.error.is::<std::io::Error>()
            || self.error.is::<wasmtime::OutOfMemory>()
        {
            return self.host("the host could not set up the step's instance");
        }
        self.trap(&text)
    }

    /// The same allowance covers arguments of host calls and the step's result.
    /// Only in a call there is guest code on the stack.
    fn crossed_too_much(&self) -> Failure {
        if self.error.is::<WasmBacktrace>() {
            let limit = self.limits.crossing_bytes() as u64;
            let message = format!(
                "the step passed more than {limit} bytes to one host call; split it up, or ask \
                 for more with `limits: {{ host_call: {} }}` on the step",
                Bytes(self.limits.host_call_bytes.saturating_mul(2))
            );
            self.limit("host_call", message)
        } else {
            Self::output_too_long(self.limits)
        }
    }

    fn output_too_long(limits: &Limits) -> Failure {
        let message = format!(
            "the step's output is longer than its limit of {}; return a reference to the data, \
             or ask for more with `limits: {{ output: {} }}` on the step",
            Bytes(limits.output_bytes),
            Bytes(limits.output_bytes.saturating_mul(2))
        );
        Failure::new(FailureKind::Platform, "limit:output", message)
    }

    /// The same calls would fill it again.
    fn journal_full(&self, entries: bool) -> Failure {
        let limits = self.limits;
        let message = if entries {
            format!(
                "the step made more than {} durable calls; `continue-as-new` starts with an empty \
                 journal, or ask for more with `limits: {{ journal_entries: {} }}` on the step",
                limits.journal_entries,
                limits.journal_entries.saturating_mul(2)
            )
        } else {
            format!(
                "the step's journal is longer than its limit of {}; `continue-as-new` starts with \
                 an empty one, or ask for more with `limits: {{ journal: {} }}` on the step",
                Bytes(limits.journal_bytes),
                Bytes(limits.journal_bytes.saturating_mul(2))
            )
        };
        Failure::new(FailureKind::Fatal, "limit:journal", self.with_frames(message))
    }

    fn stack_message(&self) -> String {
        format!(
            "the step's calls were nested deeper than the stack of {} allows; look for a \
             recursion without end. The operator sets the size of the stack",
            Bytes(self.stack_bytes)
        )
    }

    fn limit(&self, name: &str, message: String) -> Failure {
        let message = self.with_frames(message);
        Failure::new(FailureKind::Platform, format!("limit:{name}"), message)
    }

    fn trap(&self, text: &str) -> Failure {
        let text = text.strip_prefix("wasm trap: ").unwrap_or(text);
        let message = format!("the step trapped: {}", printable(text, 512));
        Failure::new(FailureKind::Platform, "trap", self.with_frames(message))
    }

    fn host(&self, message: &str) -> Failure {
        tracing::error!(error = format!("{:#}", self.error), "{message}");
        Failure::new(FailureKind::Platform, "host", message)
    }

    /// Adds where in the guest it happened, as far as the component has names.
    fn with_frames(&self, mut message: String) -> String {
        let Some(trace) = self.error.downcast_ref::<WasmBacktrace>() else {
            return message;
        };
        let names = trace.frames().iter().filter_map(|frame| frame.func_name());
        for (place, name) in names.take(FRAMES_SHOWN).enumerate() {
            let lead = if place == 0 { "; in" } else { ", called by" };
            let name = format!("{:#}", rustc_demangle::demangle(name));
            // Writing to a string cannot fail.
            let _ = write!(message, "{lead} `{}`", printable(&name, 120));
        }
        message
    }
}

/// Frames of the guest's stack in a message, innermost first.
const FRAMES_SHOWN: usize = 6;

/// Wasmtime's words where the allowance of a call is exhausted. The type is
/// private there; a test holds the words.
const CROSSING_TEXT: &str = "fuel allocated for hostcalls has been exhausted";
/// Wasmtime's words where a component holds too many handles; likewise.
const HANDLES_TEXT: &str = "store handle limit exceeded";
