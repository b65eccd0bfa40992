//! The limits that an author sets for the attempts of a step, within those of
//! the operator. A new limit is one more line in [`read`].

use super::field::{Field, Fields, Keys};
use super::quantity::{bytes, duration_ms, show_bytes, show_ms};
use super::reader::Reader;
use crate::setting::TIMEOUT_MS_MAX;
use crate::workflow::Limits;
use std::str::FromStr;

const KEYS: Keys = Keys {
    of: "limits",
    known: &[
        "memory",
        "table_elements",
        "cpu",
        "wall",
        "handles",
        "host_call",
        "log",
        "output",
        "journal",
        "journal_entries",
    ],
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
        journal_bytes,
        journal_entries,
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
        journal_bytes: limit("journal", Unit::Bytes, journal_bytes),
        journal_entries: limit("journal_entries", Unit::Pieces, journal_entries),
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

/// As an operator writes them on a command line: `memory=256MiB,cpu=30s`.
impl FromStr for Limits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut limits = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("{part:?} is not NAME=VALUE, as in memory=256MiB"))?;
            let (place, unit) = match name {
                "memory" => (&mut limits.memory_bytes, Unit::Bytes),
                "table_elements" => (&mut limits.table_elements, Unit::Pieces),
                "cpu" => (&mut limits.cpu_ms, Unit::Millis),
                "wall" => (&mut limits.wall_ms, Unit::Millis),
                "handles" => (&mut limits.handles, Unit::Pieces),
                "host_call" => (&mut limits.host_call_bytes, Unit::Bytes),
                "log" => (&mut limits.log_bytes, Unit::Bytes),
                "output" => (&mut limits.output_bytes, Unit::Bytes),
                "journal" => (&mut limits.journal_bytes, Unit::Bytes),
                "journal_entries" => (&mut limits.journal_entries, Unit::Pieces),
                _ => {
                    return Err(format!(
                        "there is no limit {name:?}, but {}",
                        KEYS.known.join(", ")
                    ));
                }
            };
            let number = match unit {
                Unit::Bytes => bytes(value),
                Unit::Millis => duration_ms(value, TIMEOUT_MS_MAX),
                Unit::Pieces => value.parse().map_err(|_| format!("{value:?} is not a number")),
            };
            *place = Some(number.map_err(|error| format!("{name}: {error}"))?);
        }
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_write_limits_on_one_line() {
        let limits: Limits = "memory=256MiB, cpu=1500ms,handles=7".parse().unwrap();
        assert_eq!(limits.memory_bytes, Some(256 << 20));
        assert_eq!((limits.cpu_ms, limits.handles, limits.wall_ms), (Some(1_500), Some(7), None));
        for wrong in ["memory", "memory=much", "cpu=5", "fuel=1", "handles=-1"] {
            assert!(wrong.parse::<Limits>().is_err(), "{wrong}");
        }
    }
}
