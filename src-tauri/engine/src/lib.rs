//! Everything Drydock does, without a window system or a terminal.

pub mod backup;
pub mod claude_home;
pub mod container;
pub mod error_handling;
pub mod image;
pub mod keychain;
pub mod paths;
pub mod session;
pub mod settings;
pub mod sync;
pub mod validation;
