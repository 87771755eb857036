//! A value that cannot be printed.

use std::fmt;
use zeroize::Zeroize;

/// Holds a secret. It has no `Display`, no `Serialize`, and a `Debug` that tells nothing; when it goes, the memory
/// that held it is overwritten.
#[derive(Clone, PartialEq, Eq)]
pub struct Sensitive<T: Zeroize>(T);

impl<T: Zeroize> Drop for Sensitive<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> Sensitive<T> {
    /// Takes a secret in.
    pub fn new(secret: T) -> Self {
        Self(secret)
    }

    /// The secret, to be handed on and never to be shown.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Keeps this process's memory, and with it any login in it, from being written to a disk when it crashes.
/// Programs that it starts inherit that.
pub fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    if let Err(cause) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%cause, "core dumps could not be switched off");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_tells_nothing() {
        assert_eq!(format!("{:?}", Sensitive::new("sk-ant-secret".to_owned())), "(secret)");
    }
}
