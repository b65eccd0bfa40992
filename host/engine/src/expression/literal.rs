//! What is written plainly in a source.

use super::value::{Text, Value};
use cel::common::ast::{Expr, IdedExpr, LiteralValue};

/// The types by name, for `type(x) == string`.
pub(super) const TYPES: [&str; 13] = [
    "null_type",
    "bool",
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "list",
    "map",
    "timestamp",
    "duration",
    "date",
    "type",
];

/// The text in quotes that `tree` is.
pub(crate) fn text_literal(tree: &IdedExpr) -> Option<&str> {
    match &tree.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// The value that never changes.
pub(crate) fn constant(literal: &LiteralValue) -> Value<'static> {
    match literal {
        LiteralValue::Null => Value::Null,
        LiteralValue::Boolean(value) => Value::Bool(*value.inner()),
        LiteralValue::Int(value) => Value::Int(*value.inner()),
        LiteralValue::Double(value) => Value::Double(*value.inner()),
        LiteralValue::String(text) => Value::Text(Text::Shared(text.inner().into())),
        LiteralValue::UInt(value) => Value::Other(cel::Value::UInt(*value.inner())),
        LiteralValue::Bytes(bytes) => Value::Other(cel::Value::from(bytes.inner().to_vec())),
    }
}
