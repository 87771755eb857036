//! A mail server on loopback: Python's aiosmtpd, which knows the protocol better than a stand-in of ours would.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde::Deserialize;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// How connections to it are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Not at all.
    Plain,
    /// After the first words.
    Starttls,
    /// From the beginning.
    Tls,
}

/// A mail that it took.
#[derive(Debug, Clone, Deserialize)]
pub struct Taken {
    /// Of the envelope.
    pub from: String,
    /// Of the envelope.
    pub to: Vec<String>,
    /// Whether the connection was protected.
    pub tls: bool,
    /// Whether somebody had logged in.
    pub authenticated: bool,
    /// The mail.
    pub text: String,
}

impl Taken {
    /// A header's value, on one line.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let text = self.text.replace("\r\n", "\n");
        let head = text.split("\n\n").next()?.replace("\n ", " ").replace("\n\t", " ");
        head.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
    }
}

/// It. Dropping it ends it.
pub struct MailServer {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl MailServer {
    /// Starts one that takes everybody's mail.
    #[must_use]
    pub fn open() -> Self {
        Self::start(Protection::Plain, None)
    }

    /// Starts one at which this user must log in with this password.
    #[must_use]
    pub fn for_user(protection: Protection, user: &str, password: &str) -> Self {
        Self::start(protection, Some((user, password)))
    }

    fn start(protection: Protection, login: Option<(&str, &str)>) -> Self {
        let folder = TempDir::with_prefix("drydock-mail-").expect("a scratch folder");
        fs::create_dir(folder.path().join("taken")).unwrap();
        let file = |name: &str| folder.path().join(name);
        write_certificates(&folder);
        fs::write(file("server.py"), include_str!("mail_server.py")).unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let kind = match protection {
            Protection::Plain => "plain",
            Protection::Starttls => "starttls",
            Protection::Tls => "tls",
        };
        let (user, password) = login.unwrap_or_default();
        // Debian's own Python, which has Debian's aiosmtpd.
        let mut child = Command::new("/usr/bin/python3")
            .arg(file("server.py"))
            .arg(file("taken"))
            .args([&port.to_string(), kind])
            .args([file("server.pem"), file("server.key")])
            .args([user, password])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(file("log")).unwrap())
            .spawn()
            .expect("python3 can be run");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready", "aiosmtpd: {}", fs::read_to_string(file("log")).unwrap());
        Self { child, port, folder }
    }

    /// Its port on 127.0.0.1, also called `localhost`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate by which it is trusted, in a file.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What it took, in order.
    #[must_use]
    pub fn taken(&self) -> Vec<Taken> {
        let mail = |number: usize| fs::read(self.folder.path().join(format!("taken/{number}.json"))).ok();
        (1..).map_while(mail).map(|text| serde_json::from_slice(&text).unwrap()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_certificates(folder: &TempDir) {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let server = server.signed_by(&key, &issuer).unwrap();
    for (name, text) in
        [("ca.pem", ca_pem), ("server.pem", server.pem()), ("server.key", key.serialize_pem())]
    {
        fs::write(folder.path().join(name), text).unwrap();
    }
}
