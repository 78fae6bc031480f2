//! Alert on a fault of the sensor itself: what it could not read, keep or hand on.

use super::wording::{client, server};
use crate::facts::event::{Event, EventKind, SensorFault as Fault};
use crate::norm::Basis;
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Text};

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, _| Box::new(SensorFault) };

static CARD: Card = Card {
    id: "OT-0036",
    name: "sensor_fault",
    severity: Severity::Medium,
    attack: &[],
    serves: &["000", "002 5.1.3.4", "CSF DE.CM-01", "CSF PR.PS-04", "62443-3-3 SR 2.10", "62443-3-3 SR 6.2"],
    what: Text {
        en: "Something went wrong in the sensor: a packet could not be read for a fault in the program, a protocol is no \
             longer read after many such faults, a part did not answer, storage is full, or an output takes nothing. A \
             flow whose packet could not be read is set aside for ten minutes.",
        ja: "センサー内部で異常が発生しました（プログラムの不具合によるパケットの解析失敗、その多発によるプロトコル解析の停\
             止、応答しない処理、保存領域の不足、出力の停止）。解析に失敗したパケットのフローは10分間対象から外されます。",
    },
    why: Text {
        en: "What the sensor could not read was not judged. Who knows a fault may send the packet that meets it, to be \
             left alone afterwards.",
        ja: "解析できなかった通信は検査されていません。不具合を知る者が、監視を逃れるために意図的にそのパケットを送るおそ\
             れがあります。",
    },
    benign: Text {
        en: "A fault in the program, a full disk, an output that is down.",
        ja: "プログラムの不具合、ディスクの満杯、出力先の停止などが考えられます。",
    },
    response: Text {
        en: "Report it with the packet that was kept. Look at who sent it, and watch those two by other means meanwhile. \
             For storage and outputs: make room, or mend what takes the records.",
        ja: "保存されたパケットを添えて報告してください。送信元を調べ、その間は当該の二者を別の手段で監視してください。保\
             存領域や出力先の場合は、空きを確保するか受信側を復旧してください。",
    },
    settings: &[],
};

static PANIC: Text = Text {
    en: "a packet could not be read for a fault in the sensor ({part}: {text}); its flow is set aside",
    ja: "センサーの不具合によりパケットを解析できませんでした（{part}: {text}）。該当フローは対象から外されます",
};
static DISABLED: Text = Text {
    en: "{part} is no longer read in this share of the flows, after too many faults in the sensor ({text})",
    ja: "センサーの不具合が多発したため、この区分のフローでは {part} の解析を停止しました（{text}）",
};
static HANG: Text = Text {
    en: "a part of the sensor did not answer in time ({part}: {text})",
    ja: "センサーの処理が時間内に応答しませんでした（{part}: {text}）",
};
static STORAGE: Text = Text {
    en: "what is to be kept finds no room ({part}: {text})",
    ja: "保存領域が不足しています（{part}: {text}）",
};
static OUTPUT: Text = Text {
    en: "an output takes nothing ({part}: {text})",
    ja: "出力先が受け付けません（{part}: {text}）",
};
static OTHER: Text = Text {
    en: "a fault in the sensor ({part}: {text})",
    ja: "センサーに異常が発生しました（{part}: {text}）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&PANIC, &DISABLED, &HANG, &STORAGE, &OUTPUT, &OTHER];

struct SensorFault;

impl Rule for SensorFault {
    fn interest(&self) -> Interest {
        Interest::SENSOR
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        let EventKind::SensorFault(fact) = &event.kind else { return };
        let (text, severity) = match fact.fault {
            Fault::Panic => (&PANIC, Severity::Medium),
            Fault::Disabled => (&DISABLED, Severity::High),
            Fault::Hang => (&HANG, Severity::High),
            Fault::StorageFull => (&STORAGE, Severity::High),
            Fault::OutputStuck => (&OUTPUT, Severity::Medium),
            Fault::Other => (&OTHER, Severity::Medium),
        };
        let word = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let part: String = fact.part.chars().map(word).collect();
        found.push(Finding {
            text,
            params: vec![
                ("fault", Param::Word(fact.fault.name())),
                ("part", Param::Text(fact.part.to_string())),
                ("text", Param::Wire(fact.text.as_bytes().into())),
            ],
            subject: format!("{}/{part}", fact.fault.name()),
            severity: Some(severity),
            basis: Basis::None,
            flow: event.flow.clone(),
            assets: event.flow.iter().flat_map(|flow| [client(flow), server(flow)]).collect(),
            earlier: Vec::new(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, flow};
    use crate::facts::event::FaultFact;

    #[test]
    fn each_fault_has_its_sentence_and_its_subject_is_one_word() {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let faults = [Fault::Panic, Fault::Disabled, Fault::Hang, Fault::StorageFull, Fault::OutputStuck, Fault::Other];
        for (fault, text) in faults.into_iter().zip(TEXTS) {
            let kind = EventKind::SensorFault(Box::new(FaultFact::new(fault, "out 1\n", "no room", None)));
            let found = bench.show(&mut *rule, &bench.event(0, None, kind));
            assert_eq!((found[0].text, found[0].subject.clone()), (*text, format!("{}/out_1_", fault.name())));
            assert!(found[0].flow.is_none() && found[0].assets.is_empty());
        }
        assert!(bench.show(&mut *rule, &bench.event(0, None, EventKind::Tick)).is_empty());
    }

    #[test]
    fn a_fault_at_a_packet_names_its_flow() {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let fact = FaultFact::new(Fault::Panic, "modbus", &"ポ".repeat(100), Some(&[0; 70_000]));
        assert_eq!((fact.text.len(), fact.octets.as_ref().map(|octets| octets.len())), (255, Some(65_536)));
        let flow = flow("10.0.0.1", "10.0.0.2", 502);
        let found = bench.tell(&mut *rule, 0, &flow, EventKind::SensorFault(Box::new(fact)));
        assert_eq!((found[0].assets.len(), found[0].subject.as_str()), (2, "panic/modbus"));
    }
}
