//! The icon of each state: another shape each, so that it reads without colour.

use crate::overview::State;
use tauri::{image::Image, include_image};

/// macOS paints a template in the menu bar's own colour; at 36 pixels it is sharp on a Retina screen, and the
/// system scales it down for others. Linux panels show what they are given, and black would vanish in a dark one.
pub(super) fn of(state: State) -> Image<'static> {
    if cfg!(target_os = "macos") {
        match state {
            State::Idle => include_image!("../icons/tray-idle@2x.png"),
            State::Working => include_image!("../icons/tray-working@2x.png"),
            State::NeedsYou => include_image!("../icons/tray-needs-you@2x.png"),
            State::Problem => include_image!("../icons/tray-problem@2x.png"),
            State::Offline => include_image!("../icons/tray-offline@2x.png"),
        }
    } else {
        match state {
            State::Idle => include_image!("../icons/panel-idle.png"),
            State::Working => include_image!("../icons/panel-working.png"),
            State::NeedsYou => include_image!("../icons/panel-needs-you.png"),
            State::Problem => include_image!("../icons/panel-problem.png"),
            State::Offline => include_image!("../icons/panel-offline.png"),
        }
    }
}
