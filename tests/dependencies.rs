//! What the build may not grow: a second TLS provider, plotters with fonts and bitmaps, fat link-time optimisation in
//! the profile that everybody builds.

use std::process::Command;

/// Every crate that a build for this machine compiles, with its features: `plotters v0.3.7 svg_backend,…`.
fn built() -> Vec<(String, Vec<String>)> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--no-dedupe", "-e", "normal,build,dev"])
        .args(["-f", "{p}|{f}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let crates = text.lines().filter_map(|line| {
        let (package, features) = line.split_once('|')?;
        let name = package.split(' ').next()?.to_owned();
        Some((name, features.split(',').filter(|feature| !feature.is_empty()).map(str::to_owned).collect()))
    });
    crates.collect()
}

#[test]
fn one_tls_provider() {
    let built = built();
    let has = |name: &str| built.iter().any(|(package, _)| package == name);
    assert!(has("aws-lc-rs"), "rustls runs on aws-lc-rs");
    for other in ["ring", "openssl", "openssl-sys", "native-tls", "boring", "mbedtls"] {
        assert!(!has(other), "{other} is built too: one TLS provider is enough; see `cargo tree -i {other}`");
    }
}

#[test]
fn plotters_draws_svg_and_nothing_else() {
    let built = built();
    let features: Vec<&str> =
        built.iter().filter(|(name, _)| name == "plotters").flat_map(|(_, all)| all).map(String::as_str).collect();
    assert!(features.contains(&"svg_backend"), "{features:?}");
    for heavy in ["bitmap_backend", "bitmap_encoder", "ttf", "ab_glyph", "image", "all_series", "evcxr"] {
        assert!(!features.contains(&heavy), "plotters is built with {heavy}");
    }
    assert!(!built.iter().any(|(name, _)| name == "font-kit"), "font-kit needs the system's font libraries");
}

#[test]
fn only_the_dist_profile_pays_for_fat_lto() {
    let manifest = include_str!("../Cargo.toml");
    let mut section = "";
    let mut dist = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        }
        let slow = line.starts_with("lto") || line.starts_with("codegen-units");
        dist |= slow && section == "[profile.dist]";
        assert!(!slow || section == "[profile.dist]", "{line} in {section}");
    }
    assert!(dist, "the dist profile is the one with link-time optimisation");
    assert!(manifest.contains("[profile.release]"));
}
