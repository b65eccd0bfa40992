//! A path of the API below a tenant, with every part encoded.

use std::fmt::Write as _;

/// Where a request goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Route {
    path: String,
    query: String,
}

impl Route {
    /// The route with these parts, for example `runs`, `report#3`, `events`.
    pub(super) fn to<const N: usize>(parts: [&str; N]) -> Self {
        let mut route = Self::default();
        for part in parts {
            route.path.push('/');
            encode(part, &mut route.path);
        }
        route
    }

    /// The same with a word of the query.
    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        encode(name, &mut self.query);
        self.query.push('=');
        encode(&value.to_string(), &mut self.query);
        self
    }

    /// The same with a word of the query, if there is a value for it.
    pub(super) fn with_any(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The route for this tenant, as it follows the server's address.
    pub(super) fn of_tenant(&self, tenant: &str) -> String {
        let mut text = String::from("/v1/tenants/");
        encode(tenant, &mut text);
        text + &self.path + &self.query
    }
}

/// Adds `text` with every byte that could mean something else as `%xx`.
fn encode(text: &str, to: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            to.push(byte.into());
        } else {
            write!(to, "%{byte:02X}").expect("a string takes every text");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        let route = Route::to(["runs", "report#3", "events"]).with("wait", 60);
        assert_eq!(
            route.of_tenant("default"),
            "/v1/tenants/default/runs/report%233/events?wait=60"
        );
        let route = Route::to(["workflows", "../a b?"]).with_any("version", None::<u64>);
        assert_eq!(route.of_tenant("é"), "/v1/tenants/%C3%A9/workflows/..%2Fa%20b%3F");
        let route = Route::to(["components"]).with("name", "a/b").with("cursor", "x&y");
        assert_eq!(route.of_tenant("t"), "/v1/tenants/t/components?name=a%2Fb&cursor=x%26y");
    }
}
