use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::Spread;
use crate::base::units::{Flow, Share, Span, Text};

/// A network that processes of the drill live in, each in a namespace of its own; a router of the drill's leads from each to
/// each, and to the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Network {
    pub name: String,
    pub title: Text,
    pub subnet: Subnet,
}

/// Addresses of version 4 that begin alike. The first is the machine's, the second the router's, the others are those of
/// processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    address: Ipv4Addr,
    prefix: u8,
}

/// Of the machine and of the router.
const TAKEN: u64 = 2;

impl Subnet {
    /// The shortest and the longest prefix that one may have.
    pub const PREFIXES: (u8, u8) = (16, 28);

    /// `None` where the address has bits beyond the prefix, or the prefix is none for a network.
    pub fn new(address: Ipv4Addr, prefix: u8) -> Option<Subnet> {
        let subnet = Subnet { address, prefix };
        let sound =
            (Subnet::PREFIXES.0..=Subnet::PREFIXES.1).contains(&prefix) && address.to_bits() & !subnet.mask() == 0;
        sound.then_some(subnet)
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }

    pub fn address(self) -> Ipv4Addr {
        self.address
    }

    pub fn prefix(self) -> u8 {
        self.prefix
    }

    fn at(self, place: u64) -> Option<Ipv4Addr> {
        let place = u32::try_from(place).ok().filter(|place| place & self.mask() == 0)?;
        Some(Ipv4Addr::from_bits(self.address.to_bits() | place))
    }

    /// The machine's address in it, where fault proxies listen, too.
    pub fn machine(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | 1)
    }

    pub fn router(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | 2)
    }

    /// How many processes can live in it.
    pub fn room(self) -> u64 {
        // The first address and the last one of a network are nobody's.
        (1u64 << (32 - u32::from(self.prefix))) - 2 - TAKEN
    }

    /// The address of the k-th process in it; `None` beyond its room.
    pub fn member(self, k: u64) -> Option<Ipv4Addr> {
        (k < self.room()).then(|| self.at(1 + TAKEN + k))?
    }

    pub fn overlaps(self, other: Subnet) -> bool {
        let mask = self.mask() & other.mask();
        self.address.to_bits() & mask == other.address.to_bits() & mask
    }

    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & self.mask() == self.address.to_bits()
    }

    /// The first of those that networks get which do not name one, out of what is kept for measuring networks (RFC 2544), that
    /// overlaps none of `taken`.
    pub fn free(taken: &[Subnet]) -> Option<Subnet> {
        let all = (0..512u32).filter_map(|k| Subnet::new(Ipv4Addr::from_bits(FOR_MEASURING.to_bits() + (k << 8)), 24));
        all.into_iter().find(|one| !taken.iter().any(|other| other.overlaps(*one)))
    }
}

/// 198.18.0.0/15.
const FOR_MEASURING: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// What is wrong with what two sides send each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Harm {
    /// All of it is lost.
    Partition,
    /// This share of its packets is lost, drawn by the kernel.
    Drop { share: Share },
    /// Connections are refused, and those that are open are reset.
    Refuse,
    /// Connections are reset as soon as they carry something.
    Reset,
}

impl Harm {
    pub const fn verb(&self) -> &'static str {
        match self {
            Harm::Partition => "partition",
            Harm::Drop { .. } => "drop",
            Harm::Refuse => "refuse",
            Harm::Reset => "reset",
        }
    }

    /// Where it is in force, no other can be seen to bite.
    pub fn lets_nothing_pass(&self) -> bool {
        match self {
            Harm::Partition | Harm::Refuse | Harm::Reset => true,
            Harm::Drop { share } => share.0 >= 1.0,
        }
    }
}

/// How a process in a network is slowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// So much passes in a second.
    Throttle { rate: Flow },
    /// What passes comes later.
    Delay { latency: Span, jitter: Span, spread: Spread },
}

impl Shape {
    pub const fn verb(&self) -> &'static str {
        match self {
            Shape::Throttle { .. } => "throttle",
            Shape::Delay { .. } => "delay",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Direction, FaultKind, ProcessId};

    fn subnet(text: &str) -> Option<Subnet> {
        let (address, prefix) = text.split_once('/')?;
        Subnet::new(address.parse().ok()?, prefix.parse().ok()?)
    }

    #[test]
    fn addresses_are_given_in_order_and_never_those_of_others() {
        let small = subnet("198.18.7.16/28").unwrap();
        assert_eq!((small.machine(), small.router()), ("198.18.7.17".parse().unwrap(), "198.18.7.18".parse().unwrap()));
        assert_eq!(small.room(), 12);
        assert_eq!(small.member(0), Some("198.18.7.19".parse().unwrap()));
        // .31 is for all of them.
        assert_eq!(small.member(11), Some("198.18.7.30".parse().unwrap()));
        assert_eq!(small.member(12), None);
        assert_eq!(small.member(u64::MAX), None);
        assert_eq!(subnet("10.0.0.0/16").unwrap().room(), 65_532);
        assert_eq!(small.to_string(), "198.18.7.16/28");
    }

    #[test]
    fn what_is_no_subnet_is_none() {
        for wrong in ["198.18.7.1/24", "198.18.7.0/29", "198.18.0.0/15", "198.18.7.0/0", "198.18.7.8/28"] {
            assert_eq!(subnet(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn those_that_are_not_named_are_free() {
        let first = Subnet::free(&[]).unwrap();
        assert_eq!(first.to_string(), "198.18.0.0/24");
        assert_eq!(Subnet::free(&[first]).unwrap().to_string(), "198.18.1.0/24");
        let wide = [subnet("198.18.0.0/16").unwrap(), subnet("198.19.0.128/28").unwrap()];
        assert_eq!(Subnet::free(&wide).unwrap().to_string(), "198.19.1.0/24");
        assert_eq!(Subnet::free(&[subnet("198.18.0.0/16").unwrap(), subnet("198.19.0.0/16").unwrap()]), None);
    }

    #[test]
    fn what_lets_nothing_pass_excludes_what_goes_the_same_way() {
        let between = |first, second, direction, harm| FaultKind::Between {
            first: vec![ProcessId(first)],
            second: vec![ProcessId(second)],
            direction,
            harm,
        };
        let cut = between(0, 1, Direction::Up, Harm::Partition);
        let lossy = |first, second, direction| between(first, second, direction, Harm::Drop { share: Share(0.3) });
        for (other, excluded) in [
            (lossy(0, 1, Direction::Up), true),
            (lossy(0, 1, Direction::Both), true),
            (lossy(0, 1, Direction::Down), false),
            // The same, as the other side tells it.
            (lossy(1, 0, Direction::Down), true),
            (lossy(1, 0, Direction::Up), false),
            (lossy(0, 2, Direction::Both), false),
            (FaultKind::Kill { processes: vec![ProcessId(0)] }, false),
        ] {
            assert_eq!((cut.excludes(&other), other.excludes(&cut)), (excluded, excluded), "{other:?}");
        }
        assert!(!lossy(0, 1, Direction::Both).excludes(&lossy(0, 1, Direction::Both)), "both can be seen to bite");
        let slow = |direction| FaultKind::Shape {
            processes: vec![ProcessId(0)],
            direction,
            shape: Shape::Throttle { rate: Flow(1_000) },
        };
        assert!(slow(Direction::Both).excludes(&slow(Direction::Down)));
        assert!(!slow(Direction::Up).excludes(&slow(Direction::Down)));
    }

    proptest! {
        #[test]
        fn two_overlap_when_they_share_an_address(a in any::<u32>(), b in any::<u32>(), p in 16u8..=28, q in 16u8..=28, near: bool) {
            let cut = |bits: u32, prefix: u8| {
                Subnet::new(Ipv4Addr::from_bits(bits & (u32::MAX << (32 - prefix))), prefix).unwrap()
            };
            let (one, two) = (cut(a, p), cut(if near { a ^ (b & 0x3ff) } else { b }, q));
            let shares = one.contains(two.address()) || two.contains(one.address());
            prop_assert_eq!(one.overlaps(two), shares);
            prop_assert_eq!(two.overlaps(one), shares);
            let last = one.member(one.room() - 1).unwrap();
            prop_assert!(one.contains(last) && one.contains(one.machine()) && one.contains(one.router()));
            prop_assert!(last != one.machine() && last != one.router());
        }
    }
}
