//! Names that files may have.

/// Names with every odd byte, in UTF-8: nothing in a name is special but the slash and the NUL.
pub(super) fn odd() -> Vec<String> {
    let names = [
        "new\nline",
        "tab\tcr\r",
        "back\\slash",
        "\"quotes\" 'and' `more`",
        " leading",
        "trailing ",
        "-dash",
        "~",
        "*?[a]{b}",
        "$HOME",
        "%2F%00",
        "\u{1}\u{1b}[31m\u{7f}",
        "ünïcödé",
        "e\u{301}",
        "日本語",
        "\u{1f600}",
        "\u{202e}backwards",
        "a:b;c|d&e<f>",
        "...",
        ".hidden",
    ];
    names.map(str::to_owned).into_iter().chain(["n".repeat(255)]).collect()
}
