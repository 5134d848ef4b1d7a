//! Patterns of paths: `*` stands for any part of one segment, `**` for any segments.

/// Whether `pattern` is the whole of `path`; a query is not looked at.
pub fn fits(pattern: &str, path: &str) -> bool {
    matches(pattern.as_bytes(), path.split('?').next().unwrap_or_default().as_bytes())
}

fn matches(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=path.len()).any(|at| matches(rest, &path[at..])),
        [b'*', rest @ ..] => {
            let segment = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
            (0..=segment).any(|at| matches(rest, &path[at..]))
        }
        [byte, rest @ ..] => path.first() == Some(byte) && matches(rest, &path[1..]),
    }
}

/// A pattern that a path and its like fit: segments that hold a digit are `*`.
pub fn guess(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    let segment = |segment: &str| {
        let varies = segment.bytes().any(|byte| byte.is_ascii_digit());
        if varies { "*".to_owned() } else { segment.to_owned() }
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}
