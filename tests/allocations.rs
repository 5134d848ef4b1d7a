//! What a request costs in allocations: a platform that fails every request costs no more of them than a sound one.
#![allow(unsafe_code)] // No allocator can be had without.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use peakdrill::base::clock::Clock;
use peakdrill::base::units::{Share, Span};
use peakdrill::load::{Feeds, Setting, saturate};
use peakdrill::plan::Plan;
use peakdrill::record::Book;
use peakdrill::wire::Door;
use serde_json::{Map, Value, json};

struct Counting;

static MADE: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MADE.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        MADE.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Answers every request with `answer`, without an allocation of its own. Gives its address.
fn serve(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let mut buffer = [0; 4096];
        // The requests here are small: each comes in one piece, and one at a time.
        while stream.read(&mut buffer).is_ok_and(|read| read > 0) && stream.write_all(answer).is_ok() {}
    });
    url
}

fn plan(url: &str, expect: Value, captures: Value) -> Plan {
    let expected = |word: &str| expect.get(word).cloned().unwrap_or_else(|| json!([]));
    let request = json!({ "request": {
        "step": 0, "endpoint": 0, "method": "GET", "path": "/", "query": [], "headers": [], "body": null,
        "timeout": 30_000_000_000u64, "on_failure": "end", "captures": captures,
        "expect": { "status": [], "shed": [], "body": expected("body"), "contains": expected("contains"),
                    "headers": expected("headers"), "within": null },
    } });
    let plan = json!({
        "version": 1,
        "about": { "name": "cost", "title": {}, "description": {}, "purpose": {}, "scope": {}, "emergency_plan": null,
                   "owner": {}, "people": [], "environment": {}, "differs_from_production": {} },
        "seed": 618, "profile": null, "vars": {},
        "platform": {
            "allow": [{ "network": { "address": "127.0.0.0", "prefix": 8 } }],
            "mark": { "header": "X-Drill-Run", "value": "cost" }, "processes": [], "watches": [],
            "endpoints": [{ "name": "one", "title": {}, "url": url, "headers": [],
                            "tls": { "ca": null, "server_name": null },
                            "connections": { "max": 1, "queue": 0, "per": "shared", "warm": 1 } }],
        },
        "prepare": [], "cleanup": [], "feeds": [],
        "steps": [{ "name": "step", "title": {}, "within": null, "bounds": [] }],
        "journeys": [{ "name": "one", "title": {}, "cookies": true, "actions": [request] }],
        "loads": [{ "name": "cost", "title": {}, "mix": [[0, 1.0]], "spacing": "even", "start": 0,
                    "stages": [{ "kind": { "hold": { "rate": 1.0, "span": 1_000_000_000 } }, "phase": null }] }],
        "series": [{ "load": 0, "journey": 0, "step": 0 }],
        "phases": [], "faults": [], "steady_states": [], "aborts": [], "targets": [],
        "limits": { "patience": Span::seconds(5), "shed": null, "down_below": Share(0.5), "drain": Span::seconds(5),
                    "lag": Span::millis(10) },
        "end": 1_000_000_000,
    });
    serde_json::from_value(plan).unwrap()
}

/// Requests made, those of them that were ok, and allocations.
fn cost(plan: Plan) -> (u64, u64, u64) {
    let door = Door::new(&Clock::start(), &plan.platform.allow, Path::new("."));
    let feeds = Feeds::read(&plan, Path::new("."), Default::default()).unwrap();
    let (plan, constants) = (Arc::new(plan), Arc::new(Map::new()));
    let (program, files) = (PathBuf::new(), PathBuf::new());
    let setting = Setting { plan, run: "cost".to_owned(), constants, feeds, door, program, files };
    let before = MADE.load(Ordering::Relaxed);
    let windows = saturate(&setting, 1, Span::seconds(2)).unwrap();
    let made = MADE.load(Ordering::Relaxed) - before;
    let cells = windows.iter().flat_map(|window| &window.cells).filter(|cell| cell.book == Book::Seconds);
    let (all, ok) = cells.fold((0, 0), |sum, cell| (sum.0 + cell.counts.base(), sum.1 + cell.counts.ok));
    (all, ok, made)
}

#[test]
fn a_failed_request_costs_no_more_allocations_than_a_sound_one() {
    const SOUND: &[u8] = b"HTTP/1.1 200 OK\r\nx-state: placed\r\ncontent-length: 6\r\n\r\nplaced";
    const FAILED: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\nno";
    let none = || json!([]);
    let header = json!([{ "name": "id", "from": { "header": "x-id" }, "secret": false }]);
    for (what, answer, expect, captures, good) in [
        ("sound", SOUND, json!({}), none(), true),
        ("status", FAILED, json!({}), none(), false),
        ("contains", SOUND, json!({ "contains": ["paid"] }), none(), false),
        ("header", SOUND, json!({ "headers": [["x-state", { "equals": "paid" }]] }), none(), false),
        ("capture", SOUND, json!({}), header, false),
    ] {
        let (all, ok, made) = cost(plan(&serve(answer), expect, captures));
        assert!(all > 1_000, "{what}: only {all} requests");
        assert_eq!(ok, if good { all } else { 0 }, "{what}");
        // The rest is for the start of the worker, its windows and histograms.
        assert!(made < all / 20 + 300, "{what}: {made} allocations for {all} requests");
    }
}
