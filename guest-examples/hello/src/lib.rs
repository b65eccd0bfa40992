//! A step that greets whoever it is told to: the first one to read.
//!
//! Its input and output are ordinary structs; everything between them and the
//! host is behind the attribute.

use segno::prelude::*;
use serde::{Deserialize, Serialize};

/// Whom to greet.
#[derive(Debug, Deserialize)]
pub struct Guest {
    /// Any name.
    pub name: String,
}

/// What the step says.
#[derive(Debug, PartialEq, Serialize)]
pub struct Greeting {
    /// One sentence.
    pub greeting: String,
}

/// Greets the guest by name.
#[segno::step]
pub fn run(guest: Guest) -> Result<Greeting> {
    let name = guest.name.trim();
    if name.is_empty() {
        return Err(fatal!("there is nobody to greet: `name` is empty"));
    }
    info!("greeting {name}");
    Ok(Greeting { greeting: format!("Hello, {name}!") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(name: &str) -> Guest {
        Guest { name: name.to_owned() }
    }

    #[test]
    fn greets_by_name() {
        assert_eq!(run(guest(" Ada ")).unwrap().greeting, "Hello, Ada!");
    }

    #[test]
    fn nobody_cannot_be_greeted_however_often_one_tries() {
        assert!(run(guest(" ")).unwrap_err().is_fatal());
    }
}
