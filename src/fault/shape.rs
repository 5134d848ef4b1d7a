//! What processes in networks send, and get, is slowed by a queue of the kernel's on the devices that it leaves by. It bites when
//! the queue has held something back; it is gone when there is no such queue.

use std::io;

use serde_json::Value;

use super::{Faults, Kind, blocking, said};
use crate::base::host::Namespace;
use crate::base::units::Span;
use crate::plan::{Direction, ProcessId, Shape, Spread};
use crate::record::Sight;
use crate::undo::{Action, UndoId};

const LOOK: Span = Span::millis(20);
/// So much time's worth passes at once, and so much waits, until packets are lost.
const AT_ONCE: u64 = 50;
const WAITS: &str = "500ms";
/// At least so many bytes pass at once: a whole packet and more.
const LEAST: u64 = 2_000;

/// The queues of one process.
#[derive(Debug)]
pub(super) struct Slowed {
    process: ProcessId,
    queues: Vec<(UndoId, Namespace, String)>,
}

pub(super) async fn inject(
    faults: &Faults,
    name: &str,
    processes: &[ProcessId],
    direction: Direction,
    shape: &Shape,
    lasts: Span,
) -> Result<(Kind, Vec<Sight>), Vec<Sight>> {
    faults.living(processes)?;
    let deadline = faults.clock.now() + lasts;
    let mut slowed = Vec::new();
    let mut unseen = Vec::new();
    for id in processes {
        let (queues, wrong) = order(faults, name, *id, direction, shape).await.map_err(|why| vec![why])?;
        slowed.push(Slowed { process: *id, queues });
        unseen.extend(wrong);
    }
    let mut proofs = Vec::new();
    if unseen.is_empty() {
        for one in &slowed {
            match faults.unless_stopped(deadline, seen(faults, one, shape)).await {
                Some(Ok(sight)) => proofs.push(sight),
                Some(Err(why)) => unseen.push(why),
                None => unseen.push(Sight::NeverSlowed { process: one.process }),
            }
        }
    }
    if unseen.is_empty() {
        return Ok((Kind::Shape { slowed }, proofs));
    }
    unseen.extend(heal(faults, slowed).await.err().unwrap_or_default());
    Err(unseen)
}

/// Each queue is in the journal before it is made. What was planned is given back, and why not all of it was made.
async fn order(
    faults: &Faults,
    name: &str,
    id: ProcessId,
    direction: Direction,
    shape: &Shape,
) -> Result<(Vec<(UndoId, Namespace, String)>, Option<Sight>), Sight> {
    let Some(residence) = faults.platform.residence(id) else { return Ok((Vec::new(), Some(Sight::NoTarget))) };
    let sends = (Direction::Up, residence.namespace, residence.device.to_owned());
    let gets = (Direction::Down, residence.router, residence.towards);
    let places = [sends, gets].into_iter().filter(move |(way, ..)| way.is_in(direction));
    let places: Vec<_> = places.map(|(_, namespace, device)| (namespace, device)).collect();
    let (journal, queue, name) = (faults.journal.clone(), queue(shape), format!("fault {name}"));
    let make = move || {
        let mut queues = Vec::new();
        for (namespace, device) in places {
            let action =
                Action::RemoveShape { name: name.clone(), namespace: namespace.clone(), device: device.clone() };
            let undo = match journal.plan(action) {
                Ok(undo) => undo,
                Err(why) => return (queues, Some(said(why))),
            };
            let words = ["qdisc", "add", "dev", &device, "root"].into_iter().chain(queue.iter().map(String::as_str));
            let made = namespace.tool("tc", &words.collect::<Vec<_>>(), "");
            queues.push((undo, namespace, device));
            if let Err(why) = made {
                return (queues, Some(said(why)));
            }
        }
        (queues, None)
    };
    blocking(make).await
}

/// As `tc` reads it.
fn queue(shape: &Shape) -> Vec<String> {
    match shape {
        Shape::Throttle { rate } => {
            let burst = (rate.0 / AT_ONCE).max(LEAST);
            let words = ["tbf", "rate", &format!("{}bps", rate.0), "burst", &burst.to_string(), "latency", WAITS];
            words.map(str::to_owned).to_vec()
        }
        Shape::Delay { latency, jitter, spread } => {
            let micros = |span: &Span| format!("{}us", span.as_nanos() / 1_000);
            // As many as may be on their way: a full queue would lose what it is to delay.
            let mut words = ["netem", "limit", "1000000", "delay"].map(str::to_owned).to_vec();
            words.push(micros(latency));
            if *jitter > Span::ZERO {
                words.push(micros(jitter));
                if *spread == Spread::Normal {
                    words.extend(["distribution".to_owned(), "normal".to_owned()]);
                }
            }
            words
        }
    }
}

/// Waits until it has held something back.
async fn seen(faults: &Faults, one: &Slowed, shape: &Shape) -> Result<Sight, Sight> {
    let figure = match shape {
        Shape::Throttle { .. } => "overlimits",
        Shape::Delay { .. } => "packets",
    };
    loop {
        let places: Vec<(Namespace, String)> =
            one.queues.iter().map(|(_, namespace, device)| (namespace.clone(), device.clone())).collect();
        let told = move || -> io::Result<u64> {
            places.iter().map(|(namespace, device)| held(namespace, device, figure)).sum()
        };
        match blocking(told).await?.map_err(said)? {
            0 => faults.clock.sleep(LOOK).await,
            packets => return Ok(Sight::Slowed { process: one.process, verb: shape.verb().to_owned(), packets }),
        }
    }
}

fn held(namespace: &Namespace, device: &str, figure: &str) -> io::Result<u64> {
    let told = namespace.tool("tc", &["-s", "-j", "qdisc", "show", "dev", device, "root"], "")?;
    let told: Value = serde_json::from_str(&told)?;
    Ok(told.as_array().into_iter().flatten().filter_map(|queue| queue[figure].as_u64()).sum())
}

/// Its undo has looked that there is no queue any more.
pub(super) async fn heal(faults: &Faults, slowed: Vec<Slowed>) -> Result<Vec<Sight>, Vec<Sight>> {
    let journal = faults.journal.clone();
    let end = move || {
        let (mut proofs, mut failed) = (Vec::new(), Vec::new());
        for one in slowed {
            let mut free = true;
            for (undo, namespace, device) in one.queues {
                let undone = journal.undo(undo).map_err(said);
                let looked = namespace.tool("tc", &["qdisc", "show", "dev", &device, "root"], "").map_err(said);
                let shown = looked.as_ref().map_or("", String::as_str);
                let stays = ["qdisc tbf", "qdisc netem"].iter().any(|queue| shown.contains(queue));
                free &= undone.is_ok() && looked.is_ok() && !stays;
                failed.extend(undone.err());
                failed.extend(looked.as_ref().err().cloned());
                failed.extend(stays.then(|| said(format!("{device} still has a queue: {}", shown.trim()))));
            }
            if free {
                proofs.push(Sight::AtFullSpeed { process: one.process });
            }
        }
        if failed.is_empty() { Ok(proofs) } else { Err(failed) }
    };
    blocking(end).await.map_err(|why| vec![why])?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::units::Flow;

    #[test]
    fn queues_are_told_in_the_words_of_tc() {
        let throttle = Shape::Throttle { rate: Flow(1 << 20) };
        assert_eq!(queue(&throttle).join(" "), "tbf rate 1048576bps burst 20971 latency 500ms");
        let little = Shape::Throttle { rate: Flow(1_000) };
        assert_eq!(queue(&little).join(" "), "tbf rate 1000bps burst 2000 latency 500ms");
        let delay = |jitter, spread| Shape::Delay { latency: Span::millis(50), jitter, spread };
        assert_eq!(queue(&delay(Span::ZERO, Spread::Uniform)).join(" "), "netem limit 1000000 delay 50000us");
        let normal = queue(&delay(Span::millis(10), Spread::Normal)).join(" ");
        assert_eq!(normal, "netem limit 1000000 delay 50000us 10000us distribution normal");
    }
}
