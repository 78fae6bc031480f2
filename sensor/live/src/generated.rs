//! Frames made for tests.

/// A frame of TCP or UDP over IPv4 and Ethernet, with right checksums unless told otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Generated {
    pub(crate) source_mac: [u8; 6],
    pub(crate) destination_mac: [u8; 6],
    pub(crate) source: [u8; 4],
    pub(crate) destination: [u8; 4],
    pub(crate) ports: (u16, u16),
    pub(crate) identification: u16,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
    pub(crate) vlan_tag: Option<u16>,
    pub(crate) protocol: u8,
}

impl Generated {
    pub(crate) fn tcp(source: u16, destination: u16) -> Self {
        Self {
            source_mac: [2, 0, 0, 0, 0, 1],
            destination_mac: [2, 0, 0, 0, 0, 2],
            source: [10, 0, 0, 1],
            destination: [10, 0, 0, 2],
            ports: (source, destination),
            identification: 1,
            flags: 0x18,
            payload: vec![0x5A; 12],
            vlan_tag: None,
            protocol: 6,
        }
    }

    pub(crate) fn udp(source: u16, destination: u16) -> Self {
        Self { protocol: 17, ..Self::tcp(source, destination) }
    }

    pub(crate) fn vlan(self, vlan: u16) -> Self {
        Self { vlan_tag: Some(vlan), ..self }
    }

    pub(crate) fn numbered(self, identification: u16) -> Self {
        Self { identification, ..self }
    }

    /// The same from the other end.
    pub(crate) fn answered(self) -> Self {
        Self {
            source_mac: self.destination_mac,
            destination_mac: self.source_mac,
            source: self.destination,
            destination: self.source,
            ports: (self.ports.1, self.ports.0),
            ..self
        }
    }

    pub(crate) fn octets(&self) -> Vec<u8> {
        let mut upper = Vec::new();
        upper.extend(self.ports.0.to_be_bytes());
        upper.extend(self.ports.1.to_be_bytes());
        if self.protocol == 6 {
            upper.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, self.flags, 0x20, 0, 0, 0, 0, 0]);
        } else {
            upper.extend((8 + self.payload.len() as u16).to_be_bytes());
            upper.extend([0, 0]);
        }
        upper.extend(&self.payload);
        let mut header = vec![0x45, 0];
        header.extend((20 + upper.len() as u16).to_be_bytes());
        header.extend(self.identification.to_be_bytes());
        header.extend([0x40, 0, 64, self.protocol, 0, 0]);
        header.extend(self.source);
        header.extend(self.destination);
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        if self.protocol == 6 {
            let mut pseudo = header[12..20].to_vec();
            pseudo.extend([0, 6]);
            pseudo.extend((upper.len() as u16).to_be_bytes());
            pseudo.extend(&upper);
            let sum = checksum(&pseudo);
            upper[16..18].copy_from_slice(&sum.to_be_bytes());
        }
        let mut frame = Vec::new();
        frame.extend(self.destination_mac);
        frame.extend(self.source_mac);
        if let Some(vlan) = self.vlan_tag {
            frame.extend([0x81, 0x00]);
            frame.extend(vlan.to_be_bytes());
        }
        frame.extend([0x08, 0x00]);
        frame.extend(header);
        frame.extend(upper);
        frame
    }
}

/// The checksum of RFC 1071, written another way than what it tests.
fn checksum(octets: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for (index, octet) in octets.iter().enumerate() {
        sum += u32::from(*octet) << (8 * (1 - index % 2));
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

/// A frame of another EtherType, between two devices.
pub(crate) fn ether(ether_type: u16, network: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend(ether_type.to_be_bytes());
    frame.extend(network);
    frame
}

/// An ARP request, to all.
pub(crate) fn arp() -> Vec<u8> {
    let mut frame =
        ether(0x0806, &[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 9]);
    frame[..6].fill(0xFF);
    frame.resize(60, 0);
    frame
}

/// An ICMPv6 message.
pub(crate) fn ipv6_icmp(kind: u8) -> Vec<u8> {
    let mut network = vec![0x60, 0, 0, 0, 0, 8, 58, 255];
    network.extend([0xFE; 32]);
    network.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
    ether(0x86DD, &network)
}
