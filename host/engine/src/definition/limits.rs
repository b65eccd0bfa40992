//! The limits that an author sets for the attempts of a step, within those of
//! the operator. A new limit is one more line in [`read`].

use super::field::{Field, Fields, Keys};
use super::quantity::{show_bytes, show_ms};
use super::reader::Reader;
use super::workflow::TIMEOUT_MS_MAX;
use crate::workflow::Limits;

const KEYS: Keys = Keys {
    of: "limits",
    known: &["memory", "table_elements", "cpu", "wall", "handles", "host_call", "log", "output"],
    planned: &[],
};

/// What a limit counts.
#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Millis,
    Pieces,
}

/// Reads `limits`.
pub(super) fn read(field: &Field<'_>, reader: &mut Reader<'_>) -> Limits {
    let remedy = "name limits, as in { memory: 64MiB, cpu: 500ms }";
    let Some(fields) = field.fields(remedy, &mut reader.problems) else {
        return Limits::default();
    };
    fields.check_keys(&KEYS, &mut reader.problems);
    let Limits {
        memory_bytes,
        table_elements,
        cpu_ms,
        wall_ms,
        handles,
        host_call_bytes,
        log_bytes,
        output_bytes,
    } = reader.ceiling;
    let mut limit = |key, unit, ceiling| limit(&fields, (key, unit), ceiling, reader);
    Limits {
        memory_bytes: limit("memory", Unit::Bytes, memory_bytes),
        table_elements: limit("table_elements", Unit::Pieces, table_elements),
        cpu_ms: limit("cpu", Unit::Millis, cpu_ms),
        wall_ms: limit("wall", Unit::Millis, wall_ms),
        handles: limit("handles", Unit::Pieces, handles),
        host_call_bytes: limit("host_call", Unit::Bytes, host_call_bytes),
        log_bytes: limit("log", Unit::Bytes, log_bytes),
        output_bytes: limit("output", Unit::Bytes, output_bytes),
    }
}

fn limit(
    fields: &Fields<'_>,
    (key, unit): (&str, Unit),
    ceiling: Option<u64>,
    reader: &mut Reader<'_>,
) -> Option<u64> {
    let field = fields.get(key)?;
    let value = match unit {
        Unit::Bytes => field.bytes(&mut reader.problems),
        Unit::Millis => field.duration_ms(TIMEOUT_MS_MAX, &mut reader.problems),
        Unit::Pieces => field.whole(1..=u64::MAX, &mut reader.problems),
    }?;
    if let Some(ceiling) = ceiling.filter(|ceiling| value > *ceiling) {
        let shown = match unit {
            Unit::Bytes => show_bytes(ceiling),
            Unit::Millis => show_ms(ceiling),
            Unit::Pieces => ceiling.to_string(),
        };
        let message = "is more than the operator allows";
        field.problem(&mut reader.problems, message, format!("ask for at most {shown}"));
    }
    Some(value)
}
