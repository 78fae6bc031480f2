//! The tables of type identifications, causes and qualifiers, held to those of the standard.

use super::*;

fn type_ids() -> impl Iterator<Item = TypeId> {
    (0..=255).map(TypeId)
}

#[test]
fn rows_stand_where_they_are_looked_for() {
    for row in TYPES {
        assert_eq!(TypeId(row.code).row(), Some(row), "{}", row.name);
    }
    assert_eq!(type_ids().filter(|id| id.row().is_some()).count(), TYPES.len());
}

#[test]
fn each_number_is_standard_private_or_reserved() {
    for id in type_ids() {
        let ways = [id.row().is_some(), id.is_private(), id.is_reserved()];
        assert_eq!(ways.into_iter().filter(|way| *way).count(), 1, "{}", id.0);
        assert_eq!(id.name().is_none(), id.is_reserved());
    }
    for reserved in [0, 22, 29, 42, 44, 52, 57, 65, 69, 71, 80, 88, 89, 96, 99, 108, 109, 114, 119] {
        assert!(TypeId(reserved).is_reserved(), "{reserved}");
    }
    assert!(TypeId(128).is_private());
    assert!(!TypeId(127).is_private());
}

/// Names and octets of an information object, as the standard's tables have them.
#[test]
fn names_and_sizes_are_those_of_the_standard() {
    let standard: &[(u8, &str, usize)] = &[
        (1, "M_SP_NA_1", 1),
        (2, "M_SP_TA_1", 4),
        (3, "M_DP_NA_1", 1),
        (4, "M_DP_TA_1", 4),
        (5, "M_ST_NA_1", 2),
        (6, "M_ST_TA_1", 5),
        (7, "M_BO_NA_1", 5),
        (8, "M_BO_TA_1", 8),
        (9, "M_ME_NA_1", 3),
        (10, "M_ME_TA_1", 6),
        (11, "M_ME_NB_1", 3),
        (12, "M_ME_TB_1", 6),
        (13, "M_ME_NC_1", 5),
        (14, "M_ME_TC_1", 8),
        (15, "M_IT_NA_1", 5),
        (16, "M_IT_TA_1", 8),
        (17, "M_EP_TA_1", 6),
        (18, "M_EP_TB_1", 7),
        (19, "M_EP_TC_1", 7),
        (20, "M_PS_NA_1", 5),
        (21, "M_ME_ND_1", 2),
        (30, "M_SP_TB_1", 8),
        (31, "M_DP_TB_1", 8),
        (32, "M_ST_TB_1", 9),
        (33, "M_BO_TB_1", 12),
        (34, "M_ME_TD_1", 10),
        (35, "M_ME_TE_1", 10),
        (36, "M_ME_TF_1", 12),
        (37, "M_IT_TB_1", 12),
        (38, "M_EP_TD_1", 10),
        (39, "M_EP_TE_1", 11),
        (40, "M_EP_TF_1", 11),
        (41, "S_IT_TC_1", 12),
        (45, "C_SC_NA_1", 1),
        (46, "C_DC_NA_1", 1),
        (47, "C_RC_NA_1", 1),
        (48, "C_SE_NA_1", 3),
        (49, "C_SE_NB_1", 3),
        (50, "C_SE_NC_1", 5),
        (51, "C_BO_NA_1", 4),
        (58, "C_SC_TA_1", 8),
        (59, "C_DC_TA_1", 8),
        (60, "C_RC_TA_1", 8),
        (61, "C_SE_TA_1", 10),
        (62, "C_SE_TB_1", 10),
        (63, "C_SE_TC_1", 12),
        (64, "C_BO_TA_1", 11),
        (70, "M_EI_NA_1", 1),
        (100, "C_IC_NA_1", 1),
        (101, "C_CI_NA_1", 1),
        (102, "C_RD_NA_1", 0),
        (103, "C_CS_NA_1", 7),
        (104, "C_TS_NA_1", 2),
        (105, "C_RP_NA_1", 1),
        (106, "C_CD_NA_1", 2),
        (107, "C_TS_TA_1", 9),
        (110, "P_ME_NA_1", 3),
        (111, "P_ME_NB_1", 3),
        (112, "P_ME_NC_1", 5),
        (113, "P_AC_NA_1", 1),
        (120, "F_FR_NA_1", 6),
        (121, "F_SR_NA_1", 7),
        (122, "F_SC_NA_1", 4),
        (123, "F_LS_NA_1", 5),
        (124, "F_AF_NA_1", 4),
        (126, "F_DR_TA_1", 13),
        (127, "F_SC_NB_1", 16),
    ];
    for (code, name, octets) in standard {
        let id = TypeId(*code);
        assert_eq!((id.name(), id.element_octets()), (Some(*name), Some(ElementSize::Fixed(*octets))));
    }
    let variable = TYPES.iter().filter(|row| row.size == ElementSize::Variable).map(|row| row.code);
    assert!(variable.eq((81..=87).chain(90..=95).chain([125])));
    assert_eq!(standard.len() + 14, TYPES.len());
}

#[test]
fn the_104_leaves_out_short_times_and_two_tests() {
    let left_out = type_ids().filter(|id| !id.in_104() && !id.is_reserved()).map(|id| id.0);
    assert!(left_out.eq([2, 4, 6, 8, 10, 12, 14, 16, 17, 18, 19, 104, 106]));
    for id in type_ids() {
        assert!(id.time_tag() != TimeTag::Cp24 || !id.in_104(), "{}", id.0);
    }
}

#[test]
fn verbs_are_those_of_the_house() {
    let verbs = [
        (1..=21, Verb::Report),
        (30..=41, Verb::Report),
        (45..=51, Verb::Control),
        (58..=64, Verb::Control),
        (70..=70, Verb::Report),
        (81..=87, Verb::Session),
        (90..=95, Verb::Session),
        (100..=102, Verb::Read),
        (103..=103, Verb::Synchronize),
        (104..=104, Verb::Diagnose),
        (105..=105, Verb::Restart),
        (106..=106, Verb::Synchronize),
        (107..=107, Verb::Diagnose),
        (110..=113, Verb::Configure),
        (120..=127, Verb::Transfer),
    ];
    for id in type_ids() {
        let expected = verbs.iter().find(|(ids, _)| ids.contains(&id.0)).map_or(Verb::Other, |(_, verb)| *verb);
        assert_eq!(id.verb(), expected, "{}", id.0);
    }
    let counters = TypeId::COUNTER_INTERROGATION;
    assert_eq!(counters.verb_with(Some(0x05)), Verb::Read);
    for freeze in [0x45, 0x85, 0xC5] {
        assert_eq!(counters.verb_with(Some(freeze)), Verb::Control);
    }
    assert_eq!(TypeId::INTERROGATION.verb_with(Some(0xFF)), Verb::Read);
}

#[test]
fn types_differ_in_their_time_tag_only() {
    for id in type_ids() {
        let without = id.without_time();
        assert_eq!(without.without_time(), without);
        assert_eq!(id.space(), without.space(), "{}", id.0);
        if id != without {
            assert_ne!(id.time_tag(), TimeTag::None);
            let elements = |id: TypeId| id.row().unwrap().elements[0];
            assert_eq!(elements(id), elements(without), "{}", id.0);
        }
    }
    let tags = [(1, TimeTag::None), (2, TimeTag::Cp24), (38, TimeTag::Cp56), (64, TimeTag::Cp56), (103, TimeTag::None)];
    for (id, tag) in tags {
        assert_eq!(TypeId(id).time_tag(), tag);
    }
}

/// Type identifications, and the causes that go with them beside 44 and the private ones.
#[test]
fn causes_go_with_types_as_in_the_standards_table() {
    let ended: &[u8] = &[6, 7, 8, 9, 10, 45, 46, 47];
    let once: &[u8] = &[6, 7, 45, 46, 47];
    let table: &[(&[u8], &[u8], bool, bool)] = &[
        (&[1, 3, 5, 20], &[2, 3, 5, 11, 12], true, false),
        (&[2, 4, 6, 30, 31, 32], &[3, 5, 11, 12], false, false),
        (&[7], &[2, 3, 5], true, false),
        (&[8, 10, 12, 14, 33, 34, 35, 36], &[3, 5], false, false),
        (&[9, 11, 13, 21], &[1, 2, 3, 5], true, false),
        (&[15, 16, 37, 41], &[3], false, true),
        (&[17, 18, 19, 38, 39, 40], &[3], false, false),
        (&[45, 46, 47, 48, 49, 50, 51, 58, 59, 60, 61, 62, 63, 64, 100], ended, false, false),
        (&[70], &[4], false, false),
        (&[81, 82, 83, 84, 85, 86, 87, 90, 91, 92, 93, 94, 95], &[14, 15, 16, 45, 46, 47], false, false),
        (&[101], &[6, 7, 10, 45, 46, 47], false, false),
        (&[102], &[5, 45, 46, 47], false, false),
        (&[103, 106], &[3, 6, 7, 45, 46, 47], false, false),
        (&[104, 105, 107], once, false, false),
        (&[110, 111, 112], once, true, false),
        (&[113], &[6, 7, 8, 9, 45, 46, 47], false, false),
        (&[120, 121, 123, 124, 125], &[13, 45, 46, 47], false, false),
        (&[122, 127], &[5, 13, 45, 46, 47], false, false),
        (&[126], &[3, 5], false, false),
    ];
    let mut rows = 0;
    for (ids, listed, interrogated, counters) in table {
        for id in ids.iter().copied().map(TypeId) {
            rows += 1;
            for cause in 0..=255 {
                let expected = listed.contains(&cause)
                    || *interrogated && (20..=36).contains(&cause)
                    || *counters && (37..=41).contains(&cause)
                    || matches!(cause, 44 | 48..=63);
                assert_eq!(Cause(cause).allowed_with(id), expected, "type {} cause {cause}", id.0);
            }
            assert_eq!(id.terminates(), listed.contains(&10), "type {}", id.0);
        }
    }
    assert_eq!(rows, TYPES.len());
    // Of a private or reserved type nothing is known.
    assert!(Cause(6).allowed_with(TypeId(136)));
    assert!(!Cause(0).allowed_with(TypeId(136)));
}

#[test]
fn causes_are_defined_where_they_have_a_name() {
    for cause in (0..=255).map(Cause) {
        let undefined = matches!(cause.0, 0 | 17..=19 | 42 | 43 | 64..);
        assert_eq!(cause.is_defined(), !undefined, "{}", cause.0);
        assert_eq!(cause.name().is_some(), cause.is_defined(), "{}", cause.0);
        assert_eq!(cause.is_private(), cause.name() == Some("private"));
    }
    assert_eq!(Cause::ACTIVATION.name(), Some("activation"));
    assert_eq!(Cause(36).name(), Some("interrogated_by_group_16_interrogation"));
    assert_eq!(Cause(41).name(), Some("requested_by_group_4_counter_request"));
}

#[test]
fn commands_select_where_they_have_the_bit() {
    for id in type_ids() {
        let has_bit = id.row().is_some_and(|row| {
            row.elements.iter().any(|element| {
                matches!(element, SingleCommand | DoubleCommand | RegulatingStepCommand | SetPointQualifier)
            })
        });
        assert_eq!(id.is_command_with_select(), has_bit, "{}", id.0);
        assert_eq!(id.has_no_address(), matches!(id.0, 70 | 100 | 101 | 103..=107), "{}", id.0);
    }
}

#[test]
fn types_travel_as_their_name_says() {
    for row in TYPES {
        let id = TypeId(row.code);
        let (monitor, control) = match row.name.as_bytes()[0] {
            b'M' => (true, false),
            b'C' | b'P' => (false, true),
            b'S' if row.code == 41 => (true, false),
            b'S' => (true, true),
            _ => (row.code != 127, row.code != 126),
        };
        assert_eq!((id.monitor(), id.control()), (monitor, control), "{}", row.name);
    }
}

#[test]
fn u_formats_have_exactly_one_function() {
    let named = (0..=255).filter(|octet| u_format_name(*octet).is_some());
    assert!(named.eq([0x07, 0x0B, 0x13, 0x23, 0x43, 0x83]));
}

#[test]
fn qualifiers_have_names_where_they_are_not_reserved() {
    let named = |name: fn(u8) -> Option<&'static str>| (0..=255).filter(|octet| name(*octet).is_some()).collect();
    let expect = |ranges: &[std::ops::RangeInclusive<u8>]| ranges.iter().cloned().flatten().collect::<Vec<u8>>();
    let cases: [(Vec<u8>, Vec<u8>); 12] = [
        (named(interrogation_name), expect(&[20..=36, 64..=255])),
        (named(counter_request_name), expect(&[1..=5, 32..=63])),
        (named(counter_freeze_name), expect(&[0..=3])),
        (named(parameter_kind_name), expect(&[1..=4, 32..=63])),
        (named(parameter_activation_name), expect(&[1..=3, 128..=255])),
        (named(command_qualifier_name), expect(&[0..=3, 9..=31])),
        (named(set_point_qualifier_name), expect(&[0..=0, 64..=127])),
        (named(reset_process_name), expect(&[1..=2, 128..=255])),
        (named(initialization_name), expect(&[0..=2, 32..=127])),
        (named(select_and_call_name), expect(&[0..=7, 11..=15])),
        (named(file_error_name), expect(&[0..=5, 11..=15])),
        (named(last_section_or_segment_name), expect(&[1..=4, 128..=255])),
    ];
    for (got, expected) in cases {
        assert_eq!(got, expected);
    }
    assert_eq!((0..16).filter_map(acknowledgement_name).count(), 9);
}
