//! Edges in the short form: `job.2`, `IF x > 0 THEN job.2`, `OTHERWISE job.3`,
//! or `dag: sequential` for all of them.

use super::super::value::Value;

/// The successors of a job, each with its condition. Its own `transition` comes
/// before the `dag` around it.
///
/// # Errors
/// A line that is none of these forms.
pub(super) fn of(
    job: &Value,
    dag: Option<&Value>,
    next: Option<&str>,
) -> Result<Vec<(String, Value)>, String> {
    let own = job.get("transition").map(Value::elements).unwrap_or_default();
    if !own.is_empty() {
        return read(own);
    }
    match dag {
        Some(Value::Text(order)) => match order.to_ascii_lowercase().as_str() {
            "sequential" => Ok(next.map(|next| edge(next, "true")).into_iter().collect()),
            "parallel" => Ok(Vec::new()),
            _ => Err(format!("there is no order {order:?}; use sequential or parallel")),
        },
        Some(map) => {
            let id = job.get("id").and_then(Value::text).unwrap_or_default();
            read(map.get(id).map(Value::elements).unwrap_or_default())
        }
        None => Ok(Vec::new()),
    }
}

fn edge(id: &str, condition: &str) -> (String, Value) {
    (id.to_owned(), Value::Text(condition.to_owned()))
}

fn read(lines: &[Value]) -> Result<Vec<(String, Value)>, String> {
    let mut edges = Vec::new();
    let mut conditions: Vec<String> = Vec::new();
    for line in lines {
        let text = line.text().unwrap_or_default().trim();
        let words: Vec<_> = text.split_whitespace().collect();
        let refused = || format!("{text:?} is no transition; write IF … THEN …, or OTHERWISE …");
        match words.as_slice() {
            [] => {}
            [id] => edges.push(edge(id, "true")),
            [first, id] if first.eq_ignore_ascii_case("otherwise") => {
                let all =
                    conditions.iter().map(|c| format!("({c})")).collect::<Vec<_>>().join(" || ");
                let condition =
                    if all.is_empty() { "true".to_owned() } else { format!("!({all})") };
                edges.push(edge(id, &condition));
            }
            [first, .., then, id]
                if first.eq_ignore_ascii_case("if") && then.eq_ignore_ascii_case("then") =>
            {
                let before = text.strip_suffix(id).ok_or_else(refused)?.trim_end();
                let end = before.len().saturating_sub(then.len());
                let condition = before.get(2..end).ok_or_else(refused)?.trim();
                conditions.push(condition.to_owned());
                edges.push(edge(id, condition));
            }
            _ => return Err(refused()),
        }
    }
    Ok(edges)
}
