//! Hashes: a name for content, and the same bucket for the same key in every
//! run. CEL has no such functions.

use super::super::meter::Halt;
use super::super::value::Value;
use super::call::Call;
use super::{Native, Signature, Style};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Signature] = &[
    Signature("sha256", Style::Global, [1, 1], Native(sha256)),
    Signature("bucket", Style::Global, [2, 2], Native(bucket)),
];

/// How many bytes are hashed at the price of an operation.
const BYTES_PER_OPERATION: usize = 8;

/// What a hash costs besides its bytes, in operations.
const HASH: usize = 16;

/// The digest of text or bytes; of a whole number, that of its text.
fn digest(call: &mut Call<'_, '_>) -> Result<[u8; 32], Halt> {
    let number;
    let bytes = match call.get(0) {
        Some(Value::Text(text)) => text.as_str().as_bytes(),
        Some(Value::Other(cel::Value::Bytes(bytes))) => bytes.as_slice(),
        Some(Value::Int(value)) => {
            number = value.to_string();
            number.as_bytes()
        }
        _ => return Err(call.fault(only(call.get(0)))),
    };
    call.meter.charge(HASH + bytes.len() / BYTES_PER_OPERATION)?;
    Ok(Sha256::digest(bytes).into())
}

fn only(value: Option<&Value<'_>>) -> String {
    let kind = value.map_or("nothing", Value::type_name);
    format!("takes a string, bytes or an int, not {kind}; use json.encode(…)")
}

fn sha256<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let mut text = String::new();
    for byte in digest(call)? {
        write!(text, "{byte:02x}").map_err(|error| call.fault(error))?;
    }
    call.give_text(&text)
}

fn bucket<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let count = match u64::try_from(call.int(1)?) {
        Ok(count) if count > 0 => count,
        _ => return Err(call.fault("needs 1 bucket or more")),
    };
    let [a, b, c, d, e, f, g, h, ..] = digest(call)?;
    let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]) % count;
    Ok(Value::Int(i64::try_from(number).map_err(|error| call.fault(error))?))
}
