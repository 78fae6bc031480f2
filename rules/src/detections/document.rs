//! `docs/detections.md`, written from the cards.

use super::CATALOG;
use super::catalogue::{CHAPTERS, State, WANTED};
use crate::rule::{Card, Text};
use std::fmt::Write;

/// The text of `docs/detections.md`: every card in full, in both languages, and then every alert that is known to be
/// wanted, with what has become of it. The same octets on every call.
pub fn detections_markdown() -> String {
    let mut out = String::new();
    // Writing to a `String` cannot fail.
    let _ = write(&mut out);
    out
}

fn write(out: &mut String) -> std::fmt::Result {
    out.push_str(
        "# Detections\n\n\
         What Yagura alerts on. This file is written from the cards in the code \
         (`yagura show detections --format markdown`); do not edit it.\n\n\
         Each may be switched off, given another severity or other settings in the site file, by its name: \
         `[detection.write_unusual]`, `severity = \"critical\"`, `enabled = false`. A severity of the site file \
         holds for all findings of the detection. Equal findings (same detection, same subject) are told once; \
         repeats within ten minutes of packet time are counted and told by one closing alert. ATT&CK ids are those \
         of ATT&CK for ICS version 19, with the older id in brackets where it differs.\n\n",
    );
    out.push_str("| id | name | severity | what it means |\n| --- | --- | --- | --- |\n");
    for card in CATALOG.iter().map(|one| one.card) {
        let first = card.what.en.split_inclusive(['.', ':']).next().unwrap_or_default().trim_end_matches(['.', ':']);
        writeln!(out, "| [{}](#{}) | `{}` | {} | {} |", card.id, anchor(card), card.name, card.severity.name(), first)?;
    }
    for card in CATALOG.iter().map(|one| one.card) {
        describe(out, card)?;
    }
    wanted(out)
}

/// The anchor that a heading of the form `OT-0001 asset_new` gets.
fn anchor(card: &Card) -> String {
    format!("{}-{}", card.id.to_lowercase(), card.name)
}

fn describe(out: &mut String, card: &Card) -> std::fmt::Result {
    write!(out, "\n## {} {}\n\n", card.id, card.name)?;
    writeln!(out, "- Severity: {}", card.severity.name())?;
    let techniques: Vec<String> = card
        .attack
        .iter()
        .map(|technique| match technique.old {
            Some(old) => format!("{} ({old}) {}", technique.id, technique.name),
            None => format!("{} {}", technique.id, technique.name),
        })
        .collect();
    if !techniques.is_empty() {
        writeln!(out, "- ATT&CK for ICS: {}", techniques.join("; "))?;
    }
    writeln!(out, "- Serves: {}", card.serves.join("; "))?;
    for (en, ja, text) in [
        ("What", "内容", &card.what),
        ("Why it matters", "なぜ重要か", &card.why),
        ("Harmless causes", "無害な原因", &card.benign),
        ("What to do", "対応", &card.response),
    ] {
        paragraph(out, en, ja, text)?;
    }
    if card.settings.is_empty() {
        return Ok(());
    }
    out.push_str("\n| setting | meaning | default | least | most |\n| --- | --- | --: | --: | --: |\n");
    for setting in card.settings {
        writeln!(
            out,
            "| `{}` | {} | {} | {} | {} |",
            setting.name, setting.what, setting.default, setting.min, setting.max
        )?;
    }
    Ok(())
}

fn paragraph(out: &mut String, en: &str, ja: &str, text: &Text) -> std::fmt::Result {
    write!(out, "\n**{en}.** {}\n\n**{ja}:** {}\n", text.en, text.ja)
}

fn wanted(out: &mut String) -> std::fmt::Result {
    let count = |is: fn(&State) -> bool| WANTED.iter().filter(|wanted| is(&wanted.state)).count();
    out.push_str("\n# What else is wanted, and what has become of it\n\n");
    writeln!(
        out,
        "{} alerts are known to be wanted of a monitor of control networks. {} are built, {} are to come, {} cannot be \
         seen by one who only listens.",
        WANTED.len(),
        count(|state| matches!(state, State::Built(..))),
        count(|state| matches!(state, State::ToCome(_))),
        count(|state| matches!(state, State::Unseen(_))),
    )?;
    for (letter, title) in CHAPTERS {
        write!(out, "\n## {letter}. {title}\n\n| row | alert | state |\n| --- | --- | --- |\n")?;
        for wanted in WANTED.iter().filter(|wanted| wanted.row.starts_with(*letter)) {
            writeln!(out, "| {} | {} | {} |", wanted.row, wanted.alert, state(&wanted.state))?;
        }
    }
    Ok(())
}

fn state(state: &State) -> String {
    match state {
        State::Built(names, rest) => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let rest = if rest.is_empty() { String::new() } else { format!(" ({rest})") };
            format!("built: {}{rest}", names.join(", "))
        }
        State::ToCome(reason) => format!("to come: {reason}"),
        State::Unseen(reason) => format!("not possible by listening: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_and_every_row_is_in_it() {
        let text = detections_markdown();
        for card in CATALOG.iter().map(|one| one.card) {
            assert!(text.contains(&format!("\n## {} {}\n", card.id, card.name)));
            assert!(text.contains(card.response.en) && text.contains(card.response.ja));
            for setting in card.settings {
                assert!(text.contains(&format!("| `{}` | {}", setting.name, setting.what)));
            }
        }
        for wanted in WANTED {
            assert!(text.contains(&format!("\n| {} | {} |", wanted.row, wanted.alert)));
        }
        assert!(text.contains("T1692.001 (T0855) Unauthorized Message: Command Message"));
    }

    #[test]
    fn it_is_clean_and_the_same_each_time() {
        let text = detections_markdown();
        assert_eq!(text, detections_markdown());
        assert!(text.ends_with("|\n") && !text.contains("\n\n\n"));
        for line in text.lines() {
            assert_eq!(line, line.trim_end());
            if line.starts_with('|') {
                assert!(line.ends_with('|') && line.matches('|').count() >= 4, "{line}");
            }
        }
    }
}
