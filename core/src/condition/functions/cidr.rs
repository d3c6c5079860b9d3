//! `cidr(network, address)`: whether an IP address lies in a network.

use std::net::{IpAddr, Ipv6Addr};

/// Whether `address` lies in `network` (`10.0.0.0/8`, `fd00::/8`). An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is
/// the IPv4 address it stands for. Another family is outside.
///
/// # Errors
/// Either is malformed, the prefix is too long, the network has bits set behind its prefix, or the network is IPv4 and the
/// address may lead to an IPv4 address ([`may_lead_to_ipv4`]).
pub(in crate::condition) fn contains(network: &str, address: &str) -> Result<bool, &'static str> {
    let address: IpAddr = address.parse().map_err(|_| "was given something that is no ip address")?;
    let (base, prefix) = read_network(network)?;
    Ok(match (base, address.to_canonical()) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            masked(base.to_bits().into(), prefix, 32) == masked(address.to_bits().into(), prefix, 32)
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            masked(base.to_bits(), prefix, 128) == masked(address.to_bits(), prefix, 128)
        }
        (IpAddr::V4(_), IpAddr::V6(address)) if may_lead_to_ipv4(&address) => {
            return Err("was given an ipv6 address that may lead to an ipv4 address");
        }
        _ => false,
    })
}

/// Whether a network may send an IPv6 address on to the IPv4 address inside it: IPv4-compatible (RFC 4291 §2.5.5.1),
/// translated (RFC 2765 §2.1), NAT64 (RFC 6052 §2.1, RFC 8215) and 6to4 (RFC 3056). Mapped ones stand for theirs everywhere.
pub(in crate::condition) const fn may_lead_to_ipv4(address: &Ipv6Addr) -> bool {
    match address.segments() {
        // `::` and `::1` are the IPv6 ones
        [0, 0, 0, 0, 0, 0, high, low] => high != 0 || low > 1,
        [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] | [0x2002, ..] => true,
        _ => false,
    }
}

/// Reads a network and the length of its prefix in bits.
///
/// # Errors
/// It is malformed, or has bits set behind its prefix.
pub(in crate::condition) fn read_network(network: &str) -> Result<(IpAddr, u32), &'static str> {
    const MALFORMED: &str = "has a network that is not written like `10.0.0.0/8`";
    let (base, prefix) = network.split_once('/').ok_or(MALFORMED)?;
    let base: IpAddr = base.parse().map_err(|_| MALFORMED)?;
    if prefix.len() > 3 || !prefix.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    let prefix: u32 = prefix.parse().map_err(|_| MALFORMED)?;
    // a network written as mapped IPv6 is its IPv4 network when its prefix covers the mapping
    let (base, prefix) = match (base.to_canonical(), base) {
        (IpAddr::V4(mapped), IpAddr::V6(_)) => {
            (IpAddr::V4(mapped), prefix.checked_sub(96).ok_or("has a mapped network with a prefix under 96")?)
        }
        (base, _) => (base, prefix),
    };
    let (bits, width) = match base {
        IpAddr::V4(base) => (u128::from(base.to_bits()), 32),
        IpAddr::V6(base) => (base.to_bits(), 128),
    };
    if prefix > width {
        return Err("has a prefix that is too long");
    }
    if masked(bits, prefix, width) != bits {
        return Err("has a network with bits set behind its prefix");
    }
    Ok((base, prefix))
}

/// `bits` of an address `width` bits wide, those behind `prefix` cleared.
fn masked(bits: u128, prefix: u32, width: u32) -> u128 {
    let free = width.saturating_sub(prefix);
    bits.checked_shr(free).and_then(|kept| kept.checked_shl(free)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_inside_or_outside() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("::/0", "fe80::1", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "10.0.0.1", false),
            ("192.168.1.1/32", "192.168.1.1", true),
            ("127.0.0.0/8", "::1", false),
            ("0.0.0.0/0", "::", false),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/96", "::127.0.0.1", true),
            ("64:ff9b::/96", "64:ff9b::10.0.0.1", true),
        ] {
            assert_eq!(contains(network, address), Ok(expected), "{network} {address}");
        }
    }

    #[test]
    fn what_is_odd_fails() {
        for (network, address) in [
            ("10.0.0.0", "10.0.0.1"),
            ("10.0.0.0/33", "10.0.0.1"),
            ("10.0.0.1/8", "10.0.0.1"),
            ("10.0.0.0/+8", "10.0.0.1"),
            ("10.0.0.0/8", "010.0.0.1"),
            ("10.0.0.0/8", "10.1"),
            ("10.0.0.0/8", "fe80::1%eth0"),
            ("10.0.0.0/8", " 10.0.0.1"),
            ("10.0.0.0/8", ""),
            ("127.0.0.0/8", "::127.0.0.1"),
            ("127.0.0.0/8", "::ffff:0:127.0.0.1"),
            ("10.0.0.0/8", "64:ff9b::10.0.0.1"),
            ("10.0.0.0/8", "64:ff9b:1::10.0.0.1"),
            ("10.0.0.0/8", "2002:a00:1::"),
        ] {
            assert!(contains(network, address).is_err(), "{network} {address}");
        }
    }
}
