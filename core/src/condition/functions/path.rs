//! `path_within(path, root)`: whether a path lies at or under a root, by its text alone.
//!
//! Symbolic links cannot be known here: the tool itself has to open files in a way that does not follow them.

/// Whether `path` lies at or under `root` once `.`, `..` and repeated slashes are resolved. Both have to be absolute, or
/// both relative to the same place; a relative one that climbs out of where it starts fails.
///
/// # Errors
/// Anything a file system or a library could read differently: an empty path, a NUL or another control, a backslash,
/// percent-encoding, `~`, two slashes at the start, one path absolute and the
/// other relative.
pub(in crate::condition) fn within(path: &str, root: &str) -> Result<bool, &'static str> {
    let (path, root) = (parts(path)?, parts(root)?);
    if path.absolute != root.absolute {
        return Err("compares an absolute path with a relative one");
    }
    Ok(path.names.starts_with(&root.names))
}

#[derive(Debug)]
struct Parts<'t> {
    absolute: bool,
    names: Vec<&'t str>,
}

fn parts(text: &str) -> Result<Parts<'_>, &'static str> {
    if text.is_empty() {
        return Err("was given an empty path");
    }
    if text.chars().any(char::is_control) {
        return Err("was given a control character");
    }
    if text.contains('\\') {
        return Err("was given a backslash");
    }
    if text.starts_with('~') {
        return Err("was given a `~`");
    }
    if text.starts_with("//") {
        return Err("was given two slashes at the start");
    }
    if has_percent_encoding(text) {
        return Err("was given percent-encoding");
    }
    let absolute = text.starts_with('/');
    let mut names = Vec::new();
    for name in text.split('/') {
        match name {
            "" | "." => {}
            // above `/` is `/`
            ".." if absolute => drop(names.pop()),
            ".." => drop(names.pop().ok_or("climbs out of where it starts")?),
            name => names.push(name),
        }
    }
    Ok(Parts { absolute, names })
}

/// Whether a library that decodes percent signs would find something to decode.
fn has_percent_encoding(text: &str) -> bool {
    text.split('%').skip(1).any(|rest| {
        let mut code = rest.bytes();
        matches!((code.next(), code.next()), (Some(high), Some(low)) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_resolved_by_their_text() {
        for (path, root, expected) in [
            ("/data/a", "/data", true),
            ("/data", "/data/", true),
            ("/data/../etc/passwd", "/data", false),
            ("/data/./x//y", "/data/x", true),
            ("/database", "/data", false),
            ("/../../data", "/data", true),
            ("a/b/../c", "a", true),
            ("a/../b", "a", false),
            ("/anything", "/", true),
            ("100%/x", "100%", true),
        ] {
            assert_eq!(within(path, root), Ok(expected), "{path} {root}");
        }
    }

    #[test]
    fn what_a_file_system_could_read_differently_fails() {
        for path in ["", "a", "/a\0", "/a\\..\\b", "/a/%2e%2e/b", "/a%2Fb", "/a%252fb", "~/x", "//server/share", "/a\n"]
        {
            assert!(within(path, "/a").is_err(), "{path}");
        }
        assert!(within("../x", "a").is_err() && within("a/../../x", "a").is_err());
    }
}
