use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Why a program takes no library that is loaded before its own (LD_PRELOAD), or does not ask one for the time; none where nothing of
/// that is to be seen. A script is taken at its interpreter's word.
pub fn takes_no_library(program: &Path) -> Option<&'static str> {
    let mut bytes = Vec::new();
    // The heads of sections stand at the end, so the whole of it is read, within reason.
    File::open(program).ok()?.take(1 << 30).read_to_end(&mut bytes).ok()?;
    Elf::read(&bytes)?.refuses()
}

/// A program of 64 bits, little-endian (elf(5)).
struct Elf<'b> {
    bytes: &'b [u8],
}

/// Of a program header that names the dynamic loader.
const PT_INTERP: u64 = 3;

impl<'b> Elf<'b> {
    fn read(bytes: &'b [u8]) -> Option<Elf<'b>> {
        bytes.starts_with(b"\x7fELF\x02\x01").then_some(Elf { bytes })
    }

    /// A number of so many bytes.
    fn number(&self, at: u64, size: usize) -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let bytes = self.bytes.get(at..at.checked_add(size)?)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn refuses(&self) -> Option<&'static str> {
        if self.has_section(b".go.buildinfo") == Some(true) {
            return Some("it is a Go program, which asks the kernel itself for the time");
        }
        match self.is_static() {
            Some(true) => Some("it is a static program, into which no library can be loaded"),
            _ => None,
        }
    }

    fn is_static(&self) -> Option<bool> {
        let (heads, size, count) = (self.number(32, 8)?, self.number(54, 2)?, self.number(56, 2)?);
        for index in 0..count {
            if self.number(heads.checked_add(index * size)?, 4)? == PT_INTERP {
                return Some(false);
            }
        }
        Some(true)
    }

    fn has_section(&self, wanted: &[u8]) -> Option<bool> {
        let (heads, size, count, names) =
            (self.number(40, 8)?, self.number(58, 2)?, self.number(60, 2)?, self.number(62, 2)?);
        let names = self.number(heads.checked_add(names * size)?.checked_add(24)?, 8)?;
        for index in 0..count {
            let name = names.checked_add(self.number(heads.checked_add(index * size)?, 4)?)?;
            let name = self.bytes.get(usize::try_from(name).ok()?..)?;
            if name.strip_prefix(wanted).is_some_and(|rest| rest.first() == Some(&0)) {
                return Some(true);
            }
        }
        Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_load_no_library_are_told_from_others() {
        assert_eq!(takes_no_library(&std::env::current_exe().unwrap()), None);
        assert_eq!(takes_no_library(Path::new("/no/such/program")), None);
        // A head alone, with no program header at all.
        let mut plain = b"\x7fELF\x02\x01".to_vec();
        plain.resize(64, 0);
        assert!(Elf::read(&plain).unwrap().refuses().unwrap().contains("static"));
        // One section, whose name stands right behind it, and a loader's name.
        let mut go = plain.clone();
        go[40] = 64; // where heads of sections begin
        go[58] = 64; // their size
        go[60] = 1;
        go.resize(128, 0);
        go[64 + 24] = 128; // where names begin
        go.extend(b".go.buildinfo\0");
        assert!(Elf::read(&go).unwrap().refuses().unwrap().contains("Go"));
        go[128] = b'x';
        assert!(Elf::read(&go).unwrap().refuses().unwrap().contains("static"));
        for end in 0..go.len() {
            let _ = Elf::read(&go[..end]).map(|elf| elf.refuses());
        }
        assert!(Elf::read(b"#!/bin/sh\n").is_none());
    }
}
