//! Connections: how many there may be where the scenario does not say.

use std::net::{IpAddr, Ipv4Addr};

use super::context::Cx;
use crate::base::diagnostic::Diagnostic;
use crate::base::units::{Flow, Share, Span};
use crate::plan::{Addresses, Connections, EndpointId, PerConnection, Plan, Slow};
use crate::scenario::{self, Field, List, Named, Spanned};

/// More than this only when it is written: each is an open file and some memory.
const MOST: u32 = 10_000;
const MOST_WRITTEN: u64 = 1_000_000;
const MOST_SOURCES: u128 = 4_096;
/// Who reads faster than this is not slow, and would be held back by more than the rate: by how often it is looked at.
const FASTEST_SLOW: Flow = Flow(10_000_000);

/// What is written, checked; what is not is 0 until [`settle`].
pub(super) fn check(written: &scenario::Connections, cx: &mut Cx<'_>) -> Connections {
    cx.broken |= !written.complete;
    let mut number = |field: &Field<u64>, least: u64, word: &str| {
        let value = cx.get(field)?;
        if !(least..=MOST_WRITTEN).contains(&value.value) {
            let message = format!("`{word}` is from {least} to {MOST_WRITTEN}");
            cx.say(Diagnostic::error("range", value.mark, message));
        }
        u32::try_from(value.value).ok()
    };
    let max = number(&written.max, 1, "max");
    let queue = number(&written.queue, 0, "queue");
    let warm = number(&written.warm, 0, "warm");
    if let (Some(max), Some(warm), Some(value)) = (max, warm, written.warm.get())
        && warm > max
    {
        let message = format!("`warm` opens {warm} connections, and there may be {max}");
        cx.say(Diagnostic::error("range", value.mark, message));
    }
    let per = match cx.get(&written.per).map(|per| per.value) {
        None | Some(scenario::PerConnection::Shared) => PerConnection::Shared,
        Some(scenario::PerConnection::Visit) => PerConnection::Visit,
    };
    let new = cx.get(&written.new).map_or(Share(0.0), |new| new.value);
    if let Some(written) = written.new.get() {
        if !(0.0..=1.0).contains(&new.0) {
            cx.say(Diagnostic::error("range", written.mark, "`new` is a share of the visits: from 0% to 100%"));
        } else if per == PerConnection::Visit {
            let message = "`new` is for connections that visits share; with `per: visit` every visitor is new";
            cx.say(Diagnostic::error("does-not-go", written.mark, message).help("leave out one of the two"));
        }
    }
    let age = cx.get(&written.age).map(|age| age.value);
    if let Some(written) = written.age.get().filter(|age| age.value == Span::ZERO) {
        let help = "write `per: visit` for a connection for each visit";
        cx.say(Diagnostic::error("range", written.mark, "`age` is more than nothing").help(help));
    }
    let source = cx.get(&written.source).map(|list| sources(list, cx)).unwrap_or_default();
    let slow = cx.get(&written.slow).and_then(|written| slow(written, cx));
    let [max, queue, warm] = [max, queue, warm].map(Option::unwrap_or_default);
    Connections { max, queue, per, warm, new, age, source, slow }
}

fn slow(written: &scenario::Slow, cx: &mut Cx<'_>) -> Option<Slow> {
    cx.broken |= !written.complete;
    let (share, rate) = (cx.need(&written.share)?, cx.need(&written.rate)?);
    if !(0.0..=1.0).contains(&share.value.0) {
        cx.say(Diagnostic::error("range", share.mark, "`share` is a share of the connections: from 0% to 100%"));
    }
    if rate.value.0 == 0 {
        let help = "a server that is never read from is met by a step's `timeout`: write a small rate, such as 1B/s";
        cx.say(Diagnostic::error("range", rate.mark, "`rate` is more than nothing").help(help));
    } else if rate.value > FASTEST_SLOW {
        let message = "this is not slow: `rate` is 10MB/s at the most";
        cx.say(Diagnostic::error("range", rate.mark, message).help("leave `slow` out for clients that read at once"));
    }
    Some(Slow { share: share.value, rate: rate.value })
}

fn sources(list: &Spanned<List<String>>, cx: &mut Cx<'_>) -> Vec<Addresses> {
    let (mut made, mut count) = (Vec::new(), 0u128);
    for item in cx.items(&list.value) {
        match addresses(item.value.trim()) {
            Some(addresses) => {
                count = count.saturating_add(addresses.count());
                made.push(addresses);
            }
            None => {
                let message = format!("`{}` is no local address, no range of them and no network", item.value);
                let help = "write 10.0.0.1, 10.0.0.1-10.0.0.9 or 10.0.0.0/28";
                cx.say(Diagnostic::error("source", item.mark, message).help(help));
            }
        }
    }
    if list.items.is_empty() && list.complete {
        let message = "`source` names no address";
        cx.say(Diagnostic::error("empty-list", list.mark, message).help("leave it out: the system chooses then"));
    }
    if count > MOST_SOURCES {
        let message = format!("`source` names {count} addresses, and {MOST_SOURCES} are the most");
        cx.say(Diagnostic::error("range", list.mark, message));
    }
    made
}

/// An address, a range of them, or a network without the first and the last, which stand for all of it.
fn addresses(text: &str) -> Option<Addresses> {
    if let Some((from, to)) = text.split_once('-') {
        let range = Addresses { from: from.trim().parse().ok()?, to: to.trim().parse().ok()? };
        return (range.count() > 0).then_some(range);
    }
    if let Ok(address) = text.parse() {
        return Some(Addresses { from: address, to: address });
    }
    let network = text.parse::<ipnet::IpNet>().ok()?;
    let (from, to) = (network.network(), network.broadcast());
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) if network.prefix_len() < 31 => {
            let inside = |bits| Ipv4Addr::from_bits(bits).into();
            Some(Addresses { from: inside(from.to_bits() + 1), to: inside(to.to_bits() - 1) })
        }
        _ => Some(Addresses { from, to }),
    }
}

/// The default `max` is what unanswered requests come to at the peak: a full pool of that is the platform's fault, a smaller
/// one the generator's. As many may wait.
pub(super) fn settle(plan: &mut Plan, written: &Field<Named<scenario::Endpoint>>, cx: &mut Cx<'_>) {
    let blocks = written.value().map(|map| map.entries.as_slice()).unwrap_or_default();
    for (index, (_, block)) in blocks.iter().enumerate() {
        let needed = plan.needed_connections(EndpointId::at(index)).min(MOST);
        let Some(endpoint) = plan.platform.endpoints.get_mut(index) else { continue };
        let path = format!("endpoints.{}.connections", endpoint.name);
        let absent = Field::Absent;
        let connections = match block.as_ref().map(|block| &block.value) {
            Some(scenario::Endpoint::Block(block)) => block.connections.value(),
            _ => None,
        };
        let mut one = |word: &str, field: Option<&Field<u64>>, default: u32| {
            let value = cx.settle(format!("{path}.{word}"), field.unwrap_or(&absent), u64::from(default));
            u32::try_from(value).unwrap_or(u32::MAX)
        };
        let max = one("max", connections.map(|c| &c.max), needed);
        endpoint.connections.max = max;
        endpoint.connections.queue = one("queue", connections.map(|c| &c.queue), max);
        endpoint.connections.warm = one("warm", connections.map(|c| &c.warm), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_are_one_a_range_or_a_network() {
        let read = |text| addresses(text).map(|range| (range.from.to_string(), range.to.to_string(), range.count()));
        let found = |from: &str, to: &str, count| Some((from.to_owned(), to.to_owned(), count));
        assert_eq!(read("127.0.0.2"), found("127.0.0.2", "127.0.0.2", 1));
        assert_eq!(read("10.0.0.250 - 10.0.1.4"), found("10.0.0.250", "10.0.1.4", 11));
        assert_eq!(read("10.0.0.16/28"), found("10.0.0.17", "10.0.0.30", 14));
        assert_eq!(read("10.0.0.7/32"), found("10.0.0.7", "10.0.0.7", 1));
        assert_eq!(read("fd00::10-fd00::1f"), found("fd00::10", "fd00::1f", 16));
        for none in ["", "localhost", "10.0.0.9-10.0.0.1", "10.0.0.1-fd00::1", "10.0.0.1:80", "10.0.0.0/33", "1-2"] {
            assert_eq!(read(none), None, "{none}");
        }
        let last = addresses("10.0.0.250-10.0.1.4").unwrap().iter().last();
        assert_eq!(last, Some([10, 0, 1, 4].into()));
    }
}
