use serde::{Deserialize, Serialize};

use crate::base::units::{Rate, Share};

/// What a drill of production keeps to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Production {
    /// The Ed25519 public key of whoever approves: 64 hexadecimal digits in lower case.
    pub approver: String,
    pub window: Window,
    pub most: Most,
}

/// When it may go on, all of it: nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub from: u64,
    pub to: u64,
}

/// How much it may hurt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Most {
    /// Faults in force at once.
    pub faults: u32,
    /// Of the platform's processes, those that faults are aimed at, at once.
    pub processes: Share,
    /// Journeys that begin in a second, of all loads together.
    pub rate: Rate,
}
