//! What the world of a rehearsal answers to durable calls, by the same rules as
//! a host. Waits are in `wait`.

use super::world::{RUN, Started, World, refusal};
use crate::egress;
use crate::sandbox::{Answer, Call, Gone, NewEntry, Refusal, Request};
use segno_engine::payload::Payload;
use segno_engine::signal::{Params, check_name};
use serde_json::{Value, json};

/// The largest value of a key, as on a host.
const VALUE_BYTES_MAX: usize = 256 << 10;

/// What the handle of a secret begins with, as on a host.
const HANDLE: &str = "secret:";

impl World {
    /// Makes a call that was never made.
    pub(super) fn call(&mut self, mut entry: NewEntry, call: Call) -> Result<Answer, Gone> {
        self.note(&mut entry, &call);
        let answer = match call {
            Call::Sleep { .. }
            | Call::SleepUntil { .. }
            | Call::WaitSignal { .. }
            | Call::WaitRun { .. }
            | Call::WaitAny { .. } => return self.wait(entry, call),
            Call::Publish { name, params, payload } => {
                Answer::Published(self.publish_by_step(&entry, name, (&params, payload)))
            }
            Call::PublishToRun { run, name, payload } => {
                Answer::Published(self.publish_to(&entry, (run, name), payload))
            }
            Call::OneTimeUrl { name } => {
                Answer::Text(checked("a signal's name", &name).map(|()| self.board.url(&name)))
            }
            Call::StartRun { workflow, version, params } => {
                Answer::Text(self.start_run(workflow, version, &params)?)
            }
            Call::KvGet { namespace, key } => Answer::Value(self.namespace(&namespace).map(|()| {
                let value = self.values.get(&(namespace, key));
                value.map(|value| value.text().to_owned())
            })),
            Call::KvSet { namespace, key, value } => {
                Answer::Done(self.set_value((namespace, key), value))
            }
            Call::KvDelete { namespace, key } => {
                let removed = self.namespace(&namespace);
                Answer::Done(removed.map(|()| drop(self.values.remove(&(namespace, key)))))
            }
            Call::Secret { name } => {
                Answer::Text(self.secret(&name).map(|()| format!("{HANDLE}{name}")))
            }
            Call::Fetch(request) => Answer::Response(self.fetch(&entry, *request)?),
            Call::Memo { .. } => return Err(Gone::Unwanted),
        };
        self.done(entry, answer)
    }

    fn publish_by_step(
        &mut self,
        entry: &NewEntry,
        name: String,
        (params, payload): (&str, String),
    ) -> Result<u64, Refusal> {
        if !self.grants.may_publish(&name) {
            let message = format!(
                "the step may not publish signal {name:?}; add `grants: {{ signals: [{name}] }}` \
                 to the case, and to the step of the workflow"
            );
            return Err(refusal("denied", message));
        }
        checked("a signal's name", &name)?;
        let params =
            Params::parse(params).map_err(|error| refusal("invalid", error.to_string()))?;
        let payload = parsed(payload, "a signal's payload")?;
        self.published.push(json!({
            "name": name,
            "params": params.to_value(),
            "payload": payload.value(),
        }));
        let signal = self.signal(&name, self.identity(entry), payload.text().to_owned());
        Ok(self.publish(signal, params))
    }

    fn publish_to(
        &mut self,
        entry: &NewEntry,
        (run, name): (String, String),
        payload: String,
    ) -> Result<u64, Refusal> {
        let is_known = run == RUN || self.runs.iter().any(|started| started.run == run);
        if !is_known && run.parse::<segno_engine::id::RunId>().is_err() {
            return Err(refusal("invalid", format!("{run:?} is no identifier of a run")));
        }
        checked("a signal's name", &name)?;
        let payload = parsed(payload, "a signal's payload")?;
        self.published.push(json!({ "name": name, "run": run, "payload": payload.value() }));
        if run != RUN {
            let same = self.published.iter().filter(|published| published["run"] == run);
            return Ok(same.count() as u64);
        }
        let signal = self.signal(&name, self.identity(entry), payload.text().to_owned());
        Ok(self.publish_to_run(signal))
    }

    fn start_run(
        &mut self,
        workflow: String,
        version: Option<u64>,
        params: &str,
    ) -> Result<Result<String, Refusal>, Gone> {
        let Ok(params @ Value::Object(_)) = serde_json::from_str(params) else {
            return Ok(Err(refusal("invalid", "the params of a run are a JSON object")));
        };
        let Some(ends) = self.children.get_mut(&workflow).filter(|ends| !ends.is_empty()) else {
            let expected = format!(
                "what runs of `{workflow}` come to; add `{workflow}: {{ output: {{}} }}` to \
                 `children` of the case"
            );
            return Err(self.lacks("workflows.start", expected, "the script knows no such runs"));
        };
        let child = if ends.len() > 1 { ends.remove(0) } else { ends[0].clone() };
        let mut started = json!({ "workflow": workflow, "params": params });
        if let Some(version) = version {
            started["version"] = version.into();
        }
        self.started.push(started);
        let run = format!("run_child_{}", self.started.len());
        let ends_at_ms = self.now_ms().saturating_add(child.takes_ms);
        self.runs.push(Started { run: run.clone(), workflow, ends_at_ms, result: child.result });
        Ok(Ok(run))
    }

    fn set_value(&mut self, place: (String, String), value: String) -> Result<(), Refusal> {
        self.namespace(&place.0)?;
        if value.len() > VALUE_BYTES_MAX {
            let message = format!("a value has at most {VALUE_BYTES_MAX} bytes");
            return Err(refusal("limit", message));
        }
        self.values.insert(place, parsed(value, "a value")?);
        Ok(())
    }

    fn namespace(&self, namespace: &str) -> Result<(), Refusal> {
        if self.grants.has_namespace(namespace) {
            return Ok(());
        }
        let message = format!(
            "the step may not use the namespace {namespace:?}; add `grants: {{ kv: [{namespace}] \
             }}` to the case, and to the step of the workflow"
        );
        Err(refusal("denied", message))
    }

    fn secret(&self, name: &str) -> Result<(), Refusal> {
        if !self.grants.has_secret(name) {
            let message = format!(
                "the step may not use secret {name:?}; add it to `secrets` in \
                 [package.metadata.segno] of the component's Cargo.toml, or add `grants: {{ \
                 secrets: [{name}] }}` to the case"
            );
            return Err(refusal("denied", message));
        }
        if !self.secrets.iter().any(|known| known == name) {
            let message = format!("there is no secret {name:?}; add it to `secrets` of the case");
            return Err(refusal("not-found", message));
        }
        Ok(())
    }

    fn fetch(
        &mut self,
        entry: &NewEntry,
        request: Request,
    ) -> Result<Result<crate::sandbox::Response, Refusal>, Gone> {
        for (_, _, handle) in &request.secret_headers {
            if let Err(refusal) = self.secret(handle.strip_prefix(HANDLE).unwrap_or(handle)) {
                return Ok(Err(refusal));
            }
        }
        let checked = self.egress.check(&outbound(&request), &self.requested, &self.grants.http);
        if let Err(refused) = checked {
            return Ok(Err(refusal(refused.code, refused.message)));
        }
        let identity = self.identity(entry);
        match self.web.answer(&request, &identity) {
            Some(said) => Ok(said),
            None => {
                let Request { method, url, .. } = request;
                let expected = format!(
                    "an answer to {method} {url}; add `- {{ method: {method}, url: \"{url}\", \
                     status: 200, json: {{}} }}` to `http` of the case"
                );
                Err(self.lacks("http.fetch", expected, "the script has none"))
            }
        }
    }
}

/// A request as the rules for requests see it.
fn outbound(request: &Request) -> egress::Request {
    let Request { method, url, headers, secret_headers, body, timeout_ms, .. } = request.clone();
    egress::Request { method, url, headers, secret_headers, body, timeout_ms }
}

/// A call with the arguments that its summary leaves out.
pub(super) fn shown(call: &Call) -> String {
    let more = match call {
        Call::Publish { payload, .. } | Call::PublishToRun { payload, .. } => payload.clone(),
        Call::StartRun { params, .. } => params.clone(),
        Call::KvSet { value, .. } => value.clone(),
        Call::Fetch(request) => String::from_utf8_lossy(&request.body).into_owned(),
        _ => return call.summary(),
    };
    format!("{} {more}", call.summary())
}

fn checked(what: &str, name: &str) -> Result<(), Refusal> {
    check_name(what, name).map_err(|error| refusal("invalid", error.to_string()))
}

fn parsed(text: String, what: &str) -> Result<Payload, Refusal> {
    Payload::parse(text).map_err(|error| refusal("invalid", format!("{what} is no JSON: {error}")))
}
