//! CRC-16/DNP, eight octets a step.

const STRIDE: usize = 8;

/// The table of a single octet, then for each further table the same octet with one more zero octet behind it.
const fn make_tables() -> [[u16; 256]; STRIDE] {
    let mut tables = [[0_u16; 256]; STRIDE];
    let mut index = 0_u16;
    #[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "at compile time, and below 256")]
    while index < 256 {
        let mut crc = index;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xA6BC } else { crc >> 1 };
            bit = u8::wrapping_add(bit, 1);
        }
        tables[0][index as usize] = crc;
        index = index.wrapping_add(1);
    }
    let mut table = 1_usize;
    #[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "at compile time, and below 256")]
    while table < STRIDE {
        let mut index = 0_usize;
        while index < 256 {
            let before = tables[table.wrapping_sub(1)][index];
            tables[table][index] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            index = index.wrapping_add(1);
        }
        table = table.wrapping_add(1);
    }
    tables
}

static TABLES: [[u16; 256]; STRIDE] = make_tables();

#[inline]
fn entry(table: &[u16; 256], octet: u8) -> u16 {
    table.get(usize::from(octet)).copied().unwrap_or(0)
}

/// The remainder after eight more octets. The lookups do not wait for each other, as those of octet after octet do.
#[inline]
fn step(crc: u16, octets: &[u8; STRIDE]) -> u16 {
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
    let [a, b, c, d, e, f, g, h] = *octets;
    let [low, high] = crc.to_le_bytes();
    entry(t7, a ^ low)
        ^ entry(t6, b ^ high)
        ^ entry(t5, c)
        ^ entry(t4, d)
        ^ entry(t3, e)
        ^ entry(t2, f)
        ^ entry(t1, g)
        ^ entry(t0, h)
}

/// CRC-16/DNP: polynomial 0x3D65 (reflected 0xA6BC), initial value 0, complemented; sent low octet first
/// (IEEE 1815-2012 9.2.4).
#[inline]
#[must_use]
pub fn crc(octets: &[u8]) -> u16 {
    let (head, rest) = octets.split_at_checked(octets.len() % STRIDE).unwrap_or((octets, &[]));
    // Zeros in front change nothing, since the initial value is 0: so there is no odd octet.
    let head = head.iter().fold(0_u64, |head, octet| head << 8 | u64::from(*octet));
    let mut crc = if head == 0 { 0 } else { step(0, &head.to_be_bytes()) };
    for octets in rest.as_chunks::<STRIDE>().0 {
        crc = step(crc, octets);
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::crc;

    /// Bit by bit, as the polynomial says.
    fn slow(octets: &[u8]) -> u16 {
        let mut crc = 0_u16;
        for octet in octets {
            crc ^= u16::from(*octet);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0xA6BC } else { crc >> 1 };
            }
        }
        !crc
    }

    #[test]
    fn the_check_value_of_the_nine_digits() {
        assert_eq!(crc(b"123456789"), 0xEA82);
    }

    #[test]
    fn a_frame_that_is_known() {
        // Reset of link states from 1024 to 1.
        assert_eq!(crc(&[0x05, 0x64, 0x05, 0xC0, 0x01, 0x00, 0x00, 0x04]).to_le_bytes(), [0xE9, 0x21]);
    }

    #[test]
    fn as_bit_by_bit_at_every_length() {
        let octets: Vec<u8> = (0..64_u32).map(|n| (n * 167 + 13) as u8).collect();
        for len in 0..=octets.len() {
            assert_eq!(crc(&octets[..len]), slow(&octets[..len]), "{len} octets");
        }
        assert_eq!(crc(&[]), 0xFFFF);
    }
}
