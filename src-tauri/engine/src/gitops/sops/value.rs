//! A value as SOPS understands it: which kind a scalar has, and the bytes that stand for it in ciphertexts and in
//! the MAC. The kinds are those of go-yaml 3, which sops reads files with; the bytes are sops' own
//! (`ToBytes` in <https://github.com/getsops/sops/blob/v3.11.0/sops.go>).

use super::yaml::Scalar;
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, SecondsFormat};
use granit_parser::ScalarStyle;
use zeroize::Zeroizing;

/// By whose rules a scalar is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Yaml,
    /// All numbers are floating-point ones.
    Json,
}

/// What a scalar says.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A moment, as RFC 3339 writes it.
    Time(String),
    /// Text.
    Text(Zeroizing<String>),
    /// A comment in a list: no value at all.
    Comment(Zeroizing<String>),
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

/// Why a scalar is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoValue;

impl Value {
    /// For people.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a yes or no",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Time(_) => "a date",
            Self::Text(_) => "text",
            Self::Comment(_) => "a comment",
        }
    }

    pub(super) fn text(text: &str) -> Self {
        Self::Text(Zeroizing::new(text.to_owned()))
    }

    pub(super) fn of(scalar: &Scalar, dialect: Dialect) -> Result<Self, NoValue> {
        let text = scalar.text.as_str();
        if scalar.style != ScalarStyle::Plain && scalar.tag.is_none() {
            return Ok(Self::Text(scalar.text.clone()));
        }
        match (scalar.tag.as_deref(), dialect) {
            (Some("str"), _) => Ok(Self::Text(scalar.text.clone())),
            (Some("float"), _) => match plain(text) {
                Self::Int(number) => Ok(Self::Float(number as f64)),
                Self::Float(number) => Ok(Self::Float(number)),
                _ => Err(NoValue),
            },
            (tag, Dialect::Yaml) => {
                let value = plain(text);
                let fits = match tag {
                    None => true,
                    Some("null") => value == Self::Null,
                    Some("bool") => matches!(value, Self::Bool(_)),
                    Some("int") => matches!(value, Self::Int(_)),
                    Some("timestamp") => matches!(value, Self::Time(_)),
                    Some(_) => false,
                };
                // Too large for sops as well: it knows no unsigned numbers.
                if fits && !is_beyond(text, &value) { Ok(value) } else { Err(NoValue) }
            }
            (None, Dialect::Json) => match text {
                "null" | "~" => Ok(Self::Null),
                "true" => Ok(Self::Bool(true)),
                "false" => Ok(Self::Bool(false)),
                number => number.parse().map(Self::Float).map_err(|_| NoValue),
            },
            (Some(_), Dialect::Json) => Err(NoValue),
        }
    }

    /// What a ciphertext says, by its `type`.
    pub(super) fn of_plaintext(kind: &str, bytes: &[u8]) -> Result<Self, NoValue> {
        let text = std::str::from_utf8(bytes).map_err(|_| NoValue)?;
        match kind {
            "str" | "bytes" => Ok(Self::text(text)),
            "int" => text.parse().map(Self::Int).map_err(|_| NoValue),
            "float" => text.parse().map(Self::Float).map_err(|_| NoValue),
            // What Go's ParseBool takes.
            "bool" => match text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Self::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Self::Bool(false)),
                _ => Err(NoValue),
            },
            "time" => time(text).ok_or(NoValue),
            _ => Err(NoValue),
        }
    }

    /// How sops names the kind in a ciphertext.
    pub(super) fn sops_type(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Time(_) => "time",
            Self::Text(_) => "str",
            Self::Comment(_) => "comment",
        }
    }

    /// What is encrypted, and goes into the MAC.
    pub(super) fn bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Null => Vec::new(),
            Self::Bool(true) => b"True".to_vec(),
            Self::Bool(false) => b"False".to_vec(),
            Self::Int(number) => number.to_string().into_bytes(),
            Self::Float(number) => go_float(*number).into_bytes(),
            Self::Time(moment) => moment.clone().into_bytes(),
            Self::Text(text) | Self::Comment(text) => text.as_bytes().to_vec(),
        })
    }

    /// As text, whatever kind it has.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Null => String::new(),
            Self::Bool(yes) => yes.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => go_float(*number),
            Self::Time(moment) => moment.clone(),
            Self::Text(text) | Self::Comment(text) => return text.clone(),
        })
    }
}

/// As Go's `FormatFloat(number, 'f', -1, 64)`.
fn go_float(number: f64) -> String {
    if number.is_nan() {
        "NaN".into()
    } else if number.is_infinite() {
        if number > 0.0 { "+Inf".into() } else { "-Inf".into() }
    } else {
        number.to_string()
    }
}

/// A scalar without quotes, as go-yaml 3 understands it.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return Value::text(text);
    }
    if let Some(moment) = time(text) {
        return moment;
    }
    let digits: String = text.chars().filter(|letter| *letter != '_').collect();
    if let Some(number) = whole(&digits) {
        return number;
    }
    if is_float(&digits)
        && let Ok(number) = digits.parse()
    {
        return Value::Float(number);
    }
    Value::text(text)
}

/// As Go's `ParseInt(text, 0, 64)`, where `0o` and a leading 0 are octal.
fn whole(text: &str) -> Option<Value> {
    let (minus, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    // A second sign would be taken by the parser below.
    if digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    let signed = if minus { format!("-{digits}") } else { digits.to_owned() };
    match i64::from_str_radix(&signed, base) {
        Ok(number) => Some(Value::Int(number)),
        Err(_) => None,
    }
}

/// Whether it is a whole number that go-yaml takes for an unsigned one, since it does not fit a signed one.
fn is_beyond(text: &str, value: &Value) -> bool {
    matches!(value, Value::Float(_)) && text.replace('_', "").parse::<u64>().is_ok()
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let are_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let fits = match mantissa.split_once('.') {
        Some(("", after)) => !after.is_empty() && are_digits(after),
        Some((before, after)) => are_digits(before) && are_digits(after),
        None => !mantissa.is_empty() && are_digits(mantissa),
    };
    fits && exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && are_digits(digits)
    })
}

/// The forms of a moment that go-yaml knows.
fn time(text: &str) -> Option<Value> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return None;
    }
    let written = |moment: DateTime<FixedOffset>| {
        // As Go's RFC3339Nano: a fraction without zeros at its end.
        let whole = moment.to_rfc3339_opts(SecondsFormat::Nanos, true);
        let (before, after) = whole.split_once('.')?;
        let zone = after.find(|letter: char| !letter.is_ascii_digit())?;
        let (fraction, zone) = after.split_at(zone);
        let fraction = fraction.trim_end_matches('0');
        let dot = if fraction.is_empty() { "" } else { "." };
        Some(Value::Time(format!("{before}{dot}{fraction}{zone}")))
    };
    let in_utc = |moment: NaiveDateTime| written(moment.and_utc().fixed_offset());
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return in_utc(day.and_hms_opt(0, 0, 0)?);
    }
    if text.contains(['T', 't'])
        && let Ok(moment) = DateTime::parse_from_rfc3339(&text.replace('t', "T"))
    {
        return written(moment);
    }
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok().and_then(in_utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> String {
        String::from_utf8(plain(text).bytes().to_vec()).unwrap()
    }

    #[test]
    fn plain_scalars_are_what_go_yaml_takes_them_for() {
        for (text, kind, as_bytes) in [
            ("yes", "text", "yes"),
            ("~", "nothing", ""),
            ("TRUE", "a yes or no", "True"),
            ("false", "a yes or no", "False"),
            ("12", "a number", "12"),
            ("+12", "a number", "12"),
            ("-0", "a number", "0"),
            ("0x1F", "a number", "31"),
            ("0o17", "a number", "15"),
            ("017", "a number", "15"),
            ("018", "a number", "18"),
            ("1_000", "a number", "1000"),
            ("0b101", "a number", "5"),
            ("1.50", "a number", "1.5"),
            ("1e3", "a number", "1000"),
            (".5", "a number", "0.5"),
            ("5.", "a number", "5"),
            ("1e21", "a number", "1000000000000000000000"),
            (".inf", "a number", "+Inf"),
            ("1.2.3", "text", "1.2.3"),
            ("--5", "text", "--5"),
            ("0x", "text", "0x"),
            ("-", "text", "-"),
            ("2001-12-14", "a date", "2001-12-14T00:00:00Z"),
            ("2001-12-14t21:59:43.10-05:00", "a date", "2001-12-14T21:59:43.1-05:00"),
            ("2001-12-14 21:59:43", "a date", "2001-12-14T21:59:43Z"),
            ("2001-13-14", "text", "2001-13-14"),
            ("12:30", "text", "12:30"),
        ] {
            assert_eq!((plain(text).kind(), bytes(text).as_str()), (kind, as_bytes), "{text}");
        }
    }

    #[test]
    fn a_value_shows_its_kind_and_nothing_else() {
        assert_eq!(format!("{:?}", Value::text("hunter2")), "text");
    }
}
