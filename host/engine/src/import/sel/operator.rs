//! Operators: what Java converts by itself is converted in so many words.

use super::cel::{Level, Term, Ty};

/// The value of `left operator right`.
pub(super) fn binary(operator: &str, left: &Term, right: &Term) -> Result<Term, String> {
    match operator {
        "&&" => Ok(joined(operator, [left, right], Level::And, Ty::Bool)),
        "||" => Ok(joined(operator, [left, right], Level::Or, Ty::Bool)),
        "==" | "!=" => equality(operator, left, right),
        "<" | ">" | "<=" | ">=" => {
            known_values([left, right])?;
            Ok(joined(operator, [left, right], Level::Compare, Ty::Bool))
        }
        "+" if left.ty == Ty::Text || right.ty == Ty::Text => {
            let (left, right) = (left.as_text()?, right.as_text()?);
            Ok(joined("+", [&left, &right], Level::Add, Ty::Text))
        }
        _ => arithmetic(operator, left, right),
    }
}

fn arithmetic(operator: &str, left: &Term, right: &Term) -> Result<Term, String> {
    known_values([left, right])?;
    let level = if matches!(operator, "+" | "-") { Level::Add } else { Level::Multiply };
    for term in [left, right] {
        if !matches!(term.ty, Ty::Int | Ty::Double | Ty::Any) {
            return Err(format!("`{}` is no number for {operator}; correct it", term.text));
        }
    }
    if left.ty == Ty::Double || right.ty == Ty::Double {
        let (left, right) = (left.as_double(), right.as_double());
        return Ok(joined(operator, [&left, &right], level, Ty::Double));
    }
    let is_int = left.ty == Ty::Int && right.ty == Ty::Int;
    let ty = if is_int { Ty::Int } else { Ty::Any };
    Ok(joined(operator, [left, right], level, ty))
}

/// Left-associative, so the right side needs more.
fn joined(operator: &str, sides: [&Term; 2], level: Level, ty: Ty) -> Term {
    let tighter = match level {
        Level::Ternary | Level::Or => Level::And,
        Level::And => Level::Compare,
        Level::Compare => Level::Add,
        Level::Add => Level::Multiply,
        Level::Multiply | Level::Unary | Level::Whole => Level::Unary,
    };
    let left = match level {
        Level::Compare => sides[0].within(tighter),
        _ => sides[0].within(level),
    };
    Term::at(format!("{left} {operator} {}", sides[1].within(tighter)), level, ty)
}

fn equality(operator: &str, left: &Term, right: &Term) -> Result<Term, String> {
    let status = |term: &Term, other: &Term| -> Result<Option<Term>, String> {
        if other.ty != Ty::Status {
            return Ok(None);
        }
        let word = term.literal.as_deref().ok_or("compares a status with a value; use a word")?;
        Ok(Some(Term::text(status_word(word)?)))
    };
    let sides = match (status(left, right)?, status(right, left)?) {
        (Some(word), _) => [word, right.clone()],
        (_, Some(word)) => [left.clone(), word],
        (None, None) => {
            known_values([left, right])?;
            [left.clone(), right.clone()]
        }
    };
    Ok(joined(operator, [&sides[0], &sides[1]], Level::Compare, Ty::Bool))
}

/// Our word for a step's status.
fn status_word(word: &str) -> Result<&'static str, String> {
    Ok(match word {
        "SUCCEEDED" => "succeeded",
        "COMPLETED_WITH_ERROR" => "completed_with_error",
        "SKIPPED" => "skipped",
        "UNSATISFIED" => "unsatisfied",
        "FATALLY_FAILED" | "USER_FAILED" | "PLATFORM_FAILED" | "INTERNALLY_FAILED" => "failed",
        "STOPPED" => "cancelled",
        "TIMED_OUT" | "TIMEOUT_FAILED" => "timed_out",
        _ => return Err(format!("the status {word:?} has no equal here; use another")),
    })
}

/// Refuses what only methods may be called on.
fn known_values(terms: [&Term; 2]) -> Result<(), String> {
    terms.into_iter().try_for_each(|term| term.clone().into_value().map(drop))
}

/// The value of `operator operand`.
pub(super) fn unary(operator: char, operand: &Term) -> Result<Term, String> {
    let ty = if operator == '!' { Ty::Bool } else { operand.ty.clone() };
    match operator {
        '+' => Ok(operand.clone()),
        _ => {
            let text = format!("{operator}{}", operand.within(Level::Whole));
            Ok(Term::at(text, Level::Unary, ty))
        }
    }
}

/// One of two, by a condition.
pub(super) fn ternary(condition: &Term, then: Term, otherwise: Term) -> Result<Term, String> {
    let (then, otherwise) = match (&then.ty, &otherwise.ty) {
        (Ty::Int, Ty::Double) | (Ty::Double, Ty::Int) => (then.as_double(), otherwise.as_double()),
        _ => (then, otherwise),
    };
    let ty = match (&then.ty, &otherwise.ty) {
        (one, other) if one == other => one.clone(),
        (Ty::Instant(one, _), Ty::Instant(other, _)) if one == other => {
            Ty::Instant(one.clone(), None)
        }
        _ => {
            let (then, otherwise) = (then.clone().into_value(), otherwise.clone().into_value());
            then.and(otherwise).map(|_| Ty::Any)?
        }
    };
    let text = format!(
        "{} ? {} : {}",
        condition.within(Level::Or),
        then.within(Level::Or),
        otherwise.within(Level::Ternary)
    );
    Ok(Term::at(text, Level::Ternary, ty))
}
