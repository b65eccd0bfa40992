//! A param's value: from literals with `${x}` and from SEL to ours.

use super::context::{Context, declaration, has_value};
use super::interpolation::{Piece, pieces};
use super::param::{Kind, Param, Source};
use super::sel::{self, Level, Lookup as _, Term, Ty};
use super::value::Value;
use super::yaml::{Block, Yaml};
use serde_json::Number;

/// What a param's value has become.
#[derive(Clone, Debug, Default)]
pub(super) struct Rendered {
    /// As it is written; `None` without a value.
    pub(super) yaml: Option<Yaml>,
    /// As a piece of an expression, where that is possible.
    pub(super) term: Option<Term>,
    /// What to say above it.
    pub(super) comments: Vec<String>,
    /// Whether our reader knows the type by itself.
    is_evident: bool,
}

impl Rendered {
    /// The value, with its type and mode where they say something.
    pub(super) fn declared(&self, param: &Param) -> Option<Yaml> {
        let yaml = self.yaml.clone()?;
        let is_plain = match &yaml {
            Yaml::Map(map) => !(map.has("type") && map.has("value")),
            _ => true,
        };
        let is_known = self.is_evident || param.kind == Kind::Json;
        if param.mode.is_none() && is_known && is_plain {
            return Some(yaml);
        }
        Some(Yaml::Map(declaration(&param.kind, Some(yaml), param.mode.as_deref())))
    }
}

impl Context {
    /// The value of a param. What cannot be translated is asked of a start.
    pub(super) fn render(&mut self, param: &Param, place: &str) -> Rendered {
        let made = match &param.source {
            Source::Nothing => return Rendered::default(),
            Source::Literal(value) => self.literal(&param.kind, value),
            Source::Nested(params) => {
                let mut block = Block::default();
                for inner in params {
                    let rendered = self.render(inner, &format!("{place}.{}", inner.name));
                    if let Some(yaml) = rendered.yaml {
                        block.put_with(&inner.name, yaml, rendered.comments);
                    }
                }
                Ok(Rendered {
                    yaml: Some(Yaml::Map(block)),
                    is_evident: true,
                    ..Rendered::default()
                })
            }
            Source::Expression(source) => self
                .expression(source, place)
                .and_then(|term| converted(term, &param.kind))
                .map(|term| {
                    let is_evident = term.ty == param.kind.ty();
                    let yaml = Some(yaml(&term));
                    Rendered { yaml, term: Some(term), is_evident, comments: Vec::new() }
                }),
        };
        made.unwrap_or_else(|message| self.unrendered(param, place, &message))
    }

    /// A value that has no equal here.
    fn unrendered(&mut self, param: &Param, place: &str, message: &str) -> Rendered {
        let source = match &param.source {
            Source::Expression(source) => source.trim().to_owned(),
            Source::Literal(value) => value.json(),
            Source::Nested(_) | Source::Nothing => String::new(),
        };
        let comments = vec![format!("needs you: {message}"), format!("was: {source}")];
        if place.starts_with("params.") {
            let text =
                format!("{message}; it has no value now, so a start must give it (was: {source})");
            self.notes.needs_you(place, text);
            return Rendered { comments, ..Rendered::default() };
        }
        if !self.asks {
            self.notes.needs_you(place, format!("{message} (was: {source})"));
            return Rendered::default();
        }
        let step = self.own.step.clone().unwrap_or_default();
        let term = self.ask(&format!("{step}_{}", param.name), &param.kind, place);
        let text =
            format!("{message}; a start must give {} in its place (was: {source})", term.text);
        self.notes.needs_you(place, text);
        Rendered { yaml: Some(yaml(&term)), term: Some(term), comments, is_evident: true }
    }

    /// SEL as CEL, with what there is to say about it.
    pub(super) fn expression(&mut self, source: &str, place: &str) -> Result<Term, String> {
        let translation = sel::translate(source, self)?;
        for remark in translation.remarks {
            self.notes.needs_you(place, format!("check this: {remark} (was: {})", source.trim()));
        }
        Ok(translation.term)
    }

    fn literal(&mut self, kind: &Kind, value: &Value) -> Result<Rendered, String> {
        let plain = |value: &Value| {
            let term = term_of(value);
            let is_evident = kind.is_evident_in(value);
            Rendered { yaml: Some(Yaml::data(value)), term, is_evident, comments: Vec::new() }
        };
        match (kind, value) {
            (_, Value::Null) => Ok(Rendered::default()),
            (Kind::Text, value) => match value.scalar() {
                Some(text) => self.text(&text),
                None => Err("is no text; correct it".to_owned()),
            },
            (Kind::Int | Kind::Double | Kind::Bool, Value::Text(text)) => {
                let value = match (kind, text.trim()) {
                    (Kind::Bool, "true") => Some(Value::Bool(true)),
                    (Kind::Bool, "false") => Some(Value::Bool(false)),
                    (_, text) => text
                        .parse::<i64>()
                        .map(Number::from)
                        .ok()
                        .or_else(|| text.parse().ok().and_then(Number::from_f64))
                        .map(Value::Number),
                };
                value.as_ref().map(plain).ok_or_else(|| format!("{text:?} is no {}", kind.ours()))
            }
            (Kind::List(element), Value::List(elements)) if **element == Kind::Text => {
                let texts: Result<Vec<_>, _> = elements
                    .iter()
                    .map(|element| self.text(&element.scalar().unwrap_or_default()))
                    .collect();
                Ok(list(texts?))
            }
            (Kind::TextMap, Value::Map(entries)) => {
                let mut block = Block::default();
                for (key, value) in entries {
                    let rendered = self.text(&value.scalar().unwrap_or_else(|| value.json()))?;
                    if pieces(key).iter().any(|piece| matches!(piece, Piece::Name(_))) {
                        return Err(format!("the key {key:?} is computed; write it"));
                    }
                    block.put(key, rendered.yaml.unwrap_or(Yaml::Text(String::new())));
                }
                Ok(Rendered { yaml: Some(Yaml::Map(block)), ..Rendered::default() })
            }
            (_, value) => Ok(plain(value)),
        }
    }

    /// Text with `${x}` in it.
    pub(super) fn text(&mut self, text: &str) -> Result<Rendered, String> {
        let mut template = String::new();
        let mut whole: Option<Term> = None;
        let parts = pieces(text);
        let is_one = parts.len() == 1;
        for piece in parts {
            let term = match piece {
                Piece::Text(text) => Term::text(&text),
                Piece::Name(name) => self.name(&name)?.into_value()?,
            };
            let term = match term.ty {
                Ty::Double => Term::of(format!("string({})", term.text), Ty::Text),
                _ => term.as_text()?,
            };
            match &term.literal {
                Some(text) => template.push_str(&text.replace("${", "$${")),
                None if is_one => template = format!("${{{}}}", term.text),
                None => {
                    // In text values are made text anyway.
                    let inner = term.text.strip_prefix("string(").and_then(|t| t.strip_suffix(')'));
                    let inner = inner.filter(|inner| !inner.contains('(')).unwrap_or(&term.text);
                    template.push_str(&format!("${{{inner}}}"));
                }
            }
            whole = Some(match whole {
                None => term,
                Some(before) => {
                    let text = format!("{} + {}", before.text, term.within(Level::Multiply));
                    Term::at(text, Level::Add, Ty::Text)
                }
            });
        }
        Ok(Rendered {
            yaml: Some(Yaml::Text(template)),
            term: whole,
            is_evident: true,
            comments: Vec::new(),
        })
    }

    /// The condition that SEL means; `None` if it always holds. What has no
    /// equal is asked of a start.
    pub(super) fn condition(&mut self, source: &str, place: &str, name: &str) -> Option<String> {
        match self.expression(source, place) {
            Ok(term) if term.text == "true" => None,
            Ok(term) => Some(term.text),
            Err(message) => {
                let term = self.ask(name, &Kind::Bool, place);
                let text = format!(
                    "{message}; a start must give {} in its place (was: {source})",
                    term.text
                );
                self.notes.needs_you(place, text);
                Some(term.text)
            }
        }
    }

    /// The params of the workflow.
    pub(super) fn workflow_params(&mut self, params: &[Param]) -> Block {
        let mut block = Block::default();
        for param in params {
            let place = format!("params.{}", param.name);
            let ours = self.variable(&param.name, &place);
            self.current = Some(param.name.clone());
            let rendered = self.render(param, &place);
            self.current = None;
            let is_short = rendered.is_evident && param.mode.is_none() && !param.is_optional;
            let is_map = matches!(param.kind, Kind::Json | Kind::TextMap);
            let is_computed = matches!(param.source, Source::Expression(_))
                || rendered
                    .term
                    .as_ref()
                    .is_some_and(|term| term.ty == Ty::Text && term.literal.is_none());
            let yaml = match rendered.yaml.clone().filter(|_| is_short && !is_map && !is_computed) {
                Some(yaml) => yaml,
                None => {
                    let mut map = declaration(&param.kind, rendered.yaml, param.mode.as_deref());
                    if param.is_optional && !has_value(param) {
                        map.put("optional", Yaml::bool(true));
                    }
                    Yaml::Map(map)
                }
            };
            block.put_with(&ours, yaml, rendered.comments);
        }
        block
    }
}

/// A term as the value of a key.
pub(super) fn yaml(term: &Term) -> Yaml {
    if let Some(text) = &term.literal {
        return Yaml::Text(text.replace("${", "$${"));
    }
    let is_number = term.text.parse::<f64>().is_ok();
    match &term.ty {
        Ty::Bool if term.text == "true" || term.text == "false" => Yaml::Plain(term.text.clone()),
        Ty::Int | Ty::Double if is_number => Yaml::Plain(term.text.clone()),
        _ => Yaml::Text(format!("${{{}}}", term.text)),
    }
}

fn term_of(value: &Value) -> Option<Term> {
    match value {
        Value::Bool(value) => Some(Term::of(value.to_string(), Ty::Bool)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Some(Term::int(whole)),
            None => Some(Term::of(format!("{:?}", number.as_f64()?), Ty::Double)),
        },
        Value::List(elements) => {
            let terms: Option<Vec<_>> = elements.iter().map(term_of).collect();
            Some(list_term(&terms?))
        }
        Value::Text(text) => Some(Term::text(text)),
        Value::Null | Value::Map(_) => None,
    }
}

fn list_term(terms: &[Term]) -> Term {
    let texts: Vec<_> = terms.iter().map(|term| term.text.as_str()).collect();
    let element = terms.first().map_or(Ty::Any, |term| term.ty.clone());
    Term::of(format!("[{}]", texts.join(", ")), Ty::List(Box::new(element)))
}

fn list(parts: Vec<Rendered>) -> Rendered {
    let terms: Vec<_> = parts.iter().filter_map(|part| part.term.clone()).collect();
    let is_evident = !parts.is_empty();
    let yaml = Some(Yaml::List(parts.into_iter().filter_map(|part| part.yaml).collect()));
    Rendered { yaml, term: Some(list_term(&terms)), is_evident, comments: Vec::new() }
}

/// The term with the type that the param has, as it would be converted over
/// there.
fn converted(term: Term, kind: &Kind) -> Result<Term, String> {
    match (kind, &term.ty) {
        (Kind::Text, _) => term.as_text(),
        (Kind::Int, Ty::Bool) => Err("gives a bool where a number belongs; correct it".to_owned()),
        (Kind::Int, _) => term.as_int(),
        (Kind::Double, Ty::Int | Ty::Any | Ty::Text) => Ok(term.as_double()),
        (Kind::Bool, Ty::Text) => Ok(Term::of(format!("bool({})", term.text), Ty::Bool)),
        (Kind::List(element), Ty::List(found)) if **element == Kind::Text && **found == Ty::Int => {
            let text = format!("{}.map(x, string(x))", term.whole());
            Ok(Term::of(text, Ty::List(Box::new(Ty::Text))))
        }
        (Kind::List(element), Ty::List(found)) if **element == Kind::Int && **found == Ty::Text => {
            let text = format!("{}.map(x, int(x))", term.whole());
            Ok(Term::of(text, Ty::List(Box::new(Ty::Int))))
        }
        _ => Ok(term),
    }
}
