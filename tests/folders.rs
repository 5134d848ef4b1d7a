//! The commands about stored runs, on folders as people and accidents leave them.

mod common;

use std::fs;
use std::path::Path;

use common::Yard;

/// The sample run of the project, under a name of ours.
fn keep_sample(yard: &Yard) -> std::path::PathBuf {
    let run = yard.path().join("reports/sample");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/sample"), &run);
    run
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder of the run") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

#[test]
fn a_run_that_was_killed_before_it_began_is_listed_and_can_be_removed() {
    let yard = Yard::new();
    keep_sample(&yard);
    let run = "20261123-214500-peak-2a3f";
    let folder = yard.path().join("reports").join(run);
    fs::create_dir_all(folder.join("output")).expect("a folder");
    fs::write(folder.join("events.jsonl"), "").expect("an empty file");
    fs::create_dir(yard.path().join("reports/photos")).expect("somebody else's folder");

    let listed = yard.run(&["runs", "list"]).expect(0).out;
    let line = listed.lines().find(|line| line.starts_with(run)).expect("a line of the broken run");
    assert!(line.ends_with("broken off before it began"), "{listed}");
    assert!(!listed.contains("photos"), "{listed}");

    let told = yard.run(&["report", run]).expect(2).err;
    assert!(told.contains("broken off before it began"), "{told}");
    // The last one that has anything to be reported.
    yard.run(&["report", "last"]).expect(0);

    yard.run(&["runs", "remove", "photos"]).expect(2);
    yard.run(&["runs", "remove", run]).expect(0);
    assert!(!folder.exists() && yard.path().join("reports/photos").exists());
}

/// A letter that no font here has: said, and an error where pictures are demanded.
#[test]
fn a_picture_that_cannot_be_made_is_an_error_where_it_is_demanded() {
    let yard = Yard::new();
    let run = keep_sample(&yard);
    let picture = run.join("plots/rate.png");

    // Something stands where the picture should.
    fs::remove_file(&picture).expect("the sample has it");
    fs::create_dir_all(picture.join("full")).expect("a folder");
    let told = yard.run(&["report", "sample", "--png"]).expect(2).err;
    assert!(told.contains("plots/rate.png"), "{told}");
    fs::remove_dir_all(&picture).expect("ours");

    let font = yard.path().join("no-such-font.ttf");
    let mut command = yard.command(["report", "sample", "--png"]);
    command.env("PEAKDRILL_FONT", &font);
    let told = common::Running::new(command).wait().expect(2).err;
    assert!(told.contains("PEAKDRILL_FONT") && told.contains("no-such-font.ttf"), "{told}");

    yard.run(&["report", "sample", "--png"]).expect(0);
    let plan = run.join("plan.json");
    let text = fs::read_to_string(&plan).expect("the plan");
    let renamed = text.replace("\"name\": \"outage\"", "\"name\": \"\u{13000}\"");
    assert_ne!(text, renamed);
    fs::write(&plan, renamed).expect("the plan");
    fs::remove_dir_all(run.join("plots")).expect("ours");
    let told = yard.run(&["report", "sample", "--png"]).expect(2).err;
    assert!(told.contains("plots/rate.png") && told.contains('\u{13000}'), "{told}");
    let charts = |end: &str| {
        let plots = fs::read_dir(run.join("plots")).expect("plots");
        plots.filter(|one| one.as_ref().expect("an entry").path().to_string_lossy().ends_with(end)).count()
    };
    assert!(charts(".svg") > 5, "no chart is missing for want of a picture");
    fs::write(&picture, "of an earlier rendering").expect("a file");
    let said = yard.run(&["report", "sample"]).expect(0).out;
    assert!(said.contains("no PNG of the plots"), "{said}");
    assert!(!picture.exists(), "a picture of another rendering stays");
}

/// The reader of a pipe that goes away is no mistake; a disk that is full is one.
#[test]
fn output_that_cannot_be_written_is_said_and_a_reader_that_went_away_is_not() {
    let yard = Yard::new();
    keep_sample(&yard);
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/presale-peak.yaml");
    for arguments in [
        &["schema"][..],
        &["completions", "bash"],
        &["man"],
        &["plan", scenario],
        &["plan", scenario, "--format", "json"],
        &["check", scenario],
        &["report", "sample"],
        &["runs", "list"],
        &["residue"],
    ] {
        let mut command = yard.command_of("sh", ["-c", "exec \"$@\" > /dev/full", "sh"]);
        command.arg(yard.program()).args(arguments);
        let ended = common::Running::new(command).wait().expect(3);
        assert!(ended.err.contains("standard output cannot be written"), "{}", ended.err);
        assert_eq!(ended.err.matches("cannot be written").count(), 1, "{}", ended.err);

        let mut command = yard.command_of("bash", ["-c", "\"$@\" | true; exit ${PIPESTATUS[0]}", "bash"]);
        command.arg(yard.program()).args(arguments);
        let ended = common::Running::new(command).wait().expect(0);
        assert_eq!(ended.err, "", "{arguments:?}");
    }
}

/// What is missing from the middle or the end of a record is no pass.
#[test]
fn a_record_with_a_hole_never_passes() {
    let yard = Yard::new();
    let run = keep_sample(&yard);
    yard.run(&["report", "sample"]).expect(0);
    for name in ["windows.jsonl", "histograms.hlog", "vitals.jsonl", "events.jsonl"] {
        let path = run.join(name);
        let whole = fs::read(&path).expect("a file of the sample");
        fs::write(&path, &whole[..whole.len() * 9 / 10]).expect("a part of it");
        let ended = yard.run(&["report", "sample"]).expect(3);
        assert!(ended.out.contains("breaks off"), "{name}: {}", ended.out);
        fs::write(&path, whole).expect("all of it");
    }
}
