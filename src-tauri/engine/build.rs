//! Builds `drydock-inside` for the machines that run containers, to be carried in the engine.
//!
//! It is a small static Linux program without C, so any machine builds it: for musl where that is
//! installed (`scripts/setup.sh` adds it), else, on Linux, for this machine alone against a static
//! glibc. `DRYDOCK_INSIDE=none` leaves it out, for type checks; `all` refuses to do without one.

#![allow(clippy::expect_used, reason = "a build script that cannot go on ends the build")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Architectures in Rust's words and in Docker's.
const ARCHITECTURES: &[(&str, &str)] = &[("x86_64", "amd64"), ("aarch64", "arm64")];

fn main() {
    println!("cargo::rerun-if-changed=../inside");
    println!("cargo::rerun-if-env-changed=DRYDOCK_INSIDE");
    let wanted = env::var("DRYDOCK_INSIDE").unwrap_or_default();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut table = String::from("&[\n");
    for (arch, docker) in ARCHITECTURES {
        let built = if wanted == "none" { None } else { build(arch, &out) };
        match built {
            Some(program) => {
                table.push_str(&format!("({docker:?}, include_bytes!({program:?}) as &[u8]),\n"));
            }
            None => {
                assert!(wanted != "all", "drydock-inside cannot be built for {arch}: scripts/setup.sh run");
            }
        }
    }
    table.push(']');
    fs::write(out.join("programs.rs"), table).expect("OUT_DIR can be written to");
}

/// The built program's path; `None` where this machine cannot build for `arch`.
fn build(arch: &str, out: &Path) -> Option<PathBuf> {
    let musl = format!("{arch}-unknown-linux-musl");
    let glibc = format!("{arch}-unknown-linux-gnu");
    let (target, flags) = if has_std(&musl) {
        // The linker that comes with Rust: no other is needed, on a Mac neither.
        (musl, "-C linker=rust-lld -C linker-flavor=ld.lld")
    } else if env::var("HOST").is_ok_and(|host| host == glibc) {
        (glibc, "-C target-feature=+crt-static")
    } else {
        return None;
    };
    // One folder for all builds of the engine, beside those of the profiles.
    let folder = out.ancestors().nth(4)?.join("inside");
    let mut cargo = Command::new(env::var_os("CARGO")?);
    cargo
        .args(["build", "--release", "--locked", "--quiet", "--bin", "drydock-inside"])
        .args(["--manifest-path", "../inside/Cargo.toml", "--target", &target])
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTFLAGS", flags)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort");
    // What cargo tells a build script of its own build is not for another one.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let foreign = text == "CARGO_ENCODED_RUSTFLAGS"
            || text == "RUSTC_WORKSPACE_WRAPPER"
            || text == "CARGO_BUILD_TARGET"
            || text.starts_with("CARGO_CFG_")
            || text.starts_with("CARGO_FEATURE_");
        if foreign {
            cargo.env_remove(&name);
        }
    }
    let done = cargo.status().ok()?;
    assert!(done.success(), "drydock-inside does not build for {target}");
    let program = folder.join(&target).join("release/drydock-inside");
    let own = out.join(format!("drydock-inside-{arch}"));
    fs::copy(&program, &own).expect("the program was built");
    Some(own)
}

fn has_std(target: &str) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let Ok(said) = Command::new(rustc).args(["--print", "target-libdir", "--target", target]).output() else {
        return false;
    };
    let folder = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    said.status.success() && fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}
