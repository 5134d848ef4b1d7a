/// Which of the arrivals one machine makes, where several make one load together: k ≡ part mod of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// From 0 on.
    part: u16,
    of: u16,
}

impl Slice {
    /// All of them.
    pub const WHOLE: Slice = Slice { part: 0, of: 1 };

    /// Part `number`, from 1 on, of `of`; none where there is no such part.
    pub const fn new(number: u16, of: u16) -> Option<Slice> {
        if 1 <= number && number <= of { Some(Slice { part: number - 1, of }) } else { None }
    }

    /// What worker `worker` of this part's `workers` owns: its first arrival, and from each to the next.
    pub fn owned(self, worker: u16, workers: u16) -> (u64, u64) {
        let (part, of) = (u64::from(self.part), u64::from(self.of));
        (part + of * u64::from(worker), of * u64::from(workers.max(1)))
    }

    /// This part's share of something that is dealt out to all parts.
    pub fn share(self, total: u32) -> u32 {
        let (part, of) = (u32::from(self.part), u32::from(self.of));
        total / of + u32::from(part < total % of)
    }

    /// From 1 on.
    pub const fn number(self) -> u16 {
        self.part + 1
    }

    /// How many parts there are.
    pub const fn parts(self) -> u16 {
        self.of
    }
}
