//! The values that cross the boundary, as `wit/` has them: payloads are texts
//! here, and become the step's own types in the modules that people use.

/// A message that was published.
#[derive(Clone, Debug)]
pub(crate) struct Signal {
    pub name: String,
    pub id: String,
    pub sequence: u64,
    pub params: String,
    pub payload: String,
    pub published_at_ms: u64,
}

/// Whom a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Everyone,
    ThisRun,
}

/// Which signals count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    Ever,
    Now,
}

/// Which signal to wait for.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub name: String,
    pub audience: Audience,
    pub matching: String,
    pub since: Since,
}

/// One thing to wait for.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Timer(u64),
    Signal(Pattern),
    Run(String),
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Timer,
    Signal(Signal),
    Run(Result<String, Failure>),
}

/// Why a run has no output.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub message: String,
    pub details: Option<String>,
}

/// A request. Headers are pairs of name and value.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub secret_headers: Vec<SecretHeader>,
    pub body: Vec<u8>,
    pub timeout_ms: Option<u64>,
    pub after_crash: AfterCrash,
}

/// A header with a secret that the host fills in.
#[derive(Clone, Debug)]
pub(crate) struct SecretHeader {
    pub name: String,
    pub prefix: String,
    pub secret: String,
}

/// What happens after a crash between sending and recording the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterCrash {
    Repeat,
    Report,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}
