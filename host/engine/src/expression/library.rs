//! The functions that work on single values and that the `cel` crate brings:
//! conversions, timestamps and durations, base64. The crate is never given a
//! list or a map of ours, so that its cost is that of the text it is given.

use super::value::{Text, Value};
use cel::common::ast::{CallExpr, Expr, IdedExpr};
use cel::common::value::Val;
use cel::{Context, Env, ExecutionError, extensions};
use std::sync::{Arc, LazyLock};

/// The functions of the library, the same for every evaluation.
static LIBRARY: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    env.add_extension(extensions::encoders).expect("nothing else declares base64");
    Arc::new(env)
});

/// Names of the arguments while the library works on them.
const ARGUMENTS: [&str; 3] = ["a", "b", "c"];

/// Calls `name`, on the first argument if `is_method`.
///
/// # Errors
/// The function does not take these, or fails on them.
pub(crate) fn call<'a>(
    name: &str,
    is_method: bool,
    arguments: &[Value<'a>],
) -> Result<Value<'a>, String> {
    let mut context = Context::with_env(Arc::clone(&LIBRARY));
    for (variable, argument) in ARGUMENTS.iter().zip(arguments) {
        let argument = to_library(argument).ok_or_else(|| not_taken(name, arguments))?;
        context.add_variable_as_val(*variable, argument);
    }
    let mut variables = ARGUMENTS[..arguments.len().min(ARGUMENTS.len())]
        .iter()
        .map(|variable| expression(Expr::Ident((*variable).to_owned())));
    let target = if is_method { variables.next().map(Box::new) } else { None };
    let call = CallExpr { func_name: name.to_owned(), target, args: variables.collect() };
    match context.resolve(&expression(Expr::Call(call))) {
        Ok(value) => Ok(from_library(value)),
        Err(ExecutionError::FunctionError { function, message }) => {
            Err(format!("{function}: {message}"))
        }
        Err(ExecutionError::Overflow(..)) => Err(format!("{name}: the result is out of range")),
        Err(_) => Err(not_taken(name, arguments)),
    }
}

/// What `string(value)` gives.
///
/// # Errors
/// There is no text for it.
pub(crate) fn text(value: &Value<'_>) -> Result<String, String> {
    match call("string", false, std::slice::from_ref(value))? {
        Value::Text(text) => Ok(text.as_str().to_owned()),
        other => Err(format!("string: gave {}", other.type_name())),
    }
}

fn expression(expr: Expr) -> IdedExpr {
    IdedExpr { id: 0, expr }
}

fn to_library(value: &Value<'_>) -> Option<Box<dyn Val>> {
    let value = match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Int(value) => cel::Value::Int(*value),
        Value::Double(value) => cel::Value::Float(*value),
        Value::Text(text) => cel::Value::from(text.as_str()),
        Value::Other(value) => value.clone(),
        Value::JsonList(_)
        | Value::JsonMap(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Date(_)
        | Value::Type(_) => return None,
    };
    value.try_into().ok()
}

fn from_library<'a>(value: cel::Value) -> Value<'a> {
    match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(value) => Value::Bool(value),
        cel::Value::Int(value) => Value::Int(value),
        cel::Value::Float(value) => Value::Double(value),
        cel::Value::String(text) => Value::Text(Text::Shared(text.as_str().into())),
        other => Value::Other(other),
    }
}

fn not_taken(name: &str, arguments: &[Value<'_>]) -> String {
    let types: Vec<_> = arguments.iter().map(Value::type_name).collect();
    format!("{name} does not take {}", types.join(" and "))
}
