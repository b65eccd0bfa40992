//! A piece of CEL, with what is known of its type.

use super::pattern::Pattern;

/// How tightly a piece of CEL holds together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::import) enum Level {
    Ternary,
    Or,
    And,
    Compare,
    Add,
    Multiply,
    Unary,
    Whole,
}

/// What a piece of CEL gives.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::import) enum Ty {
    /// Something that is not known.
    Any,
    Null,
    Bool,
    Int,
    Double,
    Text,
    List(Box<Ty>),
    Map(Box<Ty>),
    /// The status of a step, in our words.
    Status,
    /// A point in time, in a zone (CEL), and its milliseconds where they are
    /// known (CEL).
    Instant(String, Option<String>),
    /// The name of a time zone.
    Zone,
    /// A way to write and read points in time, in a zone.
    Format(Pattern, String),
    /// A number of days.
    Days,
    /// A field of a point in time, by name, in a zone.
    Part(String, String),
}

/// A piece of CEL.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::import) struct Term {
    pub(in crate::import) text: String,
    pub(in crate::import) level: Level,
    pub(in crate::import) ty: Ty,
    /// The text, if it is a literal.
    pub(in crate::import) literal: Option<String>,
    /// The whole number, if it is a literal.
    pub(in crate::import) whole: Option<i64>,
}

impl Term {
    /// A piece that needs no parentheses anywhere.
    pub(in crate::import) fn of(text: impl Into<String>, ty: Ty) -> Self {
        Self { text: text.into(), level: Level::Whole, ty, literal: None, whole: None }
    }

    /// A piece whose outermost operator binds at `level`.
    pub(in crate::import) fn at(text: impl Into<String>, level: Level, ty: Ty) -> Self {
        Self { level, ..Self::of(text, ty) }
    }

    /// Literal text.
    pub(in crate::import) fn text(text: &str) -> Self {
        Self { literal: Some(text.to_owned()), ..Self::of(super::quoted(text), Ty::Text) }
    }

    /// A literal number.
    pub(in crate::import) fn int(value: i64) -> Self {
        let level = if value < 0 { Level::Unary } else { Level::Whole };
        Self { whole: Some(value), ..Self::at(value.to_string(), level, Ty::Int) }
    }

    /// The piece where something that binds at `level` is expected.
    pub(in crate::import) fn within(&self, level: Level) -> String {
        if self.level < level { format!("({})", self.text) } else { self.text.clone() }
    }

    /// The piece in front of a dot or bracket.
    pub(in crate::import) fn whole(&self) -> String {
        self.within(Level::Whole)
    }

    /// The piece, if JSON has its type.
    pub(in crate::import) fn into_value(self) -> Result<Self, String> {
        let what = match &self.ty {
            Ty::Instant(..) => "a DateTime; end it with getMillis() or toString(pattern)",
            Ty::Status => "a status, whose words differ; compare it with one",
            Ty::Zone => "a time zone; give its name",
            Ty::Format(..) => "a formatter; end it with print(…)",
            Ty::Days => "days; end it with getDays()",
            Ty::Part(..) => "a field of a DateTime; end it with get()",
            _ => return Ok(self),
        };
        Err(format!("gives {what}"))
    }

    /// The piece as text, as Java would write it.
    pub(in crate::import) fn as_text(&self) -> Result<Self, String> {
        let convert = || Ok(Self::of(format!("string({})", self.text), Ty::Text));
        match &self.ty {
            Ty::Text => Ok(self.clone()),
            Ty::Int if self.whole.is_some() => Ok(Self::text(&self.text)),
            Ty::Int | Ty::Bool | Ty::Any => convert(),
            Ty::Double => Err("puts a double into text, which is written otherwise here; \
                               use format(…) with a number of digits"
                .to_owned()),
            Ty::Null => Ok(Self::text("null")),
            Ty::List(_) | Ty::Map(_) => {
                Ok(Self::of(format!("json.encode({})", self.text), Ty::Text))
            }
            _ => self.clone().into_value(),
        }
    }

    /// The piece as a whole number.
    pub(in crate::import) fn as_int(&self) -> Result<Self, String> {
        match (&self.ty, &self.literal) {
            (Ty::Int, _) => Ok(self.clone()),
            (Ty::Text, Some(text)) => match text.trim().parse() {
                Ok(value) => Ok(Self::int(value)),
                Err(_) => Err(format!("has {text:?} where a number belongs; correct it")),
            },
            (Ty::Text | Ty::Any | Ty::Double, _) => {
                Ok(Self::of(format!("int({})", self.text), Ty::Int))
            }
            _ => Err(format!("has `{}` where a number belongs; correct it", self.text)),
        }
    }

    /// The piece as a double.
    pub(in crate::import) fn as_double(&self) -> Self {
        match self.whole {
            Some(value) => {
                Self { whole: None, ..Self::at(format!("{value}.0"), self.level, Ty::Double) }
            }
            None if self.ty == Ty::Double => self.clone(),
            None => Self::of(format!("double({})", self.text), Ty::Double),
        }
    }
}
