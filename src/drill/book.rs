use super::Audience;
use crate::analysis::Fold;
use crate::base::clock::Clock;
use crate::base::units::At;
use crate::record::{Entry, Event, RecordError, Vital, Window, Writer};

/// Everything that happens goes through here, in this order: it is stored, folded, and told. So whatever is decided
/// from a figure is decided on what the stored run holds.
pub(super) struct Book<'a> {
    writer: Writer,
    fold: Fold,
    audience: &'a mut dyn Audience,
    clock: Clock,
    preparing: bool,
    lost: Option<RecordError>,
}

impl<'a> Book<'a> {
    pub(super) fn new(writer: Writer, fold: Fold, clock: &Clock, audience: &'a mut dyn Audience) -> Book<'a> {
        Book { writer, fold, audience, clock: clock.clone(), preparing: true, lost: None }
    }

    /// From now on instants count from the drill's start.
    pub(super) fn begin(&mut self, clock: &Clock) {
        self.clock = clock.clone();
        self.preparing = false;
    }

    pub(super) fn note(&mut self, event: Event) -> At {
        let at = self.clock.now();
        self.note_at(at, event);
        at
    }

    pub(super) fn note_at(&mut self, at: At, event: Event) {
        // Masked before anybody sees it: what is told stands in logs of CI.
        let entry = self.writer.masked(&Entry { at, preparing: self.preparing, event });
        self.store(|writer| writer.entry(&entry));
        self.fold.entry(&entry);
        self.audience.entry(&entry);
    }

    pub(super) fn window(&mut self, window: &Window) {
        self.store(|writer| writer.window(window));
        self.fold.window(window);
    }

    pub(super) fn vital(&mut self, vital: &Vital) {
        self.store(|writer| writer.vital(vital));
        self.fold.vital(vital);
    }

    /// Tells the second that was closed last.
    pub(super) fn tell_second(&mut self) {
        if let Some(snapshot) = self.fold.snapshot() {
            self.audience.second(&snapshot);
        }
    }

    pub(super) fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Everything up to here is on the disk itself.
    pub(super) fn sync(&mut self) {
        self.store(Writer::sync);
    }

    /// The record cannot be written any more, and why.
    pub(super) fn lost(&self) -> Option<&RecordError> {
        self.lost.as_ref()
    }

    pub(super) fn into_lost(self) -> Option<RecordError> {
        self.lost
    }

    /// The first failure stays; what happens after it is folded and told all the same, since faults must be healed.
    fn store(&mut self, write: impl FnOnce(&mut Writer) -> Result<(), RecordError>) {
        if self.lost.is_none()
            && let Err(error) = write(&mut self.writer)
        {
            self.lost = Some(error);
        }
    }
}
