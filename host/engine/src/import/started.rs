//! What a run reads of the signals that started it. Over there a function asks
//! for it; here the trigger gives it as a param of the workflow.

use super::context::{Context, declaration};
use super::param::{Kind, Param};
use super::sel::{Term, Ty, quoted};
use super::value::Value;
use super::yaml::{Block, Yaml};

/// A param of a signal that started the run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Started {
    pub(super) signal: String,
    pub(super) param: String,
    /// What it is if there is no such signal, or it has no such param.
    pub(super) otherwise: Option<String>,
}

impl Started {
    /// What our name for it is made of.
    fn key(&self) -> String {
        let Self { signal, param, otherwise } = self;
        let end = otherwise.as_ref().map(|text| format!(" or {text}")).unwrap_or_default();
        format!("signal {signal} {param}{end}")
    }
}

impl Context {
    /// Reads it in an expression.
    pub(super) fn started(&mut self, started: Started) -> Result<Term, String> {
        if !self.asks {
            return Err(format!(
                "a trigger reads its signals as signal.params.{0}, or as signals[0].params.{0} in \
                 the order of the list; write it so",
                started.param
            ));
        }
        let ours = self.variables.of(&started.key());
        self.wanted.started.insert(started);
        Ok(Term::of(format!("params.{ours}"), Ty::Any))
    }

    /// Adds what is read of the signals of a trigger to the params that it gives.
    pub(super) fn give_started(&mut self, signals: &[String], params: &mut Block) {
        for started in self.known.started.clone() {
            let Some(place) = signals.iter().position(|name| *name == started.signal) else {
                continue;
            };
            let signal = match signals.len() {
                1 => "signal".to_owned(),
                _ => format!("signals[{place}]"),
            };
            let value = format!("{signal}.params[{}]", quoted(&started.param));
            let value = match &started.otherwise {
                Some(text) => format!("default({value}, {})", quoted(text)),
                None => value,
            };
            params.put(&self.variables.of(&started.key()), Yaml::Text(format!("${{{value}}}")));
            self.given.insert(started);
        }
    }

    /// Makes a param that a trigger gives one of the workflow. Over there it is,
    /// even if the workflow does not declare it.
    pub(super) fn know_given(&mut self, param: &Param) {
        if self.params.contains_key(&param.name) {
            return;
        }
        let ours = self.variables.of(&param.name);
        self.params.insert(param.name.clone(), (ours, param.kind.clone()));
        self.undeclared.push(param.name.clone());
    }

    /// Declares what triggers give beyond what the workflow itself declares.
    pub(super) fn declare_given(&mut self, params: &mut Block) {
        for name in self.undeclared.clone() {
            let Some((ours, kind)) = self.params.get(&name).cloned() else { continue };
            let mut block = declaration(&kind, None, None);
            block.put("optional", Yaml::bool(true));
            let text = "is given by a trigger without being declared over there";
            self.notes.translated(&format!("params.{name}"), text);
            params.put(&ours, Yaml::Map(block));
        }
        self.declare_started(params);
    }

    /// Declares what is read as params of the workflow.
    fn declare_started(&mut self, params: &mut Block) {
        for started in self.wanted.started.clone() {
            let ours = self.variables.of(&started.key());
            let is_given = self.given.contains(&started);
            let Started { signal, param, otherwise } = started;
            let has_value = otherwise.is_some();
            let value = otherwise.map(|text| Yaml::data(&Value::Text(text)));
            let mut block = declaration(&Kind::Json, value, None);
            block.text("description", format!("{param} of the signal {signal}"));
            let place = format!("params.{ours}");
            let text = format!("stands for {param} of the signal {signal} that started the run");
            if is_given || has_value {
                self.notes.translated(&place, format!("{text}; its trigger gives it"));
            } else {
                let text = format!("{text}; no trigger here has it, so a start must give it");
                self.notes.needs_you(&place, text);
            }
            params.put(&ours, Yaml::Map(block));
        }
    }
}
