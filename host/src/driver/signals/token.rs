//! Tokens of one-time URLs: the tenant, so that the URL needs to name none, and
//! as much randomness as nobody can guess.

use crate::driver::{Driver, WaitpointError};
use crate::store::WaitpointRecord;
use segno_engine::id::TenantId;
use std::fmt::Write as _;

/// A token that nobody has and nobody can guess, for this tenant.
pub(crate) fn new_token(tenant: &TenantId) -> String {
    let random: [u8; 20] = rand::random();
    let mut token = format!("{tenant}.");
    for byte in random {
        write!(token, "{byte:02x}").expect("a string takes every text");
    }
    token
}

/// Whose token this is, if it has the form of one.
pub(crate) fn tenant_of(token: &str) -> Option<TenantId> {
    let (tenant, random) = token.split_once('.')?;
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_token = random.len() == 40 && random.bytes().all(is_hex);
    is_token.then(|| tenant.parse().ok()).flatten()
}

impl Driver {
    /// What a one-time URL is for, used or not.
    ///
    /// # Errors
    /// There is no such URL, or the store fails.
    pub async fn waitpoint(&self, token: &str) -> Result<WaitpointRecord, WaitpointError> {
        let tenant = tenant_of(token).ok_or(WaitpointError::Unknown)?;
        let record = self.0.store.waitpoint(&tenant, token)?;
        self.0.store.barrier().durable().await?;
        record.ok_or(WaitpointError::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_whose_it_is_and_no_two_are_alike() {
        let owner: TenantId = "a-1".parse().unwrap();
        let (one, other) = (new_token(&owner), new_token(&owner));
        assert_ne!(one, other);
        assert_eq!(tenant_of(&one), Some(owner));
        for wrong in ["", "a-1", "a-1.", "A.00", &one[1..], &one[..one.len() - 1]] {
            assert_ne!(tenant_of(wrong).map(|_| wrong), Some(one.as_str()), "{wrong}");
        }
        assert_eq!(tenant_of(&one[..one.len() - 1]), None);
    }
}
