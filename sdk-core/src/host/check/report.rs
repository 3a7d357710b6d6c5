//! What the suite says: lines while it runs, a summary that explains what failed, JSON, JUnit.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::catalogue::Group;
use super::run::{Found, Ran};
use crate::host::values::one_line;
use crate::secrets::mask;

/// `importer/tree`, and the role where the name does not tell it.
fn name(ran: &Ran) -> String {
    match ran.check.group {
        Group::Process | Group::Init | Group::Stress => format!("{}/{} ({})", ran.check.group, ran.check.name, ran.role),
        group => format!("{group}/{}", ran.check.name),
    }
}

/// A check that has run, in a line.
pub fn line(ran: &Ran) -> String {
    let (name, sentence) = (name(ran), ran.check.sentence);
    match &ran.found {
        Found::Passed => format!("ok    {name}: {sentence}  {:.2} s", ran.took.as_secs_f64()),
        Found::Failed { .. } => format!("FAIL  {name}: {sentence}"),
        Found::Skipped(why) => format!("skip  {name}: {sentence}; {}", one_line(why)),
    }
}

/// What failed, and why; several lines each.
pub fn explained(all: &[Ran]) -> String {
    let mut text = String::new();
    for ran in all {
        if let Found::Failed { expected, came, log } = &ran.found {
            let _ = writeln!(text, "\nFAIL  {}: {}", name(ran), ran.check.sentence);
            for (what, said) in [("expected", expected.as_str()), ("came", came), ("rule", ran.check.rule)] {
                let _ = writeln!(text, "      {what:<9} {}", one_line(&mask(said)));
            }
            for (at, line) in log.iter().enumerate() {
                let _ = writeln!(text, "      {:<9} {}", if at == 0 { "log" } else { "" }, one_line(&mask(line)));
            }
        }
    }
    text
}

/// How many passed, failed, and were not tried.
pub fn summary(all: &[Ran]) -> String {
    let [passed, failed, skipped] = counts(all);
    let took: f64 = all.iter().map(|ran| ran.took.as_secs_f64()).sum();
    let checks = if all.len() == 1 { "check" } else { "checks" };
    format!("{} {checks}: {passed} passed, {failed} failed, {skipped} skipped, in {took:.1} s", all.len())
}

fn counts(all: &[Ran]) -> [usize; 3] {
    let count = |is: fn(&Found) -> bool| all.iter().filter(|ran| is(&ran.found)).count();
    [
        count(|found| matches!(found, Found::Passed)),
        count(|found| matches!(found, Found::Failed { .. })),
        count(|found| matches!(found, Found::Skipped(_))),
    ]
}

/// A check that has run, for programs.
pub fn json(ran: &Ran) -> Value {
    let (found, expected, came, log, why) = match &ran.found {
        Found::Passed => ("passed", None, None, None, None),
        Found::Failed { expected, came, log } => ("failed", Some(expected), Some(came), Some(log), None),
        Found::Skipped(why) => ("skipped", None, None, None, Some(why)),
    };
    json!({
        "event": "check", "group": ran.check.group.name(), "name": ran.check.name, "role": ran.role.name(),
        "sentence": ran.check.sentence, "rule": ran.check.rule, "found": found, "expected": expected, "came": came, "log": log,
        "why": why, "seconds": ran.took.as_secs_f64(),
    })
}

/// Everything as JUnit's XML, a test suite for each group.
pub fn junit(all: &[Ran]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let [_, failed, skipped] = counts(all);
    let _ = writeln!(
        xml,
        "<testsuites name=\"kloset-sdk check\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\">",
        all.len()
    );
    for group in Group::ALL {
        let of_group: Vec<_> = all.iter().filter(|ran| ran.check.group == group).cloned().collect();
        if of_group.is_empty() {
            continue;
        }
        let [_, failed, skipped] = counts(&of_group);
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{group}\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\">",
            of_group.len()
        );
        for ran in &of_group {
            let (name, class) = (escaped(ran.check.sentence), format!("{}.{group}.{}", ran.role, ran.check.name));
            let _ = write!(xml, "    <testcase name=\"{name}\" classname=\"{class}\" time=\"{:.3}\"", ran.took.as_secs_f64());
            let _ = match &ran.found {
                Found::Passed => writeln!(xml, "/>"),
                Found::Skipped(why) => writeln!(xml, "><skipped message=\"{}\"/></testcase>", escaped(why)),
                Found::Failed { came, .. } => {
                    let whole = explained(std::slice::from_ref(ran));
                    writeln!(xml, "><failure message=\"{}\">{}</failure></testcase>", escaped(came), escaped(&whole))
                }
            };
        }
        xml.push_str("  </testsuite>\n");
    }
    xml + "</testsuites>\n"
}

/// As XML can hold it: some characters have no place in it, however they are written.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in mask(text).chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\n' | '\t' => xml.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => xml.extend(c.escape_default()),
            c => xml.push(c),
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::host::check::{Role, catalogue};

    fn ran(found: Found) -> Ran {
        let check = catalogue().find(|check| check.name == "exit-code").unwrap();
        Ran { check, role: Role::Importer, found, took: Duration::from_millis(1500) }
    }

    fn failure() -> Found {
        Found::Failed { expected: "a <b>".into(), came: "c\n\x01".into(), log: vec!["first".into(), "second".into()] }
    }

    #[test]
    fn a_line_tells_what_was_found() {
        assert_eq!(
            line(&ran(Found::Passed)),
            format!("ok    process/exit-code (importer): {}  1.50 s", ran(Found::Passed).check.sentence)
        );
        assert!(line(&ran(Found::Skipped("no".into()))).ends_with("; no"));
    }

    #[test]
    fn a_failure_is_explained_by_what_was_expected_what_came_the_rule_and_the_log() {
        let text = explained(&[ran(Found::Passed), ran(failure())]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[2], "      expected  a <b>");
        assert_eq!(lines[3], "      came      c\\n\\u{1}");
        assert!(lines[4].starts_with("      rule      "));
        assert_eq!(lines[5..], ["      log       first", "                second"]);
    }

    #[test]
    fn junit_counts_and_escapes() {
        let xml = junit(&[ran(Found::Passed), ran(failure()), ran(Found::Skipped("no \"reason\"".into()))]);
        assert!(xml.contains("<testsuite name=\"process\" tests=\"3\" failures=\"1\" skipped=\"1\">"), "{xml}");
        assert!(xml.contains("<skipped message=\"no &quot;reason&quot;\"/>"));
        assert!(xml.contains("c\n\\u{1}") && xml.contains("a &lt;b&gt;"));
    }
}
