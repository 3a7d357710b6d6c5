//! `kloset-sdk check` as its users run it: what it says, where, and with which exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const FAULTY: &str = env!("CARGO_BIN_EXE_faulty");

/// The command, which `make` builds beside the connector.
fn command() -> Option<PathBuf> {
    let command = Path::new(FAULTY).with_file_name("kloset-sdk");
    if !command.exists() {
        println!("there is no kloset-sdk beside {FAULTY}: skipped");
    }
    command.exists().then_some(command)
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn check(arguments: &[&str]) -> Option<Said> {
    let output = Command::new(command()?).arg("check").args(arguments).output().expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Some(Said { code: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) })
}

fn script(folder: &Path, name: &str, text: &str, mode: u32) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
    path.display().to_string()
}

#[test]
fn what_cannot_be_begun_is_one_line_and_exit_code_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let locked = script(folder.path(), "locked", "#!/bin/sh\n", 0o644);
    let silent = script(folder.path(), "silent", "#!/bin/sh\nexec cat 3>&1 >/dev/null\n", 0o755);
    let chatty = script(folder.path(), "chatty", "#!/bin/sh\necho hello, world\nexec cat 3>&1 >/dev/null\n", 0o755);
    let missing = folder.path().join("missing").display().to_string();
    let folder_itself = folder.path().display().to_string();
    let nowhere = folder.path().join("no/check.xml").display().to_string();
    for (arguments, wanted) in [
        (vec![missing.as_str()], "missing; correct the path, or build the connector"),
        (vec![&locked], "may not be run; chmod +x"),
        (vec![&folder_itself], "is a directory; name the executable in it"),
        (vec!["--timeout", "0.5", &silent, "importer"], "no answer within 0.5 s"),
        (vec!["--timeout", "120", &chatty, "importer"], "printed to its standard output"),
        (vec!["--only", "nonsense", FAULTY], "there is no check \"nonsense\"; kloset-sdk check --table shows them all"),
        (vec!["--role", "store", FAULTY, "importer"], "does not serve as store"),
        (vec!["--junit", &nowhere, FAULTY], "check.xml cannot be written: No such file or directory"),
    ] {
        let Some(said) = check(&arguments) else { return };
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments:?}: {}", said.err);
        assert!(said.err.contains(wanted) && said.err.lines().count() == 1, "{arguments:?}: {}", said.err);
    }
}

#[test]
fn what_a_program_that_ends_at_once_wrote_stands_before_the_line_that_tells_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let ends = script(folder.path(), "ends", "#!/bin/sh\necho no coffee for an $1 >&2\nexit 3\n", 0o755);
    let Some(said) = check(&[&ends]) else { return };
    let line = "kloset-sdk: ends importer: Init: the process ended before this was done, with exit code 3; \
                see above what it wrote to standard error, or run it by hand";
    assert_eq!((said.code, said.out.as_str(), said.err), (2, "", format!("no coffee for an importer\n{line}\n")));
}

#[test]
fn a_role_that_is_not_tried_is_told_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let text =
        format!("#!/bin/sh\ncase $1 in exporter) exit 3;; store) exec '{FAULTY}' importer;; esac\nexec '{FAULTY}' \"$@\"\n");
    let some = script(folder.path(), "some", &text, 0o755);
    let Some(said) = check(&["--only", "init/root", &some]) else { return };
    let lines = "kloset-sdk: note: not tried as exporter: the process ended before this was done, with exit code 3\n\
                 kloset-sdk: note: not tried as store: it does not serve as that\n";
    assert_eq!((said.code, said.err.as_str()), (0, lines), "{}", said.out);
    assert!(said.out.starts_with("ok    init/root (importer): "), "{}", said.out);
}

#[test]
fn roles_are_found_and_lines_a_summary_and_exit_code_0_tell_that_all_is_well() {
    let Some(said) = check(&["--only", "init/root", "--only", "list-nothing", FAULTY]) else { return };
    let lines: Vec<_> = said.out.lines().collect();
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(lines[0].starts_with("ok    init/root (importer): the root is an absolute, clean path  "), "{}", said.out);
    assert!(lines[1].starts_with("ok    init/root (exporter): "), "{}", said.out);
    assert!(lines[2].starts_with("ok    store/list-nothing: a new repository lists nothing  "), "{}", said.out);
    assert!(lines[4].starts_with("3 checks: 3 passed, 0 failed, 0 skipped, in "), "{}", said.out);
}

#[test]
fn a_failure_is_explained_with_the_rule_and_the_last_log_lines_and_exit_code_1() {
    let Some(said) = check(&["--only", "secrets", FAULTY, "importer", "--fault", "logs-the-password"]) else {
        return;
    };
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(
        said.out.contains("FAIL  process/secrets (importer): the value of a secret option is in no log line"),
        "{}",
        said.out
    );
    assert!(said.out.contains("      expected  no log line holds the value"), "{}", said.out);
    assert!(said.out.contains("      log       faulty: configuration"), "{}", said.out);
    assert!(said.out.contains("1 check: 0 passed, 1 failed, 0 skipped"), "{}", said.out);
}

#[test]
fn a_check_that_cannot_be_tried_says_why() {
    let Some(said) = check(&["--location", "faulty:///tmp", "--only", "wide", "--only", "never-created", FAULTY, "importer"])
    else {
        return;
    };
    assert!(said.out.starts_with("skip  importer/wide: a directory with thousands of entries"), "{}", said.out);
    assert!(said.out.contains("; the location is not a directory that can be looked into"), "{}", said.out);
    assert_eq!(said.code, 0, "{}", said.out);
}

#[test]
fn json_is_an_object_a_line_and_junit_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let xml = folder.path().join("check.xml").display().to_string();
    let arguments =
        ["--json", "--junit", &xml, "--only", "init/root", "--only", "flags", FAULTY, "exporter", "--fault", "unknown-flag"];
    let Some(said) = check(&arguments) else { return };
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    let lines: Vec<_> = said.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", said.out);
    assert!(lines[0].contains(r#""found":"passed""#) && lines[0].contains(r#""name":"root""#), "{}", lines[0]);
    assert!(lines[1].contains(r#""found":"failed""#) && lines[1].contains(r#""came":"1056""#), "{}", lines[1]);
    assert!(lines[2].contains(r#""event":"summary""#) && lines[2].contains(r#""failed":1"#), "{}", lines[2]);
    let xml = fs::read_to_string(&xml).expect("the file");
    assert!(xml.contains("<testsuite name=\"init\" tests=\"2\" failures=\"1\" skipped=\"0\">"), "{xml}");
    assert!(xml.contains("<failure message=\"1056\">"), "{xml}");
}
