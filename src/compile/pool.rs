//! Connections: how many there may be where the scenario does not say.

use super::context::Cx;
use crate::base::diagnostic::Diagnostic;
use crate::plan::{Connections, EndpointId, PerConnection, Plan};
use crate::scenario::{self, Field, Named};

/// More than this only when it is written: each is an open file and some memory.
const MOST: u32 = 10_000;
const MOST_WRITTEN: u64 = 1_000_000;

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
    Connections { max: max.unwrap_or(0), queue: queue.unwrap_or(0), per, warm: warm.unwrap_or(0) }
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
