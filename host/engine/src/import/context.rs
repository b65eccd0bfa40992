//! What translating one workflow carries along: the names that can be read at
//! the place where it is, and what it has found out.

use super::builtin;
use super::name::{Names, Rule};
use super::note::Notes;
use super::param::{Kind, Param, Source};
use super::render::Rendered;
use super::sel::{Term, Ty};
use super::started::Started;
use super::subworkflow::is_target;
use super::yaml::{Block, Yaml};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a step before it is translated.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// Our id.
    pub(super) ours: String,
    /// Whether its output may change its params.
    pub(super) is_component: bool,
    /// The step in front of it that has its params, if it is a loop with any.
    pub(super) front: Option<String>,
    /// The signals it waits for, each with the step that does so.
    pub(super) gates: Vec<(String, String)>,
    /// Its params.
    pub(super) params: Vec<Param>,
    /// The loops around it, by their ids.
    pub(super) path: Vec<String>,
}

/// What later steps read of earlier ones, found in the pass before.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wanted {
    /// Params of steps: step, param.
    pub(super) params: BTreeSet<(String, String)>,
    /// Params in all iterations: loop, step, param.
    pub(super) iterations: BTreeSet<(String, String, String)>,
    /// Params of the signals that started the run.
    pub(super) started: BTreeSet<Started>,
}

/// A param that a start has to give, for an expression without equal.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) about: String,
}

/// Where the step's own params are read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OwnPlace {
    /// As `self.x`.
    #[default]
    Itself,
    /// Put in where they are read.
    Inline,
    /// As `self.x`, or what the step gave in its place, when its work is done.
    Done,
}

/// The params of the step that is being translated.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Its id over there.
    pub(super) step: Option<String>,
    pub(super) place: OwnPlace,
    /// Those that can be read.
    pub(super) done: BTreeMap<String, Term>,
    /// Whether they are read from behind the step, when it is over.
    pub(super) is_over: bool,
    pending: BTreeMap<String, Param>,
    visiting: Vec<String>,
    rendered: BTreeMap<String, Rendered>,
    path: String,
}

impl Own {
    /// A step none of whose params can be read by their names alone.
    pub(super) fn of(step: &str) -> Self {
        Self { step: Some(step.to_owned()), ..Self::default() }
    }
}

/// The state of translating one workflow.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) notes: Notes,
    pub(super) steps: BTreeMap<String, Facts>,
    /// The workflow's params: our name and type.
    pub(super) params: BTreeMap<String, (String, Kind)>,
    /// The one of them that is being translated.
    pub(super) current: Option<String>,
    /// The builtins that were read, each after those it reads.
    pub(super) builtins: Vec<String>,
    pub(super) asked: Vec<Asked>,
    /// Whether a start can give what has no equal. No trigger can.
    pub(super) asks: bool,
    /// What triggers give of their signals.
    pub(super) given: BTreeSet<Started>,
    /// The params that triggers give and the workflow does not declare.
    pub(super) undeclared: Vec<String>,
    /// What the loops around give, the outermost first.
    pub(super) layers: Vec<BTreeMap<String, Term>>,
    /// The loops around, by their ids.
    pub(super) path: Vec<String>,
    pub(super) own: Own,
    pub(super) known: Wanted,
    pub(super) wanted: Wanted,
    pub(super) variables: Names,
    pub(super) ids: Names,
    /// Of the first time trigger.
    pub(super) zone: String,
    pub(super) owner: Option<String>,
    /// The iterations of a loop that says nothing about it.
    pub(super) concurrency: i64,
}

impl Context {
    /// The state before the first step, with what the pass before found.
    pub(super) fn new(known: Wanted) -> Self {
        Self {
            notes: Notes::default(),
            steps: BTreeMap::new(),
            params: BTreeMap::new(),
            current: None,
            builtins: Vec::new(),
            asked: Vec::new(),
            asks: true,
            given: BTreeSet::new(),
            undeclared: Vec::new(),
            layers: Vec::new(),
            path: Vec::new(),
            own: Own::default(),
            known,
            wanted: Wanted::default(),
            variables: Names::new(Rule::Variable),
            ids: Names::new(Rule::Step),
            zone: "UTC".to_owned(),
            owner: None,
            concurrency: 100,
        }
    }

    /// Our name for a param; says so if it is another.
    pub(super) fn variable(&mut self, name: &str, place: &str) -> String {
        let ours = self.variables.of(name);
        if ours != name {
            self.notes.translated(place, format!("the param {name} is called {ours} here"));
        }
        ours
    }

    /// Begins to evaluate the params of a step, in the order in which they
    /// would be evaluated over there.
    pub(super) fn begin_own(&mut self, step: &str, params: &[Param], place: OwnPlace) {
        let pending = params.iter().map(|param| (param.name.clone(), param.clone())).collect();
        let path = format!("steps.{step}.params");
        self.own = Own { step: Some(step.to_owned()), place, pending, path, ..Own::default() };
    }

    /// Evaluates all params of a step, and writes them in their order.
    pub(super) fn own_params(&mut self, step: &str, params: &[Param]) -> Block {
        self.begin_own(step, params, OwnPlace::Itself);
        for param in params {
            if self.own.pending.contains_key(&param.name)
                && let Err(message) = self.evaluate_own(&param.name)
            {
                self.notes.needs_you(&format!("steps.{step}.params.{}", param.name), message);
            }
        }
        let mut block = Block::default();
        for param in params {
            let name = self.variables.of(&param.name);
            let Some(rendered) = self.own.rendered.remove(&param.name) else { continue };
            if let Some(yaml) = rendered.declared(param) {
                block.put_with(&name, yaml, rendered.comments);
            }
        }
        block
    }

    /// The value of one param of a step with the others put in.
    pub(super) fn inline_param(
        &mut self,
        step: &str,
        params: &[Param],
        name: &str,
    ) -> Option<Rendered> {
        self.begin_own(step, params, OwnPlace::Inline);
        let evaluated = self.evaluate_own(name);
        let rendered = self.own.rendered.remove(name);
        self.own = Own::default();
        if let Err(message) = evaluated
            && rendered.is_none()
        {
            self.notes.needs_you(&format!("steps.{step}.params.{name}"), message);
        }
        rendered
    }

    /// Evaluates one param of the step, and those that it reads before it.
    pub(super) fn evaluate_own(&mut self, name: &str) -> Result<Term, String> {
        if self.own.visiting.iter().any(|visited| visited == name) {
            return Err(format!("the param {name} is made of itself; give it a value"));
        }
        let no_param = || format!("there is no param {name}; correct the name");
        let param = self.own.pending.remove(name).ok_or_else(no_param)?;
        let path = format!("{}.{name}", self.own.path);
        let ours = self.variable(name, &path);
        self.own.visiting.push(name.to_owned());
        let rendered = self.render(&param, &path);
        self.own.visiting.pop();
        let term = match (self.own.place, &rendered.term) {
            (OwnPlace::Itself | OwnPlace::Done, _) => read(format!("self.{ours}"), &param.kind),
            (OwnPlace::Inline, Some(term)) => term.clone(),
            (OwnPlace::Inline, None) => {
                return Err(format!("the param {name} cannot be put in here; write its value"));
            }
        };
        self.own.rendered.insert(name.to_owned(), rendered);
        self.own.done.insert(name.to_owned(), term.clone());
        Ok(term)
    }

    /// Whether a param of the step waits to be evaluated.
    pub(super) fn is_pending(&self, name: &str) -> bool {
        self.own.pending.contains_key(name) || self.own.visiting.iter().any(|n| n == name)
    }

    /// Puts the params of a trigger into its other expressions.
    pub(super) fn read_trigger_params(&mut self, place: &str, params: &[Param]) {
        self.begin_own("", params, OwnPlace::Inline);
        (self.own.step, self.own.path) = (None, place.to_owned());
        for param in params {
            if self.own.pending.contains_key(&param.name) {
                // What has no value here has its note as a param of the trigger.
                self.evaluate_own(&param.name).ok();
            }
        }
    }

    /// Makes the params of a step readable for the conditions behind it.
    pub(super) fn read_own_from(&mut self, step: &str) {
        let Some(facts) = self.steps.get(step).cloned() else { return };
        let mut done = BTreeMap::new();
        for param in &facts.params {
            let ours = self.variables.of(&param.name);
            done.insert(param.name.clone(), facts.read(&ours, param));
        }
        self.own = Own { done, is_over: true, ..Own::of(step) };
    }

    /// Makes the params of a step readable for what it publishes when its work
    /// is done.
    pub(super) fn read_own_when_done(&mut self, step: &str) {
        let Some(facts) = self.steps.get(step).cloned() else { return };
        let mut done = BTreeMap::new();
        for param in facts.params.iter().filter(|param| has_value(param)) {
            if is_target(&param.name) && !facts.is_component {
                continue;
            }
            let ours = self.variables.of(&param.name);
            done.insert(param.name.clone(), facts.read_when_done(&ours, param));
        }
        self.own = Own { done, is_over: true, place: OwnPlace::Done, ..Own::of(step) };
    }

    /// A builtin that is read from now on.
    pub(super) fn builtin(&mut self, name: &str) -> Option<Term> {
        let builtin = builtin::find(name, &self.zone)?;
        for read in builtin.reads {
            self.builtin(read);
        }
        if !self.builtins.iter().any(|known| known == name) && !self.params.contains_key(name) {
            self.builtins.push(name.to_owned());
        }
        let ours = self.variables.of(name);
        Some(read(format!("params.{ours}"), &builtin.kind))
    }

    /// A param that a start has to give in the place of an expression.
    pub(super) fn ask(&mut self, wanted: &str, kind: &Kind, place: &str) -> Term {
        let about = format!("stands for {place}");
        if let Some(asked) = self.asked.iter().find(|asked| asked.about == about) {
            return read(format!("params.{}", asked.name), kind);
        }
        let name = self.variables.free(&Rule::Variable.fitted(wanted));
        self.asked.push(Asked { name: name.clone(), kind: kind.clone(), about });
        read(format!("params.{name}"), kind)
    }
}

impl Facts {
    /// How the step itself reads one of the params when its work is done.
    fn read_when_done(&self, ours: &str, param: &Param) -> Term {
        let text = match &self.front {
            None if self.is_component && param.mode.is_none() => {
                format!("default(self.output.{ours}, self.{ours})")
            }
            None => format!("self.{ours}"),
            Some(_) => return self.read(ours, param),
        };
        read(text, &param.kind)
    }

    /// How others read one of the params.
    pub(super) fn read(&self, ours: &str, param: &Param) -> Term {
        let text = match &self.front {
            Some(front) => format!("{}.output.{ours}", step(front)),
            None if self.is_component && param.mode.is_none() => {
                let step = step(&self.ours);
                format!("default({step}.output.{ours}, {step}.params.{ours})")
            }
            None => format!("{}.params.{ours}", step(&self.ours)),
        };
        read(text, &param.kind)
    }
}

/// A step in an expression.
pub(super) fn step(id: &str) -> String {
    let is_reserved = ["in", "true", "false", "null"].contains(&id);
    let is_plain =
        id.starts_with(|c: char| c.is_ascii_alphabetic()) && !id.contains('-') && !is_reserved;
    if is_plain { format!("steps.{id}") } else { format!("steps['{id}']") }
}

/// A value of a param in an expression. JSON does not say whether `3` is a
/// double, so those are made doubles.
pub(super) fn read(text: String, kind: &Kind) -> Term {
    match kind {
        Kind::Double => Term::of(format!("double({text})"), Ty::Double),
        kind => Term::of(text, kind.ty()),
    }
}

/// A declaration of a param of the workflow.
pub(super) fn declaration(kind: &Kind, value: Option<Yaml>, mode: Option<&str>) -> Block {
    let mut block = Block::default();
    block.text("type", kind.ours());
    if let Some(value) = value {
        block.put("value", value);
    }
    if let Some(mode) = mode {
        block.text("mode", mode);
    }
    block
}

/// Whether a param has a value at all.
pub(super) fn has_value(param: &Param) -> bool {
    param.source != Source::Nothing
}
