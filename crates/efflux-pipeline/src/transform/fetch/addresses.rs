//! The addresses of a host, and which of them may be asked.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use async_trait::async_trait;

use crate::stage_error::StageError;

/// Looks up the addresses of a host.
#[async_trait]
pub(super) trait Resolve: Send + Sync + fmt::Debug {
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's own look-up.
#[derive(Debug)]
pub(super) struct System;

#[async_trait]
impl Resolve for System {
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// The addresses to connect to, after each of them was looked at. The connection goes to one of
/// these, so a second look-up cannot give another one.
pub(super) fn pinned(
    host: &str,
    addresses: Vec<SocketAddr>,
    allow_private: bool,
) -> Result<Vec<SocketAddr>, StageError> {
    if addresses.is_empty() {
        return Err(StageError::unavailable(format!("{host} has no address")));
    }
    let private = addresses.iter().find(|address| !is_public(address.ip()));
    match private {
        Some(address) if !allow_private => Err(StageError::rejected(format!(
            "{host} is at {}, which is not a public address; allow_private lets it be asked",
            address.ip()
        ))),
        _ => Ok(addresses),
    }
}

/// Whether an address is one of the public network.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_reserved = match address.octets() {
        // This network; shared by a carrier's customers; protocol assignments; measurements; the future.
        [0, ..] | [192, 0, 0, _] | [240..=255, ..] => true,
        [100, second, ..] => (64..128).contains(&second),
        [198, second, ..] => (18..20).contains(&second),
        _ => false,
    };
    !(is_reserved
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, inner @ .., high, low] = address.segments();
    let v4_of = |high: u16, low: u16| {
        let [a, b] = [high >> 8, high & 0xFF];
        let [c, d] = [low >> 8, low & 0xFF];
        let byte = |part: u16| u8::try_from(part).unwrap_or(u8::MAX);
        Ipv4Addr::new(byte(a), byte(b), byte(c), byte(d))
    };
    match (first, second) {
        // An address of version 4 in one of version 6: mapped or compatible, and translated.
        (0, 0) | (0x64, 0xFF9B) => {
            // Of those that are translated only the well-known prefix; RFC 8215 has local ones.
            let is_translated = first == 0x64 && inner == [0; 4];
            let is_mapped = address.to_ipv4_mapped().is_some() || is_translated;
            is_mapped && is_public_v4(v4_of(high, low))
        }
        // Through a tunnel to an address of version 4, to whoever ends it; and documentation.
        (0x2002 | 0x3FFF, _) | (0x2001, 0 | 0xDB8) => false,
        // The public network, so far.
        _ => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_network_are_public() {
        let public = [
            "1.1.1.1",
            "93.184.216.34",
            "100.63.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
            "::ffff:8.8.8.8",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        let others = [
            "127.0.0.1",
            "127.8.9.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "fe80::1",
            "64:ff9b:1:a00:0:100:808:808",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "fec0::1",
            "64:ff9b:1::1",
        ];
        for address in others {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
