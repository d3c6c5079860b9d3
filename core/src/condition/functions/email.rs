//! `email_domain(text)`: the domain of exactly one plain address.

/// The domain of `ann@example.com` or `Ann <ann@example.com>`, in lower case.
///
/// # Errors
/// Anything that two mailers could read differently: several addresses, quoted local parts or names with an `@`, comments,
/// routes, spaces or controls inside the address, letters outside ASCII, a domain that is an address literal.
pub(in crate::condition) fn domain(text: &str) -> Result<String, &'static str> {
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("was given a control character");
    }
    let text = text.trim_matches(' ');
    let address = match text.strip_suffix('>') {
        Some(named) => {
            let (name, address) = named.split_once('<').ok_or("was given an unpaired `>`")?;
            plain_name(name)?;
            address
        }
        None => text,
    };
    let (local, domain) = address.split_once('@').ok_or("was given no address")?;
    if local.is_empty() || local.len() > 64 || !local.bytes().all(is_local) || has_empty_label(local) {
        return Err("was given an address whose part before the `@` is not plain");
    }
    host_name(domain).ok_or("was given an address whose domain is not plain")
}

/// The name before `<…>`: one that a lenient mailer could read an address out of is refused.
fn plain_name(name: &str) -> Result<(), &'static str> {
    if name.contains(['@', '<', '>', '(', ')', ',', ';', ':', '\\', '"']) {
        return Err("was given a name that could be read as an address");
    }
    Ok(())
}

/// `atext` of RFC 5322 and the dot; `!` and `%` were routes once and are refused.
const fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'.' | b'_'
                | b'-'
                | b'+'
                | b'='
                | b'\''
                | b'&'
                | b'*'
                | b'#'
                | b'$'
                | b'/'
                | b'?'
                | b'^'
                | b'`'
                | b'{'
                | b'|'
                | b'}'
                | b'~'
        )
}

fn has_empty_label(text: &str) -> bool {
    text.split('.').any(str::is_empty)
}

/// A plain ASCII host name in lower case, without the dot that may end it; `None` for anything else.
pub(in crate::condition) fn host_name(host: &str) -> Option<String> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let plain = !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
    plain.then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plain_address_has_a_domain() {
        for address in [
            "ann@example.com",
            "Ann@EXAMPLE.com",
            "Ann B. <ann@example.com>",
            "<a+b@example.com>",
            " a@example.com ",
            "a@example.com.",
        ] {
            assert_eq!(domain(address).as_deref(), Ok("example.com"), "{address}");
        }
    }

    #[test]
    fn what_two_mailers_could_read_differently_fails() {
        for address in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "a@b@example.com",
            "a@good.com, b@evil.com",
            "a@good.com;b@evil.com",
            "\"a@good.com\"@evil.com",
            "good@good.com <x@evil.com>",
            "a@evil.com(good.com)",
            "a@[127.0.0.1]",
            "a@exämple.com",
            "a@good.com <b@evil.com",
            "a b@example.com",
            "a@example.com\n",
            "a..b@example.com",
            "a@example..com",
            "a%good.com@evil.com",
            "<a@good.com><b@evil.com>",
            "\"x\" <a@good.com>",
            "a@-x.com",
            "mailto:a@example.com",
        ] {
            assert!(domain(address).is_err(), "{address}");
        }
    }
}
