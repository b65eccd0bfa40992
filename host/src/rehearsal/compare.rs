//! Where two documents differ, and where one is no part of another.

use serde_json::Value;

/// The first place where what is differs from what is wanted.
pub(super) struct Difference<'v> {
    /// The way there, as in `.gave[3].error`; empty for the whole.
    pub(super) path: String,
    pub(super) wanted: &'v Value,
    pub(super) is: &'v Value,
}

impl<'v> Difference<'v> {
    fn whole(wanted: &'v Value, is: &'v Value) -> Self {
        Self { path: String::new(), wanted, is }
    }

    fn below(self, place: &str) -> Self {
        Self { path: format!("{place}{}", self.path), ..self }
    }
}

/// Whether both say the same; `2` and `2.0` do.
pub(super) fn same(wanted: &Value, is: &Value) -> bool {
    difference(wanted, is).is_none()
}

/// Where the two do not say the same: as deep inside as they have a place in
/// common.
pub(super) fn difference<'v>(wanted: &'v Value, is: &'v Value) -> Option<Difference<'v>> {
    let whole = || Some(Difference::whole(wanted, is));
    match (wanted, is) {
        (Value::Number(one), Value::Number(other)) => {
            let both_whole = one.is_u64() && other.is_u64();
            let is_same = one == other || !both_whole && one.as_f64() == other.as_f64();
            if is_same { None } else { whole() }
        }
        (Value::Array(ones), Value::Array(others)) if ones.len() == others.len() => {
            ones.iter().zip(others).enumerate().find_map(|(place, (one, other))| {
                difference(one, other).map(|found| found.below(&format!("[{place}]")))
            })
        }
        (Value::Object(ones), Value::Object(others)) if ones.keys().eq(others.keys()) => {
            ones.iter().find_map(|(key, one)| {
                difference(one, &others[key]).map(|found| found.below(&format!(".{key}")))
            })
        }
        (Value::Array(_) | Value::Object(_), _) => whole(),
        _ if wanted == is => None,
        _ => whole(),
    }
}

/// Where an object has not these members. Of its headers only those count that
/// are named too.
pub(super) fn lack<'v>(wanted: &'v Value, is: &'v Value) -> Option<Difference<'v>> {
    let Value::Object(members) = wanted else { return difference(wanted, is) };
    members.iter().find_map(|(key, one)| {
        let Some(other) = is.get(key) else { return Some(Difference::whole(wanted, is)) };
        let found = if key == "headers" { lack(one, other) } else { difference(one, other) };
        found.map(|found| found.below(&format!(".{key}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_the_same_however_they_are_written() {
        assert!(same(&json!({ "a": [2] }), &json!({ "a": [2.0] })));
        assert!(!same(&json!({ "a": 2 }), &json!({ "a": 2, "b": 3 })));
        assert!(!same(&json!([1]), &json!([1, 2])));
        assert!(!same(&json!(u64::MAX), &json!(u64::MAX - 1)));
    }

    #[test]
    fn the_place_of_a_difference_is_as_deep_as_possible() {
        let (wanted, is) = (json!({ "a": [1, { "b": 2 }] }), json!({ "a": [1, { "b": "2" }] }));
        let found = difference(&wanted, &is).unwrap();
        assert_eq!((found.path.as_str(), found.is), (".a[1].b", &json!("2")));
        let other = json!({ "a": [1, { "c": 2 }] });
        assert_eq!(difference(&wanted, &other).unwrap().path, ".a[1]");
    }

    #[test]
    fn only_what_is_named_has_to_fit() {
        let request = json!({
            "method": "POST", "headers": { "a": "1", "b": "2" }, "json": { "x": 1, "y": 2 },
        });
        let place = |wanted: Value| lack(&wanted, &request).map(|found| found.path);
        assert_eq!(place(json!({ "method": "POST", "headers": { "b": "2" } })), None);
        assert_eq!(place(json!({ "headers": { "b": "3" } })).as_deref(), Some(".headers.b"));
        assert_eq!(place(json!({ "headers": { "c": "3" } })).as_deref(), Some(".headers"));
        assert_eq!(place(json!({ "json": { "x": 1 } })).as_deref(), Some(".json"));
        assert_eq!(place(json!({ "body": "x" })).as_deref(), Some(""));
    }
}
