//! A connector's command line.

use std::fmt;
use std::str::FromStr;

use super::Error;

/// An executable with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The executable's path, or a name that is looked for on the `PATH`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl CommandLine {
    /// What messages call the connector: the executable's name without its folder, and the arguments.
    pub fn name(&self) -> String {
        let program = self.program.rsplit('/').next().unwrap_or(&self.program);
        std::iter::once(program).chain(self.arguments.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }
}

/// Splits as a shell does: at blanks, with `'…'`, `"…"` and `\`. Nothing is expanded.
impl FromStr for CommandLine {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut words = split(text)?.into_iter();
        match words.next() {
            Some(program) if !program.is_empty() => Ok(CommandLine { program, arguments: words.collect() }),
            _ => Err(Error::local("the connector's command line is empty; write it as 'path/to/executable argument…'")),
        }
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

fn split(text: &str) -> Result<Vec<String>, Error> {
    let unclosed = |quote: char| Error::local(format!("the command line {text:?} has a {quote} that is not closed"));
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next().ok_or_else(|| unclosed('\''))? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next().ok_or_else(|| unclosed('"'))? {
                        '"' => break,
                        '\\' => match rest.next().ok_or_else(|| unclosed('"'))? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(rest.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_split_as_a_shell_does() {
        for (text, words) in [
            ("build/fs  importer", &["build/fs", "importer"][..]),
            (" 'a b' c\\ d ", &["a b", "c d"]),
            (r#"x "a \"q\" \n" ''"#, &["x", r#"a "q" \n"#, ""]),
            (r"x'y'z", &["xyz"]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
    }

    #[test]
    fn an_empty_or_unclosed_command_line_is_refused() {
        for text in ["", "  ", "'' x"] {
            let error = text.parse::<CommandLine>().unwrap_err().to_string();
            assert_eq!(error, "the connector's command line is empty; write it as 'path/to/executable argument…'");
        }
        let error = "fs 'importer".parse::<CommandLine>().unwrap_err().to_string();
        assert_eq!(error, "the command line \"fs 'importer\" has a ' that is not closed");
    }

    #[test]
    fn messages_name_the_executable_without_its_folder() {
        assert_eq!("target/release/fs importer".parse::<CommandLine>().unwrap().name(), "fs importer");
    }
}
