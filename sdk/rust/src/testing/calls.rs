//! What the world of a script answers to each durable call.

use serde_json::Value;

use super::board::{Published, Wanted};
use super::journal::Open;
use super::stage::Stop;
use super::web::Request;
use super::world::{Happened, World};
use crate::host::{self, Audience, Condition, Failure, Happening, Pattern, Since};
use crate::refusal::{Code, Refusal};

impl World {
    pub(crate) fn sleep(&mut self, duration_ms: u64) {
        self.wait("timers.sleep", format!("{duration_ms} ms"), |world| {
            vec![Open::Timer(world.now_ms.saturating_add(duration_ms))]
        });
    }

    pub(crate) fn sleep_until(&mut self, moment_ms: u64) {
        self.wait("timers.sleep-until", moment_ms.to_string(), |_| vec![Open::Timer(moment_ms)]);
    }

    pub(crate) fn publish(
        &mut self,
        name: &str,
        params: &str,
        payload: &str,
    ) -> Result<u64, Refusal> {
        let arguments = format!("{name} {params} {payload}");
        self.call("signals.publish", arguments, |world| {
            let id = world.identity();
            let signal = world.signal(name, &id, params, payload);
            let sequence = world.board.publish(signal)?;
            let (params, payload) = (value(params), value(payload));
            world.published.push(Published {
                name: name.to_owned(),
                run: None,
                id,
                params,
                payload,
            });
            Ok(sequence)
        })
    }

    pub(crate) fn publish_to_run(
        &mut self,
        run: &str,
        name: &str,
        payload: &str,
    ) -> Result<u64, Refusal> {
        self.call("signals.publish-to-run", format!("{run} {name} {payload}"), |world| {
            let id = world.identity();
            world.published.push(Published {
                name: name.to_owned(),
                run: Some(run.to_owned()),
                id: id.clone(),
                params: Value::Object(Default::default()),
                payload: value(payload),
            });
            if run == world.context.run() {
                let signal = world.signal(name, &id, "{}", payload);
                return Ok(world.board.publish_to_run(signal));
            }
            let same = |other: &&Published| other.run.as_deref() == Some(run);
            Ok(world.published.iter().filter(same).count() as u64)
        })
    }

    pub(crate) fn wait_signal(
        &mut self,
        pattern: &Pattern,
        timeout_ms: Option<u64>,
    ) -> Option<host::Signal> {
        let mut arguments = describe(pattern);
        if let Some(timeout_ms) = timeout_ms {
            arguments.push_str(&format!(", at most {timeout_ms} ms"));
        }
        let (_, happening) = self.wait("signals.wait", arguments, |world| {
            let timer = timeout_ms.map(|ms| Open::Timer(world.now_ms.saturating_add(ms)));
            [world.open(pattern)].into_iter().chain(timer).collect()
        });
        match happening {
            Happening::Signal(signal) => Some(signal),
            Happening::Timer | Happening::Run(_) => None,
        }
    }

    pub(crate) fn one_time_url(&mut self, name: &str) -> String {
        self.call("signals.one-time-url", name.to_owned(), |world| world.board.url(name))
    }

    pub(crate) fn wait_any(&mut self, conditions: &[Condition]) -> Happened {
        let texts = conditions.iter().map(|condition| match condition {
            Condition::Timer(moment_ms) => format!("timer {moment_ms}"),
            Condition::Signal(pattern) => format!("signal {}", describe(pattern)),
            Condition::Run(run) => format!("run {run}"),
        });
        let arguments = texts.collect::<Vec<_>>().join(" | ");
        self.wait("waits.any", arguments, |world| {
            let open = conditions.iter().map(|condition| match condition {
                Condition::Timer(moment_ms) => Open::Timer(*moment_ms),
                Condition::Signal(pattern) => world.open(pattern),
                Condition::Run(run) => Open::Run(run.clone()),
            });
            open.collect()
        })
    }

    pub(crate) fn start_run(
        &mut self,
        workflow: &str,
        version: Option<u64>,
        params: &str,
    ) -> Result<String, Refusal> {
        let which = version.map_or(String::new(), |version| format!("@{version}"));
        let arguments = format!("{workflow}{which} {params}");
        self.call("workflows.start", arguments, |world| {
            let params = value(params);
            if !params.is_object() {
                let message = format!("the params for `{workflow}` are no JSON object: {params}");
                return Err(Refusal { code: Code::Invalid, message });
            }
            let Some(child) = world.children.get_mut(workflow) else {
                Stop::Fault(format!(
                    "the step starts `{workflow}`, of which the script knows nothing: add \
                     `.child(\"{workflow}\", |params| Ok(json!({{}})))`"
                ))
                .now();
            };
            let ended = child(params.clone()).map(|output| output.to_string());
            let ended = ended.map_err(|error| Failure {
                message: error.message().to_owned(),
                details: error.added_details().map(ToString::to_string),
            });
            world.started.push((workflow.to_owned(), params));
            let run = format!("run_child_{}", world.started.len());
            world.ended.insert(run.clone(), ended);
            Ok(run)
        })
    }

    pub(crate) fn wait_run(&mut self, run: &str) -> Result<String, Failure> {
        let run = run.to_owned();
        let (_, happening) = self.wait("workflows.wait", run.clone(), |_| vec![Open::Run(run)]);
        match happening {
            Happening::Run(ended) => ended,
            Happening::Timer | Happening::Signal(_) => {
                unreachable!("a wait for a run has no other condition")
            }
        }
    }

    pub(crate) fn recall(&mut self, name: &str) -> Option<String> {
        let recorded = self.follow_memo(name);
        match recorded {
            Some(_) => self.renew_random(),
            None => self.open_memo = Some(name.to_owned()),
        }
        recorded
    }

    pub(crate) fn record(&mut self, name: &str, value: &str) {
        self.append_memo(name, value);
        self.renew_random();
    }

    pub(crate) fn kv_get(&mut self, namespace: &str, key: &str) -> Result<Option<String>, Refusal> {
        let place = (namespace.to_owned(), key.to_owned());
        self.call("kv.get", format!("{namespace:?} {key:?}"), |world| {
            Ok(world.kv.get(&place).cloned())
        })
    }

    pub(crate) fn kv_set(
        &mut self,
        namespace: &str,
        key: &str,
        value: &str,
    ) -> Result<(), Refusal> {
        let place = (namespace.to_owned(), key.to_owned());
        self.call("kv.set", format!("{namespace:?} {key:?} {value}"), |world| {
            world.kv.insert(place, value.to_owned());
            Ok(())
        })
    }

    pub(crate) fn kv_delete(&mut self, namespace: &str, key: &str) -> Result<(), Refusal> {
        let place = (namespace.to_owned(), key.to_owned());
        self.call("kv.delete", format!("{namespace:?} {key:?}"), |world| {
            world.kv.remove(&place);
            Ok(())
        })
    }

    pub(crate) fn secret(&mut self, name: &str) -> Result<String, Refusal> {
        self.call("secrets.get", name.to_owned(), |world| match world.secrets.contains(name) {
            true => Ok(name.to_owned()),
            false => Err(Refusal {
                code: Code::Denied,
                message: format!("the secret `{name}` is not granted: add `.secret(\"{name}\")`"),
            }),
        })
    }

    pub(crate) fn fetch(&mut self, request: host::Request) -> Result<host::Response, Refusal> {
        let host::Request { method, url, mut headers, secret_headers, body, timeout_ms, .. } =
            request;
        headers.extend(
            secret_headers.into_iter().map(|header| {
                (header.name, format!("{}[secret {}]", header.prefix, header.secret))
            }),
        );
        let said = String::from_utf8_lossy(&body);
        let arguments = format!("{method} {url} {headers:?} {timeout_ms:?} {said}");
        self.call("http.fetch", arguments, |world| {
            let key = "idempotency-key";
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(key)) {
                headers.push((key.to_owned(), world.identity()));
            }
            let request = Request { method, url, headers, body, timeout_ms };
            world.web.answer(request).unwrap_or_else(|fault| Stop::Fault(fault).now())
        })
    }

    pub(crate) fn continue_as_new(&mut self, input: &str) -> ! {
        Stop::Continued(input.to_owned()).now()
    }

    /// A signal that is accepted now.
    pub(super) fn signal(&self, name: &str, id: &str, params: &str, payload: &str) -> host::Signal {
        host::Signal {
            name: name.to_owned(),
            id: id.to_owned(),
            sequence: 0,
            params: params.to_owned(),
            payload: payload.to_owned(),
            published_at_ms: self.now_ms,
        }
    }

    fn open(&self, pattern: &Pattern) -> Open {
        let Pattern { name, audience, matching, since } = pattern;
        if *audience == Audience::ThisRun {
            return Open::ThisRun(name.clone());
        }
        let from = match since {
            Since::Ever => 0,
            Since::Now => self.board.len(),
        };
        // `signals` has checked that it is an object.
        let members = serde_json::from_str(matching).unwrap_or_default();
        Open::Everyone { wanted: Wanted { name: name.clone(), members }, from }
    }
}

fn describe(pattern: &Pattern) -> String {
    let Pattern { name, audience, matching, since } = pattern;
    let audience = match audience {
        Audience::Everyone => "",
        Audience::ThisRun => " for this run",
    };
    let since = match since {
        Since::Ever => "",
        Since::Now => ", only new",
    };
    format!("{name}{audience} {matching}{since}")
}

/// Payloads are JSON: the SDK made them.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}
