use serde::{Deserialize, Serialize};

/// Who let a drill of production go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The fingerprint of the key that signed: the first eight bytes of its SHA-256, in hexadecimal digits.
    pub key: String,
    /// When it expires, in nanoseconds since the epoch.
    pub until: i64,
    /// SHA-256 of the plan that was approved, before anything was left out of it.
    pub plan: String,
}
