//! The durable functions of the host inside a component: each becomes the
//! import of the same name.

use super::bindings::segno::step::{
    continuation, http, kv, memo, secrets, signals, timers, types, waits, workflows,
};
use crate::host::value::{
    AfterCrash, Audience, Condition, Failure, Happening, Pattern, Request, Response, Signal, Since,
};
use crate::refusal::{Code, Refusal};

pub(crate) fn sleep(duration_ms: u64) {
    timers::sleep(duration_ms);
}

pub(crate) fn sleep_until(moment_ms: u64) {
    timers::sleep_until(moment_ms);
}

pub(crate) fn publish(name: &str, params: &str, payload: &str) -> Result<u64, Refusal> {
    signals::publish(name, params, payload).map_err(refusal)
}

pub(crate) fn publish_to_run(run: &str, name: &str, payload: &str) -> Result<u64, Refusal> {
    signals::publish_to_run(run, name, payload).map_err(refusal)
}

pub(crate) fn wait_signal(pattern: &Pattern, timeout_ms: Option<u64>) -> Option<Signal> {
    signals::wait(&signal_pattern(pattern), timeout_ms).map(signal)
}

pub(crate) fn one_time_url(name: &str) -> String {
    signals::one_time_url(name)
}

pub(crate) fn wait_any(conditions: &[Condition]) -> (usize, Happening) {
    let conditions = conditions.iter().map(|condition| match condition {
        Condition::Timer(moment_ms) => waits::Condition::Timer(*moment_ms),
        Condition::Signal(pattern) => waits::Condition::Signal(signal_pattern(pattern)),
        Condition::Run(run) => waits::Condition::Run(run.clone()),
    });
    let (place, happening) = waits::any(&conditions.collect::<Vec<_>>());
    let happening = match happening {
        waits::Happening::Timer => Happening::Timer,
        waits::Happening::Signal(given) => Happening::Signal(signal(given)),
        waits::Happening::Run(ended) => Happening::Run(ended.map_err(failure)),
    };
    (place as usize, happening)
}

pub(crate) fn start_run(
    workflow: &str,
    version: Option<u64>,
    params: &str,
) -> Result<String, Refusal> {
    workflows::start(workflow, version, params).map_err(refusal)
}

pub(crate) fn wait_run(run: &str) -> Result<String, Failure> {
    workflows::wait(run).map_err(failure)
}

pub(crate) fn recall(name: &str) -> Option<String> {
    memo::recall(name)
}

pub(crate) fn record(name: &str, value: &str) {
    memo::record(name, value);
}

pub(crate) fn kv_get(namespace: &str, key: &str) -> Result<Option<String>, Refusal> {
    kv::get(namespace, key).map_err(refusal)
}

pub(crate) fn kv_set(namespace: &str, key: &str, value: &str) -> Result<(), Refusal> {
    kv::set(namespace, key, value).map_err(refusal)
}

pub(crate) fn kv_delete(namespace: &str, key: &str) -> Result<(), Refusal> {
    kv::delete(namespace, key).map_err(refusal)
}

pub(crate) fn secret(name: &str) -> Result<String, Refusal> {
    secrets::get(name).map_err(refusal)
}

pub(crate) fn fetch(request: Request) -> Result<Response, Refusal> {
    let Request { method, url, headers, secret_headers, body, timeout_ms, after_crash } = request;
    let headers = headers.into_iter().map(|(name, value)| http::Header { name, value });
    let secret_headers = secret_headers.into_iter().map(|header| http::SecretHeader {
        name: header.name,
        prefix: header.prefix,
        secret: header.secret,
    });
    let request = http::Request {
        method,
        url,
        headers: headers.collect(),
        secret_headers: secret_headers.collect(),
        body,
        timeout_ms,
        after_crash: match after_crash {
            AfterCrash::Repeat => http::AfterCrash::Repeat,
            AfterCrash::Report => http::AfterCrash::Report,
        },
    };
    let http::Response { status, headers, body } = http::fetch(&request).map_err(refusal)?;
    let headers = headers.into_iter().map(|header| (header.name, header.value));
    Ok(Response { status, headers: headers.collect(), body })
}

pub(crate) fn continue_as_new(input: &str) -> ! {
    continuation::continue_as_new(input);
    unreachable!("the host does not come back from continue-as-new");
}

fn signal_pattern(pattern: &Pattern) -> signals::Pattern {
    signals::Pattern {
        name: pattern.name.clone(),
        audience: match pattern.audience {
            Audience::Everyone => signals::Audience::Everyone,
            Audience::ThisRun => signals::Audience::ThisRun,
        },
        match_: pattern.matching.clone(),
        since: match pattern.since {
            Since::Ever => signals::Since::Ever,
            Since::Now => signals::Since::Now,
        },
    }
}

fn signal(given: signals::Signal) -> Signal {
    let signals::Signal { name, id, sequence, params, payload, published_at_ms } = given;
    Signal { name, id, sequence, params, payload, published_at_ms }
}

fn failure(given: types::Failure) -> Failure {
    Failure { message: given.message, details: given.details }
}

fn refusal(given: types::Refusal) -> Refusal {
    Refusal { code: Code::from(given.code.as_str()), message: given.message }
}
