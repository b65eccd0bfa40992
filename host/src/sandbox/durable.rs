//! Durable calls: what a step asks of the host that must happen once and be
//! remembered, what it is told, and the contract with whoever remembers. The
//! sandbox replays what is remembered and hands on the rest; it keeps nothing.

use super::log::LogLine;
use crate::clock::rfc3339;
use segno_engine::failure::Failure;
use segno_engine::id::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::pin::Pin;

/// One durable call, with its arguments as the step gave them. Variants are
/// only ever added at the end: the hash of a call is on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Call {
    /// `timers.sleep`.
    Sleep {
        /// How long.
        duration_ms: u64,
    },
    /// `timers.sleep-until`.
    SleepUntil {
        /// Until when.
        moment_ms: u64,
    },
    /// `signals.wait`.
    WaitSignal {
        /// For which.
        pattern: Pattern,
        /// How long.
        timeout_ms: Option<u64>,
    },
    /// `workflows.wait`.
    WaitRun {
        /// For which.
        run: String,
    },
    /// `waits.any`.
    WaitAny {
        /// For what.
        conditions: Vec<Condition>,
    },
    /// `signals.publish`.
    Publish {
        /// The signal's name.
        name: String,
        /// Its params, a JSON object.
        params: String,
        /// Its payload.
        payload: String,
    },
    /// `signals.publish-to-run`.
    PublishToRun {
        /// The run.
        run: String,
        /// The signal's name.
        name: String,
        /// Its payload.
        payload: String,
    },
    /// `signals.one-time-url`.
    OneTimeUrl {
        /// The name of the signal that it publishes.
        name: String,
    },
    /// `workflows.start`.
    StartRun {
        /// The workflow.
        workflow: String,
        /// Its version.
        version: Option<u64>,
        /// Its params, a JSON object.
        params: String,
    },
    /// `memo.recall` and `memo.record`.
    Memo {
        /// The name of the block.
        name: String,
    },
    /// `kv.get`.
    KvGet {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
    },
    /// `kv.set`.
    KvSet {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// `kv.delete`.
    KvDelete {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
    },
    /// `secrets.get`.
    Secret {
        /// The secret's name.
        name: String,
    },
    /// `http.fetch`.
    Fetch(Box<Request>),
}

/// One thing to wait for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// A moment, in milliseconds since 1970.
    Timer(u64),
    /// A signal.
    Signal(Pattern),
    /// The end of a run.
    Run(String),
}

/// Which signal to wait for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    /// Its name.
    pub name: String,
    /// Whether it must be for this run, and else for everyone.
    pub this_run: bool,
    /// What its params must have: a JSON object.
    pub params: String,
    /// Whether only those count that are published from now on.
    pub only_new: bool,
}

/// A request to the outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// An absolute URL.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Names, prefixes and handles of secrets.
    pub secret_headers: Vec<(String, String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The longest wait for the answer.
    pub timeout_ms: Option<u64>,
    /// Whether a crash after sending is reported, and else repeated.
    pub report_crash: bool,
}

/// What a durable call gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// A wait is over.
    Woken {
        /// Which condition.
        index: u32,
        /// What happened.
        happening: Happening,
    },
    /// A signal was published.
    Published(Result<u64, Refusal>),
    /// A text: a URL, a handle, the identifier of a run.
    Text(Result<String, Refusal>),
    /// A value was read.
    Value(Result<Option<String>, Refusal>),
    /// It was done.
    Done(Result<(), Refusal>),
    /// The outside answered.
    Response(Result<Response, Refusal>),
}

/// What ended a wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Happening {
    /// The moment has come.
    Timer,
    /// The signal came.
    Signal(Signal),
    /// The run ended: its output, or message and details of its failure.
    Run(Result<String, (String, Option<String>)>),
}

/// A signal as a step sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub id: String,
    /// Its place among all of its name.
    pub sequence: u64,
    /// Its params, a JSON object.
    pub params: String,
    /// Its payload.
    pub payload: String,
    /// When it was accepted, in milliseconds since 1970.
    pub published_at_ms: u64,
    /// Whether it was for this run, and else for everyone.
    pub this_run: bool,
}

/// An answer from the outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Such as 200.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why the host did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// One word for a program.
    pub code: String,
    /// One line for a person.
    pub message: String,
}

/// A call as the journal has it, and what it gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the journal.
    pub sequence: u64,
    /// What was called, for people.
    pub summary: String,
    /// Tells it from other calls.
    pub hash: [u8; 16],
    /// The clock as the step read it since the entry before: milliseconds
    /// after the reading before, and how often it was the same.
    pub readings: Vec<(u64, u32)>,
    /// What the call gave.
    pub answer: Answer,
}

/// A call that the journal does not have.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Its place in the journal.
    pub sequence: u64,
    /// What is called, for people.
    pub summary: String,
    /// Tells it from other calls.
    pub hash: [u8; 16],
    /// As in [`Entry`].
    pub readings: Vec<(u64, u32)>,
    /// What the step logged since the entry before.
    pub lines: Vec<LogLine>,
}

/// Why a durable call gave nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Gone {
    /// The step waits, and is played again when there is an answer.
    Suspended,
    /// Nobody wants the attempt any more.
    Unwanted,
    /// The call cannot be made, for a reason that the step cannot handle.
    Failed(Failure),
}

/// The answer, some time.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answer, Gone>> + Send + 'a>>;

/// Makes durable calls and remembers them.
pub trait Durable: Send + Sync {
    /// Makes a call that was never made, and records it with its answer.
    fn call(&self, entry: NewEntry, call: Call) -> Answering<'_>;

    /// Records the result of work that the step did itself, and gives it back.
    fn record(&self, entry: NewEntry, answer: Answer) -> Answering<'_>;
}

impl Refusal {
    /// A refusal. What it quotes of the step is cut: it is kept.
    pub fn new(code: &str, message: String) -> Self {
        let message = cut(message, REFUSAL_BYTES_MAX);
        Self { code: code.to_owned(), message }
    }
}

/// The longest message of a refusal.
const REFUSAL_BYTES_MAX: usize = 1_024;

/// At most so many bytes of a text, and a mark if it was longer.
fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}

impl Call {
    /// Tells this call from others.
    pub(super) fn hash(&self) -> [u8; 16] {
        let bytes = postcard::to_allocvec(self).expect("a growing vector takes every call");
        let digest = Sha256::digest(bytes);
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        short
    }

    /// The call in one short line.
    pub fn summary(&self) -> String {
        let text = match self {
            Self::Sleep { duration_ms } => format!("timers.sleep({duration_ms} ms)"),
            Self::SleepUntil { moment_ms } => format!("timers.sleep-until({})", moment(*moment_ms)),
            Self::WaitSignal { pattern, .. } => format!("signals.wait({pattern})"),
            Self::WaitRun { run } => format!("workflows.wait({run})"),
            Self::WaitAny { conditions } => summary_of_any(conditions),
            Self::Publish { name, params, .. } => format!("signals.publish({name} {params})"),
            Self::PublishToRun { run, name, .. } => {
                format!("signals.publish-to-run({run} {name})")
            }
            Self::OneTimeUrl { name } => format!("signals.one-time-url({name})"),
            Self::StartRun { workflow, .. } => format!("workflows.start({workflow})"),
            Self::Memo { name } => format!("memo({name})"),
            Self::KvGet { namespace, key } => format!("kv.get({namespace}/{key})"),
            Self::KvSet { namespace, key, .. } => format!("kv.set({namespace}/{key})"),
            Self::KvDelete { namespace, key } => format!("kv.delete({namespace}/{key})"),
            Self::Secret { name } => format!("secrets.get({name})"),
            Self::Fetch(request) => format!("http.fetch({} {})", request.method, request.url),
        };
        cut(text, SUMMARY_BYTES_MAX)
    }
}

/// The longest summary.
const SUMMARY_BYTES_MAX: usize = 120;

/// A moment as people read it.
fn moment(millis: u64) -> String {
    rfc3339(Timestamp(millis))
}

fn summary_of_any(conditions: &[Condition]) -> String {
    let mut text = format!("waits.any({}:", conditions.len());
    for condition in conditions.iter().take(4) {
        // Writing to a string cannot fail.
        let _ = match condition {
            Condition::Timer(millis) => write!(text, " timer {}", moment(*millis)),
            Condition::Signal(pattern) => write!(text, " signal {pattern}"),
            Condition::Run(run) => write!(text, " run {run}"),
        };
    }
    text.push(')');
    text
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name)?;
        match self.params.as_str() {
            "{}" => Ok(()),
            params => write!(f, " {params}"),
        }
    }
}

impl Answer {
    /// The answer in one short line, without what it carries.
    pub fn summary(&self) -> String {
        let refused = |refusal: &Refusal| format!("{}: {}", refusal.code, refusal.message);
        match self {
            Self::Woken { happening: Happening::Timer, .. } => "the moment has come".to_owned(),
            Self::Woken { happening: Happening::Signal(signal), .. } => {
                format!("signal {} {}", signal.name, signal.sequence)
            }
            Self::Woken { happening: Happening::Run(Ok(_)), .. } => "the run succeeded".to_owned(),
            Self::Woken { happening: Happening::Run(Err((message, _))), .. } => message.clone(),
            Self::Published(Ok(sequence)) => format!("number {sequence}"),
            Self::Text(Ok(text)) if text.starts_with("run_") => text.clone(),
            Self::Text(Ok(text)) => format!("{} B", text.len()),
            Self::Value(Ok(Some(value))) => format!("{} B", value.len()),
            Self::Value(Ok(None)) => "nothing".to_owned(),
            Self::Done(Ok(())) => "done".to_owned(),
            Self::Response(Ok(response)) => {
                format!("{}, {} B", response.status, response.body.len())
            }
            Self::Published(Err(refusal))
            | Self::Text(Err(refusal))
            | Self::Value(Err(refusal))
            | Self::Done(Err(refusal))
            | Self::Response(Err(refusal)) => refused(refusal),
        }
    }

    /// How many bytes of the step's and of others' texts it holds.
    pub(super) fn bytes(&self) -> usize {
        let refused = |refusal: &Refusal| refusal.code.len() + refusal.message.len();
        match self {
            Self::Woken { happening: Happening::Timer, .. }
            | Self::Published(Ok(_))
            | Self::Value(Ok(None))
            | Self::Done(Ok(())) => 0,
            Self::Woken { happening: Happening::Signal(signal), .. } => {
                let Signal { name, id, params, payload, .. } = signal;
                name.len() + id.len() + params.len() + payload.len()
            }
            Self::Woken { happening: Happening::Run(Ok(output)), .. } => output.len(),
            Self::Woken { happening: Happening::Run(Err((message, details))), .. } => {
                message.len() + details.as_ref().map_or(0, String::len)
            }
            Self::Text(Ok(text)) | Self::Value(Ok(Some(text))) => text.len(),
            Self::Response(Ok(response)) => {
                let header = |(name, value): &(String, String)| name.len() + value.len();
                response.body.len() + response.headers.iter().map(header).sum::<usize>()
            }
            Self::Published(Err(refusal))
            | Self::Text(Err(refusal))
            | Self::Value(Err(refusal))
            | Self::Done(Err(refusal))
            | Self::Response(Err(refusal)) => refused(refusal),
        }
    }
}
