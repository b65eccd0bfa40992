//! The params of a run: what it is given against what its workflow asks for.

use super::resolution::{Resolution, Slot};
use super::source::ParamSource;
use crate::id::{RunId, Timestamp};
use crate::payload::Payload;
use crate::scope::RunFacts;
use crate::suggestion::{closest, listed};
use crate::template::Template;
use crate::workflow::{Param, ParamMode, ParamType, Workflow};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The most bytes of JSON that the values of all params have together.
pub const VALUES_BYTES_MAX: usize = 750_000;

/// The most params that may be given at once.
pub const GIVEN_MAX: usize = 128;

/// The params of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// A JSON object with the value of each, in the order of the definition.
    pub values: Payload,
    /// For each param of the workflow, in its order, where its value comes from;
    /// `None` for one that is not there.
    pub sources: Vec<Option<ParamSource>>,
}

/// What is given from outside.
#[derive(Clone, Copy)]
struct Given<'g> {
    /// What somebody named.
    named: &'g Map<String, Value>,
    /// What is taken where it is wanted and allowed, and else left out.
    inherited: Option<&'g Map<String, Value>>,
    source: ParamSource,
}

impl<'g> Given<'g> {
    /// What a param takes over.
    fn inherits(self, param: &Param) -> Option<&'g Value> {
        let inherited = self.inherited?.get(&param.name);
        inherited.filter(|_| self.source.may_change(param.mode))
    }
}

impl Workflow {
    /// The params of a new run: what it is given, and for the rest the values of
    /// the definition, in its order. A map that is given for a `map<…>` is
    /// merged into a literal default, entry by entry and deeply; everything else
    /// that is given replaces.
    ///
    /// # Errors
    /// Every name that is unknown or missing, every value of the wrong type,
    /// every param that `source` may not change, and every expression that has
    /// no value.
    pub fn bind(
        &self,
        given: &Map<String, Value>,
        source: ParamSource,
        run: RunFacts<'_>,
    ) -> Result<Bound, Vec<String>> {
        bind(self, None, Given { named: given, inherited: None, source }, run)
    }

    /// The params of a run that another hands its own on to. Of `inherited`, what
    /// this workflow does not have or its modes do not allow is left out;
    /// `explicit` is what the other names, and goes before.
    ///
    /// # Errors
    /// As for [`Workflow::bind`].
    pub fn bind_inherited(
        &self,
        explicit: &Map<String, Value>,
        inherited: &Map<String, Value>,
        run: RunFacts<'_>,
    ) -> Result<Bound, Vec<String>> {
        let source = ParamSource::Parent;
        bind(self, None, Given { named: explicit, inherited: Some(inherited), source }, run)
    }

    /// The params of a run that is taken up again, or made from another whose
    /// params were `before`. What is not given stays as it was, except for the
    /// values of the definition that read, directly or not, what is given: these
    /// are evaluated again. A map that is given for a `map<…>` is merged into the
    /// value before, unless that was evaluated.
    ///
    /// `before` belongs to this version of the workflow; see [`Bound::carried`].
    ///
    /// # Errors
    /// As for [`Workflow::bind`].
    pub fn rebind(
        &self,
        before: &Bound,
        given: &Map<String, Value>,
        source: ParamSource,
        run: RunFacts<'_>,
    ) -> Result<Bound, Vec<String>> {
        bind(self, Some(before), Given { named: given, inherited: None, source }, run)
    }

    /// The params of a run that is taken up again for the one that hands its own
    /// on to it, as with [`Workflow::bind_inherited`]; `None` if they stay as
    /// they were `before`. What somebody gave this run itself stays, too, unless
    /// a retry `renewed` the param above it; and what no retry may change.
    ///
    /// # Errors
    /// As for [`Workflow::bind`].
    pub fn rebind_inherited(
        &self,
        before: &Bound,
        (explicit, inherited): (&Map<String, Value>, &Map<String, Value>),
        renewed: &dyn Fn(&str) -> bool,
        run: RunFacts<'_>,
    ) -> Result<Option<Bound>, Vec<String>> {
        let mut changed = Map::new();
        for (place, param) in self.params.iter().enumerate() {
            let name = &param.name;
            let Some(value) = inherited.get(name).filter(|_| !explicit.contains_key(name)) else {
                continue;
            };
            let own = before.sources.get(place) == Some(&Some(ParamSource::Retry));
            if !ParamSource::Retry.may_change(param.mode) || (own && !renewed(name)) {
                continue;
            }
            // What does not fit is found when it is bound.
            let bound = given_value(&param.kind, value, constant(param));
            if bound.ok().as_ref().map(Payload::value) != before.value(name) {
                changed.insert(name.clone(), value.clone());
            }
        }
        if changed.is_empty() {
            return Ok(None);
        }
        let source = ParamSource::Parent;
        let given = Given { named: &Map::new(), inherited: Some(&changed), source };
        bind(self, Some(before), given, run).map(Some)
    }
}

impl Workflow {
    /// As [`Workflow::bind`] for a start, for callers that do not know yet which
    /// run it is: `run.id` is then the first there could be.
    ///
    /// # Errors
    /// As for [`Workflow::bind`].
    pub fn bind_params(&self, given: &Map<String, Value>) -> Result<Payload, Vec<String>> {
        let created_at = Timestamp(0);
        let id = RunId::new(created_at, 0);
        let workflow = self.name.as_str();
        let run = RunFacts {
            id,
            number: None,
            workflow,
            version: 0,
            created_at,
            scheduled_at: created_at,
            retries: 0,
        };
        self.bind(given, ParamSource::Start, run).map(|bound| bound.values)
    }
}

impl Bound {
    /// The value of a param.
    fn value(&self, name: &str) -> Option<&Value> {
        self.values.value().get(name)
    }

    /// These params of a run of `from`, for a run of `to`, another version of the
    /// workflow. What `to` defines differently, lets nobody change or does not
    /// have is left out, so that its own value counts.
    #[must_use]
    pub fn carried(&self, from: &Workflow, to: &Workflow) -> Self {
        let mut fields = Vec::new();
        let mut sources = Vec::new();
        for param in &to.params {
            let kept =
                from.params.iter().position(|old| old.name == param.name).and_then(|place| {
                    let source = (*self.sources.get(place)?)?;
                    let stays = match source {
                        ParamSource::Definition => {
                            let written =
                                |value: &Option<Template>| value.as_ref().map(Template::to_string);
                            written(&from.params[place].value) == written(&param.value)
                        }
                        _ => param.mode < ParamMode::Immutable,
                    };
                    stays.then(|| Some((self.value(&param.name)?, source)))?
                });
            sources.push(kept.map(|(_, source)| source));
            if let Some((value, _)) = kept {
                fields.push((param.name.as_str(), Payload::from(value.clone())));
            }
        }
        Self { values: Payload::from_fields(fields.into_iter()), sources }
    }
}

fn bind(
    workflow: &Workflow,
    before: Option<&Bound>,
    given: Given<'_>,
    run: RunFacts<'_>,
) -> Result<Bound, Vec<String>> {
    let params = workflow.params.as_slice();
    if given.named.len() > GIVEN_MAX {
        let count = given.named.len();
        let remedy = "put several into one of type json";
        return Err(vec![format!(
            "{count} params are given, at most {GIVEN_MAX} are allowed; {remedy}"
        )]);
    }
    let is_unknown = |name: &&String| !params.iter().any(|param| param.name == **name);
    let unknown = given.named.keys().filter(is_unknown).map(|name| unknown(name, params));
    let mut mistakes: Vec<String> = unknown.collect();
    let mut located = Vec::new();
    let earlier = |place: usize| {
        let before = before?;
        Some((before.value(&params[place].name)?, (*before.sources.get(place)?)?))
    };
    let anew = anew(params, given, &earlier);
    let mut slots = Vec::new();
    for (place, param) in params.iter().enumerate() {
        let earlier = earlier(place);
        slots.push(slot(param, given, earlier, &anew).unwrap_or_else(|mistake| {
            located.push((Some(place), mistake));
            Slot::Unknown
        }));
    }
    let mut resolution = Resolution::new(params, slots, run);
    located.extend(resolution.finish().into_iter().map(|(place, message)| match place {
        Some(place) => (Some(place), format!("{}: {message}", params[place].name)),
        None => (None, message),
    }));
    // Those of all together last.
    located.sort_by_key(|(place, _)| place.unwrap_or(usize::MAX));
    mistakes.extend(located.into_iter().map(|(_, mistake)| mistake));
    if mistakes.is_empty() { Ok(bound(params, resolution.slots)) } else { Err(mistakes) }
}

fn bound(params: &[Param], slots: Vec<Slot<'_>>) -> Bound {
    let (mut fields, mut sources) = (Vec::new(), Vec::new());
    for (param, slot) in params.iter().zip(slots) {
        sources.push(match slot {
            Slot::Known(value, source) => {
                fields.push((param.name.as_str(), value));
                Some(source)
            }
            Slot::Absent | Slot::Computed(_) | Slot::Unknown => None,
        });
    }
    Bound { values: Payload::from_fields(fields.into_iter()), sources }
}

/// The params that are given or new, and those whose values in the definition
/// read them, directly or not.
fn anew<'w>(
    params: &'w [Param],
    given: Given<'_>,
    earlier: &dyn Fn(usize) -> Option<(&'w Value, ParamSource)>,
) -> BTreeSet<&'w str> {
    let mut anew = BTreeSet::new();
    loop {
        let known = anew.len();
        for (place, param) in params.iter().enumerate() {
            let Some(template) = param.value.as_ref().filter(|_| !is_named(given, param)) else {
                anew.extend(is_named(given, param).then_some(param.name.as_str()));
                continue;
            };
            let read = template.references();
            let is_anew = match earlier(place) {
                None => true,
                Some((_, ParamSource::Definition)) => {
                    (read.reads_params && !anew.is_empty())
                        || anew.iter().any(|name| read.params.contains(*name))
                }
                Some(_) => false,
            };
            anew.extend(is_anew.then_some(param.name.as_str()));
        }
        if anew.len() == known {
            return anew;
        }
    }
}

fn is_named(given: Given<'_>, param: &Param) -> bool {
    given.named.contains_key(&param.name) || given.inherits(param).is_some()
}

/// The value in the definition, if it is written out.
fn constant(param: &Param) -> Option<&Value> {
    param.value.as_ref().and_then(Template::constant).map(Payload::value)
}

/// What is known of a param before any expression is evaluated. `earlier` is its
/// value in the run before.
fn slot<'w>(
    param: &'w Param,
    given: Given<'_>,
    earlier: Option<(&Value, ParamSource)>,
    anew: &BTreeSet<&str>,
) -> Result<Slot<'w>, String> {
    let Param { name, kind, value, mode, .. } = param;
    let constant = constant(param);
    if let Some(named) = given.named.get(name) {
        if let Some(refusal) = given.source.refused(*mode) {
            return Err(format!("{name}: {refusal}"));
        }
        let is_literal = |source| source != ParamSource::Definition || constant.is_some();
        let base = match earlier {
            Some((value, source)) => Some(value).filter(|_| is_literal(source)),
            None => constant,
        };
        let value = given_value(kind, named, base).map_err(|mistake| placed(name, &mistake))?;
        return Ok(Slot::Known(value, given.source));
    }
    if let Some(inherited) = given.inherits(param) {
        let value = given_value(kind, inherited, constant).map_err(|mistake| {
            let remedy = "it is handed on from the parent; name it there, or use explicit_params";
            format!("{}; {remedy}", placed(name, &mistake))
        })?;
        return Ok(Slot::Known(value, given.source));
    }
    let is_evaluated = value.is_some() && constant.is_none();
    match (earlier, value, constant) {
        (Some((_, ParamSource::Definition)), Some(template), _)
            if is_evaluated && anew.contains(name.as_str()) =>
        {
            Ok(Slot::Computed(template))
        }
        (Some((value, source)), ..) => {
            let value = given_value(kind, value, None).map_err(|mistake| placed(name, &mistake))?;
            Ok(Slot::Known(value, source))
        }
        (None, _, Some(constant)) => {
            let value =
                given_value(kind, constant, None).map_err(|mistake| placed(name, &mistake))?;
            Ok(Slot::Known(value, ParamSource::Definition))
        }
        (None, Some(template), None) => Ok(Slot::Computed(template)),
        (None, None, None) if param.optional => Ok(Slot::Absent),
        (None, None, None) => Err(missing(param)),
    }
}

/// That a param has to be given.
pub(super) fn missing(Param { name, kind, .. }: &Param) -> String {
    format!("{name}: is missing and has no default; give a value of type {kind}")
}

/// The given value, if it is of this type: merged into `base` if it is a map.
pub(super) fn given_value(
    kind: &ParamType,
    given: &Value,
    base: Option<&Value>,
) -> Result<Payload, String> {
    kind.accepts(given)?;
    let merged = match (kind, base) {
        (ParamType::Map(_), Some(base)) => kind.convert(&merged(base, given)),
        _ => kind.convert(given),
    };
    Ok(Payload::from(merged))
}

/// `base` with the entries of `over`, deeply.
fn merged(base: &Value, over: &Value) -> Value {
    let (Value::Object(base), Value::Object(over)) = (base, over) else { return over.clone() };
    let mut all = base.clone();
    for (key, value) in over {
        let value = base.get(key).map_or_else(|| value.clone(), |base| merged(base, value));
        all.insert(key.clone(), value);
    }
    Value::Object(all)
}

/// A mistake in the value of a param. A place inside follows the name directly:
/// `years[3] is "x"`.
pub(super) fn placed(name: &str, mistake: &str) -> String {
    if mistake.starts_with('[') { format!("{name}{mistake}") } else { format!("{name} {mistake}") }
}

/// That a workflow has no param of this name.
pub(super) fn unknown(name: &str, params: &[Param]) -> String {
    let names: Vec<_> = params.iter().map(|param| param.name.as_str()).collect();
    unknown_among(name, &names)
}

/// That there is no param of this name.
pub(super) fn unknown_among(name: &str, known: &[&str]) -> String {
    let shown: String = name.chars().take(80).collect();
    match closest(name, known.iter().copied()) {
        Some(similar) => format!("{shown}: unknown parameter; did you mean {similar}?"),
        None => format!("{shown}: unknown parameter; {}", listed(known)),
    }
}
