//! The params of a step: what it is given, and what may be given in its place.

use super::binding::{given_value, placed, unknown_among};
use super::resolution::fit;
use super::source::ParamSource;
use crate::expression::{RESULT_BYTES_MAX, References};
use crate::payload::Payload;
use crate::scope::{RunFacts, Scope, StepResult};
use crate::setting::shown;
use crate::template::Template;
use crate::workflow::{StepParam, StepParams};
use serde_json::{Map, Value};

impl StepParams {
    /// The input of a step: a JSON object. `overrides` are values that were given
    /// for this step in place of those of the definition, and were checked then
    /// ([`StepParams::check_overrides`]). A map that is given for a `map<…>` is
    /// merged into a literal one, everything else replaces.
    ///
    /// # Errors
    /// The first param that has no value, or one that is not of its type; or the
    /// name of an override that is not there.
    pub fn render(
        &self,
        scope: &dyn Scope,
        overrides: Option<&Map<String, Value>>,
    ) -> Result<Payload, String> {
        let overrides = overrides.filter(|overrides| !overrides.is_empty());
        match self {
            Self::Whole(template) => {
                let input = template.render(scope).map_err(|error| error.to_string())?;
                if !input.text().trim_ascii_start().starts_with('{') {
                    return Err(format!("gave {}, expected an object", shown(input.text())));
                }
                match overrides {
                    Some(overrides) => replaced(template, &input, overrides),
                    None => Ok(input),
                }
            }
            Self::Each(params) => each(params, scope, overrides),
        }
    }

    /// What is wrong with giving these values for this step, when it comes from
    /// `source`: names that are not there, values of the wrong type, modes that
    /// do not allow it. Nothing if it is right.
    pub fn check_overrides(&self, given: &Map<String, Value>, source: ParamSource) -> Vec<String> {
        let check = |(name, value): (&String, &Value)| match self {
            Self::Whole(template) => {
                let fields = template.fields()?;
                unknown(name, fields.iter().map(String::as_str))
            }
            Self::Each(params) => {
                let Some(param) = params.iter().find(|param| param.name == *name) else {
                    return unknown(name, params.iter().map(|param| param.name.as_str()));
                };
                if let Some(refusal) = source.refused(param.mode) {
                    return Some(format!("{name}: {refusal}"));
                }
                let mistake = param.kind.as_ref()?.accepts(value).err()?;
                Some(placed(name, &mistake))
            }
        };
        given.iter().filter_map(check).collect()
    }
}

/// That `name` is not among the params of a step.
fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let known: Vec<_> = known.collect();
    (!known.contains(&name)).then(|| unknown_among(name, &known))
}

/// The fields of `input`, with those of `overrides` in their place.
fn replaced(
    template: &Template,
    input: &Payload,
    overrides: &Map<String, Value>,
) -> Result<Payload, String> {
    let Value::Object(mut fields) = input.value().clone() else {
        return Err(format!("gave {}, expected an object", shown(input.text())));
    };
    for (name, value) in overrides {
        if !fields.contains_key(name) && !template.is_one_expression() {
            let known: Vec<_> = fields.keys().map(String::as_str).collect();
            return Err(unknown_among(name, &known));
        }
        fields.insert(name.clone(), value.clone());
    }
    Ok(Payload::from(Value::Object(fields)))
}

fn each(
    params: &[StepParam],
    scope: &dyn Scope,
    overrides: Option<&Map<String, Value>>,
) -> Result<Payload, String> {
    let given = |name: &str| overrides.and_then(|overrides| overrides.get(name));
    for name in overrides.into_iter().flat_map(Map::keys) {
        if let Some(mistake) = unknown(name, params.iter().map(|param| param.name.as_str())) {
            return Err(mistake);
        }
    }
    let mut known: Vec<(&str, Payload)> = Vec::with_capacity(params.len());
    let mut bytes = 0_usize;
    for param in params {
        let value = match given(&param.name) {
            Some(value) => overridden(param, value)?,
            None => {
                let own = own(param.value.references(), &known);
                value(param, &Within { scope, own })?
            }
        };
        bytes = bytes.saturating_add(value.text().len());
        if bytes > RESULT_BYTES_MAX {
            let limit = RESULT_BYTES_MAX >> 20;
            return Err(format!("makes more than {limit} MiB of JSON; hand on less of it"));
        }
        known.push((&param.name, value));
    }
    Ok(Payload::from_fields(known.into_iter()))
}

/// The value of one param in a scope whose `self` is what it reads.
///
/// # Errors
/// It has none, or one that is not of its type.
pub(super) fn value(param: &StepParam, scope: &dyn Scope) -> Result<Payload, String> {
    let StepParam { name, kind, value: template, .. } = param;
    let value = template.render(scope).map_err(|error| format!("{name}: {error}"))?;
    match kind {
        None => Ok(value),
        Some(kind) => match template.constant() {
            Some(_) => {
                given_value(kind, value.value(), None).map_err(|mistake| placed(name, &mistake))
            }
            None => fit(kind, template, &value).map_err(|mistake| format!("{name}: {mistake}")),
        },
    }
}

fn overridden(param: &StepParam, given: &Value) -> Result<Payload, String> {
    let constant = param.value.constant().map(Payload::value);
    match &param.kind {
        Some(kind) => {
            given_value(kind, given, constant).map_err(|mistake| placed(&param.name, &mistake))
        }
        None => Ok(Payload::from(given.clone())),
    }
}

/// `self`, with no more of it than is read.
pub(super) fn own(references: &References, known: &[(&str, Payload)]) -> Payload {
    if references.own.is_empty() && !references.reads_own {
        return Payload::empty_object().clone();
    }
    let is_read =
        |(name, _): &&(&str, Payload)| references.reads_own || references.own.contains(*name);
    Payload::from_fields(known.iter().filter(is_read).cloned())
}

/// A scope with `self` in it.
pub(super) struct Within<'a> {
    pub(super) scope: &'a dyn Scope,
    pub(super) own: Payload,
}

impl Scope for Within<'_> {
    fn params(&self) -> &Payload {
        self.scope.params()
    }

    fn loop_variables(&self) -> &Payload {
        self.scope.loop_variables()
    }

    fn own_params(&self) -> &Payload {
        &self.own
    }

    fn step(&self, id: &str) -> Option<StepResult<'_>> {
        self.scope.step(id)
    }

    fn run(&self) -> RunFacts<'_> {
        self.scope.run()
    }
}
