#![allow(unsafe_code)]

use std::io::{self, Write};
use std::net::{IpAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};

use serde::Serialize;

/// Has a socket that is bound to an address without a port get its port only as it connects: then it has to be free
/// towards that one target, not towards all.
pub fn bind_without_port(socket: &impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the descriptor is open for as long as it is borrowed; `on` is read for the call, and its size is handed over.
    let set = unsafe {
        let fd = socket.as_fd().as_raw_fd();
        libc::setsockopt(fd, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, (&raw const on).cast(), size)
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Tells another process of ours something: a line of JSON, whole.
pub fn say(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Whether connections can go out from `address`: it is one of this machine's.
pub fn check_own_address(address: IpAddr) -> io::Result<()> {
    UdpSocket::bind((address, 0)).map(drop)
}
