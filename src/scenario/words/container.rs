//! Containers, and what is done to them alone.

use super::fault::Target;
use crate::base::units::Text;
use crate::scenario::define::block;

block! {
    /// A container that runs already, and carries the label peakdrill.allow=true: no other is ever touched.
    pub struct Container("a container") {
        title: optional("title") Text,
        /// As Docker calls it.
        name: required("name") String,
        /// The path of Docker's socket; left out: /var/run/docker.sock.
        socket: optional("socket") String,
    }
}

block! {
    /// What is taken off all its networks.
    pub struct Disconnect("`disconnect`") {
        /// A container, a list of them, or { any: container, pick: 1 }.
        container: required("container") Target,
    }
}
