//! Writes `kloset_sdk.h`: cbindgen turns each module of the interface into a chapter, in the order in which an author needs
//! them, and this puts the chapters together under the guide.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use cbindgen::{Builder, Config, DocumentationLength, DocumentationStyle, Language, SortKey, Style};

/// How wide the header is.
const COLUMNS: usize = 120;

/// The modules, in the order of the chapters.
const CHAPTERS: [&str; 14] = [
    "status",
    "handles",
    "call",
    "config",
    "location",
    "record",
    "emitter",
    "reader",
    "source",
    "writer",
    "importer",
    "exporter",
    "store",
    "connector",
];

/// The structures that the author starts, with the names of their macros.
const STARTED: [(&str, &str); 7] = [
    ("kloset_record", "KLOSET_RECORD_INIT"),
    ("kloset_reader_table", "KLOSET_READER_INIT"),
    ("kloset_writer_table", "KLOSET_WRITER_INIT"),
    ("kloset_importer", "KLOSET_IMPORTER_INIT"),
    ("kloset_exporter", "KLOSET_EXPORTER_INIT"),
    ("kloset_store", "KLOSET_STORE_INIT"),
    ("kloset_connector", "KLOSET_CONNECTOR_INIT"),
];

/// The whole header. `package` is the folder of this package.
pub(crate) fn header(package: &Path) -> String {
    let mut out = include_str!("guide.h").trim_end().to_owned();
    out.push('\n');
    for chapter in CHAPTERS {
        let file = package.join("src").join(format!("{chapter}.rs"));
        let source = std::fs::read_to_string(&file).expect("every chapter has a file");
        let mut text = chapter_text(&file, &source);
        add_initialisers(&mut text);
        if chapter == "call" {
            text.push_str(include_str!("failf.h"));
        }
        write!(out, "\n\n{}\n{text}", banner(&source)).expect("a string takes everything");
    }
    out.push_str(include_str!("end.h"));
    out
}

/// The module's documentation as the chapter's heading.
fn banner(source: &str) -> String {
    let mut out = format!("/* {}\n", "=".repeat(100));
    for line in source.lines().map_while(|line| line.strip_prefix("//!")) {
        let line = line.trim();
        match line.strip_prefix("# ") {
            Some(title) => writeln!(out, " * {}", title.to_uppercase()),
            None => writeln!(out, "{}", format!(" * {line}").trim_end()),
        }
        .expect("a string takes everything");
    }
    out.push_str(" */\n");
    out
}

fn chapter_text(file: &Path, source: &str) -> String {
    let mut config = Config {
        language: Language::C,
        style: Style::Both,
        no_includes: true,
        usize_is_size_t: true,
        documentation_style: DocumentationStyle::C,
        documentation_length: DocumentationLength::Full,
        line_length: 120,
        tab_width: 8,
        sort_by: SortKey::None,
        ..Config::default()
    };
    config.function.sort_by = Some(SortKey::None);
    config.constant.sort_by = Some(SortKey::None);
    config.structure.associated_constants_in_body = false;
    config.export.include = names(source);
    let mut bytes = Vec::new();
    Builder::new().with_config(config).with_src(file).generate().expect("the interface can be written in C").write(&mut bytes);
    let text = String::from_utf8(bytes).expect("cbindgen writes UTF-8");
    let mut items = items(&text);
    let position = |item: &Item| source.find(&format!(" {}", item.declared_as())).unwrap_or(usize::MAX);
    items.sort_by_key(position);
    let mut out = String::new();
    let mut before = String::new();
    for item in items {
        let code: Vec<_> = item.code.iter().map(|line| in_c(&untagged(&line.replace("self_", "self")), source)).collect();
        let family = item.family();
        if !out.is_empty() && (family.is_empty() || family != before) {
            out.push('\n');
        }
        before = family;
        out.push_str(&comment("", &item.comment));
        out.push_str(&with_comments(&code));
    }
    out
}

/// A declaration and what stands above it.
#[derive(Default)]
struct Item {
    comment: Vec<String>,
    code: Vec<String>,
}

impl Item {
    fn name(&self) -> &str {
        let first = &self.code[0];
        let word = |text: &str| -> usize { text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len()) };
        if let Some(rest) = first.strip_prefix("#define ") {
            return &rest[..word(rest)];
        }
        if first.starts_with("typedef") {
            let last = self.code[self.code.len() - 1].trim_end_matches(';');
            return last.rsplit(' ').next().unwrap_or(last);
        }
        let before = first.split('(').next().unwrap_or(first);
        before.rsplit([' ', '*']).next().unwrap_or(before)
    }

    /// How Rust declares it, without the first word.
    fn declared_as(&self) -> String {
        let kind = match &self.code[0] {
            code if code.starts_with("#define ") => "const",
            code if code.starts_with("typedef struct") => "struct",
            code if code.starts_with("typedef") => "type",
            _ => "unsafe extern \"C\" fn",
        };
        let end = match kind {
            "const" => ":",
            "struct" if self.code.len() > 1 => " {",
            "struct" => ";",
            "type" => " =",
            _ => "(",
        };
        let name = self.name();
        match kind {
            "struct" if end == ";" => format!("struct {name}"),
            _ => format!("{kind} {name}{end}"),
        }
    }

    /// Small constants of one family stand together.
    fn family(&self) -> String {
        match self.code[0].strip_prefix("#define ") {
            Some(_) if self.comment.len() == 1 => "constant".to_owned(),
            _ => String::new(),
        }
    }
}

fn items(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut item = Item::default();
    let (mut in_comment, mut depth) = (false, 0i32);
    for line in text.lines() {
        if item.code.is_empty() && (in_comment || line.starts_with("/*")) {
            in_comment = !line.ends_with("*/");
            let line = line.trim_start_matches("/*").trim_end_matches("*/").trim();
            item.comment.push(line.to_owned());
            continue;
        }
        if item.code.is_empty() && line.trim().is_empty() {
            continue;
        }
        item.code.push(line.to_owned());
        depth += line.matches('{').count() as i32 - line.matches('}').count() as i32;
        if depth == 0 && (line.starts_with("#define") || line.ends_with(';')) {
            trim(&mut item.comment);
            items.push(std::mem::take(&mut item));
        }
    }
    items
}

fn trim(lines: &mut Vec<String>) {
    while lines.first().is_some_and(String::is_empty) {
        lines.remove(0);
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
}

/// A comment as one writes it by hand: its paragraphs wrapped.
fn comment(indent: &str, lines: &[String]) -> String {
    let width = COLUMNS - indent.len() - " * ".len();
    let mut wrapped = vec![String::new()];
    for line in lines {
        if line.is_empty() {
            wrapped.extend([String::new(), String::new()]);
        }
        for word in line.split_whitespace() {
            let last = wrapped.last_mut().expect("there is always one");
            if !last.is_empty() && last.len() + 1 + word.len() > width {
                wrapped.push(word.to_owned());
            } else {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(word);
            }
        }
    }
    match &wrapped[..] {
        [line] if line.is_empty() => String::new(),
        [line] if line.len() + 3 <= width => format!("{indent}/* {line} */\n"),
        lines => {
            let mut out = format!("{indent}/*\n");
            for line in lines {
                out.push_str(format!("{indent} * {line}").trim_end());
                out.push('\n');
            }
            out + &format!("{indent} */\n")
        }
    }
}

/// Code in which comments stand, those of a structure's fields.
fn with_comments(code: &[String]) -> String {
    let mut out = String::new();
    let mut block: Option<(String, Vec<String>)> = None;
    for line in code {
        let text = line.trim();
        if block.is_none() && text.starts_with("/*") {
            block = Some((line[..line.len() - line.trim_start().len()].to_owned(), Vec::new()));
        }
        match &mut block {
            Some((indent, lines)) => {
                lines.push(text.trim_start_matches("/*").trim_end_matches("*/").trim().to_owned());
                if text.ends_with("*/") {
                    trim(lines);
                    out.push_str(&comment(indent, lines));
                    block = None;
                }
            }
            None => {
                out.push_str(line.trim_end());
                out.push('\n');
            }
        }
    }
    out
}

/// Every public name of a module, so that cbindgen leaves out none that no function mentions.
fn names(source: &str) -> Vec<String> {
    let starts = ["pub struct ", "pub type "];
    let name = |line: &str| -> Option<String> {
        let rest = starts.iter().find_map(|start| line.strip_prefix(start))?;
        Some(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?.to_owned())
    };
    source.lines().filter_map(name).collect()
}

/// Without `struct` where the typedef says the same.
fn untagged(line: &str) -> String {
    let mut out = String::new();
    let mut parts = line.split("struct kloset_");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let name = part.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(part.len());
        out.push_str(if part[name..].starts_with(" *") { "kloset_" } else { "struct kloset_" });
        out.push_str(part);
    }
    out
}

/// Numbers as a C author writes them.
fn in_c(line: &str, source: &str) -> String {
    let Some(name) = line.strip_prefix("#define ").and_then(|rest| rest.split(' ').next()) else { return line.to_owned() };
    if name == "KLOSET_NUL" {
        return "#define KLOSET_NUL SIZE_MAX".to_owned();
    }
    if name == "KLOSET_UNKNOWN" {
        return "#define KLOSET_UNKNOWN UINT64_MAX".to_owned();
    }
    let octal = source.lines().find_map(|l| l.strip_prefix(&format!("pub const {name}: u32 = 0o")));
    match (octal, line.split_once(" -")) {
        (Some(digits), _) => format!("#define {name} 0{}", digits.trim_end_matches(';').trim_start_matches('0')),
        (None, Some((before, number))) => format!("{before} (-{number})"),
        _ => line.to_owned(),
    }
}

/// Puts a macro that starts a structure behind it.
fn add_initialisers(text: &mut String) {
    let special = BTreeMap::from([
        ("abi_version", "KLOSET_ABI_VERSION"),
        ("xattr_size", "sizeof(kloset_xattr)"),
        ("mode", "KLOSET_MODE_REGULAR | 0644"),
        ("nlink", "1"),
        ("size", "KLOSET_UNKNOWN"),
        ("content_bytes_len", "0"),
    ]);
    for (name, initialiser) in STARTED {
        let end = format!("}} {name};\n");
        let Some(at) = text.find(&end) else { continue };
        let start = text[..at].rfind(&format!("typedef struct {name} {{")).expect("a structure begins before it ends");
        let mut values = Vec::new();
        for field in fields(&text[start..at]) {
            let value = match field.name.as_str() {
                "struct_size" => format!("sizeof({name})"),
                _ if field.pointer => "NULL".to_owned(),
                name if special.contains_key(name) => special[name].to_owned(),
                name if name.ends_with("_len") => "KLOSET_NUL".to_owned(),
                _ => "0".to_owned(),
            };
            values.push(value);
        }
        let mut lines = vec![String::new()];
        for value in values {
            let line = lines.last_mut().expect("there is one");
            if line.len() + value.len() > 80 {
                lines.push(format!("{value}, "));
            } else {
                line.push_str(&value);
                line.push_str(", ");
            }
        }
        let last = lines.last_mut().expect("there is one");
        *last = last.trim_end_matches(", ").to_owned();
        let body: Vec<_> = lines.iter().map(|line| format!("                {}", line.trim_end())).collect();
        let text_of_macro = format!(
            "\n/* Starts one: {name} x = {initialiser}; */\n#define {initialiser} \\\n        {{ \\\n{} \\\n        }}\n",
            body.join(" \\\n")
        );
        text.insert_str(at + end.len(), &text_of_macro);
    }
}

struct Field {
    name: String,
    pointer: bool,
}

/// The fields of a structure as cbindgen writes it.
fn fields(body: &str) -> Vec<Field> {
    let mut code = String::new();
    let mut rest = body.split_once('{').map_or("", |(_, rest)| rest);
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    let field = |text: &str| -> Option<Field> {
        let text = text.trim();
        let name = match text.split_once("(*") {
            Some((_, after)) => after.split(')').next()?,
            None => text.rsplit([' ', '*']).next()?,
        };
        (!name.is_empty()).then(|| Field { name: name.to_owned(), pointer: text.contains('*') })
    };
    code.split(';').filter_map(field).collect()
}
