//! An archive out of a container.
#![no_main]

use drydock_engine::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (mut files, mut bytes) = (0, 0);
    let _ = fuzzing::read_tar(input, &mut |name, content| {
        files += 1;
        bytes += content.len();
        assert!(!name.starts_with('/') && name.split('/').all(|part| !matches!(part, "" | "." | "..")), "{name:?}");
        assert!(!name.contains('\0'));
    });
    assert!(files <= fuzzing::TAR_ENTRIES && bytes <= fuzzing::TAR_BYTES);
});
