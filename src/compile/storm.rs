//! What a storm comes to: which faults the seed draws, and when.

use super::context::Cx;
use super::fault::{self, Draw, Scene};
use super::schedule::Deed;
use crate::base::diagnostic::Diagnostic;
use crate::base::rng::{Key, Purpose};
use crate::base::units::Span;
use crate::plan::FaultId;
use crate::scenario::{self, Spanned};

/// How often another is drawn where one cannot be beside those that are in force; then it comes when they are over.
const TRIES: u64 = 32;
/// What a fault of a storm may take to be healed before another is laid on the same target.
const PAUSE: Span = Span::SECOND;

/// One fault for each of `ids`, in the order in which they come.
pub(super) fn deeds(
    path: &str,
    ids: &[FaultId],
    fault: &Spanned<scenario::Fault>,
    storm: &Spanned<scenario::Storm>,
    scene: &Scene<'_>,
    cx: &mut Cx<'_>,
) -> Option<Vec<Deed>> {
    cx.broken |= !storm.complete;
    let (of, every, lasts) = (cx.need(&storm.of), cx.need(&storm.every), cx.need(&fault.lasts));
    let _ = cx.need(&storm.budget);
    let items = cx.items(&of?.value);
    let (every, whole, first) = (every?.value, lasts?.value, *ids.first()?);
    // Each is looked at, also those that are never drawn.
    let mut sound = true;
    for item in items {
        cx.broken |= !item.complete;
        sound &= fault::kind(Draw { fault: first, attempt: 0 }, path, item, scene, cx).is_some();
        if item.lasts.is_absent() && item.complete {
            cx.say(Diagnostic::error("missing-word", item.mark, "a fault of a storm needs `for`"));
        }
        sound &= cx.need(&item.lasts).is_some();
    }
    if !sound || items.is_empty() || every == Span::ZERO {
        return None;
    }
    let mut stream = Key::plan(scene.seed).stream(Purpose::Plan(first.0), u64::MAX);
    let mut stretches: Vec<u64> = (0..whole.as_nanos().div_ceil(every.as_nanos())).collect();
    let mut taken: Vec<u64> = Vec::new();
    while taken.len() < ids.len() && !stretches.is_empty() {
        let drawn = stream.below(stretches.len() as u64) as usize;
        taken.push(stretches.swap_remove(drawn));
    }
    taken.sort_unstable();
    let mut deeds: Vec<Deed> = Vec::new();
    for (nth, (stretch, &id)) in taken.into_iter().zip(ids).enumerate() {
        let begins = every.as_nanos().saturating_mul(stretch);
        let offset = Span(begins + stream.below(every.as_nanos().min(whole.as_nanos() - begins)));
        let place = format!("{path}_{}", nth + 1);
        let mut found = None;
        for attempt in 0..TRIES {
            let item = items.get(stream.below(items.len() as u64) as usize)?;
            let lasts = item.lasts.get()?.value;
            let (said, noted) = (cx.found.len(), cx.origins.len());
            let (kind, target) = fault::kind(Draw { fault: id, attempt }, &place, item, scene, cx)?;
            cx.unsay_repeats(said);
            let until = |deed: &Deed| deed.offset + deed.lasts.unwrap_or_default() + PAUSE;
            let beside = |deed: &&Deed| deed.offset < offset + lasts && offset < until(deed);
            let after = deeds.iter().filter(beside).filter(|deed| deed.kind.excludes(&kind)).map(until).max();
            let title = item.title.get().map(|title| title.value.clone());
            let deed = Deed { kind, target, title, offset, lasts: Some(lasts) };
            match after {
                None => {
                    found = Some(deed);
                    break;
                }
                Some(after) => found = Some(Deed { offset: after, ..deed }),
            }
            if attempt + 1 < TRIES {
                cx.origins.truncate(noted);
            }
        }
        let deed = found?;
        deeds.push(deed);
    }
    deeds.sort_by_key(|deed| deed.offset);
    for (nth, deed) in deeds.iter().enumerate() {
        let name = if deeds.len() > 1 { format!("{path}_{}", nth + 1) } else { path.to_owned() };
        let drawn =
            format!("{} for {}, {} into the storm", deed.kind.verb(), deed.lasts.unwrap_or_default(), deed.offset);
        cx.note(name, &drawn, deed.target);
    }
    Some(deeds)
}
