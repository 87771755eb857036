//! Makes a home with a past, to look at or to try things on: `make_home FOLDER`.
//!
//! Everything in it is written by the real Claude Code, talking to the stand-in of the tests. Beside it
//! are copies of its `.claude.json` in the ways that it breaks.
#![allow(clippy::expect_used, clippy::panic)] // a step that fails ends the making

use drydock_tests::rig::{Anthropic, Damage, Home, LivedIn, session_image};
use std::{env, fs, path::PathBuf};

fn main() {
    let folder = PathBuf::from(env::args_os().nth(1).expect("usage: make_home FOLDER"));
    fs::create_dir(&folder).unwrap_or_else(|cause| panic!("{}: {cause}", folder.display()));
    let (path, broken) = (folder.join("home"), folder.join("broken"));
    for made in [&path, &broken] {
        fs::create_dir(made).expect("a new folder");
    }
    // It brings the program of Claude Code.
    session_image();
    let home = Home::at(&path);
    home.furnish();
    let past = LivedIn::make(&home, &Anthropic::start());
    let whole = fs::read(home.claude_json()).expect("what Claude Code wrote");
    for (damage, name) in
        [(Damage::Truncated, "truncated"), (Damage::Empty, "zero"), (Damage::TwoObjects, "two-objects")]
    {
        fs::write(broken.join(format!("claude.json.{name}")), home.damage(damage)).expect("a broken copy");
        fs::write(home.claude_json(), &whole).expect("the whole one again");
    }
    println!("{}", home.path().display());
    println!("  project       {}", past.project.path().display());
    println!("  conversations {} {} {}", past.worked, past.forked, past.asked);
}
