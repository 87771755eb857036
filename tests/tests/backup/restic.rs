//! All three copies are read by Debian's restic, without Drydock.

use drydock_tests::rig::{BackupCopy, Backups, Restic, Tree, WORKED};

#[test]
fn restic_reads_all_three_copies() {
    let backups = Backups::with_three_copies();
    let snapshot = backups.snapshot();
    let wanted = backups.tree();

    for copy in BackupCopy::ALL {
        let restic = backups.restic(copy);
        restic.check();
        assert_eq!(restic.snapshots(), [snapshot.clone()]);
        let to = backups.scratch(copy.word());
        restic.restore("latest", &to);
        Tree::of(&to).assert_is(&wanted);
    }
}
