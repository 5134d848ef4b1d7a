//! W3C Trace Context: what a request tells of its trace, so that it is found in what the platform traces.

use http::HeaderName;

use super::visit::Visit;
use crate::base::rng::{Purpose, Stream};
use crate::base::units::Share;

pub(super) static NAME: HeaderName = HeaderName::from_static("traceparent");

impl Visit<'_> {
    /// The header's value for the request that goes out next. A visit is one trace, each of its requests a span of its
    /// own; ids follow from the arrival and the run, so that a second run of a drill does not meet the traces of the first.
    pub(super) fn traceparent(&self, sampled: Share) -> [u8; 55] {
        let key = self.values.key();
        let key = crate::base::rng::Key { seed: key.seed ^ self.worker.run, ..key };
        // What a user does first, and in between, has the number of a journey, and is another trace.
        let role = (self.lane.role as u64) << 48;
        let mut of_visit = key.stream(Purpose::Trace, role);
        let mut text = *b"00-................................-................-00";
        write(&mut of_visit, &mut text[3..35]);
        if of_visit.unit() < sampled.as_f64() {
            text[54] = b'1';
        }
        write(&mut key.stream(Purpose::Trace, role | self.values.sends), &mut text[36..52]);
        text
    }
}

/// Hexadecimal digits; no id is all zeros.
fn write(stream: &mut Stream, out: &mut [u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for part in out.chunks_mut(16) {
        let word = stream.word().max(1);
        for (at, digit) in part.iter_mut().enumerate() {
            *digit = HEX[(word >> (60 - 4 * at) & 0xf) as usize];
        }
    }
}
