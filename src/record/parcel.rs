use hdrhistogram::serialization::Deserializer;
use serde::{Deserialize, Serialize};

use super::Window;
use super::histograms::{self, Encoder};

/// A window with its distributions as one value, for the way from one process to another.
#[derive(Debug, Serialize, Deserialize)]
pub struct Parcel {
    window: Window,
    /// As in `histograms.hlog`.
    histograms: String,
}

impl Parcel {
    pub fn pack(window: Window) -> Parcel {
        let mut histograms = String::new();
        // Into memory nothing fails; what did would be missed on unpacking.
        let _ = Encoder::new().encode(&window, &mut histograms);
        Parcel { window, histograms }
    }

    /// None where a distribution is not whole, or of no request of this window.
    pub fn unpack(self) -> Option<Window> {
        let mut window = self.window;
        let mut deserializer = Deserializer::new();
        for line in self.histograms.lines() {
            histograms::restore(line, &mut deserializer, &mut window)?;
        }
        Some(window)
    }
}
