//! Alert on a monitored interface that sends: the sensor must only listen.

use super::wording::of_capture;
use crate::facts::event::{Event, EventKind};
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Text};
use std::collections::BTreeMap;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(SensorTransmits::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0035",
    name: "sensor_transmits",
    severity: Severity::Critical,
    attack: &[],
    serves: &["000", "CSF DE.CM-01", "CSF PR.PS-01", "62443-3-3 SR 6.2", "62443-3-3 SR 7.7"],
    what: Text {
        en: "An interface that the sensor listens at has sent frames into the network that it watches. Told again as the \
             number grows.",
        ja: "センサーが監視に使うインターフェースから、監視対象のネットワークへフレームが送信されました。件数が増えるたび\
             に再度通知します。",
    },
    why: Text {
        en: "The sensor promises never to transmit. Whatever sends there is not the sensor, and may disturb the plant, or \
             be somebody who uses the sensor's machine.",
        ja: "センサーは決して送信しないことを約束しています。送信しているのはセンサー以外の何かであり、設備を妨げるおそれ\
             や、センサーの機器が悪用されているおそれがあります。",
    },
    benign: Text {
        en: "An interface that was not prepared: the machine's own ARP, IPv6, LLDP or DHCP.",
        ja: "インターフェースの準備不足により、機器自身のARP・IPv6・LLDP・DHCPなどが送信された可能性があります。",
    },
    response: Text {
        en: "Prepare the interface (no addresses, no ARP, no IPv6), and look at which program sends. Use a mirror port \
             that takes no frames, or a tap.",
        ja: "インターフェースを準備し（アドレスなし、ARPなし、IPv6なし）、送信しているプログラムを調べてください。入力を受\
             け付けないミラーポートやタップの使用を推奨します。",
    },
    settings: &[Setting { name: "frames", what: "so many frames were sent", default: 1, min: 1, max: 1_000_000 }],
};

static SENT: Text = Text {
    en: "{capture}, which must only listen, has sent {frames} frames",
    ja: "受信専用の {capture} から {frames} フレームが送信されました",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&SENT];

struct SensorTransmits {
    frames: u64,
    /// How many frames were told, by capture: there are few.
    told: BTreeMap<u16, u64>,
    memory: usize,
}

impl SensorTransmits {
    fn new(settings: &Settings, memory: usize) -> Self {
        Self { frames: settings.value(&CARD, "frames"), told: BTreeMap::new(), memory }
    }
}

impl Rule for SensorTransmits {
    fn interest(&self) -> Interest {
        Interest::SENSOR
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        let EventKind::Transmitted { capture, frames } = event.kind else { return };
        if self.told.len() >= self.memory && !self.told.contains_key(&capture) {
            self.told.pop_first();
        }
        let told = self.told.entry(capture).or_default();
        if frames >= self.frames && frames > *told {
            let params = vec![("frames", Param::Number(frames))];
            found.push(of_capture(&SENT, capture, "sent", Severity::Critical, params));
        }
        // The interface may have been made anew, and count from 0.
        *told = frames;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, number};

    #[test]
    fn each_further_frame_is_told_and_none_is_silent() {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let mut told = |frames| {
            let found = bench.show(&mut *rule, &bench.event(0, None, EventKind::Transmitted { capture: 2, frames }));
            found.first().map(|finding| (finding.severity, number(finding, "frames")))
        };
        let critical = Some(Severity::Critical);
        assert_eq!(
            [told(0), told(3), told(3), told(4), told(0), told(1)],
            [None, Some((critical, 3)), None, Some((critical, 4)), None, Some((critical, 1))]
        );
    }
}
