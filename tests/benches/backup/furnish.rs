//! A home as long work with Claude Code leaves it, of any size. It is the same each time, and its texts pack as
//! texts do: words that come again, sentences that come again, and identifiers that never do.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

/// One size of a home.
pub(crate) struct Size {
    pub(crate) name: &'static str,
    pub(crate) files: usize,
    pub(crate) bytes: usize,
    /// The long conversation.
    pub(crate) transcript: usize,
    pub(crate) rounds: usize,
}

/// How many conversations go on between two backups.
const GONE_ON: usize = 20;

/// Gives a home all of it.
pub(crate) fn furnish(home: &Path, size: &Size) {
    let mut texts = Texts::new();
    let rest = size.bytes.saturating_sub(size.transcript) / size.files;
    for index in 0..size.files {
        let file = home.join(name_of(index));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut file = BufWriter::new(File::create(file).unwrap());
        match index % 4 {
            0 => write_records(&mut file, &mut texts, rest),
            1 => file.write_all(texts.code(rest, "\n").as_bytes()).unwrap(),
            _ => file.write_all(texts.prose(rest, "\n").as_bytes()).unwrap(),
        }
        file.flush().unwrap();
    }
    let mut long = BufWriter::new(File::create(long_conversation(home)).unwrap());
    write_records(&mut long, &mut texts, size.transcript);
    long.flush().unwrap();
    fs::write(home.join(".claude.json"), r#"{"hasCompletedOnboarding":true,"projects":{}}"#).unwrap();
}

/// Lets twenty short conversations go on. A short one is one piece in any repository, so that all must keep the
/// same of it.
pub(crate) fn go_on(home: &Path, size: &Size, round: usize) {
    let mut texts = Texts::seeded(2 * round as u64 + 1);
    let conversations = size.files / 4;
    for n in 0..GONE_ON {
        append(&home.join(name_of(n * conversations / GONE_ON * 4)), &mut texts);
    }
}

/// Lets the long conversation go on.
pub(crate) fn go_on_at_length(home: &Path, round: usize) {
    append(&long_conversation(home), &mut Texts::seeded(2 * round as u64 + 2));
}

fn append(conversation: &Path, texts: &mut Texts) {
    let mut file = BufWriter::new(OpenOptions::new().append(true).open(conversation).unwrap());
    write_records(&mut file, texts, 4 << 10);
    file.flush().unwrap();
}

fn long_conversation(home: &Path) -> PathBuf {
    home.join(".claude/projects/-home-ann-shop/ffffffff-0000-4000-8000-000000000000.jsonl")
}

/// A quarter each: conversations, kept versions of files, skills, plans.
fn name_of(index: usize) -> String {
    let id = format!("{index:08}-0000-4000-8000-000000000000");
    match index % 4 {
        0 => format!(".claude/projects/-home-ann-shop/{id}.jsonl"),
        1 => format!(".claude/file-history/{id}/0123456789abcdef@v1"),
        2 => format!(".claude/skills/skill{}/notes{index}.md", index / 40),
        _ => format!(".claude/plans/plan{index}.md"),
    }
}

/// Whole records of a conversation, until so many bytes are there.
fn write_records(file: &mut impl Write, texts: &mut Texts, bytes: usize) {
    let (session, mut parent) = (texts.id(), texts.id());
    let (mut written, mut turn) = (0, 0);
    while written < bytes {
        let id = texts.id();
        let record = texts.record(turn, &session, &parent, &id);
        file.write_all(record.as_bytes()).unwrap();
        written += record.len();
        (parent, turn) = (id, turn + 1);
    }
}

/// What people and Claude write, from a seed.
struct Texts {
    state: u64,
    words: Vec<String>,
    sentences: Vec<String>,
}

impl Texts {
    fn new() -> Self {
        Self::seeded(0)
    }

    /// With the same words as all others, and its own order of them.
    fn seeded(seed: u64) -> Self {
        let mut texts = Self { state: 1, words: Vec::new(), sentences: Vec::new() };
        texts.words = (0..6000).map(|_| texts.new_word()).collect();
        texts.sentences = (0..3000).map(|_| texts.new_sentence()).collect();
        texts.state ^= seed << 32;
        texts
    }

    /// Steele and others' `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// The first are taken far more often than the last, as words are.
    fn often_the_first(&mut self, limit: usize) -> usize {
        let part = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        ((limit as f64).powf(part) - 1.0) as usize
    }

    fn new_word(&mut self) -> String {
        const PARTS: &[&str] = &[
            "ta", "re", "in", "con", "ver", "st", "le", "ment", "or", "ing", "pa", "cal", "de", "tion", "su",
            "er", "lo", "mi", "ex", "ba",
        ];
        (0..1 + self.below(4)).map(|_| PARTS[self.below(PARTS.len())]).collect()
    }

    fn word(&mut self) -> usize {
        self.often_the_first(self.words.len())
    }

    fn new_sentence(&mut self) -> String {
        let words: Vec<_> = (0..4 + self.below(12)).map(|_| self.word()).collect();
        let words: Vec<_> = words.into_iter().map(|word| self.words[word].as_str()).collect();
        format!("{}. ", words.join(" "))
    }

    /// Every third sentence was said before.
    fn prose(&mut self, bytes: usize, line_end: &str) -> String {
        let mut text = String::with_capacity(bytes + 200);
        while text.len() < bytes {
            if self.below(3) == 0 {
                let known = self.often_the_first(self.sentences.len());
                text.push_str(&self.sentences[known]);
            } else {
                text.push_str(&self.new_sentence());
            }
            if self.below(4) == 0 {
                text.push_str(line_end);
            }
        }
        text
    }

    fn code(&mut self, bytes: usize, line_end: &str) -> String {
        let mut text = String::with_capacity(bytes + 200);
        while text.len() < bytes {
            let (kind, number) = (self.below(5), self.below(1000));
            let indent = "    ".repeat(self.below(4));
            let [a, b, c] = [self.word(), self.word(), self.word()].map(|word| self.words[word].as_str());
            match kind {
                0 => write!(text, "{indent}let {a}_{b} = self.{c}({a});{line_end}"),
                1 => write!(text, "{indent}if {a}.is_{b}() {{{line_end}"),
                2 => write!(text, "{indent}}}{line_end}{line_end}"),
                3 => write!(text, "{indent}return {a}({b}, {number});{line_end}"),
                _ => write!(text, "{indent}// {a} {b} {c}{line_end}"),
            }
            .unwrap();
        }
        text
    }

    fn id(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
        format!(
            "{a:08x}-{b:04x}-4{c:03x}-{:04x}-{:012x}",
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }

    /// As Claude Code writes them: a question, an answer, a tool's call, its result.
    fn record(&mut self, turn: usize, session: &str, parent: &str, id: &str) -> String {
        let seconds = turn * 7;
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let head = format!(
            r#"{{"parentUuid":"{parent}","isSidechain":false,"userType":"external","cwd":"/home/ann/shop","sessionId":"{session}","version":"2.1.330","gitBranch":"main""#
        );
        let tail = format!(
            r#""uuid":"{id}","timestamp":"2026-11-20T{hour:02}:{minute:02}:{second:02}.{:03}Z"}}"#,
            self.below(1000)
        );
        let message =
            format!(r#""id":"msg_{:016x}","model":"claude-opus-4-8","role":"assistant""#, self.next());
        let usage = format!(
            r#""usage":{{"input_tokens":{},"cache_read_input_tokens":{},"output_tokens":{}}}"#,
            self.below(10),
            self.below(200_000),
            self.below(4000)
        );
        let call = format!("toolu_{:016x}", (session.len() + turn / 4) as u64 ^ self.state >> 40);
        let length = 100 + self.below(1200);
        let middle = match turn % 4 {
            0 => {
                let text = self.prose(length / 2, r"\n");
                format!(r#""type":"user","message":{{"role":"user","content":"{text}"}}"#)
            }
            1 => {
                let text = self.prose(length, r"\n");
                format!(
                    r#""type":"assistant","message":{{{message},"content":[{{"type":"text","text":"{text}"}}],{usage}}}"#
                )
            }
            2 => {
                let (old, new) = (self.code(length / 3, r"\n"), self.code(length / 3, r"\n"));
                format!(
                    r#""type":"assistant","message":{{{message},"content":[{{"type":"tool_use","id":"{call}","name":"Edit","input":{{"file_path":"/home/ann/shop/src/till.rs","old_string":"{old}","new_string":"{new}"}}}}],{usage}}}"#
                )
            }
            _ => {
                // It is in there twice in the real ones too.
                let text = self.code(2 * length, r"\n");
                format!(
                    r#""type":"user","message":{{"role":"user","content":[{{"tool_use_id":"{call}","type":"tool_result","content":"{text}"}}]}},"toolUseResult":{{"filePath":"/home/ann/shop/src/till.rs","content":"{text}"}}"#
                )
            }
        };
        format!("{head},{middle},{tail}\n")
    }
}
