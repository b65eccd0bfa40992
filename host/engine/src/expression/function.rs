//! Which functions there are, how they are called, and what those do that are
//! not the library's.

use super::evaluation::{Halt, Meter};
use super::library;
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

/// One function: its name, how it is called, how many arguments it takes (the
/// target of a method included), and what it does.
struct Signature(&'static str, Style, [usize; 2], Option<Function>);

/// Every function. Without one of our own, the library has it.
const SIGNATURES: &[Signature] = &[
    Signature("size", Style::Both, [1, 1], Some(Function::Size)),
    Signature("type", Style::Global, [1, 1], Some(Function::Type)),
    Signature("dyn", Style::Global, [1, 1], Some(Function::Identity)),
    Signature("contains", Style::Method, [2, 2], Some(Function::Contains)),
    Signature("startsWith", Style::Method, [2, 2], Some(Function::StartsWith)),
    Signature("endsWith", Style::Method, [2, 2], Some(Function::EndsWith)),
    Signature("matches", Style::Both, [2, 2], None),
    Signature("string", Style::Global, [1, 1], None),
    Signature("int", Style::Global, [1, 1], None),
    Signature("uint", Style::Global, [1, 1], None),
    Signature("double", Style::Global, [1, 1], None),
    Signature("bool", Style::Global, [1, 1], None),
    Signature("bytes", Style::Global, [1, 1], None),
    Signature("timestamp", Style::Global, [1, 1], None),
    Signature("duration", Style::Global, [1, 1], None),
    Signature("base64.encode", Style::Global, [1, 1], None),
    Signature("base64.decode", Style::Global, [1, 1], None),
    Signature("getFullYear", Style::Method, [1, 2], None),
    Signature("getMonth", Style::Method, [1, 2], None),
    Signature("getDate", Style::Method, [1, 2], None),
    Signature("getDayOfMonth", Style::Method, [1, 2], None),
    Signature("getDayOfWeek", Style::Method, [1, 2], None),
    Signature("getDayOfYear", Style::Method, [1, 2], None),
    Signature("getHours", Style::Method, [1, 2], None),
    Signature("getMinutes", Style::Method, [1, 2], None),
    Signature("getSeconds", Style::Method, [1, 2], None),
    Signature("getMilliseconds", Style::Method, [1, 2], None),
];

/// The macros, which a call with a wrong number of arguments leaves behind.
const MACROS: [&str; 7] = ["has", "all", "exists", "exists_one", "existsOne", "map", "filter"];

/// Whether a function's name begins with `namespace` and a dot.
pub(crate) fn is_namespace(namespace: &str) -> bool {
    namespace == "base64"
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
    let Some(Signature(name, style, [least, most], function)) =
        SIGNATURES.iter().find(|signature| signature.0 == name)
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
        let (expected, given) = (least - target, arguments.len() - target);
        let remedy = if arguments.len() > *most { "remove some" } else { "add what is missing" };
        return Err(format!("{name} takes {expected} in its parentheses, not {given}; {remedy}"));
    }
    match function {
        Some(function) => Ok(function.clone()),
        None if *name == "matches" => matches(arguments),
        None => Ok(Function::Library(name, is_method)),
    }
}

fn unknown(name: &str) -> String {
    if MACROS.contains(&name) {
        return format!("{name} is a macro; write it as in x.map(v, …), x.all(v, …) or has(x.y)");
    }
    let known = SIGNATURES.iter().map(|signature| signature.0).chain(MACROS);
    match closest(name, known) {
        Some(similar) => format!("unknown function {name}; did you mean {similar}?"),
        None => format!("unknown function {name}; use one of CEL's own"),
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
