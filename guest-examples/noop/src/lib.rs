//! A step that returns its input. `segno bench` runs it to measure the host
//! alone, so nothing may be added that a step can do without.

use segno::prelude::*;

/// Hands the input back.
#[segno::step]
pub fn run(input: Value) -> Result<Value> {
    Ok(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_comes_back() {
        let input = json!({ "n": 1, "list": [true, null, "x"] });
        assert_eq!(run(input.clone()).unwrap(), input);
    }
}
