//! The header: it is up to date, says of everything who owns what and who calls it, and compiles everywhere.

use std::path::Path;
use std::process::Command;

#[path = "../header/generate.rs"]
mod generate;

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

fn committed() -> String {
    std::fs::read_to_string(Path::new(PACKAGE).join("../include/kloset_sdk.h")).unwrap()
}

#[test]
fn the_committed_header_is_that_of_the_interface() {
    let differs = "include/kloset_sdk.h differs from the interface in ffi/src; write it anew with: make header";
    assert!(committed() == generate::header(Path::new(PACKAGE)), "{differs}");
}

#[test]
fn it_compiles_alone_and_twice_in_every_c_and_cpp() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = r#"
        #include <kloset_sdk.h>
        #include <kloset_sdk.h>
        extern kloset_importer importer;
        extern kloset_exporter exporter;
        extern kloset_store store;
        extern kloset_connector connector;
        extern kloset_record record;
        extern kloset_reader_table reader;
        extern kloset_writer_table writer;
        kloset_importer importer = KLOSET_IMPORTER_INIT;
        kloset_exporter exporter = KLOSET_EXPORTER_INIT;
        kloset_store store = KLOSET_STORE_INIT;
        kloset_connector connector = KLOSET_CONNECTOR_INIT;
        kloset_record record = KLOSET_RECORD_INIT;
        kloset_reader_table reader = KLOSET_READER_INIT;
        kloset_writer_table writer = KLOSET_WRITER_INIT;
    "#;
    let compilers =
        [("CC", "cc", "c", &["c99", "c11", "c17", "c2x"]), ("CXX", "c++", "c++", &["c++11", "c++14", "c++17", "c++20"])];
    for (variable, compiler, language, standards) in compilers {
        for standard in standards {
            let file = folder.join(format!("header-{standard}.{}", if language == "c" { "c" } else { "cpp" }));
            std::fs::write(&file, source).unwrap();
            let output = Command::new(std::env::var_os(variable).unwrap_or_else(|| compiler.into()))
                .args([format!("-std={standard}"), format!("-I{PACKAGE}/../include")])
                .args([
                    "-Wall",
                    "-Wextra",
                    "-Werror",
                    "-pedantic",
                    "-Wconversion",
                    "-Wundef",
                    "-x",
                    language,
                    "-c",
                    "-o",
                    "/dev/null",
                ])
                .arg(&file)
                .output()
                .unwrap();
            assert!(output.status.success(), "{standard}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// The comments of functions and of the entries of tables, with what they stand above.
fn documented() -> Vec<(String, String)> {
    let header = committed();
    let mut documented = Vec::new();
    let mut comment = String::new();
    let mut lines = header.lines().peekable();
    while let Some(line) = lines.next() {
        let text = line.trim();
        if text.starts_with("/*") {
            comment = text.to_owned();
            while !comment.ends_with("*/") {
                comment.push(' ');
                let next = lines.next().unwrap().trim();
                comment.push_str(next.strip_prefix("* ").unwrap_or(next));
            }
        } else if !comment.is_empty() {
            let mut code = text.to_owned();
            while code.starts_with("kloset_") && !code.ends_with(';') {
                code.push_str(lines.next().unwrap().trim());
            }
            documented.push((std::mem::take(&mut comment), code));
        }
    }
    documented
}

#[test]
fn everything_that_is_called_says_from_which_thread_and_who_owns_what() {
    let documented = documented();
    let is_function = |code: &str| code.ends_with(");") && !code.starts_with("typedef") && !code.starts_with('#');
    let functions: Vec<_> = documented.iter().filter(|(_, code)| is_function(code)).collect();
    let callbacks = functions.iter().filter(|(_, code)| code.contains("(*")).count();
    assert!(functions.len() > 120 && callbacks > 60, "{} functions, {callbacks} of them callbacks", functions.len());
    // Handles that belong to the call, and the author's own.
    let not_handed_over =
        ["kloset_call *call", "kloset_config *config", "kloset_emitter *out", "kloset_source *source", "void *self"];
    for (comment, code) in functions {
        assert!(comment.contains("[thread "), "no thread in the comment of: {code}");
        let arguments = code.rsplit_once('(').unwrap().1;
        let handed_over = arguments.split(',').any(|argument| {
            argument.contains('*') && !not_handed_over.iter().any(|known| argument.contains(known)) && !argument.contains("**")
        });
        let says = comment.contains("[borrows ") || comment.contains("[takes ");
        assert!(!handed_over || says || code.contains("user_data)"), "no owner in the comment of: {code}");
    }
}

#[test]
fn every_line_of_the_interface_has_a_comment_and_no_c_type_of_changing_size() {
    let header = committed();
    let guide_end = header.find("#ifndef KLOSET_SDK_H").unwrap();
    let mut code = String::new();
    let mut rest = &header[guide_end..];
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").unwrap().1;
    }
    let structs = code
        .split("typedef struct")
        .skip(1)
        .filter_map(|text| text.split_once('{'))
        .map(|(_, text)| text.split_once('}').unwrap().0.to_owned());
    for body in structs {
        for word in body.split(|c: char| !c.is_alphanumeric() && c != '_') {
            assert!(!["bool", "long", "int", "enum", "short", "unsigned", "off_t"].contains(&word), "{word} in {body}");
        }
    }
    assert!(!code.contains("enum "));
}
