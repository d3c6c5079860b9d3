//! `url_host(text)`: the host that a URL is sent to.
//!
//! A strict reader instead of a lenient parser crate: browsers, libraries and proxies repair a malformed URL in different
//! ways, and a rule must not hold for one host while the request goes to another. What needs repair fails.

use super::cidr::may_lead_to_ipv4;
use super::email::host_name;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The host of an absolute URL, in lower case: a name without the dot that may end it, an IPv4 address, or an IPv6 address
/// without its brackets in its shortest form. A mapped IPv6 address (`::ffff:10.0.0.1`) is the IPv4 address it stands for.
///
/// # Errors
/// Anything that two URL parsers could read differently: white space, controls, backslashes, letters outside ASCII
/// (write IDNs as `xn--…`), percent-encoding or several `@` before the path, numeric hosts that are no dotted quad. And an
/// IPv6 address that may lead to an IPv4 address ([`may_lead_to_ipv4`]).
pub(in crate::condition) fn host(text: &str) -> Result<String, &'static str> {
    if !text.is_ascii() {
        return Err("was given letters outside ascii");
    }
    if text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ' || byte == b'\\') {
        return Err("was given white space, a control character or a backslash");
    }
    let (scheme, rest) = text.split_once("://").ok_or("was given no absolute url")?;
    let proper_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    if !proper_scheme {
        return Err("was given no absolute url");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let (user, host_and_port) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains('@') {
        return Err("was given several `@` before the path");
    }
    if authority.contains('%') {
        return Err("was given percent-encoding before the path");
    }
    if let Some(bracketed) = host_and_port.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']').ok_or("was given an unpaired `[`")?;
        let address: Ipv6Addr = address.parse().map_err(|_| "was given a malformed ipv6 address")?;
        check_port(port)?;
        return match address.to_canonical() {
            IpAddr::V6(address) if may_lead_to_ipv4(&address) => {
                Err("was given an ipv6 address that may lead to an ipv4 address")
            }
            address => Ok(address.to_string()),
        };
    }
    let (host, port) = host_and_port
        .split_once(':')
        .map_or((host_and_port, ""), |(host, _)| (host, host_and_port.strip_prefix(host).unwrap_or("")));
    check_port(port)?;
    let host = host_name(host).ok_or("was given a host that is no plain name")?;
    // browsers take a host whose last label is a number for an IPv4 address, in octal and hexadecimal too
    let last = host.rsplit('.').next().unwrap_or(&host);
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err("was given a numeric host that is no dotted quad");
    }
    Ok(host)
}

/// Nothing, `:`, or `:` and a port.
fn check_port(port: &str) -> Result<(), &'static str> {
    let digits = port.strip_prefix(':').unwrap_or(port);
    let digits_only = digits.bytes().all(|digit| digit.is_ascii_digit());
    let fits = digits.is_empty() || digits.parse::<u16>().is_ok();
    if (port.is_empty() || port.starts_with(':')) && digits_only && fits {
        Ok(())
    } else {
        Err("was given a malformed port")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_where_the_request_goes() {
        for (url, expected) in [
            ("https://example.com/a?b#c", "example.com"),
            ("https://good.com@evil.com/", "evil.com"),
            ("https://user:pass@EVIL.com:8443", "evil.com"),
            ("http://example.com.", "example.com"),
            ("http://127.0.0.1:80/", "127.0.0.1"),
            ("http://[::FFFF:1.2.3.4]/", "1.2.3.4"),
            ("http://[::ffff:a9fe:a9fe]:80/latest", "169.254.169.254"),
            ("http://[0:0::1]:8080", "::1"),
            ("ftp://xn--exmple-cua.com", "xn--exmple-cua.com"),
            ("https://evil.com#@good.com", "evil.com"),
            ("https://evil.com?@good.com", "evil.com"),
            ("https://example.com:", "example.com"),
        ] {
            assert_eq!(host(url).as_deref(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_fails() {
        for url in [
            "",
            "example.com",
            "//example.com",
            "https:example.com",
            "https:/example.com",
            "https:///example.com",
            "https://",
            "https://good.com\\@evil.com",
            "https://a@good.com@evil.com",
            "https://good.com%2f@evil.com",
            "https://exämple.com",
            "https://evil.com\t",
            " https://evil.com",
            "https://ev il.com",
            "http://0x7f.1",
            "http://2130706433",
            "http://127.1",
            "http://0177.0.0.1",
            "http://1.2.3.4.5",
            "http://[::1",
            "http://[fe80::1%25eth0]",
            "http://[::1]x",
            "http://[::127.0.0.1]",
            "http://[64:ff9b::a9fe:a9fe]",
            "http://a:b:c",
            "http://example.com:99999",
            "http://example.com:-1",
            "http://ex_ample..com",
            "1http://example.com",
            "ⓗttp://example.com",
        ] {
            assert!(host(url).is_err(), "{url}");
        }
    }
}
