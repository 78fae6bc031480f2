//! SHA-256, by which each line names the one before it.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;

/// A SHA-256 value; as text 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first line of a journal names as the one before it.
    pub const ZERO: Self = Self([0; 32]);

    /// Of these octets.
    pub fn of(octets: &[u8]) -> Self {
        Self(Sha256::digest(octets).into())
    }

    /// From 64 lower-case hexadecimal digits; `None` for anything else.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        hex_decode(text).map(Self)
    }

    /// As 64 lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hex_encode(&self.0)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_hex())
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(text.as_bytes()).ok_or_else(|| D::Error::custom("not 64 lower-case hexadecimal digits"))
    }
}

/// A hash of octets that come piece by piece.
#[derive(Default)]
pub(crate) struct Running(Sha256);

impl Running {
    /// Takes in more octets.
    pub(crate) fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    /// The hash of all that was taken in.
    pub(crate) fn finish(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

/// Lower-case hexadecimal digits of these octets.
pub(crate) fn hex_encode(octets: &[u8]) -> String {
    let digit = |value: u8| {
        char::from(if value < 10 { b'0'.wrapping_add(value) } else { b'a'.wrapping_add(value.wrapping_sub(10)) })
    };
    let mut text = String::with_capacity(octets.len().saturating_mul(2));
    for octet in octets {
        text.push(digit(octet >> 4));
        text.push(digit(octet & 15));
    }
    text
}

/// `N` octets from twice as many lower-case hexadecimal digits; upper case is refused, so that each value has one text.
pub(crate) fn hex_decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    if pairs.len() != N {
        return None;
    }
    let mut octets = [0; N];
    for (octet, [high, low]) in octets.iter_mut().zip(pairs) {
        *octet = (value(*high)? << 4) | value(*low)?;
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of FIPS 180-4 for "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn hash_of_abc_is_that_of_the_standard() {
        assert_eq!(Hash::of(b"abc").to_hex(), ABC);
        let mut running = Running::default();
        running.update(b"a");
        running.update(b"bc");
        assert_eq!(running.finish(), Hash::of(b"abc"));
    }

    #[test]
    fn text_has_one_form() {
        assert_eq!(Hash::from_hex(ABC.as_bytes()), Some(Hash::of(b"abc")));
        assert_eq!(Hash::from_hex(ABC.to_uppercase().as_bytes()), None);
        assert_eq!(Hash::from_hex(&ABC.as_bytes()[1..]), None);
        assert_eq!(Hash::from_hex(b""), None);
    }
}
