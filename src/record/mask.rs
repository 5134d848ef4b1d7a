//! Which texts of an entry came from outside the plan, and may therefore hold a secret.

use std::borrow::Cow;

use super::writer::Masker;
use super::{ActionEnd, ActionEvent, Entry, Event, Failure, FaultEvent, Sight};

/// The entry with every such text masked; borrowed where it has none.
pub(super) fn mask<'e>(entry: &'e Entry, masker: &Masker) -> Cow<'e, Entry> {
    let mut entry = Cow::Borrowed(entry);
    // A fresh match on the owned copy: every kind of event stands here, so that a new text cannot be forgotten.
    match &entry.event {
        Event::Opened { .. }
        | Event::Part(_)
        | Event::Approved(_)
        | Event::Merged { .. }
        | Event::Lacking { .. }
        | Event::ProcessStarted { .. }
        | Event::ProcessReady { .. }
        | Event::ProcessStopped { .. }
        | Event::ChoreDone { .. }
        | Event::LoadBegan
        | Event::LoadEnded
        | Event::Drained { .. }
        | Event::SecondClosed { .. }
        | Event::SteadyHeld { .. }
        | Event::SteadyMissed { .. }
        | Event::Aborting { .. }
        | Event::TrialBegan { .. }
        | Event::TrialEnded { .. }
        | Event::SearchEnded { .. }
        | Event::Signalled { .. }
        | Event::ClockStepped { .. }
        | Event::Generator { .. }
        | Event::Scraped { .. }
        | Event::Ended { .. }
        | Event::Fault { what: FaultEvent::Ordered | FaultEvent::HealOrdered, .. } => return entry,
        Event::Bindings { .. }
        | Event::ProcessDied { .. }
        | Event::ChoreFailed { .. }
        | Event::Fault { .. }
        | Event::Action { .. }
        | Event::Probe { .. }
        | Event::NotScraped { .. }
        | Event::Failed(_)
        | Event::Noted { .. }
        | Event::Residue { .. } => {}
    }
    for text in texts(&mut entry.to_mut().event) {
        if let Cow::Owned(masked) = masker(text) {
            *text = masked;
        }
    }
    entry
}

fn texts(event: &mut Event) -> Vec<&mut String> {
    match event {
        Event::Bindings { addresses, links } => {
            let links = links.iter_mut().map(|(_, at)| at);
            addresses.iter_mut().map(|(_, address)| address).chain(links).collect()
        }
        Event::ProcessDied { status: text, .. }
        | Event::ChoreFailed { why: text, .. }
        | Event::NotScraped { why: text, .. }
        | Event::Noted { text }
        | Event::Probe { why: Some(text), .. } => vec![text],
        Event::Fault {
            what:
                FaultEvent::Effective { proof: sights }
                | FaultEvent::NotEffective { why: sights }
                | FaultEvent::Healed { proof: sights }
                | FaultEvent::NotHealed { why: sights },
            ..
        } => sights
            .iter_mut()
            .filter_map(|sight| match sight {
                Sight::Said { text } | Sight::Unheard { why: text } => Some(text),
                _ => None,
            })
            .collect(),
        Event::Action { what: ActionEvent::Ended { how: ActionEnd::Failed { why } }, .. } => vec![why],
        Event::Failed(Failure { why, request, answer, .. }) => vec![why, request, answer],
        Event::Residue { what, command } => vec![what, command],
        _ => Vec::new(),
    }
}
