//! What a user may never read in a message or a log: the values of secret options and the user information of URLs.

use std::borrow::Cow;
use std::sync::RwLock;

pub(crate) const MASK: &str = "***";

/// Values shorter than this are masked only where they stand alone, or a password of one letter would blot out every text.
const MIN_INSIDE_A_WORD: usize = 4;

static KNOWN: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Whether an option of this name holds something secret.
///
/// Names with `password`, `passphrase`, `token`, `secret`, `credential` or the like anywhere in them, and those in which
/// `key`, `pin` or `auth` is a word of its own or `key` the end: `access_key`, `apikey`, but not `keyboard`.
pub fn is_secret_name(name: &str) -> bool {
    const ANYWHERE: [&str; 8] = ["password", "passwd", "passphrase", "passcode", "token", "secret", "credential", "pwd"];
    const WORDS: [&str; 4] = ["key", "pin", "auth", "pass"];
    let name = name.to_ascii_lowercase();
    ANYWHERE.iter().any(|part| name.contains(part))
        || name.ends_with("key")
        || name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| WORDS.contains(&word))
}

/// Remembers a value that must not be shown from now on.
pub(crate) fn remember(value: &str) {
    if value.is_empty() {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(|e| e.into_inner());
    if !known.iter().any(|k| k == value) {
        known.push(value.to_owned());
        // The longest first, so that a secret that holds another is not left half readable.
        known.sort_by_key(|k| std::cmp::Reverse(k.len()));
    }
}

/// The text with every known secret and every URL's user information replaced by `***`.
pub fn mask(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for secret in KNOWN.read().unwrap_or_else(|e| e.into_inner()).iter() {
        if text.contains(secret.as_str()) {
            text = Cow::Owned(replace(&text, secret));
        }
    }
    if text.contains("://") {
        text = Cow::Owned(mask_user_information(&text));
    }
    text
}

fn replace(text: &str, secret: &str) -> String {
    if secret.len() >= MIN_INSIDE_A_WORD {
        return text.replace(secret, MASK);
    }
    let alone = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(secret) {
        let end = at + secret.len();
        if alone(text[..at].chars().next_back()) && alone(text[end..].chars().next()) {
            out.push_str(&text[from..at]);
            out.push_str(MASK);
            from = end;
        }
    }
    out.push_str(&text[from..]);
    out
}

/// The user information of a URL: what stands between `://` and the last `@` before the next `/` or blank.
pub(crate) fn user_information(url: &str) -> Option<&str> {
    let rest = &url[url.find("://")? + 3..];
    let authority = &rest[..rest.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(rest.len())];
    authority.rfind('@').map(|at| &authority[..at])
}

fn mask_user_information(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        out.push_str(before);
        rest = match user_information(&rest[at..]) {
            Some(user) => {
                out.push_str(MASK);
                &url[user.len()..]
            }
            None => url,
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secret_options_are_told_from_others() {
        for name in
            ["password", "passphrase", "passphrase_cmd", "api_token", "client-secret", "key", "access_key", "apikey", "PIN"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["location", "user", "keyboard", "speed", "spinner", "author"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn the_user_information_of_a_url_is_masked() {
        assert_eq!(mask("cannot reach sftp://me:pw@host/x or http://a"), "cannot reach sftp://***@host/x or http://a");
        assert_eq!(mask("s3://k:p@ss@host"), "s3://***@host");
        assert_eq!(mask("no user: fs:///srv/a@b"), "no user: fs:///srv/a@b");
    }

    #[test]
    fn a_remembered_secret_is_masked_wherever_it_stands() {
        remember("hunter2-masked");
        assert_eq!(mask("login with hunter2-masked: refused"), "login with ***: refused");
    }

    #[test]
    fn a_short_secret_is_masked_only_where_it_stands_alone() {
        assert_eq!(replace("zq is wrong in zqueue", "zq"), "*** is wrong in zqueue");
    }
}
