//! What a session image is made of.

use super::{
    base::BaseImage,
    claude_version::{ClaudeVersion, Packaging},
};
use crate::container::hex;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt;

/// Where the image's own tools find a home volume that is not yet anybody's home.
pub(crate) const HOME_VOLUME_MOUNT: &str = "/drydock-home";

/// The program that starts a session, and its exit codes.
pub(crate) mod entry {
    /// Its path in the image.
    pub(crate) const PATH: &str = "/usr/local/bin/drydock-session";
    /// Its text.
    pub(crate) const SCRIPT: &str = include_str!("drydock-session.sh");
    /// What was brought in differs from what was sent.
    pub(crate) const EXIT_VERIFY: i64 = 121;
    /// The image lacks what a session needs.
    pub(crate) const EXIT_BROKEN: i64 = 122;
}

/// What people who use Claude Code expect in a shell, and what its MCP servers are started with.
const PACKAGES: &[&str] = &[
    "bash",
    "ca-certificates",
    "curl",
    "file",
    "git",
    "jq",
    "less",
    "locales",
    "make",
    "nodejs",
    "npm",
    "openssh-client",
    "patch",
    "procps",
    "python3",
    "ripgrep",
    "tree",
    "tzdata",
    "unzip",
    "vim-tiny",
    "wget",
    "xz-utils",
    "zip",
];

/// What Claude Code itself needs.
fn needs(packaging: Packaging) -> Option<&'static str> {
    match packaging {
        Packaging::Native => None,
        Packaging::Script => Some("nodejs"),
    }
}

/// The steps that put Claude Code into the image.
fn install(packaging: Packaging) -> &'static str {
    match packaging {
        Packaging::Native => "COPY claude /usr/local/bin/claude\n",
        // `ADD` unpacks. Those versions ask their users to install a newer one in another way.
        Packaging::Script => {
            "ADD claude-code.tgz /usr/local/lib/claude-code/\n\
             RUN ln -s ../lib/claude-code/package/cli.js /usr/local/bin/claude\n\
             ENV DISABLE_INSTALLATION_CHECKS=1\n"
        }
    }
}

/// Who a session runs as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionUser {
    /// The name inside.
    pub name: String,
    /// The user id inside; never 0.
    pub uid: u32,
    /// The group id inside; never 0.
    pub gid: u32,
    /// The home folder that the image's password file names.
    pub home: String,
}

impl SessionUser {
    /// The session's user for the user who runs Drydock: the same ids, so that files in the project
    /// belong to the same person on both sides; for root an ordinary user.
    #[must_use]
    pub fn current() -> Self {
        let uid = rustix::process::getuid().as_raw();
        let gid = rustix::process::getgid().as_raw();
        if uid == 0 {
            return Self { name: "drydock".into(), uid: 1000, gid: 1000, home: "/home/drydock".into() };
        }
        let gid = if gid == 0 { uid } else { gid };
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let (name, home) = passwd_entry(&passwd, uid).unwrap_or_else(|| {
            // macOS keeps people in its directory service, not in the file.
            let name = std::env::var("USER").unwrap_or_else(|_| "user".into());
            let home =
                if cfg!(target_os = "macos") { format!("/Users/{name}") } else { format!("/home/{name}") };
            (name, home)
        });
        Self { name: plain_name(&name), uid, gid, home }
    }

    /// `uid:gid`, as engines take it.
    #[must_use]
    pub fn ids(&self) -> String {
        format!("{}:{}", self.uid, self.gid)
    }
}

fn passwd_entry(passwd: &str, uid: u32) -> Option<(String, String)> {
    passwd.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, id, _, _, home, ..] = fields.as_slice() else { return None };
        (id.parse() == Ok(uid)).then(|| ((*name).to_owned(), (*home).to_owned()))
    })
}

/// A name that `useradd` takes.
fn plain_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c.to_ascii_lowercase() } else { '_' })
        .take(31)
        .collect();
    if plain.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') { plain } else { format!("u{plain}") }
}

/// Everything that decides an image's content but its base.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Claude Code's version.
    pub claude_version: ClaudeVersion,
    /// Packages beside the usual ones.
    pub packages: Vec<String>,
    /// Who sessions run as.
    pub user: SessionUser,
    /// A locale to make beside C.UTF-8, such as `ru_RU.UTF-8`.
    pub locale: Option<String>,
}

impl Recipe {
    /// The build instructions. Slow and rarely changed steps come first, so that engines reuse them.
    pub(super) fn dockerfile(&self, base: &BaseImage) -> String {
        let mut packages: Vec<&str> = PACKAGES.to_vec();
        packages.extend(self.packages.iter().map(String::as_str));
        packages.extend(needs(self.claude_version.packaging()));
        packages.sort_unstable();
        packages.dedup();
        let packages = packages.join(" ");
        let SessionUser { name, uid, gid, home } = &self.user;
        let locale = self
            .locale
            .as_deref()
            .and_then(|locale| locale.strip_suffix(".UTF-8"))
            .map_or(String::new(), |language| {
                format!("RUN localedef -i {language} -f UTF-8 {language}.UTF-8\n")
            });
        // Names and groups that the base already has are given way to: ids are what counts.
        format!(
            "FROM {base}\n\
             RUN apt-get update \\\n \
             && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {packages} \\\n \
             && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb\n\
             {locale}\
             {install}\
             RUN claude --version | grep -qF '{version} ' \\\n \
             || {{ echo 'the program is not Claude Code {version}' >&2; exit 1; }}\n\
             RUN (getent group {gid} >/dev/null || groupadd --gid {gid} '{name}') \\\n \
             && (getent passwd {uid} >/dev/null || useradd --no-create-home --home-dir '{home}' \
             --shell /bin/bash --uid {uid} --gid {gid} '{name}')\n\
             RUN mkdir {mount} && chown {uid}:{gid} {mount}\n\
             COPY drydock-session {entry}\n\
             ENV DISABLE_AUTOUPDATER=1 DISABLE_UPDATES=1 LANG=C.UTF-8\n\
             ENTRYPOINT [\"{entry}\"]\n\
             USER {uid}:{gid}\n",
            base = base.reference,
            version = self.claude_version,
            install = install(self.claude_version.packaging()),
            mount = HOME_VOLUME_MOUNT,
            entry = entry::PATH,
        )
    }

    /// Names the image that this recipe makes on `base`.
    pub(super) fn version(&self, base: &BaseImage) -> ImageVersion {
        let mut digest = Sha256::new();
        // The base's own name may change without its content; its digest stands apart.
        digest.update(self.dockerfile(&BaseImage { reference: "base".into(), digest: String::new() }));
        digest.update(entry::SCRIPT);
        ImageVersion {
            base_digest: base.digest.clone(),
            claude_version: self.claude_version.to_string(),
            recipe_digest: hex(&digest.finalize()),
        }
    }
}

/// One built session image, by content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageVersion {
    /// The base image's digest.
    pub base_digest: String,
    /// Claude Code's version.
    pub claude_version: String,
    /// The digest of the recipe.
    pub recipe_digest: String,
}

impl ImageVersion {
    /// The name under which engines keep it.
    #[must_use]
    pub fn tag(&self) -> String {
        let base = self.base_digest.trim_start_matches("sha256:");
        let short = |text: &str| text.chars().take(12).collect::<String>();
        format!("drydock/session:{}-{}-{}", self.claude_version, short(base), short(&self.recipe_digest))
    }
}

impl fmt::Display for ImageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tag())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        Recipe {
            claude_version: "2.1.330".parse().unwrap(),
            packages: vec![],
            user: SessionUser { name: "me".into(), uid: 501, gid: 20, home: "/Users/me".into() },
            locale: None,
        }
    }

    fn base(digest: &str) -> BaseImage {
        BaseImage { reference: "debian:bookworm-slim".into(), digest: digest.into() }
    }

    #[test]
    fn every_part_of_the_identity_is_in_the_tag() {
        let tag = |recipe: &Recipe, digest: &str| recipe.version(&base(digest)).tag();
        let first = tag(&recipe(), "sha256:aaaaaaaaaaaaaaaa");
        assert!(first.starts_with("drydock/session:2.1.330-aaaaaaaaaaaa-"), "{first}");
        assert_ne!(first, tag(&recipe(), "sha256:bbbbbbbbbbbbbbbb"));
        let more = Recipe { packages: vec!["g++".into()], ..recipe() };
        assert_ne!(first, tag(&more, "sha256:aaaaaaaaaaaaaaaa"));
        let other = Recipe { user: SessionUser { uid: 502, ..recipe().user }, ..recipe() };
        assert_ne!(first, tag(&other, "sha256:aaaaaaaaaaaaaaaa"));
    }

    #[test]
    fn a_version_is_installed_as_it_is_published() {
        let lines = |version: &str| {
            let recipe = Recipe { claude_version: version.parse().unwrap(), ..recipe() };
            recipe.dockerfile(&base("x"))
        };
        let native = lines("2.1.113");
        assert!(native.contains("COPY claude /usr/local/bin/claude\n"), "{native}");
        let script = lines("2.1.112");
        assert!(script.contains("ADD claude-code.tgz ") && script.contains(" nodejs "), "{script}");
        assert!(!script.contains("COPY claude "), "{script}");
        for text in [native, script] {
            assert_eq!(text.matches(" nodejs ").count(), 1, "{text}");
        }
    }

    #[test]
    fn the_recipe_runs_as_the_user_and_ends_there() {
        let text = recipe().dockerfile(&base("x"));
        assert!(text.trim_end().ends_with("USER 501:20"), "{text}");
        assert!(!text.contains("sudo"));
    }

    #[test]
    fn names_are_made_fit_for_useradd() {
        assert_eq!(plain_name("Anna.K"), "anna_k");
        assert_eq!(plain_name("7of9"), "u7of9");
        assert_eq!(plain_name("Пётр"), "____");
    }

    #[test]
    fn a_passwd_entry_is_found_by_id() {
        let text = "root:x:0:0:root:/root:/bin/bash\nme:x:1000:1000:Me,,,:/home/me:/bin/zsh\n";
        assert_eq!(passwd_entry(text, 1000), Some(("me".into(), "/home/me".into())));
        assert_eq!(passwd_entry(text, 7), None);
    }
}
