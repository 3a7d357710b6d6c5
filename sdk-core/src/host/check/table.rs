//! The table of all checks, as `docs/check.md` shows it.

use std::fmt::Write as _;

use super::catalogue::{Group, catalogue};

/// The table of all checks in Markdown: a section for each group, a row for each check.
pub fn table() -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let of_group: Vec<_> = catalogue().filter(|check| check.group == group).collect();
        let _ = writeln!(text, "### {group}: {} checks\n", of_group.len());
        let _ = writeln!(text, "| check | what it proves | the rule behind it | planted fault |\n| --- | --- | --- | --- |");
        for check in of_group {
            let mut only: Vec<_> = check.roles().iter().map(|role| role.name()).collect();
            let every = matches!(group, Group::Importer | Group::Exporter | Group::Store) || only.len() == 3;
            only.retain(|_| !every);
            if let [one] = check.generations() {
                only.push(one.name());
            }
            only.extend(check.full.then_some("full"));
            let only = if only.is_empty() { String::new() } else { format!(" ({})", only.join(", ")) };
            let _ = writeln!(text, "| `{}`{only} | {} | {} | `{}` |", check.name, check.sentence, check.rule, check.fault);
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_documentation_shows_the_table_as_it_is() {
        let page = include_str!("../../../../docs/check.md");
        let after = page.split("<!-- table -->\n").nth(1).expect("docs/check.md has a place for the table");
        assert_eq!(after, super::table(), "write it with: kloset-sdk check --table");
    }
}
