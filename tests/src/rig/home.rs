//! A scratch home: what Claude Code knows of a user, and nothing of the real one.

#[cfg(target_os = "linux")]
use super::Login;
use super::{Project, Transcript};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use walkdir::WalkDir;

/// A home folder.
pub struct Home {
    path: PathBuf,
    /// Kept only to be removed.
    _own: Option<TempDir>,
}

/// A way in which `.claude.json` breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Cut off in the middle, as by a full disk.
    Truncated,
    /// Emptied, as by a crash between truncating and writing.
    Empty,
    /// Two documents in one file, as by two writers.
    TwoObjects,
}

impl Home {
    /// A home whose user has been through Claude Code's first questions, and trusts nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let home = Self::bare();
        home.furnish();
        home
    }

    /// A home without any of Claude Code's data.
    #[must_use]
    pub fn bare() -> Self {
        Self::named("home")
    }

    /// A bare home with this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let own = TempDir::with_prefix("drydock-home-").expect("a scratch folder");
        // Sessions run as another user than root, who must be able to pass.
        fs::set_permissions(own.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let path = own.path().canonicalize().unwrap().join(name);
        fs::create_dir(&path).expect("the scratch home");
        Self { path, _own: Some(own) }
    }

    /// A folder that is there already.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.canonicalize().expect("the scratch home"), _own: None }
    }

    /// Gives it what a user of Claude Code has.
    pub fn furnish(&self) {
        self.write(".claude.json", &json!({ "hasCompletedOnboarding": true, "projects": {} }).to_string());
        self.write(".claude/CLAUDE.md", "# My memory\n- prefer small commits\n");
        self.write(".claude/settings.json", "{ \"cleanupPeriodDays\": 30 }\n");
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Claude Code's folder.
    #[must_use]
    pub fn claude_dir(&self) -> PathBuf {
        self.path.join(".claude")
    }

    /// Claude Code's state.
    #[must_use]
    pub fn claude_json(&self) -> PathBuf {
        self.path.join(".claude.json")
    }

    /// Writes a file, and the folders to it.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).unwrap();
        fs::write(&file, text).unwrap_or_else(|cause| panic!("{}: {cause}", file.display()));
        file
    }

    /// The user has said that the project's files are to be trusted.
    pub fn trust(&self, project: &Path) {
        let mut state: Value = fs::read(self.claude_json())
            .map_or_else(|_| json!({}), |text| serde_json::from_slice(&text).expect("a sound .claude.json"));
        state["projects"][project.to_str().unwrap()]["hasTrustDialogAccepted"] = json!(true);
        fs::write(self.claude_json(), state.to_string()).unwrap();
    }

    /// Another project of this home, which its user does not trust yet.
    #[must_use]
    pub fn untrusted_project(&self, name: &str) -> Project {
        Project::make(&self.path.join(name))
    }

    /// Signs the user in, with tokens that only the stand-in takes. Gives the refresh token.
    pub fn sign_in(&self, access_token: &str) -> String {
        let refresh = "sk-ant-ort01-FAKE-refresh-token-of-the-drydock-tests-FAKE".to_owned();
        let in_eight_hours = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("a clock after 1970")
            .as_millis()
            + 8 * 3_600_000;
        let login = json!({ "claudeAiOauth": {
            "accessToken": access_token, "refreshToken": refresh, "expiresAt": u64::try_from(in_eight_hours).unwrap(),
            "scopes": ["user:inference", "user:profile"], "subscriptionType": "max",
        } });
        self.keep_login(&login);
        refresh
    }

    /// Signs the user in at the stand-in for the sign-in server.
    #[cfg(target_os = "linux")]
    pub fn sign_in_with(&self, login: &Login) {
        self.keep_login(&login.json());
    }

    /// Writes a login as Claude Code keeps it.
    pub fn keep_login(&self, login: &Value) {
        let file = self.write(".claude/.credentials.json", &login.to_string());
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The login that Claude Code keeps.
    #[must_use]
    pub fn credentials(&self) -> Value {
        let file = self.claude_dir().join(".credentials.json");
        let text = fs::read(&file).unwrap_or_else(|cause| panic!("{}: {cause}", file.display()));
        serde_json::from_slice(&text).unwrap_or_else(|cause| panic!("{}: {cause}", file.display()))
    }

    /// Breaks `.claude.json` and gives what is left of it.
    pub fn damage(&self, damage: Damage) -> Vec<u8> {
        let whole = fs::read(self.claude_json()).expect("a .claude.json to break");
        let broken = match damage {
            Damage::Truncated => whole[..whole.len() * 2 / 3].to_vec(),
            Damage::Empty => Vec::new(),
            Damage::TwoObjects => b"{\"a\":1}{\"b\":2}".to_vec(),
        };
        fs::write(self.claude_json(), &broken).unwrap();
        broken
    }

    /// What of this home is mounted elsewhere on this computer, where its kernel tells.
    #[must_use]
    pub fn mounts(&self) -> Vec<String> {
        let scratch = |part: &&str| part.starts_with("drydock-home-") || part.starts_with("drydock-disk-");
        let path = self.path.to_str().expect("a path that is text");
        let name = path.split('/').find(scratch).expect("a scratch home");
        fs::read_to_string("/proc/self/mountinfo")
            .unwrap_or_default()
            .lines()
            // The fourth field is what of the file system is mounted.
            .filter(|line| line.split(' ').nth(3).is_some_and(|root| root.contains(name)))
            .map(str::to_owned)
            .collect()
    }

    /// Every conversation there is, by the names of their files.
    #[must_use]
    pub fn conversations(&self) -> Vec<Transcript> {
        let mut found: Vec<_> = WalkDir::new(self.claude_dir().join("projects"))
            .min_depth(2)
            .max_depth(2)
            .into_iter()
            .flatten()
            .map(walkdir::DirEntry::into_path)
            .filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
            .map(Transcript::at)
            .collect();
        found.sort_by(|a, b| a.path().cmp(b.path()));
        found
    }

    /// The conversation with this id. There must be exactly one: two of the same id lose both.
    #[must_use]
    pub fn conversation(&self, id: &str) -> Transcript {
        let mut found: Vec<_> = self.conversations().into_iter().filter(|one| one.id() == id).collect();
        assert_eq!(
            found.len(),
            1,
            "conversation {id} on the host: {:?}, of {:?}",
            found.iter().map(Transcript::path).collect::<Vec<_>>(),
            self.conversations().iter().map(|one| one.path().to_owned()).collect::<Vec<_>>(),
        );
        found.remove(0)
    }

    /// Whether there is a conversation with this id.
    #[must_use]
    pub fn has_conversation(&self, id: &str) -> bool {
        self.conversations().iter().any(|one| one.id() == id)
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}
