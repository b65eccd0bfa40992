//! Which functions there are, how they are called, and what those of CEL's own
//! do that the library does not. There is a file for each other family; what is
//! new there gets a row in `EXPRESSIONS.md`, and a test sees to it.

mod accessor;
mod call;
mod date;
mod document;
mod format;
mod hash;
mod list;
mod map;
mod number;
mod order;
#[cfg(test)]
mod tests;
mod text;
mod time_pattern;
mod zone;

pub(crate) use self::call::{Body, Call};
pub(crate) use self::order::sort_pairs;

use self::Kind::{Library, Native, Own};
use super::library;
use super::meter::{Halt, Meter};
use super::node::{Function, Node};
use super::pattern::Pattern;
use super::value::{Text, Value};
use crate::suggestion::closest;

/// How a function is called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `f(x)`.
    Global,
    /// `x.f()`.
    Method,
    /// Either.
    Both,
}

/// One function: its name, how it is called, how many arguments it takes at
/// least and at most (the target of a method included), and what it does.
struct Signature(&'static str, Style, [usize; 2], Kind);

/// What a function does.
enum Kind {
    /// What the evaluation itself does.
    Own(Function),
    /// Searches for a pattern.
    Matches,
    /// A function of one of the families.
    Native(Body),
    /// A function of the library.
    Library,
}

/// The functions of CEL that are in no family.
const STANDARD: &[Signature] = &[
    Signature("size", Style::Both, [1, 1], Own(Function::Size)),
    Signature("type", Style::Global, [1, 1], Own(Function::Type)),
    Signature("dyn", Style::Global, [1, 1], Own(Function::Identity)),
    Signature("contains", Style::Method, [2, 2], Own(Function::Contains)),
    Signature("startsWith", Style::Method, [2, 2], Own(Function::StartsWith)),
    Signature("endsWith", Style::Method, [2, 2], Own(Function::EndsWith)),
    Signature("matches", Style::Both, [2, 2], Kind::Matches),
    Signature("string", Style::Global, [1, 1], Library),
    Signature("int", Style::Global, [1, 1], Library),
    Signature("uint", Style::Global, [1, 1], Library),
    Signature("double", Style::Global, [1, 1], Library),
    Signature("bool", Style::Global, [1, 1], Library),
    Signature("bytes", Style::Global, [1, 1], Library),
    Signature("duration", Style::Global, [1, 1], Library),
    Signature("base64.encode", Style::Global, [1, 1], Library),
    Signature("base64.decode", Style::Global, [1, 1], Library),
];

/// Every function.
const FAMILIES: [&[Signature]; 12] = [
    STANDARD,
    accessor::FUNCTIONS,
    date::FUNCTIONS,
    document::FUNCTIONS,
    format::FUNCTIONS,
    hash::FUNCTIONS,
    list::FUNCTIONS,
    map::FUNCTIONS,
    number::FUNCTIONS,
    order::FUNCTIONS,
    text::FUNCTIONS,
    time_pattern::FUNCTIONS,
];

fn signatures() -> impl Iterator<Item = &'static Signature> {
    FAMILIES.into_iter().flatten()
}

/// The name of every function and macro.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    signatures().map(|signature| signature.0).chain(MACROS)
}

/// The macros, which a call with a wrong number of arguments leaves behind.
const MACROS: [&str; 10] = [
    "has",
    "all",
    "exists",
    "exists_one",
    "existsOne",
    "map",
    "filter",
    "sortBy",
    "cel.bind",
    "default",
];

/// The beginnings of names before a dot.
const NAMESPACES: [&str; 6] = ["base64", "cel", "json", "lists", "maps", "math"];

/// What is looked for under other names, and what to write instead.
const ELSEWHERE: [(&str, &str); 19] = [
    ("now", "there is no clock here; take the time from a param"),
    ("today", "there is no clock here; take the date from a param"),
    ("random", "there is no chance here; use bucket(x, n)"),
    ("uuid", "there is no chance here; use run.id"),
    ("range", "use lists.range(…)"),
    ("zip", "use lists.zip(…)"),
    ("abs", "use math.abs(…)"),
    ("ceil", "use math.ceil(…)"),
    ("floor", "use math.floor(…)"),
    ("round", "use math.round(…)"),
    ("lower", "use x.lowerAscii()"),
    ("toLower", "use x.lowerAscii()"),
    ("upper", "use x.upperAscii()"),
    ("toUpper", "use x.upperAscii()"),
    ("len", "use size(…)"),
    ("length", "use size(…)"),
    ("toJson", "use json.encode(…)"),
    ("parseJson", "use json.decode(…)"),
    ("md5", "use sha256(…)"),
];

/// Whether a function's name begins with `namespace` and a dot.
pub(crate) fn is_namespace(namespace: &str) -> bool {
    NAMESPACES.contains(&namespace)
}

/// The function that a call means.
///
/// # Errors
/// There is none, or it is called otherwise.
pub(crate) fn resolve(
    name: &str,
    is_method: bool,
    arguments: &mut Vec<Node>,
) -> Result<Function, String> {
    let Some(Signature(name, style, [least, most], kind)) =
        signatures().find(|signature| signature.0 == name)
    else {
        return Err(unknown(name));
    };
    match style {
        Style::Global if is_method => {
            return Err(format!("{name} is called with what it works on; write {name}(x)"));
        }
        Style::Method if !is_method => {
            return Err(format!("{name} is called on what it works on; write x.{name}(…)"));
        }
        Style::Global | Style::Method | Style::Both => {}
    }
    if !(*least..=*most).contains(&arguments.len()) {
        let target = usize::from(is_method);
        let (least, most) = (least.saturating_sub(target), most - target);
        let given = arguments.len() - target;
        let expected = if least == most { most.to_string() } else { format!("{least} to {most}") };
        let remedy = if given > most { "remove some" } else { "add what is missing" };
        return Err(format!("{name} takes {expected} in its parentheses, not {given}; {remedy}"));
    }
    match kind {
        Own(function) => Ok(function.clone()),
        Kind::Matches => matches(arguments),
        Native(body) => Ok(Function::Native(name, is_method, *body)),
        Library => Ok(Function::Library(name, is_method)),
    }
}

fn unknown(name: &str) -> String {
    if MACROS.contains(&name) {
        return format!("{name} is a macro; write it as in x.map(v, …), x.all(v, …) or has(x.y)");
    }
    let called = name.rsplit_once('.').map_or(name, |(_, called)| called);
    if let Some((_, remedy)) = ELSEWHERE.iter().find(|(known, _)| *known == called) {
        return format!("unknown function {name}; {remedy}");
    }
    match closest(name, names()) {
        Some(similar) => format!("unknown function {name}; did you mean {similar}?"),
        None => format!("unknown function {name}; EXPRESSIONS.md lists those there are"),
    }
}

/// A pattern is compiled once, so it has to be there when the expression is.
fn matches(arguments: &mut Vec<Node>) -> Result<Function, String> {
    let Some(Node::Constant(Value::Text(text))) = arguments.pop() else {
        return Err("the pattern of matches(…) has to be plain; write it there in quotes".into());
    };
    let pattern = Pattern::compile(text.as_str())
        .map_err(|message| format!("the pattern of matches(…) {message}"))?;
    Ok(Function::Matches(Box::new(pattern)))
}

/// Calls `function`.
///
/// # Errors
/// It does not take these arguments or fails on them, or `meter` runs out.
pub(crate) fn call<'a>(
    function: &'a Function,
    arguments: &[Value<'a>],
    meter: &mut Meter,
) -> Result<Value<'a>, Halt> {
    match (function, arguments) {
        (Function::Native(name, is_method, body), _) => {
            meter.charge(NATIVE_CALL)?;
            body(&mut Call { name, is_method: *is_method, arguments, meter })
        }
        (Function::Identity, [value]) => Ok(value.clone()),
        (Function::Type, [value]) => Ok(Value::Type(value.type_name())),
        (Function::Size, [value]) => size(value, meter),
        (Function::Matches(pattern), [Value::Text(text)]) => {
            meter.charge(pattern.cost(text.as_str()))?;
            Ok(Value::Bool(pattern.is_found_in(text.as_str())))
        }
        (
            Function::Contains | Function::StartsWith | Function::EndsWith,
            [Value::Text(text), Value::Text(part)],
        ) => {
            meter.charge_text(text.as_str())?;
            let (text, part) = (text.as_str(), part.as_str());
            Ok(Value::Bool(match function {
                Function::Contains => text.contains(part),
                Function::StartsWith => text.starts_with(part),
                _ => text.ends_with(part),
            }))
        }
        (Function::Library("string", _), [Value::Text(text)]) => Ok(Value::Text(text.clone())),
        (Function::Library("string", _), [Value::Date(date)]) => {
            Ok(Value::Text(Text::from(date.to_string())))
        }
        (Function::Library("string", _), [Value::Int(value)]) => {
            Ok(Value::Text(Text::from(value.to_string())))
        }
        (Function::Library(name, is_method), _) => {
            meter.charge(LIBRARY_CALL)?;
            for argument in arguments {
                match argument {
                    Value::Text(text) => meter.charge_text(text.as_str())?,
                    Value::Other(cel::Value::Bytes(bytes)) => meter.charge_bytes(bytes.len())?,
                    _ => {}
                }
            }
            library::call(name, *is_method, arguments).map_err(Halt::Fault)
        }
        (_, _) => {
            let name = match function {
                Function::Contains => "contains",
                Function::StartsWith => "startsWith",
                Function::EndsWith => "endsWith",
                _ => "matches",
            };
            let types: Vec<_> = arguments.iter().map(Value::type_name).collect();
            Err(Halt::Fault(format!("{name} does not take {}", types.join(" and "))))
        }
    }
}

/// What a call of a function of ours costs, in operations.
const NATIVE_CALL: usize = 2;

/// What a call of the library costs, in operations.
const LIBRARY_CALL: usize = 50;

fn size<'a>(value: &Value<'a>, meter: &mut Meter) -> Result<Value<'a>, Halt> {
    let size = match value {
        Value::Text(text) => {
            meter.charge_text(text.as_str())?;
            text.as_str().chars().count()
        }
        Value::Other(cel::Value::Bytes(bytes)) => bytes.len(),
        _ => value
            .len()
            .ok_or_else(|| Halt::Fault(format!("size does not take {}", value.type_name())))?,
    };
    Ok(Value::Int(size as i64))
}
