//! `ByteOrder`: integers as the machine that captured wrote them.

/// The order in which a file has the octets of its integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    /// Least significant octet first.
    Little,
    /// Most significant octet first.
    Big,
}

impl ByteOrder {
    /// The 16-bit integer at `at`; 0 where `octets` ends before it: callers have checked the length.
    #[inline]
    pub(super) fn u16_at(self, octets: &[u8], at: usize) -> u16 {
        let chunk = octets.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        match self {
            Self::Little => u16::from_le_bytes(chunk),
            Self::Big => u16::from_be_bytes(chunk),
        }
    }

    /// The 32-bit integer at `at`; 0 where `octets` ends before it: callers have checked the length.
    #[inline]
    pub(super) fn u32_at(self, octets: &[u8], at: usize) -> u32 {
        let chunk = octets.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        match self {
            Self::Little => u32::from_le_bytes(chunk),
            Self::Big => u32::from_be_bytes(chunk),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ByteOrder::{Big, Little};

    #[test]
    fn integers_are_read_in_either_order() {
        let octets = [0xff, 1, 2, 3, 4];
        assert_eq!((Little.u32_at(&octets, 1), Big.u32_at(&octets, 1)), (0x0403_0201, 0x0102_0304));
        assert_eq!((Little.u16_at(&octets, 3), Big.u16_at(&octets, 3)), (0x0403, 0x0304));
        assert_eq!((Little.u32_at(&octets, 2), Big.u16_at(&octets, usize::MAX)), (0, 0));
    }
}
