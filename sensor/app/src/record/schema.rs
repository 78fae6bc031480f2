//! The embedded schemas, and the document of records that is made of them.

use super::wire::Shape;
use std::fmt::Write as _;

/// A record type with its JSON Schema (2020-12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// The type's name.
    pub name: &'static str,
    /// The schema's text.
    pub text: &'static str,
}

/// Every record type, in the order of the document.
pub const SCHEMAS: &[Schema] = &[
    Schema { name: "run", text: include_str!("../../../../docs/schema/run.schema.json") },
    Schema { name: "alert", text: include_str!("../../../../docs/schema/alert.schema.json") },
    Schema { name: "asset", text: include_str!("../../../../docs/schema/asset.schema.json") },
    Schema { name: "point", text: include_str!("../../../../docs/schema/point.schema.json") },
    Schema { name: "summary", text: include_str!("../../../../docs/schema/summary.schema.json") },
    Schema { name: "stats", text: include_str!("../../../../docs/schema/stats.schema.json") },
    Schema { name: "health", text: include_str!("../../../../docs/schema/health.schema.json") },
    Schema { name: "disposition", text: include_str!("../../../../docs/schema/disposition.schema.json") },
    Schema { name: "audit", text: include_str!("../../../../docs/schema/audit.schema.json") },
    Schema { name: "eve-alert", text: include_str!("../../../../docs/schema/eve-alert.schema.json") },
];

/// The schema of a record type.
pub fn schema(name: &str) -> Option<&'static Schema> {
    SCHEMAS.iter().find(|schema| schema.name == name)
}

const HEAD: &str = "\
# Records

What the sensor writes, made from `docs/schema/*.schema.json` by `yagura show records --format markdown`.

- One record a line, UTF-8, at most 16 KiB; what had to be shortened or left out is named under `cut`.
- Every key is always there, with `null` where nothing is known; EVE lines leave such keys out, as that format does.
- `yagura replay` writes one `run`, then `alert`s in the order of frames, then `asset`s where `--assets` asks for them, \
then one `summary`. `--format eve` writes alerts alone. `yagura assets --format json` writes `asset`s, `yagura points --json` `point`s, \
`yagura stats --json` one `stats`.
- `yagura run` writes into its journal: `alert`s, `health`, `disposition`s and `audit` records, each as `record` of a line that has \
`sequence`, `id`, `written`, `class`, `severity` and `previous` beside it; and the journal's own `checkpoint`s and `gap`s.
- The same captures and files give the same octets, on every machine and with every number of threads.
- Text from the wire is UTF-8, or `hex:` and its octets as hexadecimal digits where it is none (or itself starts with `hex:`): \
nothing is lost. Characters that act upon a terminal or an eye (controls, marks of writing direction, invisible ones) are \
written as `\\uXXXX`.
- `--lang en` and `--lang ja` choose the language of `summary` and `card`; with `--lang both` these are English, and \
`summary_ja` and `card_ja` are Japanese.
- Several captures are one timeline: ids count frames of the timeline, `capture` and `frame` name the file and the frame in it.
";

/// The document of all records, as Markdown.
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for Schema { name, text: source } in SCHEMAS {
        let Ok(root) = serde_json::from_str::<Shape>(source) else { continue };
        let _ = write!(text, "\n## `{name}`\n\n{}\n\n", described(&root));
        text.push_str("| key | type | meaning |\n| --- | --- | --- |\n");
        for Row { key, kind, meaning } in rows(&root) {
            let _ = writeln!(text, "| `{key}` | {kind} | {meaning} |");
        }
    }
    text
}

/// The keys of a record type, for a terminal.
pub fn plain(schema: &Schema) -> String {
    let Ok(root) = serde_json::from_str::<Shape>(schema.text) else { return String::new() };
    let mut text = format!("{}: {}\n", schema.name, described(&root));
    let rows = rows(&root);
    let width = rows.iter().map(|row| row.key.len()).max().unwrap_or(0);
    for Row { key, kind, meaning } in rows {
        let _ = writeln!(text, "  {key:width$}  {meaning} ({kind})");
    }
    text
}

struct Row {
    key: String,
    kind: String,
    meaning: String,
}

/// What is still to be written: a key's name and its schema.
type Waiting<'a> = Vec<(String, &'a Shape)>;

fn rows(root: &Shape) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut waiting: Waiting<'_> = Vec::new();
    open(root, root, "", &mut waiting);
    while let Some((key, schema)) = waiting.pop() {
        rows.push(Row { kind: kind(schema, root), meaning: described(schema), key: key.clone() });
        let inner = resolved(schema, root);
        match inner.member("items") {
            Some(items) => open(resolved(items, root), root, &format!("{key}[]."), &mut waiting),
            None => open(inner, root, &format!("{key}."), &mut waiting),
        }
    }
    rows
}

/// Puts an object's properties on the pile, so that the first comes off first.
fn open<'a>(schema: &'a Shape, _root: &'a Shape, prefix: &str, waiting: &mut Waiting<'a>) {
    if let Some(Shape::Object(properties)) = schema.member("properties") {
        waiting.extend(properties.iter().rev().map(|(name, schema)| (format!("{prefix}{name}"), schema)));
    }
}

/// The schema that a reference or an alternative with `null` stands for.
fn resolved<'a>(schema: &'a Shape, root: &'a Shape) -> &'a Shape {
    if let Some(Shape::List(choices)) = schema.member("anyOf")
        && let Some(first) = choices.first()
    {
        return resolved(first, root);
    }
    let name = schema.member("$ref").and_then(Shape::text).and_then(|text| text.strip_prefix("#/$defs/"));
    name.and_then(|name| root.member("$defs")?.member(name)).unwrap_or(schema)
}

fn described(schema: &Shape) -> String {
    schema.member("description").and_then(Shape::text).unwrap_or_default().replace('|', "\\|")
}

fn kind(schema: &Shape, root: &Shape) -> String {
    let inner = resolved(schema, root);
    let mut kinds: Vec<String> = match inner.member("type") {
        Some(Shape::Text(one)) => vec![one.clone()],
        Some(Shape::List(several)) => several.iter().filter_map(Shape::text).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    if let Some(constant) = inner.member("const") {
        kinds = vec![format!("`{}`", super::write::line(constant))];
    }
    if let Some(Shape::List(choices)) = inner.member("enum") {
        kinds = choices.iter().map(|choice| format!("`{}`", super::write::line(choice))).collect();
    }
    if schema.member("anyOf").is_some() {
        kinds.push("null".to_owned());
    }
    kinds.join(" or ")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Holds a line to a schema, by as much of JSON Schema as our schemas use.
    pub(crate) fn assert_valid(name: &str, line: &str) {
        let root: Shape = serde_json::from_str(schema(name).unwrap().text).unwrap();
        let value: Shape = serde_json::from_str(line).unwrap();
        if let Err(problem) = check(&value, &root, &root, name) {
            panic!("{problem}\n{line}");
        }
    }

    const KEYWORDS: &[&str] = &[
        "$schema",
        "$id",
        "$defs",
        "$ref",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "minimum",
        "maximum",
        "pattern",
    ];

    fn check(value: &Shape, schema: &Shape, root: &Shape, path: &str) -> Result<(), String> {
        let Shape::Object(keywords) = schema else { return Err(format!("{path}: no schema")) };
        let number = match value {
            Shape::Unsigned(number) => Some(*number as f64),
            Shape::Signed(number) => Some(*number as f64),
            Shape::Real(number) => Some(*number),
            _ => None,
        };
        let limit = |limit: &Shape| match limit {
            Shape::Unsigned(limit) => *limit as f64,
            other => panic!("{other:?}"),
        };
        for (keyword, rule) in keywords {
            assert!(KEYWORDS.contains(&keyword.as_str()), "{path}: {keyword} is not understood here");
            let fine = match (keyword.as_str(), rule) {
                ("$ref", Shape::Text(_)) => {
                    check(value, resolved(schema, root), root, path)?;
                    true
                }
                ("anyOf", Shape::List(choices)) => {
                    choices.iter().any(|choice| check(value, choice, root, path).is_ok())
                }
                ("type", Shape::Text(kind)) => is(value, kind),
                ("type", Shape::List(kinds)) => kinds.iter().any(|kind| is(value, kind.text().unwrap())),
                ("const", constant) => value == constant,
                ("enum", Shape::List(choices)) => choices.contains(value),
                ("minimum", least) => number.is_none_or(|number| number >= limit(least)),
                ("maximum", most) => number.is_none_or(|number| number <= limit(most)),
                ("required", Shape::List(names)) => {
                    if let Some(missing) = names.iter().find(|name| value.member(name.text().unwrap()).is_none()) {
                        return Err(format!("{path}: {missing:?} is missing"));
                    }
                    true
                }
                ("items", items) => {
                    let Shape::List(values) = value else { continue };
                    for (index, value) in values.iter().enumerate() {
                        check(value, items, root, &format!("{path}[{index}]"))?;
                    }
                    true
                }
                ("additionalProperties", extra) => {
                    let Shape::Object(members) = value else { continue };
                    for (name, member) in members {
                        let path = format!("{path}.{name}");
                        match (schema.member("properties").and_then(|all| all.member(name)), extra) {
                            (Some(known), _) => check(member, known, root, &path)?,
                            (None, Shape::Bool(true)) => {}
                            (None, Shape::Bool(_)) => return Err(format!("{path}: is not in the schema")),
                            (None, others) => check(member, others, root, &path)?,
                        }
                    }
                    true
                }
                _ => true,
            };
            if !fine {
                return Err(format!("{path}: {value:?} against {keyword} {rule:?}"));
            }
        }
        Ok(())
    }

    fn is(value: &Shape, kind: &str) -> bool {
        match kind {
            "null" => *value == Shape::Null,
            "boolean" => matches!(value, Shape::Bool(_)),
            "integer" => matches!(value, Shape::Unsigned(_) | Shape::Signed(_)),
            "number" => matches!(value, Shape::Unsigned(_) | Shape::Signed(_) | Shape::Real(_)),
            "string" => matches!(value, Shape::Text(_)),
            "array" => matches!(value, Shape::List(_)),
            "object" => matches!(value, Shape::Object(_)),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_check_can_fail() {
        let root: Shape = serde_json::from_str(schema("run").unwrap().text).unwrap();
        let refused = |json: &str| check(&serde_json::from_str(json).unwrap(), &root, &root, "run").unwrap_err();
        assert!(refused("{}").contains("is missing"));
        let run = super::super::run::RunRecord::new(None, None, &[], Vec::new(), None, None).line();
        assert!(refused(&run.replace("{\"type\"", "{\"more\":1,\"type\"")).contains("more: is not in the schema"));
        assert!(refused(&run.replace("\"schema\":1", "\"schema\":2")).contains("const"));
        assert!(refused(&run.replace("\"captures\":[]", "\"captures\":[1]")).contains("captures[0]"));
    }

    #[test]
    fn every_object_is_closed_and_every_key_described() {
        for Schema { name, text } in SCHEMAS {
            let root: Shape = serde_json::from_str(text).unwrap();
            assert_eq!(root.member("$schema").unwrap().text(), Some("https://json-schema.org/draft/2020-12/schema"));
            let open_ones = [
                "fields",
                "params",
                "protocols",
                "carried",
                "ethertypes",
                "undecoded_octets",
                "anomalies",
                "limits",
                "unjudged",
            ];
            let mut waiting = vec![(String::new(), &root)];
            while let Some((key, schema)) = waiting.pop() {
                if let Shape::Object(members) = schema {
                    if schema.member("properties").is_some_and(|inner| matches!(inner, Shape::Object(_)))
                        && !open_ones.contains(&key.as_str())
                        && key != "additionalProperties"
                    {
                        assert_eq!(schema.member("additionalProperties"), Some(&Shape::Bool(false)), "{name} {key}");
                    }
                    waiting.extend(members.iter().map(|(key, schema)| (key.clone(), schema)));
                } else if let Shape::List(choices) = schema {
                    waiting.extend(choices.iter().map(|choice| (key.clone(), choice)));
                }
            }
            for row in rows(&root) {
                assert!(!row.meaning.is_empty() && !row.kind.is_empty(), "{name} {}", row.key);
            }
        }
    }

    #[test]
    fn the_document_is_the_one_that_is_checked_in() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/records.md");
        assert_eq!(std::fs::read_to_string(path).unwrap(), markdown(), "yagura show records --format markdown");
    }
}
