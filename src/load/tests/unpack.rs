use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::json;

use super::support::{Maker, run_with};
use crate::base::units::Span;
use crate::load::Options;
use crate::plan::{Capture, CaptureFrom, Matcher, OnFailure, Request};
use crate::record::{BadKind, Unpacked};
use crate::wire::scripted::{Do, Scripted, Seen, answer};

const ONE: Options = Options { workers: Some(1), spin: None };
const TEXT: &str = r#"{"state":"placed","note":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One block that holds the bytes as they are (RFC 8878, 3.1.1).
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, u8::try_from(bytes.len()).unwrap()];
    let header = (bytes.len() as u32) << 3 | 1;
    frame.extend_from_slice(&header.to_le_bytes()[..3]);
    frame.extend_from_slice(bytes);
    frame
}

/// One meta-block that holds the bytes as they are, and an empty last one (RFC 7932, 9).
fn brotli(bytes: &[u8]) -> Vec<u8> {
    // WBITS 16 (0), not last (0), four nibbles of length (00), length − 1 in sixteen bits, uncompressed (1).
    let bits = (bytes.len() as u32 - 1) << 4 | 1 << 20;
    let mut stream = bits.to_le_bytes()[..3].to_vec();
    stream.extend_from_slice(bytes);
    stream.push(0x03);
    stream
}

fn packed(coding: &str, body: Vec<u8>) -> Vec<Do> {
    let mut text = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n", body.len());
    text.push('\0');
    let mut bytes = text.into_bytes();
    bytes.pop();
    bytes.extend_from_slice(&body);
    vec![Do::Send(bytes)]
}

fn script(seen: &Seen) -> Vec<Do> {
    let text = TEXT.as_bytes();
    match seen.path.as_str() {
        "/gzip" => packed("gzip", gzip(text)),
        "/deflate" => packed("deflate", zlib(text)),
        "/zstd" => packed("zstd", zstd(text)),
        "/br" => packed("br", brotli(text)),
        "/twice" => packed("br, gzip", gzip(&brotli(text))),
        "/plain" => vec![answer(200, &[("content-encoding", "identity")], TEXT)],
        "/none" => vec![answer(200, &[("content-encoding", "gzip")], "")],
        "/cut" => packed("gzip", gzip(text)[..30].to_vec()),
        "/cut-zstd" => packed("zstd", zstd(text)[..30].to_vec()),
        "/cut-br" => packed("br", brotli(text)[..30].to_vec()),
        "/garbage" => packed("gzip", b"not at all".to_vec()),
        "/unknown" => packed("lzma", gzip(text)),
        "/bomb" => packed("gzip", gzip(&vec![0; 20 << 20])),
        "/fails" => vec![answer(500, &[("content-encoding", "gzip")], "oops")],
        _ => vec![answer(404, &[], "")],
    }
}

/// Expectations and captures see what was packed; what is broken is bad, and nothing is made endlessly long.
#[test]
fn answers_are_decompressed_and_looked_into() {
    let server = Scripted::start(script);
    let mut maker = Maker::new(&server.url());
    maker.plan.platform.endpoints[0].decompress = true;
    let wants = |request: &mut Request| {
        request.expect.body = vec![("$.state".into(), Matcher::Equals(json!("placed")))];
        request.expect.contains = vec![super::support::text("aaaa")];
        let from = CaptureFrom::Json("$.note".into());
        request.captures = vec![Capture { name: "note".into(), from, secret: false, figure: None }];
        request.on_failure = OnFailure::Continue;
    };
    let only = |request: &mut Request| request.on_failure = OnFailure::Continue;
    let mut steps: Vec<_> =
        ["/gzip", "/deflate", "/zstd", "/br", "/twice", "/plain"].map(|path| maker.get_with(path, wants)).into();
    let broken = ["/none", "/cut", "/cut-zstd", "/cut-br", "/garbage", "/unknown", "/bomb", "/fails"];
    steps.extend(broken.map(|path| maker.get_with(path, only)));
    let told = run_with(maker.only(steps, 1.0, Span::SECOND), ONE, |_, _| {});
    for good in ["/gzip", "/deflate", "/zstd", "/br", "/twice", "/plain", "/none"] {
        assert_eq!(told.counts(good).ok, 1, "{good}: {:?}", told.failures);
    }
    for (bad, why) in [
        ("/cut", "it is no sound gzip: it ends before its end"),
        ("/cut-zstd", "it is no sound zstd"),
        ("/cut-br", "it is no sound br"),
        ("/garbage", "it is no sound gzip"),
        ("/unknown", "`lzma`, which was not asked for"),
        ("/bomb", "more than 16777216 bytes"),
    ] {
        assert_eq!(told.counts(bad).bad, [(BadKind::Encoding, 1)], "{bad}");
        let found = told.failures.iter().find(|failure| failure.series == told.series(bad)).unwrap();
        assert!(found.why.contains(why), "{bad}: {}", found.why);
    }
    assert_eq!(told.counts("/fails").bad, [(BadKind::Status, 1)]);
    assert!(server.log().iter().all(|seen| seen.header("accept-encoding") == Some("gzip, br, zstd")));
    let mut sum = Unpacked::default();
    told.windows.iter().for_each(|window| sum.add(&window.health.unpacked));
    assert!(sum.answers >= 5 && sum.plain >= 5 * TEXT.len() as u64 && sum.took > Span::ZERO, "{sum:?}");
}

#[test]
fn nobody_who_does_not_ask_is_sent_something_compressed() {
    let server = Scripted::start(script);
    let mut maker = Maker::new(&server.url());
    maker.plan.platform.endpoints[0].decompress = true;
    let off = maker.get_with("/gzip", |request| request.decompress = Some(false));
    let own = maker.get_with("/br", |request| {
        request.headers = vec![("Accept-Encoding".to_owned(), super::support::text("br"))];
    });
    let told = run_with(maker.only(vec![off, own], 1.0, Span::SECOND), ONE, |_, _| {});
    assert_eq!((told.counts("/gzip").ok, told.counts("/br").ok), (1, 1), "{:?}", told.failures);
    let log = server.log();
    assert_eq!((log[0].header("accept-encoding"), log[1].header("accept-encoding")), (None, Some("br")));
    let unpacked: u64 = told.windows.iter().map(|window| window.health.unpacked.answers).sum();
    assert_eq!(unpacked, 1, "only what was asked for is made plain");
}

/// Its time ends with the last byte that was read.
#[test]
fn decompressing_takes_none_of_the_time_of_a_request() {
    let large = gzip(&vec![7; 12 << 20]);
    let server = Scripted::start(move |_| packed("gzip", large.clone()));
    let mut maker = Maker::new(&server.url());
    let step = maker.get_with("/", |request| request.decompress = Some(true));
    let told = run_with(maker.only(vec![step], 2.0, Span::SECOND), ONE, |_, _| {});
    assert_eq!(told.counts("/").ok, 2, "{:?}", told.failures);
    let mut sum = Unpacked::default();
    told.windows.iter().for_each(|window| sum.add(&window.health.unpacked));
    assert_eq!((sum.answers, sum.plain), (2, 2 * (12 << 20)));
    let slowest = told.planned("/").service.max().unwrap();
    assert!(slowest < Span(sum.took.as_nanos() / 2), "{slowest} against {} for two", sum.took);
}
