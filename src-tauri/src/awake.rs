//! Staying at work in the background: macOS ends and slows down apps without windows that it takes for idle.
//!
//! Source: Apple's documentation of `NSProcessInfo`, `beginActivityWithOptions:reason:`: a user-initiated activity keeps
//! App Nap, sudden and automatic termination away. This kind of it lets the computer sleep when it wants to.

use objc2_foundation::{NSActivityOptions, NSProcessInfo, NSString};

/// Asks for it for as long as this process lives.
pub(crate) fn stay_awake() {
    let reason = NSString::from_str("Drydock backs up Claude Code's data and looks after it");
    let options = NSActivityOptions::UserInitiatedAllowingIdleSystemSleep;
    let activity = NSProcessInfo::processInfo().beginActivityWithOptions_reason(options, &reason);
    // It ends when it is released, which is when the process ends.
    std::mem::forget(activity);
}
