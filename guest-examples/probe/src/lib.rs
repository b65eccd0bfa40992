//! A step that makes the calls which its input lists, one after the other, and
//! returns what each of them gave. README.md lists the calls.

use segno::prelude::*;
use segno::workflows::Run;
use segno::{continuation, http, kv, memo, progress, random, secrets, signals, timers, workflows};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What to do.
#[derive(Debug, Deserialize, Serialize)]
pub struct Program {
    /// The calls, in order.
    pub calls: Vec<Call>,
    /// How often the list was gone through before.
    #[serde(default)]
    pub rounds: u32,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Gave {
    /// What each call gave.
    pub gave: Vec<Value>,
    /// How often the list was gone through.
    pub rounds: u32,
    /// Which attempt the step was told it is.
    pub attempt: u32,
}

/// One call: `{"sleep": "5s"}`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// Writes a line to the log.
    Log(String),
    /// Sleeps.
    Sleep(String),
    /// Waits for a signal to everyone.
    Wait(Wait),
    /// Waits for a signal for this run.
    Answer(String),
    /// Makes a one-time URL and logs it.
    Url(String),
    /// Publishes a signal to everyone.
    Publish(Publish),
    /// Sends a request.
    Post(Post),
    /// Starts a run.
    Start(Start),
    /// Waits for a run that was started.
    Join(Which),
    /// Draws a random number, once.
    Memo(String),
    /// Reads a value of the workflow.
    Get(String),
    /// Writes a value of the workflow.
    Set(String, Value),
    /// Removes a value of the workflow.
    Unset(String),
    /// Reads a value that workflows share.
    GetShared(String),
    /// Keeps a processor busy and gives heartbeats until so much time has gone by.
    Beat(String),
    /// Reads the clock.
    Now(()),
    /// Draws a random number.
    Random(()),
    /// Fails, and would like another try.
    Fail(String),
    /// Fails for good.
    Fatal(String),
    /// Makes a call whose failure is a value.
    Try(Box<Call>),
    /// Continues as new until the list was gone through so often.
    Again(u32),
}

/// Which signal to wait for, and how long.
#[derive(Debug, Deserialize, Serialize)]
pub struct Wait {
    name: String,
    #[serde(rename = "match", default = "nothing")]
    matching: Value,
    timeout: Option<String>,
}

/// What to publish.
#[derive(Debug, Deserialize, Serialize)]
pub struct Publish {
    name: String,
    #[serde(default)]
    payload: Value,
}

/// What to send, and where.
#[derive(Debug, Deserialize, Serialize)]
pub struct Post {
    url: String,
    #[serde(default)]
    body: Value,
    secret: Option<String>,
    /// Whether a crash while it is under way is reported, and else repeated.
    #[serde(default)]
    report: bool,
}

/// What to start.
#[derive(Debug, Deserialize, Serialize)]
pub struct Start {
    workflow: String,
    #[serde(default = "nothing")]
    params: Value,
}

/// Which run to wait for.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Which {
    /// The one that the call at this place started.
    Place(usize),
    /// The one with this identifier.
    Run(String),
}

/// Makes the calls.
#[segno::step]
pub fn run(ctx: &Context, program: Program) -> Result<Gave> {
    let rounds = program.rounds + 1;
    let mut gave = Vec::new();
    for call in &program.calls {
        if let Call::Again(wanted) = call
            && rounds < *wanted
        {
            continuation::continue_as_new(&Program { rounds, ..program });
        }
        let value = make(call, &gave)?;
        gave.push(value);
    }
    Ok(Gave { gave, rounds, attempt: ctx.attempt() })
}

/// Makes one call; `gave` is what those before it gave.
fn make(call: &Call, gave: &[Value]) -> Result<Value> {
    match call {
        Call::Log(text) => info!("{text}"),
        Call::Sleep(time) => timers::sleep(timers::duration(time)?),
        Call::Wait(wait) => return wait_for(wait),
        Call::Answer(name) => return Ok(signals::for_this_run(name).receive()?.payload),
        Call::Url(name) => info!("{}", signals::one_time_url(name)),
        Call::Publish(it) => return Ok(json!(signals::publish(&it.name).send(&it.payload)?)),
        Call::Post(it) => return post(it),
        Call::Start(it) => return Ok(json!(workflows::start(&it.workflow, &it.params)?.id())),
        Call::Join(Which::Run(id)) => return workflows::started(id).wait(),
        Call::Join(Which::Place(place)) => return started(*place, gave)?.wait(),
        Call::Memo(name) => return Ok(json!(memo::once(name, || Ok(draw(name)))?)),
        Call::Get(key) => return Ok(kv::get(key)?.unwrap_or_default()),
        Call::Set(key, value) => kv::set(key, value)?,
        Call::Unset(key) => kv::delete(key)?,
        Call::GetShared(key) => return Ok(kv::namespace("shared").get(key)?.unwrap_or_default()),
        Call::Beat(time) => beat(timers::duration(time)?),
        Call::Now(()) => return Ok(json!(timers::now_ms())),
        Call::Random(()) => return Ok(json!(random::next_u64())),
        Call::Fail(why) => return Err(retryable!("{why}")),
        Call::Fatal(why) => return Err(fatal!("{why}")),
        Call::Try(call) => {
            return make(call, gave).or_else(|error| Ok(json!({ "error": error.message() })));
        }
        Call::Again(_) => {}
    }
    Ok(Value::Null)
}

fn beat(time: Duration) {
    let begin = timers::now();
    while timers::now().duration_since(begin).is_ok_and(|gone| gone < time) {
        progress::heartbeat();
    }
}

fn draw(name: &str) -> u64 {
    let drawn = random::next_u64();
    info!("{name}: {drawn}");
    drawn
}

fn wait_for(Wait { name, matching, timeout }: &Wait) -> Result<Value> {
    let wait = signals::wait(name).matching(matching.clone());
    let Some(timeout) = timeout else {
        return Ok(wait.receive()?.payload);
    };
    let signal = wait.timeout(timers::duration(timeout)?).receive()?;
    Ok(signal.map(|signal| signal.payload).unwrap_or_default())
}

fn post(Post { url, body, secret, report }: &Post) -> Result<Value> {
    let mut request = http::post(url).json(body);
    if *report {
        request = request.report_after_crash();
    }
    if let Some(secret) = secret {
        request = request.bearer(&secrets::get(secret)?);
    }
    request.send()?.error_for_status()?.json()
}

fn started(place: usize, gave: &[Value]) -> Result<Run> {
    match gave.get(place).and_then(Value::as_str) {
        Some(id) => Ok(workflows::started(id)),
        None => Err(fatal!("call {place} started no run; the first of the list is call 0")),
    }
}

fn nothing() -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use super::*;
    use segno::testing::Script;

    #[test]
    fn calls_are_made_in_order() {
        let calls = json!([
            { "set": ["n", 4] }, { "get": "n" }, { "start": { "workflow": "double", "params": {} } },
            { "join": 2 }, { "try": { "fail": "no" } }, { "again": 2 },
        ]);
        let mut script = Script::new(run)
            .input(json!({ "calls": calls }))
            .child("double", |_| Ok(json!({ "doubled": 8 })));
        let output = script.finish().unwrap();
        assert_eq!(output["rounds"], 2);
        let gave = output["gave"].as_array().unwrap();
        assert_eq!((&gave[1], &gave[3]), (&json!(4), &json!({ "doubled": 8 })));
        assert_eq!(gave[4], json!({ "error": "no" }));
        script.check_replay();
    }

    #[test]
    fn every_call_of_the_readme_exists() {
        let table =
            include_str!("../README.md").lines().filter_map(|line| line.strip_prefix("| `{"));
        let names: Vec<_> = table.filter_map(|row| row.split('"').nth(1)).collect();
        assert_eq!(names.len(), 17);
        for name in names {
            let error = misread(name);
            assert!(!error.contains("unknown variant"), "{name}: {error}");
        }
    }

    /// What is wrong with a call of this name and a value that none takes.
    fn misread(name: &str) -> String {
        let mut call = json!({});
        call[name] = json!([[]]);
        Call::deserialize(call).map(|call| format!("{call:?}")).unwrap_or_else(|e| e.to_string())
    }
}
