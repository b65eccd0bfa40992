//! Walks over an expression and works out its value. Every operation is
//! counted, and so is all that its cost grows with, so that an evaluation ends
//! in a known time whatever it is given.

use super::function::{self, Call};
use super::meter::{ENTRY, Halt, Meter, OPERATIONS_MAX};
use super::node::{Comprehension, Macro, Node, Operator};
use super::operation;
use super::value::{Key, Text, Value};
use crate::payload::Payload;
use crate::scope::Scope;
use crate::suggestion::closest;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One evaluation.
pub(crate) struct Evaluation<'a> {
    scope: &'a dyn Scope,
    meter: Meter,
    /// The current elements of the comprehensions around the node.
    variables: Vec<Value<'a>>,
    /// How many times `default` stands around the node: what is missing there is
    /// not looked for.
    defaults: usize,
}

/// The value of `node`.
///
/// # Errors
/// It has none, or working it out takes too much.
pub(crate) fn evaluate<'a>(node: &'a Node, scope: &'a dyn Scope) -> Result<Value<'a>, String> {
    measured(node, scope).0
}

/// What [`evaluate`] gives, and how many operations it took.
pub(crate) fn measured<'a>(
    node: &'a Node,
    scope: &'a dyn Scope,
) -> (Result<Value<'a>, String>, usize) {
    let mut evaluation =
        Evaluation { scope, meter: Meter::new(), variables: Vec::new(), defaults: 0 };
    let found = evaluation.node(node).map_err(|halt| match halt {
        Halt::Fault(message) | Halt::Missing(message) => message,
        Halt::Exhausted => {
            format!("takes more than {OPERATIONS_MAX} operations; compute it in a step")
        }
    });
    (found, evaluation.meter.spent())
}

/// The output of a step, null if it has none.
///
/// # Errors
/// There is no such step.
pub(crate) fn output<'a>(scope: &'a dyn Scope, step: &str) -> Result<Option<&'a Payload>, String> {
    Ok(result(scope, step)?.output)
}

/// What a step was given, null before.
///
/// # Errors
/// There is no such step.
pub(crate) fn given<'a>(scope: &'a dyn Scope, step: &str) -> Result<Option<&'a Payload>, String> {
    Ok(result(scope, step)?.params)
}

fn result<'a>(scope: &'a dyn Scope, id: &str) -> Result<crate::scope::StepResult<'a>, String> {
    scope.step(id).ok_or_else(|| format!("there is no step {id} here"))
}

/// That there is nothing at a place that was asked for.
fn missing<T>(message: String) -> Result<T, Halt> {
    Err(Halt::Missing(message))
}

fn fault<T>(message: impl Into<String>) -> Result<T, Halt> {
    Err(Halt::Fault(message.into()))
}

impl<'a> Evaluation<'a> {
    fn node(&mut self, node: &'a Node) -> Result<Value<'a>, Halt> {
        self.meter.charge(1)?;
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Params => Ok(Value::from(self.scope.params().value())),
            Node::Loop => Ok(Value::from(self.scope.loop_variables().value())),
            Node::Own => Ok(Value::from(self.scope.own_params().value())),
            Node::Document(name) => match self.scope.document(name) {
                Some(document) => Ok(Value::from(document.value())),
                None => fault(format!("there is no {name} here")),
            },
            Node::Fact(fact) => fact.value(self.scope.run()),
            Node::HasFact(fact) => Ok(Value::Bool(fact.value(self.scope.run()).is_ok())),
            Node::Schedule(fact) => fact.value(self.scope.schedule()),
            Node::HasSchedule(fact) => Ok(Value::Bool(fact.value(self.scope.schedule()).is_ok())),
            Node::OfTrigger(what) => what.value(self.scope).map(Value::from),
            Node::Output(id) => {
                let output = output(self.scope, id).map_err(Halt::Fault)?;
                Ok(output.map_or(Value::Null, |output| Value::from(output.value())))
            }
            Node::HasOutput(id) => {
                Ok(Value::Bool(output(self.scope, id).map_err(Halt::Fault)?.is_some()))
            }
            Node::Given(id) => {
                let given = given(self.scope, id).map_err(Halt::Fault)?;
                Ok(given.map_or(Value::Null, |given| Value::from(given.value())))
            }
            Node::HasGiven(id) => {
                Ok(Value::Bool(given(self.scope, id).map_err(Halt::Fault)?.is_some()))
            }
            Node::Status(id) => {
                let status = result(self.scope, id).map_err(Halt::Fault)?.status;
                Ok(Value::Text(Text::Borrowed(status)))
            }
            Node::Variable(depth, name) => match self.variables.get(*depth) {
                Some(value) => Ok(value.clone()),
                None => fault(format!("{name} has no value here")),
            },
            Node::Field(operand, field) => self.field(operand, field),
            Node::HasField(operand, field) => self.has_field(operand, field),
            Node::Index(operands) => self.index(&operands.0, &operands.1),
            Node::List(elements) => self.list(elements),
            Node::Map(entries) => self.map(entries),
            Node::Not(operand) => Ok(Value::Bool(!self.bool(operand, "!")?)),
            Node::Negate(operand) => operation::negate(&self.node(operand)?).map_err(Halt::Fault),
            Node::And(operands) => self.either(operands, false),
            Node::Or(operands) => self.either(operands, true),
            Node::Conditional(operands) => {
                let [condition, then, otherwise] = &**operands;
                let holds = self.bool(condition, "?:")?;
                self.node(if holds { then } else { otherwise })
            }
            Node::Default(operands) => self.default(operands),
            Node::Bind(operands) => self.bound(operands),
            Node::Binary(operator, operands) => self.binary(*operator, operands),
            Node::Call(function, arguments) => {
                let arguments =
                    arguments.iter().map(|node| self.node(node)).collect::<Result<Vec<_>, _>>()?;
                function::call(function, &arguments, &mut self.meter)
            }
            Node::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    fn bool(&mut self, node: &'a Node, operator: &str) -> Result<bool, Halt> {
        match self.node(node)? {
            Value::Bool(value) => Ok(value),
            other => fault(format!("{operator} needs a bool, not {}", other.type_name())),
        }
    }

    /// `&&` or `||`: an operand that decides the result does so whatever the
    /// other comes to, even if that fails.
    fn either(&mut self, operands: &'a (Node, Node), decisive: bool) -> Result<Value<'a>, Halt> {
        let operator = if decisive { "||" } else { "&&" };
        let left = match self.bool(&operands.0, operator) {
            Err(Halt::Exhausted) => return Err(Halt::Exhausted),
            Ok(left) if left == decisive => return Ok(Value::Bool(decisive)),
            left => left,
        };
        let right = self.bool(&operands.1, operator)?;
        if right == decisive { Ok(Value::Bool(decisive)) } else { left.map(Value::Bool) }
    }

    /// `default(x, otherwise)`: `otherwise` if something that is read on the way
    /// to `x` is not there, or if `x` is null. Any other failure stays one.
    fn default(&mut self, operands: &'a (Node, Node)) -> Result<Value<'a>, Halt> {
        self.defaults += 1;
        let found = self.node(&operands.0);
        self.defaults -= 1;
        match found {
            Ok(Value::Null) | Err(Halt::Missing(_)) => self.node(&operands.1),
            found => found,
        }
    }

    /// `cel.bind(x, value, body)`.
    fn bound(&mut self, operands: &'a (Node, Node)) -> Result<Value<'a>, Halt> {
        let value = self.node(&operands.0)?;
        self.variables.push(value);
        let result = self.node(&operands.1);
        self.variables.pop();
        result
    }

    fn binary(
        &mut self,
        operator: Operator,
        operands: &'a (Node, Node),
    ) -> Result<Value<'a>, Halt> {
        let left = self.node(&operands.0)?;
        let right = self.node(&operands.1)?;
        operation::binary(operator, &left, &right, &mut self.meter)
    }

    fn field(&mut self, operand: &'a Node, field: &str) -> Result<Value<'a>, Halt> {
        let map = self.node(operand)?;
        match map.entry(&Key::Text(Text::Borrowed(field))) {
            Some(value) => Ok(value),
            None if matches!(map, Value::JsonMap(_) | Value::Map(_) | Value::Null) => {
                self.pay_for_search(&map, field)?;
                missing(no_field(operand, &map, field, self.defaults == 0))
            }
            None => fault(no_field(operand, &map, field, true)),
        }
    }

    /// Pays for looking for a key that is similar to `key`, where `no_key` does.
    fn pay_for_search(&mut self, map: &Value<'a>, key: &str) -> Result<(), Halt> {
        match map.len() {
            Some(length) if length <= KEYS_COMPARED_MAX && self.defaults == 0 => {
                self.meter.charge(length.saturating_mul(key.len().min(WORD_BYTES_MAX)))
            }
            _ => Ok(()),
        }
    }

    fn has_field(&mut self, operand: &'a Node, field: &str) -> Result<Value<'a>, Halt> {
        match self.node(operand)? {
            map @ (Value::JsonMap(_) | Value::Map(_)) => {
                Ok(Value::Bool(map.entry(&Key::Text(Text::Borrowed(field))).is_some()))
            }
            other => fault(format!("has(…) needs a map, not {}", other.type_name())),
        }
    }

    fn index(&mut self, operand: &'a Node, index: &'a Node) -> Result<Value<'a>, Halt> {
        let operand_value = self.node(operand)?;
        let index = self.node(index)?;
        let Some(key) = Key::of(&index) else {
            return fault(format!("{} is no index", index.type_name()));
        };
        self.meter.charge_bytes(key.bytes())?;
        match (&operand_value, &key) {
            (Value::JsonList(_) | Value::List(_), Key::Number(place)) => {
                let element = usize::try_from(*place).ok();
                match element.and_then(|place| operand_value.element(place)) {
                    Some(element) => Ok(element),
                    None => {
                        let length = operand_value.len().unwrap_or(0);
                        missing(format!("[{place}] is outside of a list of {length}"))
                    }
                }
            }
            (Value::JsonMap(_) | Value::Map(_), key) => match operand_value.entry(key) {
                Some(value) => Ok(value),
                None => {
                    if let Key::Text(text) = key {
                        self.pay_for_search(&operand_value, text.as_str())?;
                    }
                    missing(no_key(operand, &operand_value, key, self.defaults == 0))
                }
            },
            (Value::Null, _) => missing(format!("{} is null_type, it has no index", path(operand))),
            _ => fault(format!(
                "a {} has no index of type {}",
                operand_value.type_name(),
                index.type_name()
            )),
        }
    }

    fn list(&mut self, elements: &'a [Node]) -> Result<Value<'a>, Halt> {
        let elements = elements.iter().map(|element| self.node(element));
        Ok(Value::List(Arc::new(elements.collect::<Result<_, _>>()?)))
    }

    fn map(&mut self, entries: &'a [(Node, Node)]) -> Result<Value<'a>, Halt> {
        let mut map = BTreeMap::new();
        for (key, value) in entries {
            self.meter.charge(ENTRY)?;
            let key = self.node(key)?;
            let value = self.node(value)?;
            let key = match (&key, Key::of(&key)) {
                (Value::Double(_), _) | (_, None) => {
                    return fault(format!("{} can be no key of a map", key.type_name()));
                }
                (_, Some(key)) => key,
            };
            self.meter.charge_bytes(key.bytes())?;
            if map.insert(key, value).is_some() {
                return fault("a map has a key twice");
            }
        }
        Ok(Value::Map(Arc::new(map)))
    }

    fn comprehension(&mut self, comprehension: &'a Comprehension) -> Result<Value<'a>, Halt> {
        let range = self.node(&comprehension.range)?;
        let Some(length) = range.len() else {
            return fault(format!("a macro needs a list or a map, not {}", range.type_name()));
        };
        let elements: Box<dyn Iterator<Item = Value<'a>>> = match range.keys() {
            Some(keys) => {
                self.meter.charge(length)?;
                self.meter.charge_bytes(range.key_bytes())?;
                Box::new(keys.into_iter().map(|key| key.value()))
            }
            None => Box::new((0..length).filter_map(move |place| range.element(place))),
        };
        self.variables.push(Value::Null);
        let result = match &comprehension.kind {
            Macro::All(test) => self.decide(elements, test, false),
            Macro::Exists(test) => self.decide(elements, test, true),
            Macro::ExistsOne(test) => self.exists_one(elements, test),
            Macro::Collect { condition, element } => {
                self.collect(elements, condition.as_ref(), element)
            }
            Macro::SortBy(key) => self.sort_by(elements, key),
        };
        self.variables.pop();
        result
    }

    fn bind(&mut self, element: Value<'a>) -> Result<(), Halt> {
        self.meter.charge(1)?;
        if let Some(variable) = self.variables.last_mut() {
            *variable = element;
        }
        Ok(())
    }

    /// `all` and `exists`: `&&` and `||` over every element.
    fn decide(
        &mut self,
        elements: impl Iterator<Item = Value<'a>>,
        test: &'a Node,
        decisive: bool,
    ) -> Result<Value<'a>, Halt> {
        let operator = if decisive { "exists" } else { "all" };
        let mut failure = None;
        for element in elements {
            self.bind(element)?;
            match self.bool(test, operator) {
                Ok(value) if value == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(Halt::Exhausted) => return Err(Halt::Exhausted),
                Err(fault) => failure = Some(fault),
            }
        }
        failure.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn exists_one(
        &mut self,
        elements: impl Iterator<Item = Value<'a>>,
        test: &'a Node,
    ) -> Result<Value<'a>, Halt> {
        let mut found = 0;
        for element in elements {
            self.bind(element)?;
            found += usize::from(self.bool(test, "exists_one")?);
        }
        Ok(Value::Bool(found == 1))
    }

    fn collect(
        &mut self,
        elements: impl Iterator<Item = Value<'a>>,
        condition: Option<&'a Node>,
        kept: &'a Node,
    ) -> Result<Value<'a>, Halt> {
        let mut list = Vec::new();
        for element in elements {
            self.bind(element)?;
            let keeps = match condition {
                Some(condition) => self.bool(condition, "filter")?,
                None => true,
            };
            if keeps {
                list.push(self.node(kept)?);
            }
        }
        Ok(Value::List(Arc::new(list)))
    }

    fn sort_by(
        &mut self,
        elements: impl Iterator<Item = Value<'a>>,
        key: &'a Node,
    ) -> Result<Value<'a>, Halt> {
        let mut pairs = Vec::new();
        for element in elements {
            self.bind(element.clone())?;
            pairs.push((self.node(key)?, element));
        }
        let meter = &mut self.meter;
        let mut call = Call { name: "sortBy", is_method: true, arguments: &[], meter };
        function::sort_pairs(&mut call, pairs)
    }
}

/// The most keys that are searched for a similar one.
const KEYS_COMPARED_MAX: usize = 100;

/// The longest key that one is searched for.
const WORD_BYTES_MAX: usize = 64;

fn no_field(operand: &Node, map: &Value<'_>, field: &str, searches: bool) -> String {
    match map {
        Value::JsonMap(_) | Value::Map(_) => {
            no_key(operand, map, &Key::Text(Text::Borrowed(field)), searches)
        }
        other => format!("{} is {}, it has no field {field}", path(operand), other.type_name()),
    }
}

fn no_key(operand: &Node, map: &Value<'_>, key: &Key<'_>, searches: bool) -> String {
    let place = path(operand);
    let Key::Text(key) = key else {
        return match key {
            Key::Number(number) => format!(
                "{place} has no key {number}; a document has text as keys, as in string({number})"
            ),
            _ => format!("{place} has no such key"),
        };
    };
    let key = key.as_str();
    let is_small = map.len().is_some_and(|length| length <= KEYS_COMPARED_MAX);
    let keys = if searches && is_small { map.keys().unwrap_or_default() } else { Vec::new() };
    let known = keys.iter().filter_map(|known| match known {
        Key::Text(known) => Some(known.as_str()),
        Key::Bool(_) | Key::Number(_) => None,
    });
    let shown: String = key.chars().take(60).collect();
    match closest(key, known) {
        Some(similar) => format!("{place} has no {shown:?}; did you mean {similar:?}?"),
        None => format!("{place} has no {shown:?}; test it with has(…) or `in` first"),
    }
}

/// How an author would write `node`, if that is short.
fn path(node: &Node) -> String {
    match node {
        Node::Params => "params".to_owned(),
        Node::Loop => "loop".to_owned(),
        Node::Own => "self".to_owned(),
        Node::Document(name) => (*name).to_owned(),
        Node::Output(id) => format!("the output of {id}"),
        Node::Given(id) => format!("the params of {id}"),
        Node::Variable(_, name) => name.clone(),
        Node::Field(operand, field) => match &**operand {
            Node::Output(_) | Node::Given(_) => format!("{field} of {}", path(operand)),
            operand => format!("{}.{field}", path(operand)),
        },
        Node::Index(operands) => format!("{}[…]", path(&operands.0)),
        Node::OfTrigger(what) => what.as_str().to_owned(),
        _ => "the value".to_owned(),
    }
}
