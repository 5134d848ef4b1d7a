use std::path::PathBuf;

use super::exit::Exit;
use super::machine::{self, Calibration, Identity};
use super::scenarios;
use super::speech::Speech;
use crate::base::diagnostic::Sources;
use crate::base::units::{Rate, Span};
use crate::{compile, load, scenario};

/// Long enough that one slow tenth of a second does not show.
const MEASURED: Span = Span::seconds(2);

/// What is sent: an order as shops take it, and a look at it. The server is put in its endpoint's place.
const SCENARIO: &str = r#"peakdrill: 1
name: calibration
platform:
  allow: [127.0.0.0/8]
  endpoints: { here: "http://127.0.0.1:1" }
journeys:
  order:
    - post: "/orders?page={{ int(1, 50) }}"
      name: place order
      headers: { Idempotency-Key: "{{ uuid() }}" }
      json: { sku: "{{ int(1, 5000) }}", quantity: 1 }
      expect: { body: { $.state: placed } }
      capture: { order: $.id }
    - get: "/orders/{{ order }}"
      name: look at order
load:
  orders:
    mix: { order: 1 }
    arrivals: [ { hold: { rate: 100/s, for: 2s } } ]
"#;

/// Measures what a core of this machine can send, and keeps it.
pub(super) fn calibrate(speech: Speech) -> Exit {
    let done = measure().and_then(|rate| {
        let path = keep(rate)?;
        speech.print(&format!("{}\n", speech.words.machine_measured(speech.words.rate(rate), path.display())));
        Ok(())
    });
    match done {
        Ok(()) => Exit::Passed,
        Err(why) => {
            speech.complain(&why);
            Exit::Inconclusive
        }
    }
}

fn measure() -> Result<Rate, String> {
    let defect = || "the calibration's own scenario is wrong".to_owned();
    let mut sources = Sources::default();
    let (files, _) = scenario::open(&mut sources, "calibration.yaml", &mut |_| Ok(SCENARIO.as_bytes().to_vec()));
    let (read, _) = files.read(&mut sources, None, &[]);
    let read = read.ok_or_else(defect)?;
    let input = compile::Input {
        scenario: &read,
        sources: &mut sources,
        entry: files.entry(),
        profile: None,
        unattended: false,
    };
    let compiled = compile::compile(input, &mut |_| Err("it has no files".to_owned())).map_err(|_| defect())?;
    let constants = scenarios::constants(&compiled.plan, "calibration")?;
    load::calibrate(compiled.plan, constants, MEASURED).map_err(|error| error.to_string())
}

fn keep(rate: Rate) -> Result<PathBuf, String> {
    let path = machine::place().ok_or("neither XDG_CACHE_HOME nor HOME says where a calibration could be kept")?;
    let kept = Calibration::new(Identity::here(), rate);
    kept.write(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}
