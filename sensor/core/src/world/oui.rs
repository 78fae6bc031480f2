//! MAC address to vendor, by the registry of organisationally unique identifiers.

use yagura_parsers::packet::link::MacAddr;

/// The vendor that a MAC address was made by; none for addresses that somebody set.
pub fn vendor(mac: MacAddr) -> Option<&'static str> {
    if mac.is_local() || mac.is_group() {
        return None;
    }
    let text: String = mac.0.iter().map(|octet| format!("{octet:02X}")).collect();
    oui_data::lookup(&text).map(oui_data::OuiData::organization)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_are_known_by_prefix() {
        assert!(vendor(MacAddr([0x00, 0x80, 0xf4, 1, 2, 3])).is_some_and(|name| name.contains("TELEMECANIQUE")));
        assert_eq!(vendor(MacAddr([0x02, 0x80, 0xf4, 1, 2, 3])), None);
    }
}
