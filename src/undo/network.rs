//! What was done to networks of a drill. Nothing is ever undone in a namespace that does not carry its mark; rules and rates go
//! with it. A look that fails is no proof that something is gone.

use std::io;

use crate::base::host::Namespace;

/// Removes a table of rules; fine when it is gone already, or its namespace is.
pub(super) fn remove_rules(namespace: &Namespace, table: &str) -> io::Result<()> {
    if !namespace.exists()? {
        return Ok(());
    }
    // Made, if it is not there, and removed, as one.
    let both = format!("table inet {table}\ndelete table inet {table}\n");
    namespace.tool("nft", &["-f", "-"], &both).map(drop)
}

pub(super) fn has_rules(namespace: &Namespace, table: &str) -> io::Result<bool> {
    if !namespace.exists()? {
        return Ok(false);
    }
    let listed = namespace.tool("nft", &["list", "tables", "inet"], "")?;
    Ok(listed.lines().any(|line| line.trim() == format!("table inet {table}")))
}

/// Lets a device send as it likes; fine when it does already, or is gone.
pub(super) fn remove_shape(namespace: &Namespace, device: &str) -> io::Result<()> {
    if !has_shape(namespace, device)? {
        return Ok(());
    }
    namespace.tool("tc", &["qdisc", "delete", "dev", device, "root"], "").map(drop)
}

/// Devices of a drill have no queue but one that a fault has made.
pub(super) fn has_shape(namespace: &Namespace, device: &str) -> io::Result<bool> {
    if !namespace.exists()? {
        return Ok(false);
    }
    let shown = namespace.tool("tc", &["qdisc", "show"], "")?;
    let ours = |line: &str| line.starts_with("qdisc tbf") || line.starts_with("qdisc netem");
    let of_it = |line: &str| line.split_whitespace().skip_while(|word| *word != "dev").nth(1) == Some(device);
    Ok(shown.lines().any(|line| ours(line) && of_it(line)))
}
